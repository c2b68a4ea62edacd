// Ten steps of transformers and torch's AdamW, made by scripts/fixtures/make_training_fixtures.py.
#ifndef TOOLFORMER_TESTS_TRAIN_FIXTURE_H_
#define TOOLFORMER_TESTS_TRAIN_FIXTURE_H_

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/model/model_files.h"
#include "tests/check.h"
#include "tests/paths.h"
#include "toolformer/training_sequence.h"

namespace toolformer::testing {

inline std::vector<std::string> TrainingModels() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Fixture("models"))) {
    if (std::filesystem::exists(entry.path() / "training.json")) names.push_back(entry.path().filename());
  }
  REQUIRE(names.size() >= 30);
  return names;
}

inline nlohmann::json ExpectedTraining(const std::string& name) {
  std::ifstream in(Fixture("models/" + name + "/training.json"));
  REQUIRE(in.good());
  return nlohmann::json::parse(in);
}

inline std::vector<TrainingSequence> SequencesOf(const nlohmann::json& expected) {
  std::vector<TrainingSequence> sequences;
  for (size_t i = 0; i < expected["sequences"].size(); ++i) {
    sequences.push_back(
        {expected["sequences"][i].get<std::vector<int32_t>>(), expected["weights"][i].get<std::vector<float>>()});
  }
  return sequences;
}

inline ModelRead ReadFixture(const std::string& name) {
  absl::StatusOr<ModelRead> read = ReadModel(Fixture("models/" + name), {});
  REQUIRE_MESSAGE(read.ok(), std::string(read.status().message()));
  return *std::move(read);
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_TRAIN_FIXTURE_H_
