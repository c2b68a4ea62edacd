// Real models, and both ways of writing a configuration, against Hugging Face transformers. Small models of every
// family: families_test.cc.
#include <ATen/ops/logsumexp.h>

#include "tests/model/fixture.h"

namespace toolformer::parity_test {
namespace {

using testing::AllLogits;
using testing::Fixture;
using testing::Greedy;
using testing::LoadModel;
using testing::MaxDifference;
using testing::OpenWeights;
using testing::ReadIds;
using testing::ReadTensor;

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

}  // namespace
}  // namespace toolformer::parity_test
