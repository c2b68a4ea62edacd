// Low-rank adapters as PEFT writes them, against transformers with PEFT.

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "src/model/low_rank.h"
#include "src/model/model_files.h"
#include "tests/model/fixture.h"

namespace toolformer::adapter_test {
namespace {

namespace fs = std::filesystem;
using testing::AllLogits;
using testing::Fixture;
using testing::LoadModel;
using testing::MaxDifference;
using testing::OpenWeights;
using testing::ReadIds;
using testing::ReadTensor;

const std::vector<std::string> kAdapted = {"llama_tied",   "llama_gqa",         "gpt2_small",
                                           "gptj_partial", "gpt_neox_parallel", "bloom_plain"};

std::string Folder(const std::string& name) { return Fixture("models/" + name); }

ModelOptions With(const std::string& adapter) {
  ModelOptions options;
  options.adapter = adapter;
  return options;
}

class Scratch {
 public:
  Scratch() : path_(fs::temp_directory_path() / ("adapter_test." + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Scratch() { fs::remove_all(path_); }
  std::string At(const std::string& name) const { return path_ / name; }

 private:
  const fs::path path_;
};

std::string Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST_CASE("logits with an adapter are PEFT's") {
  for (const std::string& name : kAdapted) {
    CAPTURE(name);
    const std::string adapter = Folder(name) + "/adapter";
    const auto expected = OpenWeights(adapter + "/expected.safetensors");
    const std::vector<int32_t> ids = ReadIds(*expected, "ids");
    const std::vector<float> wanted = ReadTensor(*expected, "logits");
    const auto model = LoadModel(Folder(name), With(adapter));
    CHECK(MaxDifference(AllLogits(*model, ids), wanted) < 1e-3);
    const auto plain = LoadModel(Folder(name));
    CHECK(MaxDifference(AllLogits(*plain, ids), wanted) > 0.05);
    CHECK(model->info().fingerprint != plain->info().fingerprint);
  }
}

TEST_CASE("what is written is what was read") {
  const Scratch scratch;
  for (const std::string& name : kAdapted) {
    CAPTURE(name);
    absl::StatusOr<ModelRead> read = ReadModel(Folder(name), {});
    REQUIRE(read.ok());
    const ModelDescription& description = read->description;
    const auto parts = AdaptableParts(*description.family, description.spec, read->weights);
    const absl::StatusOr<LowRankAdapter> adapter = ReadAdapter(Folder(name) + "/adapter", parts);
    REQUIRE_MESSAGE(adapter.ok(), std::string(adapter.status().message()));
    REQUIRE(WriteAdapter(*adapter, name, /*half=*/false, scratch.At(name)).ok());
    const auto theirs = OpenWeights(Folder(name) + "/adapter/adapter_model.safetensors");
    const auto ours = OpenWeights(scratch.At(name) + "/adapter_model.safetensors");
    REQUIRE(ours->tensors().size() == theirs->tensors().size());
    for (const TensorInfo& tensor : theirs->tensors()) {
      CAPTURE(tensor.name);
      CHECK(ReadTensor(*ours, tensor.name) == ReadTensor(*theirs, tensor.name));
    }
    const auto config = nlohmann::json::parse(Read(scratch.At(name) + "/adapter_config.json"));
    const auto peft = nlohmann::json::parse(Read(Folder(name) + "/adapter/adapter_config.json"));
    CHECK(config["target_modules"].get<std::set<std::string>>() == peft["target_modules"].get<std::set<std::string>>());
    CHECK(config["fan_in_fan_out"] == (name == "gpt2_small"));
  }
}

TEST_CASE("adapters of other models, and what is not supported, are named") {
  const Scratch scratch;
  const auto refusal = [&](const std::string& model, const std::string& adapter) {
    return Model::Load(Folder(model), With(adapter)).status();
  };
  CHECK(absl::IsNotFound(refusal("llama_tied", scratch.At("nowhere"))));
  CHECK(absl::IsInvalidArgument(refusal("llama_tied", Folder("gpt2_small") + "/adapter")));
  const absl::Status other = refusal("llama_gqa", Folder("llama_tied") + "/adapter");
  CHECK(absl::IsInvalidArgument(other));
  CHECK(std::string(other.message()).find("tensor 'base_model") != std::string::npos);

  const auto with = [&](const std::string& field, const nlohmann::json& value) {
    fs::remove_all(scratch.At("spoiled"));
    fs::copy(Folder("llama_tied") + "/adapter", scratch.At("spoiled"));
    auto config = nlohmann::json::parse(Read(scratch.At("spoiled") + "/adapter_config.json"));
    config[field] = value;
    std::ofstream(scratch.At("spoiled") + "/adapter_config.json") << config;
    return refusal("llama_tied", scratch.At("spoiled"));
  };
  for (const auto& [field, value] :
       std::vector<std::pair<std::string, nlohmann::json>>{{"peft_type", "IA3"},
                                                           {"use_dora", true},
                                                           {"use_rslora", true},
                                                           {"bias", "all"},
                                                           {"rank_pattern", {{"q_proj", 2}}},
                                                           {"modules_to_save", {"lm_head"}}}) {
    CAPTURE(field);
    const absl::Status status = with(field, value);
    CHECK(absl::IsUnimplemented(status));
    CHECK(std::string(status.message()).find(field) != std::string::npos);
  }
  for (const auto& [field, value] : std::vector<std::pair<std::string, nlohmann::json>>{
           {"r", 0}, {"r", "three"}, {"r", 1e18}, {"r", 4}, {"lora_alpha", nullptr}}) {
    CAPTURE(field);
    CHECK(absl::IsInvalidArgument(with(field, value)));
  }
  std::ofstream(scratch.At("spoiled") + "/adapter_config.json") << "{";
  CHECK(absl::IsInvalidArgument(refusal("llama_tied", scratch.At("spoiled"))));
}

}  // namespace
}  // namespace toolformer::adapter_test
