#include "src/model/low_rank.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "toolformer/weight_file.h"

namespace toolformer {
namespace {

constexpr uint64_t kMaxConfigBytes = 1 << 20;
constexpr int64_t kMaxRank = 65536;
constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kDown = ".lora_A.weight", kUp = ".lora_B.weight";

bool IsLinear(Role role) {
  static constexpr std::array kLinears = {Role::kQuery,        Role::kKey,  Role::kValue, Role::kQueryKeyValue,
                                          Role::kAttentionOut, Role::kGate, Role::kUp,    Role::kDown};
  return std::find(kLinears.begin(), kLinears.end(), role) != kLinears.end();
}

// Rows as the family's files order them, or back.
at::Tensor Reordered(const at::Tensor& rows, const RowOrder& order, const bool& to_stored) {
  if (order.kind == RowOrder::Kind::kAsStored) return rows;
  at::Tensor out = at::empty(rows.sizes(), rows.options());
  for (int64_t stored = 0; stored < rows.size(0); ++stored) {
    const int64_t ours = order.OurRow(stored);
    out[to_stored ? stored : ours].copy_(rows[to_stored ? ours : stored]);
  }
  return out;
}

absl::Status CheckConfig(const std::string& path, const nlohmann::json& config, LowRankAdapter* adapter) {
  if (!config.is_object()) return InvalidArgument("{}: is not a JSON object", path);
  const auto text = config.value("peft_type", nlohmann::json());
  if (text != "LORA") return Unimplemented("{}: peft_type is {}; LORA is supported", path, PrintJson(text));
  // What changes the computation, and the only value that is known here.
  const std::vector<std::pair<const char*, nlohmann::json>> fixed = {{"use_dora", false},
                                                                     {"use_rslora", false},
                                                                     {"bias", "none"},
                                                                     {"rank_pattern", nlohmann::json::object()},
                                                                     {"lora_bias", false},
                                                                     {"alpha_pattern", nlohmann::json::object()},
                                                                     {"modules_to_save", nullptr}};
  for (const auto& [name, value] : fixed) {
    const auto field = config.find(name);
    if (field != config.end() && *field != value && !field->is_null()) {
      return Unimplemented("{}: field '{}' is {}; only {} is supported", path, name, PrintJson(*field),
                           PrintJson(value));
    }
  }
  const auto rank = config.find("r"), alpha = config.find("lora_alpha");
  if (rank == config.end() || !rank->is_number_integer() || *rank < 1 || *rank > kMaxRank) {
    return InvalidArgument("{}: field 'r' is not a rank", path);
  }
  if (alpha == config.end() || !alpha->is_number()) return InvalidArgument("{}: field 'lora_alpha' is missing", path);
  adapter->rank = rank->get<int64_t>();
  adapter->alpha = alpha->get<double>();
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> ReadMatrix(const std::string& path, const WeightFile& file, const std::string& name,
                                      std::array<int64_t, 2> shape) {
  const TensorInfo* info = file.Find(name);
  if (info == nullptr) return InvalidArgument("{}: tensor '{}' is missing", path, name);
  if (info->shape != std::vector<int64_t>(shape.begin(), shape.end())) {
    return InvalidArgument("{}: tensor '{}' is not [{}, {}]: the adapter is of another model", path, name, shape[0],
                           shape[1]);
  }
  at::Tensor values = at::empty(shape, at::kFloat);
  TF_RETURN_IF_ERROR(file.ReadF32(name, 0, std::span<float>(values.data_ptr<float>(), values.numel())));
  return values;
}

TensorToWrite Write(std::string name, const at::Tensor& values, const bool& half) {
  TensorToWrite tensor;
  tensor.name = std::move(name);
  tensor.shape = values.sizes().vec();
  tensor.type = half ? WrittenType::kBFloat16 : WrittenType::kFloat32;
  tensor.fill = [stored = values.cpu().to(half ? at::kBFloat16 : at::kFloat).contiguous()](std::span<std::byte> out) {
    std::memcpy(out.data(), stored.const_data_ptr(), out.size());
    return absl::OkStatus();
  };
  return tensor;
}

}  // namespace

std::vector<LowRankPart> AdaptableParts(const Family& family, const TransformerSpec& spec,
                                        const TransformerWeights& weights) {
  constexpr std::string_view kWeight = ".weight";
  std::vector<LowRankPart> parts;
  for (Placement& placement : PlaceTensors({&family, family.names, family.layout}, spec, weights, AllNames())) {
    if (!IsLinear(placement.role) || placement.target.dim() != 2) continue;
    LowRankPart& part = parts.emplace_back();
    part.module = placement.name.substr(0, placement.name.size() - kWeight.size());
    part.placement = std::move(placement);
  }
  return parts;
}

absl::StatusOr<LowRankAdapter> ReadAdapter(const std::string& folder, std::vector<LowRankPart> parts) {
  LowRankAdapter adapter;
  const std::string config_path = folder + "/adapter_config.json";
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(config_path, kMaxConfigBytes));
  const absl::StatusOr<nlohmann::json> config = ParseJson(text);
  if (!config.ok()) return Annotate(config.status(), config_path);
  TF_RETURN_IF_ERROR(CheckConfig(config_path, *config, &adapter));

