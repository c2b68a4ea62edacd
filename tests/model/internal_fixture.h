// The transformer of a fixture's folder with a runner of the test's choice.
#ifndef TOOLFORMER_TESTS_MODEL_INTERNAL_FIXTURE_H_
#define TOOLFORMER_TESTS_MODEL_INTERNAL_FIXTURE_H_

#include <c10/core/InferenceMode.h>

#include <functional>
#include <memory>
#include <string>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/model/family.h"
#include "src/model/transformer.h"
#include "src/model/weights.h"
#include "tests/model/fixture.h"

namespace toolformer::testing {

using RunnerMaker = std::function<std::unique_ptr<Runner>(const TransformerSpec& spec, TransformerWeights weights)>;

inline std::unique_ptr<Transformer> MakeTransformer(const std::string& name, at::ScalarType type,
                                                    const RunnerMaker& make) {
  const std::string folder = Fixture("models/" + name), config_path = folder + "/config.json";
  const absl::StatusOr<std::string> text = ReadFile(config_path, 1 << 20);
  REQUIRE(text.ok());
  const absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  REQUIRE(json.ok());
  const absl::StatusOr<FamilyFile> family = FindHuggingFaceFamily(config_path, *json);
  REQUIRE(family.ok());
  const std::unique_ptr<WeightFile> file = OpenWeights(folder);
  const std::unique_ptr<ConfigReader> config = JsonConfigReader(*json, config_path, *file);
  absl::StatusOr<TransformerSpec> spec = ReadHuggingFaceSpec(*family->family, *config);
  REQUIRE_MESSAGE(spec.ok(), std::string(spec.status().message()));
  REQUIRE(CompleteSpec(config_path, &*spec).ok());
  const WeightSource source{*file, *family, config_path, type, {}};
  const c10::InferenceMode inference;
  absl::StatusOr<TransformerWeights> weights = LoadWeights(source, *spec);
  REQUIRE_MESSAGE(weights.ok(), std::string(weights.status().message()));
  std::unique_ptr<Runner> runner = make(*spec, *std::move(weights));
  return std::make_unique<Transformer>(*std::move(spec), std::move(runner));
}

inline at::Tensor Forward(const Transformer& model, std::span<const ForwardRow> rows,
                          std::span<const int32_t> vocabulary = {}) {
  const c10::InferenceMode inference;
  return model.Forward(rows, vocabulary);
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_MODEL_INTERNAL_FIXTURE_H_
