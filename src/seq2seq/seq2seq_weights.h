// The tensors of an encoder-decoder transformer, read from a file and made ready to multiply with.
#ifndef TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_WEIGHTS_H_
#define TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_WEIGHTS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/model/cpu/packed_linear.h"
#include "src/model/weights.h"
#include "src/seq2seq/seq2seq_spec.h"
#include "toolformer/weight_file.h"

namespace toolformer {

// How matrices are kept.
struct MatrixSettings {
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;
  // Packed for the library's own kernels (float32 and int8 on the CPU); null: tensors of libtorch's.
  const simd::Kernels* kernels = nullptr;
  PackedType packed_type = PackedType::kFloat32;
};

// y = activation(x weight^T + bias).
class Matrix {
 public:
  enum class Kind {
    kLinear,
    kActivated,
    kGated,  // weight is [gate, up]; activation(gate) * up
  };
  struct Shape {
    Kind kind = Kind::kLinear;
    Activation activation = Activation::kRelu;
  };
  Matrix() = default;
  Matrix(const Linear& linear, const Shape& shape, const MatrixSettings& settings);

  // x [rows, in] -> [rows, out], of the settings' type.
  at::Tensor Apply(const at::Tensor& x) const;
  // Rows of the weight, for a linear one in float32 or in tensors; ids [n] int64 on the CPU -> [n, in].
  at::Tensor Rows(const at::Tensor& ids) const;

 private:
  Shape shape_;
  Linear linear_;
  PackedLinear packed_;
  int64_t inputs_ = 0, outputs_ = 0;
};

struct Seq2SeqLayer {
  Norm self_norm, cross_norm, mlp_norm;
  Matrix query_key_value, self_out;
  Matrix cross_query, cross_key_value, cross_out;  // of the decoder
  Matrix up, down;
};

struct Seq2SeqStack {
  at::Tensor embedding;  // [vocabulary, hidden]; undefined: the rows of the output weights serve
  std::vector<Seq2SeqLayer> layers;
  Norm final_norm;
  at::Tensor relative_bias;  // [heads, buckets] f32, kRelativeBias only
};

struct Seq2SeqWeights {
  Seq2SeqStack encoder, decoder;
  Matrix output;
  int64_t parameters = 0;
};

struct Seq2SeqSource {
  const WeightFile& file;
  std::string where;  // for messages
  std::function<void(uint64_t done, uint64_t total)> progress;
};

// kInvalidArgument names a tensor that is missing or has another shape than the spec says; nothing is allocated for a
// tensor before the file has been seen to hold it. Throws what libtorch throws.
absl::StatusOr<Seq2SeqWeights> LoadSeq2SeqWeights(const Seq2SeqSource& source, const Seq2SeqSpec& spec,
                                                  const MatrixSettings& settings);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_WEIGHTS_H_