  const std::string path = folder + "/adapter_model.safetensors";
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<WeightFile> file, WeightFile::Open(path));
  size_t used = 0;
  for (LowRankPart& part : parts) {
    const std::string name = std::string(kPrefix) + part.module;
    if (file->Find(name + std::string(kDown)) == nullptr) continue;
    const at::Tensor& weight = part.placement.target;
    TF_ASSIGN_OR_RETURN(part.down, ReadMatrix(path, *file, name + std::string(kDown), {adapter.rank, weight.size(1)}));
    TF_ASSIGN_OR_RETURN(const at::Tensor up,
                        ReadMatrix(path, *file, name + std::string(kUp), {weight.size(0), adapter.rank}));
    part.up = Reordered(up, part.placement.order, /*to_stored=*/false);
    used += 2;
    adapter.parts.push_back(std::move(part));
  }
  if (used == file->tensors().size()) return adapter;
  std::set<std::string> known;
  for (const LowRankPart& part : adapter.parts) {
    for (const std::string_view suffix : {kDown, kUp})
      known.insert(std::string(kPrefix) + part.module + std::string(suffix));
  }
  for (const TensorInfo& tensor : file->tensors()) {
    if (known.count(tensor.name) != 0) continue;
    return InvalidArgument("{}: tensor '{}' is of no linear map of this model's layers", path, tensor.name);
  }
  return adapter;
}

absl::Status WriteAdapter(const LowRankAdapter& adapter, const std::string& base, const bool& half,
                          const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Unavailable("{}: the folder cannot be made: {}", folder, error.message());
  std::vector<TensorToWrite> tensors;
  std::set<std::string> targets;
  bool transposed = false;
  for (const LowRankPart& part : adapter.parts) {
    const std::string name = std::string(kPrefix) + part.module;
    tensors.push_back(Write(name + std::string(kDown), part.down.detach(), half));
    const at::Tensor up = Reordered(part.up.detach().cpu(), part.placement.order, /*to_stored=*/true);
    tensors.push_back(Write(name + std::string(kUp), up, half));
    targets.insert(part.module.substr(part.module.rfind('.') + 1));
    transposed = transposed || part.placement.transposed;
  }
  TF_RETURN_IF_ERROR(WriteSafetensors(folder + "/adapter_model.safetensors", std::span<const TensorToWrite>(tensors)));
  const nlohmann::ordered_json config = {
      {"peft_type", "LORA"},       {"task_type", "CAUSAL_LM"},     {"base_model_name_or_path", base},
      {"r", adapter.rank},         {"lora_alpha", adapter.alpha},  {"lora_dropout", 0.0},
      {"target_modules", targets}, {"fan_in_fan_out", transposed}, {"bias", "none"},
      {"inference_mode", true}};
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, AtomicFile::Create(folder + "/adapter_config.json"));
  TF_RETURN_IF_ERROR(file->Write(config.dump(2) + "\n"));
  return file->Commit();
}

void MergeAdapter(const LowRankAdapter& adapter) {
  for (const LowRankPart& part : adapter.parts) {
    at::Tensor weight = part.placement.target;
    weight.copy_(weight.to(at::kFloat) + at::mm(part.up, part.down) * adapter.scale());
  }
}

uint64_t HashOf(const LowRankAdapter& adapter) {
  uint64_t hash = HashBytes("low-rank adapter");
  for (const LowRankPart& part : adapter.parts) {
    for (const at::Tensor& values : {part.down, part.up}) {
      hash = CombineSeeds({hash, HashBytes({static_cast<const char*>(values.const_data_ptr()), values.nbytes()})});
    }
  }
  return CombineSeeds({hash, static_cast<uint64_t>(adapter.rank), static_cast<uint64_t>(adapter.alpha * 1e6)});
}

}  // namespace toolformer
