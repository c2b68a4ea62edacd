// Low-rank adapters (Hu et al., 2021: LoRA) in the files of PEFT: adapter_config.json, adapter_model.safetensors.
#ifndef TOOLFORMER_SRC_MODEL_LOW_RANK_H_
#define TOOLFORMER_SRC_MODEL_LOW_RANK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/model/placement.h"

namespace toolformer {

// What is added to one linear map of the family's files: scale up down.
struct LowRankPart {
  std::string module;   // "model.layers.0.self_attn.q_proj"
  Placement placement;  // of the map's weight
  at::Tensor down;      // A of the paper, [rank, in] f32
  at::Tensor up;        // B, [out, rank] f32; rows in our order
};

struct LowRankAdapter {
  int64_t rank = 0;
  double alpha = 0.0;
  std::vector<LowRankPart> parts;

  double scale() const { return alpha / static_cast<double>(rank); }
};

// A part without values for every linear map of the layers: those of attention and MLP.
std::vector<LowRankPart> AdaptableParts(const Family& family, const TransformerSpec& spec,
                                        const TransformerWeights& weights);

// `parts` are all that the model has; the adapter has those that the folder holds. kInvalidArgument (a file that is
// corrupt, or of another model: names the tensor), kUnimplemented (what PEFT can and this cannot: names the field),
// kNotFound.
absl::StatusOr<LowRankAdapter> ReadAdapter(const std::string& folder, std::vector<LowRankPart> parts);

// Values are stored as bfloat16 where `half`. `base` names the model that the adapter is of.
absl::Status WriteAdapter(const LowRankAdapter& adapter, const std::string& base, const bool& half,
                          const std::string& folder);

// weight += scale up down, in the weights that the parts were made of.
void MergeAdapter(const LowRankAdapter& adapter);

// Tells adapters apart.
uint64_t HashOf(const LowRankAdapter& adapter);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_LOW_RANK_H_
