// What cannot be loaded says why, in one line that names the file and the field.
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/model/fixture.h"

namespace toolformer::load_test {
namespace {

using testing::Fixture;
using testing::TemporaryFolder;

struct Refusal {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string message;
};

Refusal LoadFails(const std::string& path, const ModelOptions& options = {}) {
  const absl::Status status = Model::Load(path, options).status();
  const std::string message(status.message());
  CHECK(message.find('\n') == std::string::npos);
  return {status.code(), message};
}

bool Says(const Refusal& refusal, absl::StatusCode code, const std::vector<std::string>& words) {
  CAPTURE(refusal.message);
  CHECK(refusal.code == code);
  bool all = refusal.code == code;
  for (const std::string& word : words) {
    CAPTURE(word);
    CHECK(refusal.message.find(word) != std::string::npos);
    all = all && refusal.message.find(word) != std::string::npos;
  }
  return all;
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

// A copy of a small model whose files may be damaged.
class Copy {
 public:
  explicit Copy(const std::string& name) { std::filesystem::copy(Fixture("models/" + name), path()); }
  std::string path() const { return folder_.file("model"); }
  std::string file(const std::string& name) const { return path() + "/" + name; }

  void EditConfig(const std::function<void(nlohmann::json&)>& edit) const {
    nlohmann::json config = nlohmann::json::parse(std::ifstream(file("config.json")));
    edit(config);
    std::ofstream(file("config.json")) << config;
  }
  // Writes the weights anew; `edit` may change names and shapes, or empty a name to drop the tensor.
  void EditTensors(const std::function<void(F32Tensor&)>& edit) const {
    const std::unique_ptr<WeightFile> weights = testing::OpenWeights(file("model.safetensors"));
    std::vector<std::vector<float>> values;
    std::vector<F32Tensor> tensors;
    for (const TensorInfo& info : weights->tensors()) {
      values.push_back(testing::ReadTensor(*weights, info.name));
      F32Tensor tensor{info.name, info.shape, values.back()};
      edit(tensor);
      if (!tensor.name.empty()) tensors.push_back(tensor);
    }
    REQUIRE(WriteSafetensors(file("model.safetensors"), tensors).ok());
  }

 private:
  TemporaryFolder folder_;
};

TEST_CASE("paths that are no model") {
  const TemporaryFolder folder;
  CHECK(Says(LoadFails(folder.file("absent")), kNotFound, {"absent"}));
  CHECK(Says(LoadFails(folder.path()), kNotFound, {"config.json"}));
  std::ofstream(folder.file("empty.gguf")).flush();
  CHECK(Says(LoadFails(folder.file("empty.gguf")), kInvalid, {"empty.gguf"}));
  std::ofstream(folder.file("text.gguf")) << "not a model at all, just some text";
  CHECK(LoadFails(folder.file("text.gguf")).code != absl::StatusCode::kOk);
  CHECK(Says(LoadFails(Fixture("models/llama_gqa/model.safetensors")), kInvalid, {"model.safetensors", "folder"}));
  std::ofstream(folder.file("pytorch_model.bin")) << "PK\x03\x04 and so on";
  CHECK(Says(LoadFails(folder.file("pytorch_model.bin")), kInvalid, {"pytorch_model.bin", "too short"}));
}

TEST_CASE("configurations that say too little or what is not supported") {
  const auto refusal = [](const std::function<void(nlohmann::json&)>& edit) {
    const Copy copy("llama_gqa");
    copy.EditConfig(edit);
    return LoadFails(copy.path());
  };
  CHECK(Says(refusal([](auto& c) { c.erase("hidden_size"); }), kInvalid, {"config.json", "'hidden_size'", "missing"}));
  CHECK(Says(refusal([](auto& c) { c["hidden_size"] = "48"; }), kInvalid, {"'hidden_size'", "integer"}));
  CHECK(Says(refusal([](auto& c) { c["hidden_size"] = 48.5; }), kInvalid, {"'hidden_size'", "integer"}));
  CHECK(Says(refusal([](auto& c) {
               c.erase("architectures");
               c.erase("model_type");
             }),
             kInvalid, {"'architectures'"}));
  CHECK(Says(refusal([](auto& c) { c["architectures"] = "LlamaForCausalLM"; }), kInvalid, {"'architectures'"}));
  CHECK(Says(refusal([](auto& c) { c["architectures"] = {"MambaForCausalLM"}; }), kUnimplemented,
             {"MambaForCausalLM", "LlamaForCausalLM", "GPT2LMHeadModel"}));
  CHECK(Says(refusal([](auto& c) {
               c["rope_scaling"] = {{"rope_type", "spiral"}, {"factor", 2.0}};
             }),
             kUnimplemented, {"spiral", "linear", "yarn"}));
  CHECK(Says(refusal([](auto& c) {
               c["rope_scaling"] = {{"rope_type", "linear"}};
             }),
             kInvalid, {"'rope_scaling/factor'", "missing"}));
  CHECK(Says(refusal([](auto& c) {
               c["rope_scaling"] = {
                   {"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 4.0}, {"high_freq_factor", 1.0}};
             }),
             kInvalid, {"llama3", "fit"}));
  CHECK(Says(refusal([](auto& c) {
               c["rope_scaling"] = {{"rope_type", "longrope"}, {"short_factor", {1.0}}, {"long_factor", {1.0}}};
             }),
             kInvalid, {"longrope", "4 positive factors"}));
  CHECK(Says(refusal([](auto& c) { c["partial_rotary_factor"] = 1.5; }), kInvalid, {"'partial_rotary_factor'"}));
  CHECK(Says(refusal([](auto& c) { c["hidden_act"] = "mish"; }), kUnimplemented, {"mish", "'hidden_act'", "silu"}));
  CHECK(Says(refusal([](auto& c) { c["num_hidden_layers"] = 1000000000; }), kInvalid, {"layers", "1000000000"}));
  CHECK(Says(refusal([](auto& c) { c["num_hidden_layers"] = 0; }), kInvalid, {"layers"}));
  CHECK(Says(refusal([](auto& c) { c["num_hidden_layers"] = 18446744073709551615ull; }), kInvalid, {"layers"}));
  CHECK(Says(refusal([](auto& c) { c["num_attention_heads"] = 0; }), kInvalid, {"heads"}));
  CHECK(Says(refusal([](auto& c) { c["num_attention_heads"] = -6; }), kInvalid, {"heads"}));
  CHECK(Says(refusal([](auto& c) { c["num_key_value_heads"] = 4; }), kInvalid, {"key-value heads"}));
  CHECK(Says(refusal([](auto& c) { c["rope_theta"] = -1.0; }), kInvalid, {"rotary base"}));
  CHECK(Says(refusal([](auto& c) { c["head_dim"] = 1 << 30; }), kInvalid, {"head size"}));
  CHECK(Says(refusal([](auto& c) { c["head_dim"] = INT64_MAX; }), kInvalid, {"head size"}));
  // Terabytes, if what the configuration says were allocated before the file is asked.
  CHECK(Says(refusal([](auto& c) {
               c["num_hidden_layers"] = 1000;
               c["intermediate_size"] = 1 << 20;
             }),
             kInvalid, {"mlp.gate_proj.weight", "shape"}));
  CHECK(Says(refusal([](auto& c) { c["vocab_size"] = 100; }), kInvalid, {"tokenizer"}));
}

TEST_CASE("a configuration that is not JSON, and one that nests without end") {
  const Copy copy("llama_gqa");
  std::ofstream(copy.file("config.json")) << "{\"architectures\": [";
  CHECK(Says(LoadFails(copy.path()), kInvalid, {"config.json", "byte"}));
  std::ofstream(copy.file("config.json")) << std::string(100000, '[');
  CHECK(LoadFails(copy.path()).code == absl::StatusCode::kResourceExhausted);
  std::ofstream(copy.file("config.json")) << "[]";
  CHECK(Says(LoadFails(copy.path()), kInvalid, {"config.json"}));
}

TEST_CASE("attention types of GPT-Neo that do not end, or say nothing") {
  const auto refusal = [](const nlohmann::json& types) {
    const Copy copy("gpt_neo_uneven");
    copy.EditConfig([&](auto& c) { c["attention_types"] = types; });
    return LoadFails(copy.path());
  };
  using nlohmann::json;
  const json no_kinds = json::array(), global = {"global"};
  CHECK(Says(refusal({{no_kinds, INT64_MAX}}), kInvalid, {"'attention_types'"}));
  CHECK(Says(refusal({{global, INT64_MAX}}), kInvalid, {"'attention_types'"}));
  CHECK(Says(refusal({{global, -3}}), kInvalid, {"'attention_types'"}));
  CHECK(Says(refusal({{json{"remote"}, 4}}), kUnimplemented, {"remote", "local"}));
  CHECK(Says(refusal({{global, "4"}}), kInvalid, {"attention_types/0/1"}));
  CHECK(Says(refusal(json::array()), kInvalid, {"'attention_types'"}));
}

TEST_CASE("layer types must be known and one a layer") {
  const auto refusal = [](const std::function<void(nlohmann::json&)>& edit) {
    const Copy copy("gemma3_small");
    copy.EditConfig(edit);
    return LoadFails(copy.path());
  };
  CHECK(Says(refusal([](auto& c) { c["layer_types"].erase(0); }), kInvalid, {"'layer_types'", "3", "4"}));
  CHECK(Says(refusal([](auto& c) { c["layer_types"][0] = "odd"; }), kUnimplemented, {"odd", "full_attention"}));
  CHECK(Says(refusal([](auto& c) { c["use_bidirectional_attention"] = true; }), kUnimplemented,
             {"use_bidirectional_attention", "gemma3"}));
  CHECK(Says(refusal([](auto& c) { c["attn_logit_softcapping"] = -30.0; }), kInvalid, {"soft cap"}));
}

TEST_CASE("weights that do not fit the configuration") {
  {
    const Copy copy("llama_gqa");
    copy.EditTensors([](F32Tensor& t) {
      if (t.name == "model.layers.1.mlp.up_proj.weight") t.name = "";
    });
    CHECK(Says(LoadFails(copy.path()), kInvalid, {"model.layers.1.mlp.up_proj.weight", "missing"}));
  }
  {
    const Copy copy("llama_gqa");
    copy.EditTensors([](F32Tensor& t) {
      if (t.name == "model.layers.0.self_attn.q_proj.weight") t.shape = {t.shape[0] * t.shape[1]};
    });
    CHECK(Says(LoadFails(copy.path()), kInvalid, {"model.layers.0.self_attn.q_proj.weight", "shape"}));
  }
  {
    const Copy copy("llama_tied");
    copy.EditTensors([](F32Tensor& t) {
      if (t.name == "model.layers.0.self_attn.k_proj.bias") t.name = "";
    });
    CHECK(Says(LoadFails(copy.path()), kInvalid, {"k_proj.bias", "missing"}));
  }
  {
    const Copy copy("llama_gqa");
    std::filesystem::resize_file(copy.file("model.safetensors"), 50000);
    CHECK(Says(LoadFails(copy.path()), kInvalid, {"model.safetensors"}));
  }
}

TEST_CASE("weights that are not numbers are told when they are used") {
  const Copy copy("llama_gqa");
  std::vector<float> nan;
  copy.EditTensors([&](F32Tensor& t) {
    if (t.name != "model.norm.weight") return;
    nan.assign(t.values.size(), std::numeric_limits<float>::quiet_NaN());
    t.values = nan;
  });
  CHECK(Model::Load(copy.path(), {}).ok());  // what uses it says so: see the tests of filter and sampler
}

TEST_CASE("a model without its tokenizer") {
  const Copy copy("llama_gqa");
  std::filesystem::remove(copy.file("tokenizer.json"));
  CHECK(Says(LoadFails(copy.path()), kNotFound, {"tokenizer.json"}));
}

TEST_CASE("devices and options") {
  const std::string path = Fixture("models/llama_gqa");
  ModelOptions options;
  for (const std::string device : {"tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1000", "", "CPU"}) {
    options.device = device;
    CHECK(Says(LoadFails(path, options), kInvalid, {"not a device", "cuda:N"}));
  }
  options = {};
  options.context_length = -1;
  CHECK(Says(LoadFails(path, options), kInvalid, {"context length"}));
  options.context_length = 16;
  CHECK(testing::LoadModel(path, options)->context_length() == 16);
  options.context_length = 1 << 20;
  CHECK(testing::LoadModel(path, options)->context_length() < 1 << 20);
}

TEST_CASE("the fingerprint tells models apart and stays the same") {
  const std::string path = Fixture("models/llama_gqa");
  const std::string fingerprint = testing::LoadModel(path)->info().fingerprint;
  CHECK(fingerprint == testing::LoadModel(path)->info().fingerprint);
  const Copy copy("llama_gqa");
  std::vector<float> changed;
  copy.EditTensors([&](F32Tensor& t) {
    if (t.name != "model.layers.1.self_attn.v_proj.weight") return;
    changed.assign(t.values.begin(), t.values.end());
    changed[0] += 1.0f;
    t.values = changed;
  });
  CHECK(fingerprint != testing::LoadModel(copy.path())->info().fingerprint);
}

}  // namespace
}  // namespace toolformer::load_test
