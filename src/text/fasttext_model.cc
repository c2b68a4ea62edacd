#include "src/text/fasttext_model.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

constexpr int32_t kMagic = 793712314;
constexpr std::string_view kLabelPrefix = "__label__";
constexpr std::string_view kEnd = "</s>";
constexpr std::string_view kWordBreaks = " \n\r\t\v\f";
constexpr int64_t kCentroids = 256;
constexpr int64_t kMostRows = int64_t{1} << 31;
constexpr int32_t kMostDim = 65536;
constexpr int64_t kMostNgram = 64;

bool PartsWords(char byte) { return byte == '\0' || kWordBreaks.find(byte) != std::string_view::npos; }
bool ContinuesCodePoint(char byte) { return (static_cast<uint8_t>(byte) & 0xc0) == 0x80; }

}  // namespace

uint32_t FastTextHash(std::string_view text) {
  uint32_t hash = 2166136261U;
  for (const char byte : text) {
    hash ^= static_cast<uint32_t>(static_cast<int32_t>(static_cast<int8_t>(byte)));
    hash *= 16777619U;
  }
  return hash;
}

std::span<const float> FastTextQuantizer::Centroid(int64_t part, uint8_t code) const {
  const int64_t size = part + 1 == parts ? last_dim : part_dim;
  const int64_t first = part * kCentroids * part_dim + code * size;
  return std::span<const float>(centroids).subspan(static_cast<size_t>(first), static_cast<size_t>(size));
}

float FastTextMatrix::Norm(int64_t row) const {
  if (norm_codes_.empty()) return 1.0f;
  return norm_quantizer_.Centroid(0, static_cast<uint8_t>(norm_codes_[static_cast<size_t>(row)]))[0];
}

void FastTextMatrix::AddRow(int64_t row, std::span<float> out) const {
  if (codes_.empty()) {
    const char* values = values_.data() + row * columns_ * static_cast<int64_t>(sizeof(float));
    for (size_t i = 0; i < out.size(); ++i) {
      float value;
      std::memcpy(&value, values + i * sizeof(float), sizeof(float));
      out[i] += value;
    }
    return;
  }
  const float norm = Norm(row);
  for (int64_t part = 0; part < quantizer_.parts; ++part) {
    const auto code = static_cast<uint8_t>(codes_[static_cast<size_t>(row * quantizer_.parts + part)]);
    const std::span<const float> centroid = quantizer_.Centroid(part, code);
    float* to = out.data() + part * quantizer_.part_dim;
    for (size_t i = 0; i < centroid.size(); ++i) to[i] += norm * centroid[i];
  }
}

float FastTextMatrix::Dot(int64_t row, std::span<const float> vector) const {
  std::vector<float> values(static_cast<size_t>(columns_), 0.0f);
  AddRow(row, values);
  float sum = 0.0f;
  for (size_t i = 0; i < values.size(); ++i) sum += values[i] * vector[i];
  return sum;
}

