// Next tokens from logits: probabilities, sampling, the k most likely. Logits are read where they are, once for the
// largest and once for the sum of exponentials; nothing of their size is allocated. What a row gives depends on that
// row only, not on the others or on the number of threads.
#ifndef TOOLFORMER_SRC_MODEL_TOKEN_SAMPLER_H_
#define TOOLFORMER_SRC_MODEL_TOKEN_SAMPLER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

// log p(ids[r]) under row r of logits [rows, vocab] f32, in nats. kInternal where a row is not finite.
absl::StatusOr<std::vector<double>> LogProbabilities(const at::Tensor& logits, std::span<const int32_t> ids);

// Summed probability of `ids` under each row. kInternal where a row is not finite.
absl::StatusOr<std::vector<double>> SummedProbabilities(const at::Tensor& logits, std::span<const int32_t> ids);

// Summed probability of `ids` under one row, where that is above `floor`; otherwise some number up to `floor`, found
// without the sum over the row where its largest logit tells enough. kInternal where the row is seen not to be finite.
absl::StatusOr<double> SummedProbabilityAbove(std::span<const float> logits, std::span<const int32_t> ids,
                                              double floor);

// One token a row by inverting the cumulative distribution at uniforms[r] in [0, 1), at `temperature` > 0. `allowed`
// [vocab] f32 is 0 for tokens that may be drawn and -inf for others; undefined: all may. -1 where none may.
absl::StatusOr<std::vector<int32_t>> SampleTokens(const at::Tensor& logits, double temperature,
                                                  std::span<const double> uniforms, const at::Tensor& allowed);

// A sample to be drawn from a row of logits.
struct Draw {
  int64_t row = 0;
  double uniform = 0.0;  // in [0, 1)
};

// The column of each draw by inverting the cumulative distribution of its row over all columns; several draws of a row
// stand together. -1 where every column of the row is -inf. kInternal where a row holds NaN or inf.
absl::StatusOr<std::vector<int32_t>> DrawColumns(const at::Tensor& logits, double temperature,
                                                 std::span<const Draw> draws);

// The most likely token of one row; the smaller id where two are equal. kInternal where the row is not finite.
absl::StatusOr<int32_t> MostLikely(std::span<const float> logits);

// Whether any of `ids` is among the k most likely tokens of the row.
bool AnyAmongTop(std::span<const float> logits, std::span<const int32_t> ids, int64_t k);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_TOKEN_SAMPLER_H_
