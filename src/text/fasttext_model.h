// The file of a supervised fastText model: its settings, its dictionary and its two matrices.
#ifndef TOOLFORMER_SRC_TEXT_FASTTEXT_MODEL_H_
#define TOOLFORMER_SRC_TEXT_FASTTEXT_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/file.h"

namespace toolformer {

// fastText's hash of a string: FNV-1a over bytes taken as signed.
uint32_t FastTextHash(std::string_view text);

// Vectors as codes of the nearest of 256 centroids, of a few dimensions at a time.
struct FastTextQuantizer {
  int64_t dim = 0, parts = 0, part_dim = 0, last_dim = 0;
  std::vector<float> centroids;
  std::span<const float> Centroid(int64_t part, uint8_t code) const;
};

// Rows of floats, plain or quantised; points into the file.
class FastTextMatrix {
 public:
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  // out += row.
  void AddRow(int64_t row, std::span<float> out) const;
  float Dot(int64_t row, std::span<const float> vector) const;

 private:
  friend class FastTextReader;
  float Norm(int64_t row) const;

  int64_t rows_ = 0, columns_ = 0;
  std::string_view values_;  // plain: [rows][columns] f32, of any alignment
  std::string_view codes_, norm_codes_;
  FastTextQuantizer quantizer_, norm_quantizer_;
};

struct FastTextModel {
  enum class Loss { kHierarchical = 1, kNegative = 2, kSoftmax = 3, kOneVsAll = 4 };

  std::unique_ptr<MappedFile> file;
  int32_t dim = 0, word_ngrams = 0, buckets = 0, least_ngram = 0, most_ngram = 0;
  Loss loss = Loss::kSoftmax;
  std::unordered_map<std::string, int32_t> words;  // by spelling; ids from 0
  std::vector<std::string> labels;                 // without prefix
  std::vector<int64_t> label_counts;
  bool pruned = false;  // only the buckets of `kept` are left
  std::unordered_map<int32_t, int32_t> kept;
  FastTextMatrix input, output;

  // kNotFound, kInvalidArgument, kUnimplemented; messages name the field.
  static absl::StatusOr<FastTextModel> Load(const std::string& path);

  // Rows of the input matrix that a line of words stands for.
  std::vector<int32_t> Features(std::string_view text) const;

 private:
  void AddCharacterNgrams(std::string_view word, std::vector<int32_t>* rows) const;
  void AddBucket(uint64_t bucket, std::vector<int32_t>* rows) const;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_FASTTEXT_MODEL_H_