// Reads the fields of a file one after the other; nothing is believed that the rest of the file cannot hold.
class FastTextReader {
 public:
  FastTextReader(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  absl::Status Read(FastTextModel* model) {
    TF_RETURN_IF_ERROR(ReadSettings(model));
    TF_RETURN_IF_ERROR(ReadDictionary(model));
    bool quantized = false, output_quantized = false;
    TF_RETURN_IF_ERROR(ReadFlag("quantised input", &quantized));
    if (model->pruned && !quantized) return Corrupt("the dictionary is pruned, but the matrix is not quantised");
    TF_RETURN_IF_ERROR(ReadMatrix("input", quantized, &model->input));
    TF_RETURN_IF_ERROR(ReadFlag("quantised output", &output_quantized));
    TF_RETURN_IF_ERROR(ReadMatrix("output", quantized && output_quantized, &model->output));
    const auto words = static_cast<int64_t>(model->words.size());
    const int64_t buckets = model->pruned ? std::ssize(model->kept) : model->buckets;
    for (const auto& [bucket, row] : model->kept) {
      if (row < 0 || row >= buckets) return Corrupt(fmt::format("a pruned bucket is row {} of {}", row, buckets));
    }
    const bool has_buckets = model->most_ngram > 0 || model->word_ngrams > 1;
    const int64_t rows = words + (has_buckets ? buckets : 0);
    if (model->input.rows() < rows) {
      return Corrupt(fmt::format("the input matrix has {} rows, not {}", model->input.rows(), rows));
    }
    if (model->output.rows() < std::ssize(model->labels)) {
      return Corrupt(
          fmt::format("the output matrix has {} rows for {} labels", model->output.rows(), model->labels.size()));
    }
    if (model->input.columns() != model->dim || model->output.columns() != model->dim) {
      return Corrupt(fmt::format("matrices of {} and {} columns, not {}", model->input.columns(),
                                 model->output.columns(), model->dim));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Corrupt(const std::string& what) const { return InvalidArgument("{}: {}", path_, what); }

  absl::Status Take(const char* field, uint64_t size, std::string_view* out) {
    if (size > bytes_.size() - at_) {
      return Corrupt(fmt::format("ends at byte {}, in {} of {} bytes from byte {}", bytes_.size(), field, size, at_));
    }
    *out = bytes_.substr(at_, static_cast<size_t>(size));
    at_ += static_cast<size_t>(size);
    return absl::OkStatus();
  }
  template <typename T>
  absl::Status ReadNumber(const char* field, T* out) {
    std::string_view bytes;
    TF_RETURN_IF_ERROR(Take(field, sizeof(T), &bytes));
    std::memcpy(out, bytes.data(), sizeof(T));
    return absl::OkStatus();
  }
  absl::Status ReadFlag(const char* field, bool* out) {
    uint8_t byte = 0;
    TF_RETURN_IF_ERROR(ReadNumber(field, &byte));
    if (byte > 1) return Corrupt(fmt::format("{} is {}, neither 0 nor 1", field, byte));
    *out = byte == 1;
    return absl::OkStatus();
  }
  absl::Status ReadWithin(const char* field, int64_t least, int64_t most, int64_t* out) {
    int32_t value = 0;
    TF_RETURN_IF_ERROR(ReadNumber(field, &value));
    if (value < least || value > most) {
      return Corrupt(fmt::format("{} is {}, not within {} to {}", field, value, least, most));
    }
    *out = value;
    return absl::OkStatus();
  }

  absl::Status ReadSettings(FastTextModel* model) {
    int32_t magic = 0, version = 0;
    TF_RETURN_IF_ERROR(ReadNumber("magic", &magic));
    if (magic != kMagic) return Corrupt("is not a model of fastText: it does not begin with its magic number");
    TF_RETURN_IF_ERROR(ReadNumber("version", &version));
    if (version != 11 && version != 12) {
      return Unimplemented("{}: version {} of the format; supported are 11 and 12", path_, version);
    }
    int64_t ignored = 0, dim = 0, ngrams = 0, loss = 0, kind = 0, buckets = 0, least = 0, most = 0;
    constexpr int64_t kAny = INT32_MAX;
    TF_RETURN_IF_ERROR(ReadWithin("dim", 1, kMostDim, &dim));
    for (const char* name : {"ws", "epoch", "minCount", "neg"}) {
      TF_RETURN_IF_ERROR(ReadWithin(name, INT32_MIN, kAny, &ignored));
    }
    TF_RETURN_IF_ERROR(ReadWithin("wordNgrams", 0, kMostNgram, &ngrams));
    TF_RETURN_IF_ERROR(ReadWithin("loss", 1, 4, &loss));
    TF_RETURN_IF_ERROR(ReadWithin("model", INT32_MIN, kAny, &kind));
    TF_RETURN_IF_ERROR(ReadWithin("bucket", 0, kAny, &buckets));
    TF_RETURN_IF_ERROR(ReadWithin("minn", 0, kMostNgram, &least));
    TF_RETURN_IF_ERROR(ReadWithin("maxn", 0, kMostNgram, &most));
    TF_RETURN_IF_ERROR(ReadWithin("lrUpdateRate", INT32_MIN, kAny, &ignored));
    double sampling = 0.0;
    TF_RETURN_IF_ERROR(ReadNumber("t", &sampling));
    if (kind != 3) return Unimplemented("{}: holds word vectors; supported are supervised models", path_);
    // Supervised models of that version used no characters, whatever they say.
    if (version == 11) most = 0;
    if ((most > 0 || ngrams > 1) && buckets < 1) return Corrupt("bucket is 0, and n-grams are used");
    model->dim = static_cast<int32_t>(dim);
    model->word_ngrams = static_cast<int32_t>(ngrams);
    model->loss = static_cast<FastTextModel::Loss>(loss);
    model->buckets = static_cast<int32_t>(buckets);
    model->least_ngram = static_cast<int32_t>(least);
    model->most_ngram = static_cast<int32_t>(most);
    return absl::OkStatus();
  }

  absl::Status ReadDictionary(FastTextModel* model) {
    int64_t size = 0, words = 0, labels = 0, tokens = 0, pruned = 0;
    TF_RETURN_IF_ERROR(ReadWithin("entries", 0, INT32_MAX, &size));
    TF_RETURN_IF_ERROR(ReadWithin("words", 0, INT32_MAX, &words));
    TF_RETURN_IF_ERROR(ReadWithin("labels", 1, INT32_MAX, &labels));
    TF_RETURN_IF_ERROR(ReadNumber("tokens", &tokens));
    TF_RETURN_IF_ERROR(ReadNumber("pruned buckets", &pruned));
    if (words + labels != size)
      return Corrupt(fmt::format("{} words and {} labels are not {} entries", words, labels, size));
    for (int64_t i = 0; i < size; ++i) TF_RETURN_IF_ERROR(ReadEntry(i < words, model));
    if (std::ssize(model->words) != words) return Corrupt("a word is there twice");
    model->pruned = pruned >= 0;
    for (int64_t i = 0; i < pruned; ++i) {
      int32_t bucket = 0, row = 0;
      TF_RETURN_IF_ERROR(ReadNumber("pruned bucket", &bucket));
      TF_RETURN_IF_ERROR(ReadNumber("pruned bucket", &row));
      if (!model->kept.emplace(bucket, row).second) return Corrupt(fmt::format("bucket {} is there twice", bucket));
    }
    return absl::OkStatus();
  }

  absl::Status ReadEntry(const bool& is_word, FastTextModel* model) {
    const size_t end = bytes_.find('\0', at_);
    if (end == std::string_view::npos) return Corrupt(fmt::format("ends in an entry from byte {}", at_));
    std::string spelling(bytes_.substr(at_, end - at_));
    at_ = end + 1;
    int64_t count = 0;
    uint8_t type = 0;
    TF_RETURN_IF_ERROR(ReadNumber("count", &count));
    TF_RETURN_IF_ERROR(ReadNumber("type", &type));
    if (type != (is_word ? 0 : 1)) return Corrupt(fmt::format("entry {} has type {}", Quote(spelling), type));
    if (is_word) {
      model->words.emplace(std::move(spelling), static_cast<int32_t>(model->words.size()));
      return absl::OkStatus();
    }
    if (count < 0 || count > int64_t{1000000000000000}) return Corrupt(fmt::format("a label was seen {} times", count));
    if (!IsValidUtf8(spelling)) return Corrupt("a label is not valid UTF-8");
    if (spelling.starts_with(kLabelPrefix)) spelling.erase(0, kLabelPrefix.size());
    model->labels.push_back(std::move(spelling));
    model->label_counts.push_back(count);
    return absl::OkStatus();
  }

  absl::Status ReadMatrix(const char* name, const bool& quantized, FastTextMatrix* matrix) {
    bool normed = false;
    if (quantized) TF_RETURN_IF_ERROR(ReadFlag("quantised norms", &normed));
    TF_RETURN_IF_ERROR(ReadNumber(name, &matrix->rows_));
    TF_RETURN_IF_ERROR(ReadNumber(name, &matrix->columns_));
    if (matrix->rows_ < 0 || matrix->rows_ > kMostRows || matrix->columns_ < 1 || matrix->columns_ > kMostDim) {
      return Corrupt(fmt::format("the {} matrix is {} by {}", name, matrix->rows_, matrix->columns_));
    }
    const auto rows = static_cast<uint64_t>(matrix->rows_), columns = static_cast<uint64_t>(matrix->columns_);
    if (!quantized) return Take(name, rows * columns * sizeof(float), &matrix->values_);
    int64_t code_bytes = 0;
    TF_RETURN_IF_ERROR(ReadWithin("codes", 0, INT32_MAX, &code_bytes));
    TF_RETURN_IF_ERROR(Take("codes", static_cast<uint64_t>(code_bytes), &matrix->codes_));
    TF_RETURN_IF_ERROR(ReadQuantizer(matrix->columns_, &matrix->quantizer_));
    if (matrix->rows_ == 0 || code_bytes != matrix->rows_ * matrix->quantizer_.parts) {
      return Corrupt(fmt::format("{} bytes of codes for {} rows of {}", code_bytes, rows, matrix->quantizer_.parts));
    }
    if (!normed) return absl::OkStatus();
    TF_RETURN_IF_ERROR(Take("norms", rows, &matrix->norm_codes_));
    return ReadQuantizer(1, &matrix->norm_quantizer_);
  }

  absl::Status ReadQuantizer(int64_t dim, FastTextQuantizer* quantizer) {
    TF_RETURN_IF_ERROR(ReadWithin("quantiser's dim", 1, kMostDim, &quantizer->dim));
    TF_RETURN_IF_ERROR(ReadWithin("quantiser's parts", 1, kMostDim, &quantizer->parts));
    TF_RETURN_IF_ERROR(ReadWithin("quantiser's part", 1, kMostDim, &quantizer->part_dim));
    TF_RETURN_IF_ERROR(ReadWithin("quantiser's last part", 1, kMostDim, &quantizer->last_dim));
    if (quantizer->dim != dim || quantizer->last_dim > quantizer->part_dim ||
        (quantizer->parts - 1) * quantizer->part_dim + quantizer->last_dim != dim) {
      return Corrupt(fmt::format("a quantiser of {} parts of {} and {} for {} dimensions", quantizer->parts,
                                 quantizer->part_dim, quantizer->last_dim, dim));
    }
    std::string_view bytes;
    TF_RETURN_IF_ERROR(Take("centroids", static_cast<uint64_t>(dim * kCentroids) * sizeof(float), &bytes));
    quantizer->centroids.resize(static_cast<size_t>(dim * kCentroids));
    std::memcpy(quantizer->centroids.data(), bytes.data(), bytes.size());
    return absl::OkStatus();
  }

  const std::string_view bytes_;
  const std::string& path_;
  size_t at_ = 0;
};

absl::StatusOr<FastTextModel> FastTextModel::Load(const std::string& path) {
  FastTextModel model;
  TF_ASSIGN_OR_RETURN(model.file, MappedFile::Open(path));
  const auto bytes = model.file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  TF_RETURN_IF_ERROR(FastTextReader(text, path).Read(&model));
  return model;
}

void FastTextModel::AddBucket(uint64_t bucket, std::vector<int32_t>* rows) const {
  auto row = static_cast<int32_t>(bucket % static_cast<uint64_t>(buckets));
  if (pruned) {
    const auto found = kept.find(row);
    if (found == kept.end()) return;
    row = found->second;
  }
  rows->push_back(static_cast<int32_t>(words.size()) + row);
}

void FastTextModel::AddCharacterNgrams(std::string_view word, std::vector<int32_t>* rows) const {
  for (size_t i = 0; i < word.size(); ++i) {
    if (ContinuesCodePoint(word[i])) continue;
    size_t end = i;
    for (int32_t n = 1; n <= most_ngram && end < word.size(); ++n) {
      ++end;
      while (end < word.size() && ContinuesCodePoint(word[end])) ++end;
      // Not the marks of a word's beginning and end alone.
      if (n >= least_ngram && !(n == 1 && (i == 0 || end == word.size()))) {
        AddBucket(FastTextHash(word.substr(i, end - i)), rows);
      }
    }
  }
}

std::vector<int32_t> FastTextModel::Features(std::string_view text) const {
  std::vector<int32_t> rows;
  std::vector<int32_t> hashes;  // of the words, signed as fastText has them
  const auto add = [&](std::string_view word) {
    const auto known = words.find(std::string(word));
    if (known == words.end() && word.starts_with(kLabelPrefix)) return;
    if (known != words.end()) rows.push_back(known->second);
    if (most_ngram > 0 && word != kEnd) AddCharacterNgrams("<" + std::string(word) + ">", &rows);
    hashes.push_back(static_cast<int32_t>(FastTextHash(word)));
  };
  bool ended = false;  // what spells the end ends the line
  for (size_t at = 0; at < text.size() && !ended;) {
    if (PartsWords(text[at])) {
      ++at;
      continue;
    }
    const size_t first = at;
    while (at < text.size() && !PartsWords(text[at])) ++at;
    add(text.substr(first, at - first));
    ended = text.substr(first, at - first) == kEnd;
  }
  if (!ended) add(kEnd);
  for (size_t i = 0; word_ngrams > 1 && i < hashes.size(); ++i) {
    auto hash = static_cast<uint64_t>(static_cast<int64_t>(hashes[i]));
    for (size_t j = i + 1; j < hashes.size() && j < i + static_cast<size_t>(word_ngrams); ++j) {
      hash = hash * 116049371U + static_cast<uint64_t>(static_cast<int64_t>(hashes[j]));
      AddBucket(hash, &rows);
    }
  }
  return rows;
}

}  // namespace toolformer
