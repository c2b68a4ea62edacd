#include "src/model/placement.h"

#include <utility>

namespace toolformer {
namespace {

class Placer {
 public:
  Placer(const FamilyFile& file, const TransformerSpec& spec, const PlacementNames& names)
      : file_(file), spec_(spec), names_(names) {}

  std::vector<Placement> Place(const TransformerWeights& weights) {
    Matrix(Role::kEmbedding, weights.embedding);
    Matrix(Role::kPositionEmbedding, weights.position_embedding);
    PlaceNorm(Role::kEmbeddingNorm, weights.embedding_norm);
    PlaceLinear(Role::kEmbeddingIn, weights.embedding_in);
    PlaceLinear(Role::kEmbeddingOut, weights.embedding_out);
    for (layer_ = 0; layer_ < spec_.layers; ++layer_) PlaceLayer(weights.layers[layer_]);
    layer_ = 0;
    PlaceNorm(Role::kFinalNorm, weights.final_norm);
    if (!spec_.tied_output) Matrix(Role::kOutput, weights.output.weight);
    Vector(Role::kOutput, ".bias", weights.output.bias, {});
    return std::move(placements_);
  }

 private:
  // A part of one of our linear maps that is stored as a tensor of its own.
  struct Part {
    Role role;
    int64_t rows;
    RowOrder order = {};
  };

  bool Has(Role role) const {
    const std::string name = StoredName(file_.names, role, layer_, names_);
    return !name.empty() && names_.has(name);
  }

  static Placement MakePlacement(const at::Tensor& target) {
    Placement placement;
    placement.shape = target.sizes().vec();
    placement.target = target;
    return placement;
  }
  void Add(Role role, const char* suffix, Placement placement) {
    placement.role = role;
    placement.layer = layer_;
    placement.name = StoredName(file_.names, role, layer_, names_) + suffix;
    placements_.push_back(std::move(placement));
  }
  void Matrix(Role role, const at::Tensor& target) {
    if (target.defined()) Add(role, ".weight", MakePlacement(target));
  }
  void Vector(Role role, const char* suffix, const at::Tensor& target, const RowOrder& order) {
    if (!target.defined()) return;
    Placement placement = MakePlacement(target);
    placement.order = order;
    Add(role, suffix, std::move(placement));
  }

  void PlaceNorm(Role role, const Norm& norm) {
    if (!norm.weight.defined() || !spec_.norm_parameters) return;
    Placement placement = MakePlacement(norm.weight);
    placement.offset = file_.layout.norm_weight_offset;
    Add(role, ".weight", std::move(placement));
    Vector(role, ".bias", norm.bias, {});
  }

  void PlaceParts(const std::vector<Part>& parts, const Linear& linear) {
    int64_t row = 0;
    for (const Part& part : parts) {
      Placement placement = MakePlacement(linear.weight.narrow(0, row, part.rows));
      placement.first_row = row;
      placement.order = part.order;
      placement.transposed = file_.layout.transposed_linears;
      if (placement.transposed) std::swap(placement.shape[0], placement.shape[1]);
      Add(part.role, ".weight", std::move(placement));
      if (linear.bias.defined()) Vector(part.role, ".bias", linear.bias.narrow(0, row, part.rows), part.order);
      row += part.rows;
    }
  }
  void PlaceLinear(Role role, const Linear& linear) {
    if (linear.weight.defined()) PlaceParts({{role, linear.weight.size(0)}}, linear);
  }

  void PlaceLayer(const LayerWeights& layer) {
    PlaceNorm(Role::kAttentionNorm, layer.attention_norm);
    PlaceNorm(Role::kPostAttentionNorm, layer.post_attention_norm);
    PlaceNorm(Role::kMlpNorm, layer.mlp_norm);
    PlaceNorm(Role::kPostMlpNorm, layer.post_mlp_norm);
    PlaceNorm(Role::kQueryNorm, layer.query_norm);
    PlaceNorm(Role::kKeyNorm, layer.key_norm);
    if (Has(Role::kQueryKeyValue)) {
      RowOrder order;
      if (file_.layout.fused == FusedOrder::kByHead) order = {RowOrder::Kind::kByHead, spec_.heads, spec_.head_dim, 0};
      PlaceParts({{Role::kQueryKeyValue, layer.query_key_value.weight.size(0), order}}, layer.query_key_value);
    } else {
      RowOrder order;
      if (file_.layout.rotary_neighbours) {
        order = {RowOrder::Kind::kNeighbours, spec_.heads, spec_.head_dim, spec_.rotary.front().dims};
      }
      const int64_t kv_rows = spec_.kv_heads * spec_.head_dim;
      PlaceParts(
          {{Role::kQuery, spec_.heads * spec_.head_dim, order}, {Role::kKey, kv_rows, order}, {Role::kValue, kv_rows}},
          layer.query_key_value);
    }
    PlaceLinear(Role::kAttentionOut, layer.attention_out);
    if (spec_.gated_mlp && Has(Role::kGate)) {
      PlaceParts({{Role::kGate, spec_.mlp_hidden}, {Role::kUp, spec_.mlp_hidden}}, layer.up);
    } else {
      PlaceLinear(Role::kUp, layer.up);
    }
    PlaceLinear(Role::kDown, layer.down);
  }

  const FamilyFile& file_;
  const TransformerSpec& spec_;
  const PlacementNames& names_;
  int64_t layer_ = 0;
  std::vector<Placement> placements_;
};

}  // namespace

int64_t RowOrder::OurRow(int64_t stored) const {
  switch (kind) {
    case Kind::kAsStored:
      return stored;
    case Kind::kNeighbours: {
      const int64_t head = stored / head_dim, within = stored % head_dim;
      if (within >= rotary_dims) return stored;
      return head * head_dim + (within % 2) * (rotary_dims / 2) + within / 2;
    }
    case Kind::kByHead: {
      const int64_t head = stored / (3 * head_dim), which = stored / head_dim % 3;
      return (which * heads + head) * head_dim + stored % head_dim;
    }
  }
  return stored;
}

PlacementNames AllNames() {
  return {[](const std::string& name) { return name; }, [](const std::string&) { return true; }};
}

std::string StoredName(std::span<const NameRule> rules, Role role, int64_t layer, const PlacementNames& names) {
  std::string first;
  for (const NameRule& rule : rules) {
    if (rule.role != role) continue;
    std::string name(rule.name);
    if (const size_t hole = name.find("{}"); hole != std::string::npos) name.replace(hole, 2, std::to_string(layer));
    if (names.has(name)) return names.file_name(name);
    if (first.empty()) first = names.file_name(name);
  }
  return first;
}

std::vector<Placement> PlaceTensors(const FamilyFile& file, const TransformerSpec& spec,
                                    const TransformerWeights& weights, const PlacementNames& names) {
  return Placer(file, spec, names).Place(weights);
}

}  // namespace toolformer
