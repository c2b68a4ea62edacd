// A small model of every family, as Hugging Face folders and as GGUF files, against what transformers computes: see
// scripts/fixtures/make_family_fixtures.py and make_gguf_fixtures.py. Those scripts also make sure that misreading a
// configuration moves the logits by more than is tolerated here.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/model/fixture.h"

namespace toolformer::families_test {
namespace {

using testing::AllLogits;
using testing::AllOf;
using testing::Fixture;
using testing::Forward;
using testing::Greedy;
using testing::LoadModel;
using testing::LogitsAt;
using testing::MaxDifference;
using testing::OpenWeights;
using testing::ReadIds;
using testing::ReadTensor;

constexpr double kTolerance = 1e-4;
constexpr double kBFloat16Tolerance = 2e-2;
constexpr size_t kPrompt = 5;

const std::vector<std::string> kModels = {
    "bloom_odd_heads", "bloom_plain",     "gemma2_capped",     "gemma2_typed",    "gemma3_pattern", "gpt2_hub",
    "gpt2_options",    "gpt_neo_mixed",   "gpt_neo_uneven",    "gpt_neox_serial", "gptj_partial",   "gptj_whole",
    "llama_dynamic",   "llama_linear",    "gpt_neox_parallel", "llama_llama3",    "llama_yarn",     "mistral_full",
    "mistral_window",  "olmo2_grouped",   "olmo2_plain",       "opt_no_bias",     "opt_plain",      "opt_projected",
    "phi3_longrope",   "phi3_window",     "qwen2_full",        "qwen2_windows",   "qwen3_biases",   "qwen3_plain",
    "smollm3_nope",    "smollm3_interval"};

// Larger ones that other tests use too: they expect float32 logits and one greedy continuation.
const std::vector<std::string> kLargerModels = {"gemma3_small", "gpt2_small",        "llama_gqa",
                                                "llama_tied",   "llama_rope_llama3", "llama_sharded"};

// The families that llama.cpp has. It leaves out the windows of Mistral and Qwen2, so those files hold none.
const std::vector<std::string> kGgufModels = {"bloom_plain",       "gemma2_capped", "gemma3_pattern", "gpt2_hub",
                                              "gpt_neox_parallel", "llama_linear",  "llama_llama3",   "llama_yarn",
                                              "mistral_full",      "olmo2_plain",   "phi3_longrope",  "phi3_window",
                                              "qwen2_full",        "qwen3_plain",   "smollm3_nope"};

// Tokens up to which the rotary frequencies of the folder llama_dynamic stay as they are: later keys depend on how the
// sequence was split.
constexpr size_t kDynamicUpTo = 24;
// And tokens over which those of phi3_longrope are other ones, for all keys of a sequence.
constexpr size_t kLongRopeFrom = 61;

std::string Folder(const std::string& name) { return Fixture("models/" + name); }

// Null where it fails, which counts as a failure, so that the models that follow are tested too.
std::unique_ptr<Model> TryLoad(const std::string& path, const ModelOptions& options = {}) {
  absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(path, options);
  CHECK_MESSAGE(model.ok(), std::string(model.status().message()));
  return model.ok() ? *std::move(model) : nullptr;
}

std::unique_ptr<WeightFile> Expected(const std::string& name) {
  return OpenWeights(Folder(name) + "/expected.safetensors");
}

void CheckLogits(const LanguageModel& model, const WeightFile& expected) {
  const std::vector<int32_t> ids = ReadIds(expected, "ids");
  CHECK(MaxDifference(LogitsAt(model, ids, expected), ReadTensor(expected, "logits")) < kTolerance);
  if (expected.Find("short") == nullptr) return;
  const std::vector<int32_t> shorter = ReadIds(expected, "short");
  const std::vector<int64_t> last = {static_cast<int64_t>(shorter.size()) - 1};
  const ForwardRow row{shorter, nullptr, last};
  CHECK(MaxDifference(Forward(model, {&row, 1}), ReadTensor(expected, "short_logits")) < kTolerance);
}

void CheckGreedy(const LanguageModel& model, const WeightFile& expected) {
  const std::vector<int32_t> ids = ReadIds(expected, "ids");
  const std::vector<int32_t> greedy = ReadIds(expected, "greedy");
  CHECK(greedy.size() == 48);
  CHECK(Greedy(model, {ids.begin(), ids.begin() + kPrompt}, greedy.size()) == greedy);
}

// Prompts of different lengths side by side, each row with its own cache: the same as each alone.
void CheckGreedyRows(const LanguageModel& model, const WeightFile& expected) {
  const std::vector<int32_t> ids = ReadIds(expected, "ids");
  const std::vector<int32_t> prompts = ReadIds(expected, "prompts");
  const std::vector<int32_t> greedy = ReadIds(expected, "greedy_rows");
  REQUIRE(prompts.size() >= 3);
  const size_t steps = greedy.size() / prompts.size();
  std::vector<std::unique_ptr<KvCache>> caches;
  std::vector<std::vector<int32_t>> next;
  for (const int32_t prompt : prompts) {
    caches.push_back(model.NewCache());
    next.emplace_back(ids.begin(), ids.begin() + prompt);
  }
  std::vector<std::vector<int32_t>> rows(prompts.size());
  for (size_t step = 0; step < steps; ++step) {
    std::vector<std::vector<int64_t>> last;
    std::vector<ForwardRow> batch;
    for (const std::vector<int32_t>& row : next) last.push_back({static_cast<int64_t>(row.size()) - 1});
    for (size_t r = 0; r < next.size(); ++r) batch.push_back({next[r], caches[r].get(), last[r]});
    const at::Tensor logits = Forward(model, batch);
    for (size_t r = 0; r < next.size(); ++r) {
      next[r] = {static_cast<int32_t>(logits[static_cast<int64_t>(r)].argmax().item<int64_t>())};
      rows[r].push_back(next[r][0]);
    }
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    CAPTURE(r);
    const auto first = greedy.begin() + static_cast<std::ptrdiff_t>(r * steps);
    CHECK(rows[r] == std::vector<int32_t>(first, first + static_cast<std::ptrdiff_t>(steps)));
  }
}

// A sequence read in two pieces has the logits of the same read at once.
void CheckChunks(const std::string& name, const LanguageModel& model, std::vector<int32_t> ids) {
  std::vector<size_t> splits = {1, ids.size() / 3, ids.size() - 4};
  if (name == "llama_dynamic") {
    ids.resize(kDynamicUpTo);
    splits = {1, 8, 20};
  }
  const at::Tensor whole = AllLogits(model, ids);
  for (const size_t split : splits) {
    CAPTURE(split);
    const std::unique_ptr<KvCache> cache = model.NewCache();
    size_t done = 0;
    for (const size_t count : {split, ids.size() - split}) {
      const std::vector<int64_t> wanted = AllOf(count);
      const ForwardRow row{std::span(ids).subspan(done, count), cache.get(), wanted};
      const at::Tensor logits = Forward(model, {&row, 1});
      done += count;
      if (name == "phi3_longrope" && done < kLongRopeFrom) continue;
      const at::Tensor same = whole.narrow(0, static_cast<int64_t>(done - count), static_cast<int64_t>(count));
      CHECK((logits - same).abs().max().item<double>() < kTolerance);
    }
  }
}

void CheckFamilies(const ModelOptions& options) {
  for (const std::string& name : kModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = TryLoad(Folder(name), options);
    if (model == nullptr) continue;
    const std::unique_ptr<WeightFile> expected = Expected(name);
    CheckLogits(*model, *expected);
    CheckGreedy(*model, *expected);
    CheckGreedyRows(*model, *expected);
    CheckChunks(name, *model, ReadIds(*expected, "ids"));
  }
}

TEST_CASE("every family equals transformers") { CheckFamilies({}); }

TEST_CASE("every family equals transformers with the operators of libtorch") {
  ModelOptions options;
  options.kernels = Kernels::kLibtorch;
  CheckFamilies(options);
}

// Rounded, but of the same model: far closer to the exact logits than these are to their mean.
TEST_CASE("int8 weights are near the exact ones") {
  ModelOptions options;
  options.type = WeightType::kInt8;
  for (const std::string& name : kModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = TryLoad(Folder(name), options);
    if (model == nullptr) continue;
    CHECK(model->approximate());
    const std::unique_ptr<WeightFile> expected = Expected(name);
    const at::Tensor logits = LogitsAt(*model, ReadIds(*expected, "ids"), *expected);
    const std::vector<float> exact = ReadTensor(*expected, "logits");
    const at::Tensor wanted = at::from_blob(const_cast<float*>(exact.data()), logits.sizes(), at::kFloat);
    const double error = (logits - wanted).square().mean().item<double>();
    const double spread = (wanted - wanted.mean({-1}, true)).square().mean().item<double>();
    CHECK(error < 0.01 * spread);
    CHECK(error > 0.0);
  }
}

TEST_CASE("every family equals transformers in bfloat16") {
  ModelOptions options;
  options.type = WeightType::kBFloat16;
  for (const std::string& name : kModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = TryLoad(Folder(name), options);
    if (model == nullptr) continue;
    const std::unique_ptr<WeightFile> expected = Expected(name);
    const at::Tensor logits = LogitsAt(*model, ReadIds(*expected, "ids"), *expected);
    CHECK(MaxDifference(logits, ReadTensor(*expected, "logits_bf16")) < kBFloat16Tolerance);
    CHECK(MaxDifference(logits, ReadTensor(*expected, "logits")) > kTolerance);  // else it was not bfloat16
  }
}

TEST_CASE("larger small models equal transformers") {
  for (const std::string& name : kLargerModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = TryLoad(Folder(name));
    if (model == nullptr) continue;
    const std::unique_ptr<WeightFile> expected = Expected(name);
    CheckLogits(*model, *expected);
    CheckGreedy(*model, *expected);
    CheckChunks(name, *model, ReadIds(*expected, "ids"));
  }
}

TEST_CASE("GGUF files of every family equal transformers") {
  for (const std::string& name : kGgufModels) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = TryLoad(Fixture("gguf_models/" + name + ".gguf"));
    if (model == nullptr) continue;
    const std::unique_ptr<WeightFile> expected = Expected(name);
    CheckLogits(*model, *expected);
    CheckGreedy(*model, *expected);
    CheckGreedyRows(*model, *expected);
    const std::unique_ptr<Model> folder = LoadModel(Folder(name));
    // llama.cpp calls Mistral a Llama.
    CHECK(model->info().family == (name == "mistral_full" ? "llama" : folder->info().family));
    CHECK(model->info().layers == folder->info().layers);
    CHECK(model->info().hidden == folder->info().hidden);
  }
}

// A fixture that no list names is tested by nobody.
TEST_CASE("the lists of models are complete") {
  for (const auto& entry : std::filesystem::directory_iterator(Fixture("models"))) {
    const std::string name = entry.path().filename();
    if (!std::filesystem::exists(entry.path() / "expected.safetensors")) continue;
    CAPTURE(name);
    CHECK(std::ranges::count(kModels, name) + std::ranges::count(kLargerModels, name) == 1);
  }
  for (const auto& entry : std::filesystem::directory_iterator(Fixture("gguf_models"))) {
    const std::string name = entry.path().stem();
    CAPTURE(name);
    CHECK(std::ranges::count(kGgufModels, name) == 1);
  }
}

}  // namespace
}  // namespace toolformer::families_test
