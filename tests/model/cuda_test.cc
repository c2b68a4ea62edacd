// Models on a GPU against the same expected values as on the CPU, where there is one.

#include <filesystem>
#include <string>
#include <vector>

#include "src/model/cuda/plugin.h"
#include "src/model/device.h"
#include "src/model/static_decode.h"
#include "tests/model/twins.h"
#include "toolformer/annotator.h"
#include "toolformer/tool.h"

namespace toolformer::cuda_test {
namespace {

using testing::AllLogits;
using testing::Fixture;
using testing::Forward;
using testing::Greedy;
using testing::LoadModel;
using testing::LogitsAt;
using testing::MakeTransformer;
using testing::MaxDifference;
using testing::OpenWeights;
using testing::ReadIds;
using testing::ReadTensor;
using testing::RunAtRandom;

constexpr double kTolerance = 1e-3;
constexpr double kBFloat16Tolerance = 2e-2;
constexpr size_t kPrompt = 5;

bool HasCuda() {
  const absl::StatusOr<c10::Device> device = OpenDevice("cuda:0");
  if (!device.ok()) MESSAGE("skipped: " << std::string(device.status().message()));
  return device.ok();
}

ModelOptions OnCuda() {
  ModelOptions options;
  options.device = "cuda:0";
  return options;
}

std::vector<std::string> Models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Fixture("models"))) {
    if (std::filesystem::exists(entry.path() / "expected.safetensors")) names.push_back(entry.path().filename());
  }
  return names;
}

// Without a GPU, this is all that can be seen of it.
TEST_CASE("a machine without CUDA says so and goes on") {
  if (OpenDevice("cuda:0").ok()) {
    MESSAGE("skipped: there is a CUDA device");
    return;
  }
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = Model::Load(Fixture("models/llama_gqa"), OnCuda()).status();
    CHECK(absl::IsUnimplemented(status));
    CHECK(std::string(status.message()).find("device 'cuda:0' is not available") != std::string::npos);
    const absl::StatusOr<const CudaPlugin*> plugin = OpenCudaPlugin();
    if (plugin.ok()) continue;  // libtorch's CUDA half is here, the GPU is not
    CHECK(absl::IsUnimplemented(plugin.status()));
    CHECK(std::string(plugin.status().message()).find("libtoolformer_cuda.so") != std::string::npos);
  }
  CHECK(AllLogits(*LoadModel(Fixture("models/llama_gqa")), std::vector<int32_t>{1, 2, 3}).size(0) == 3);
}

TEST_CASE("CUDA: every family in float32 equals transformers") {
  if (!HasCuda()) return;
  for (const std::string& name : Models()) {
    CAPTURE(name);
    ModelOptions options = OnCuda();
    options.type = WeightType::kFloat32;
    const std::unique_ptr<Model> model = LoadModel(Fixture("models/" + name), options);
    const std::unique_ptr<WeightFile> expected = OpenWeights(Fixture("models/" + name + "/expected.safetensors"));
    CHECK(MaxDifference(LogitsAt(*model, ReadIds(*expected, "ids"), *expected), ReadTensor(*expected, "logits")) <
          kTolerance);
    const std::vector<int32_t> ids = ReadIds(*expected, "ids"), greedy = ReadIds(*expected, "greedy");
    // The larger models continue all of the ids.
    const size_t prompt = expected->Find("logits_bf16") != nullptr ? kPrompt : ids.size();
    CHECK(Greedy(*model, {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(prompt)}, greedy.size()) == greedy);
  }
}

TEST_CASE("CUDA: every family in bfloat16, the default, equals transformers") {
  if (!HasCuda()) return;
  for (const std::string& name : Models()) {
    CAPTURE(name);
    const std::unique_ptr<Model> model = LoadModel(Fixture("models/" + name), OnCuda());
    const std::unique_ptr<WeightFile> expected = OpenWeights(Fixture("models/" + name + "/expected.safetensors"));
    if (expected->Find("logits_bf16") == nullptr) continue;
    const at::Tensor logits = LogitsAt(*model, ReadIds(*expected, "ids"), *expected);
    CHECK(MaxDifference(logits, ReadTensor(*expected, "logits_bf16")) < kBFloat16Tolerance);
    CHECK(MaxDifference(logits, ReadTensor(*expected, "logits")) > 0.0);
  }
}

std::unique_ptr<Transformer> OnDevice(const std::string& name, at::ScalarType type, const at::Device& device,
                                      std::optional<StaticDecodeSettings> settings) {
  return MakeTransformer(name, type, [&](const TransformerSpec& spec, TransformerWeights weights) {
    return MakeTensorRunner(spec, std::move(weights), device, settings);
  });
}

TEST_CASE("CUDA: recorded steps equal the ordinary ones, and those the CPU's") {
  if (!HasCuda()) return;
  const absl::StatusOr<const CudaPlugin*> plugin = OpenCudaPlugin();
  if (!plugin.ok()) {
    MESSAGE("skipped: " << std::string(plugin.status().message()));
    return;
  }
  const at::Device device(c10::kCUDA, 0);
  for (const std::string name :
       {"llama_gqa", "gemma3_small", "gpt2_small", "qwen3_plain", "gemma2_capped", "mistral_window", "bloom_plain"}) {
    CAPTURE(name);
    StaticDecodeSettings settings;
    int64_t recorded = 0;
    settings.capture = [&, capture = (*plugin)->make_capture(0)](const std::function<void()>& step) {
      ++recorded;
      return capture(step);
    };
    const std::unique_ptr<Transformer> ordinary = OnDevice(name, at::kFloat, device, std::nullopt),
                                       fixed = OnDevice(name, at::kFloat, device, settings),
                                       cpu = OnDevice(name, at::kFloat, at::kCPU, std::nullopt);
    RunAtRandom({*ordinary, *fixed, 1e-4}, 1, 96);
    CHECK(recorded > 1);  // else the first try failed
    RunAtRandom({*cpu, *fixed, kTolerance}, 2, 96);
    const std::unique_ptr<Transformer> rounded = OnDevice(name, at::kBFloat16, device, std::nullopt),
                                       rounded_fixed = OnDevice(name, at::kBFloat16, device, settings);
    if (name == "qwen3_plain" || name == "bloom_plain") {
      RunAtRandom({*rounded, *rounded_fixed, kBFloat16Tolerance}, 3, 96);
    }
  }
}

TEST_CASE("CUDA: a text is annotated") {
  if (!HasCuda()) return;
  const auto path = testing::SmolLm2();
  if (!path) {
    MESSAGE("skipped: SmolLM2 is not installed (make setup)");
    return;
  }
  const std::unique_ptr<Model> model = LoadModel(*path, OnCuda());
  ToolRegistry registry;
  REQUIRE(registry.Register(MakeCalculator()).ok());
  AnnotatorOptions options;
  options.parameters["Calculator"] = {0.0, 3, 3, 0.001};
  const auto annotator = Annotator::Create(*model, registry, options);
  REQUIRE_MESSAGE(annotator.ok(), std::string(annotator.status().message()));
  Document document;
  document.text = "The shop sold 12 + 30 = 42 rolls today, which is 7 more than the 35 of yesterday.";
  const auto first = (*annotator)->Annotate(document, {}), second = (*annotator)->Annotate(document, {});
  REQUIRE_MESSAGE(first.ok(), std::string(first.status().message()));
  REQUIRE(second.ok());
  REQUIRE(first->tools.size() == 1);
  CHECK(first->tools[0].positions.size() == 3);
  CHECK(FormatAnnotation(*first) == FormatAnnotation(*second));
}

}  // namespace
}  // namespace toolformer::cuda_test
