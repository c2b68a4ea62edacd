// Saved models: loaded again they are the same. scripts/fixtures/check_saved_models.py shows the same of transformers.
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/model/family.h"
#include "tests/model/fixture.h"

namespace toolformer::save_test {
namespace {

using testing::AllLogits;
using testing::Fixture;
using testing::LoadModel;
using testing::TemporaryFolder;

std::vector<int32_t> SomeIds(const Model& model) {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 20; ++i) ids.push_back((i * 37 + 11) % std::min<int32_t>(90, model.vocab_size()));
  return ids;
}

// How far the logits of the saved model are from those of the model itself.
double SavingMoves(const std::string& path, const ModelOptions& options = {}) {
  const TemporaryFolder folder;
  const std::unique_ptr<Model> model = LoadModel(path, options);
  const absl::Status saved = model->Save(folder.file("saved"));
  REQUIRE_MESSAGE(saved.ok(), std::string(saved.message()));
  const std::unique_ptr<Model> again = LoadModel(folder.file("saved"), options);
  CHECK(again->info().layers == model->info().layers);
  CHECK(again->context_length() == model->context_length());
  CHECK(again->tokenizer().Encode("one two 3") == model->tokenizer().Encode("one two 3"));
  CHECK(again->tokenizer().start_id() == model->tokenizer().start_id());
  const std::vector<int32_t> ids = SomeIds(*model);
  return (AllLogits(*model, ids) - AllLogits(*again, ids)).abs().max().item<double>();
}

TEST_CASE("a Hugging Face folder that is saved again is the same model") {
  for (const auto& entry : std::filesystem::directory_iterator(Fixture("models"))) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename();
    CAPTURE(name);
    CHECK(SavingMoves(entry.path()) == 0.0);
  }
}

TEST_CASE("a GGUF file becomes a Hugging Face folder of the same model") {
  for (const auto& entry : std::filesystem::directory_iterator(Fixture("gguf_models"))) {
    const std::string name = entry.path().filename();
    CAPTURE(name);
    CHECK(SavingMoves(entry.path()) < 1e-6);  // the divisors of rotary frequencies go through decimal numbers
  }
}

TEST_CASE("bfloat16 models are saved in bfloat16") {
  ModelOptions options;
  options.type = WeightType::kBFloat16;
  for (const std::string name : {"llama_gqa", "gpt2_small", "gemma3_small"}) {
    CAPTURE(name);
    CHECK(SavingMoves(Fixture("models/" + name), options) == 0.0);
  }
}

TEST_CASE("every family's configuration survives being written and read") {
  for (const auto& entry : std::filesystem::directory_iterator(Fixture("models"))) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename();
    CAPTURE(name);
    const auto weights = testing::OpenWeights(entry.path());
    nlohmann::json json;
    std::ifstream(entry.path() / "config.json") >> json;
    const auto file = FindHuggingFaceFamily(name, json);
    REQUIRE(file.ok());
    const Family& family = *file->family;
    // Others are saved with the config.json that they came with.
    if (family.gguf.architecture.empty() || name == "gpt2_options") continue;
    const auto read = [&](const nlohmann::json& config) {
      auto spec = ReadHuggingFaceSpec(family, *JsonConfigReader(config, name, *weights));
      REQUIRE_MESSAGE(spec.ok(), std::string(spec.status().message()));
      REQUIRE(CompleteSpec(name, &*spec).ok());
      return *spec;
    };
    const TransformerSpec spec = read(json), again = read(WriteHuggingFaceConfig(family, spec));
    CHECK(again.layers == spec.layers);
    CHECK(again.kv_heads == spec.kv_heads);
    CHECK(again.head_dim == spec.head_dim);
    CHECK(again.mlp_hidden == spec.mlp_hidden);
    CHECK(again.context_length == spec.context_length);
    CHECK(again.norm_place == spec.norm_place);
    CHECK(again.norm_epsilon == spec.norm_epsilon);
    CHECK(again.final_norm == spec.final_norm);
    CHECK(again.norm_parameters == spec.norm_parameters);
    CHECK(again.parallel_residual == spec.parallel_residual);
    CHECK(again.attention_scale == doctest::Approx(spec.attention_scale));
    CHECK(again.attention_soft_cap == spec.attention_soft_cap);
    CHECK(again.logit_soft_cap == spec.logit_soft_cap);
    CHECK(again.embedding_width == spec.embedding_width);
    CHECK(again.tied_output == spec.tied_output);
    CHECK(again.activation == spec.activation);
    CHECK(again.qkv_bias == spec.qkv_bias);
    CHECK(again.attention_out_bias == spec.attention_out_bias);
    CHECK(again.mlp_bias == spec.mlp_bias);
    REQUIRE(again.layer.size() == spec.layer.size());
    for (size_t i = 0; i < spec.layer.size(); ++i) {
      CHECK(again.layer[i].window == spec.layer[i].window);
      CHECK(again.layer[i].rotary_table == spec.layer[i].rotary_table);
      CHECK(again.layer[i].score_factor == spec.layer[i].score_factor);
    }
    REQUIRE(again.rotary.size() == spec.rotary.size());
    for (size_t i = 0; i < spec.rotary.size(); ++i) {
      CHECK(again.rotary[i].dims == spec.rotary[i].dims);
      CHECK(again.rotary[i].magnitude == doctest::Approx(spec.rotary[i].magnitude));
      for (const int64_t length : {1, 1000}) {
        CHECK(RotaryFrequencies(again.rotary[i], length) == RotaryFrequencies(spec.rotary[i], length));
      }
    }
  }
}

TEST_CASE("a folder that cannot be written is named") {
  const TemporaryFolder folder;
  std::ofstream(folder.file("file")) << "in the way";
  const absl::Status status = LoadModel(Fixture("models/llama_gqa"))->Save(folder.file("file"));
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(status.message()).find(folder.file("file")) != std::string::npos);
}

}  // namespace
}  // namespace toolformer::save_test
