// Logits and greedy tokens against Hugging Face transformers.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/max.h>

#include "tests/model/fixture.h"

namespace toolformer {
namespace {

using testing::AllLogits;
using testing::Fixture;
using testing::Forward;
using testing::LoadModel;
using testing::OpenWeights;
using testing::ReadIds;
using testing::ReadTensor;

double MaxDifference(const at::Tensor& logits, const std::vector<float>& expected) {
  REQUIRE(logits.numel() == static_cast<int64_t>(expected.size()));
  const at::Tensor wanted = at::from_blob(const_cast<float*>(expected.data()), logits.sizes(), at::kFloat);
  return (logits - wanted).abs().max().item<double>();
}

// Continues `ids` greedily, one token at a time, with the cache.
std::vector<int32_t> Greedy(const LanguageModel& model, std::vector<int32_t> ids, size_t count) {
  const std::unique_ptr<KvCache> cache = model.NewCache();
  std::vector<int32_t> out;
  while (out.size() < count) {
    const std::vector<int64_t> last = {static_cast<int64_t>(ids.size()) - 1};
    const ForwardRow row{ids, cache.get(), last};
    ids = {static_cast<int32_t>(Forward(model, {&row, 1}).argmax().item<int64_t>())};
    out.push_back(ids[0]);
  }
  return out;
}

void CheckSmallModel(const std::string& name) {
  CAPTURE(name);
  const std::string folder = Fixture("models/" + name);
  const std::unique_ptr<Model> model = LoadModel(folder);
  const std::unique_ptr<WeightFile> expected = OpenWeights(folder + "/expected.safetensors");
  const std::vector<int32_t> ids = ReadIds(*expected, "ids");
  CHECK(MaxDifference(AllLogits(*model, ids), ReadTensor(*expected, "logits")) < 1e-4);
  const std::vector<int32_t> greedy = ReadIds(*expected, "greedy");
  CHECK(Greedy(*model, {ids.begin(), ids.begin() + 5}, greedy.size()) == greedy);
}

TEST_CASE("small GPT-2 equals transformers") { CheckSmallModel("gpt2_small"); }
TEST_CASE("small Llama with grouped heads equals transformers") { CheckSmallModel("llama_gqa"); }
TEST_CASE("small Llama with tied embeddings and biases equals transformers") { CheckSmallModel("llama_tied"); }
TEST_CASE("small Llama in two shards equals transformers") { CheckSmallModel("llama_sharded"); }
TEST_CASE("small Llama with llama3 rotary scaling equals transformers") { CheckSmallModel("llama_rope_llama3"); }
TEST_CASE("small Gemma 3 with mixed windows equals transformers") { CheckSmallModel("gemma3_small"); }

// Both ways of writing the configuration give the same model.
TEST_CASE("configurations of transformers 5 are read too") {
  for (const std::string name : {"gemma3_small", "llama_rope_llama3"}) {
    CAPTURE(name);
    const testing::TemporaryFolder copy;
    std::filesystem::copy(Fixture("models/" + name), copy.file("model"));
    std::filesystem::copy_file(Fixture("models/" + name + "/config_v5.json"), copy.file("model/config.json"),
                               std::filesystem::copy_options::overwrite_existing);
    const std::unique_ptr<Model> model = LoadModel(copy.file("model"));
    const std::unique_ptr<WeightFile> expected = OpenWeights(copy.file("model/expected.safetensors"));
    CHECK(MaxDifference(AllLogits(*model, ReadIds(*expected, "ids")), ReadTensor(*expected, "logits")) < 1e-4);
  }
}

void CheckRealModel(const std::string& path, const std::string& fixture) {
  const std::unique_ptr<Model> model = LoadModel(path);
  const std::unique_ptr<WeightFile> expected = OpenWeights(Fixture(fixture));
  const std::vector<int32_t> ids = ReadIds(*expected, "ids");
  const int64_t stride = static_cast<int64_t>(ReadTensor(*expected, "stride")[0]);
  const at::Tensor logits = AllLogits(*model, ids);
  CHECK(MaxDifference(logits.slice(1, 0, logits.size(1), stride).contiguous(),
                      ReadTensor(*expected, "logits_sampled")) < 1e-3);
  // The log of the sum of exponentials sees the logits between the sampled ones.
  CHECK(MaxDifference(at::logsumexp(logits, {1}), ReadTensor(*expected, "logsumexp")) < 1e-3);
  const std::vector<int32_t> argmax = ReadIds(*expected, "argmax");
  for (size_t t = 0; t < argmax.size(); ++t)
    CHECK(logits[static_cast<int64_t>(t)].argmax().item<int64_t>() == argmax[t]);
  const std::vector<int32_t> greedy = ReadIds(*expected, "greedy");
  CHECK(Greedy(*model, ids, greedy.size()) == greedy);
}

TEST_CASE("SmolLM2-135M from GGUF equals transformers") {
  const auto path = testing::SmolLm2();
  if (!path) {
    MESSAGE("skipped: SmolLM2 is not installed (make setup)");
    return;
  }
  CheckRealModel(*path, "models/smollm2_logits.safetensors");
}

TEST_CASE("Gemma 3 270M from GGUF equals transformers") {
  const auto path = testing::Gemma3();
  if (!path) {
    MESSAGE("skipped: Gemma 3 is not installed (make test fetches it)");
    return;
  }
  CheckRealModel(*path, "models/gemma3_270m_logits.safetensors");
}

TEST_CASE("bfloat16 is close to float32") {
  ModelOptions options;
  options.type = WeightType::kBFloat16;
  for (const std::string name : {"gpt2_small", "llama_gqa", "gemma3_small"}) {
    CAPTURE(name);
    const std::string folder = Fixture("models/" + name);
    const std::unique_ptr<WeightFile> expected = OpenWeights(folder + "/expected.safetensors");
    const std::unique_ptr<Model> model = LoadModel(folder, options);
    const at::Tensor logits = AllLogits(*model, ReadIds(*expected, "ids"));
    const std::vector<float> wanted = ReadTensor(*expected, "logits");
    const double scale =
        at::from_blob(const_cast<float*>(wanted.data()), logits.sizes(), at::kFloat).abs().max().item<double>();
    const double difference = MaxDifference(logits, wanted);
    CHECK(difference < 0.05 * scale);
    CHECK(difference > 0.0);  // else it was not bfloat16
  }
}

}  // namespace
}  // namespace toolformer
