#include "training.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "toolformer/fine_tuner.h"
#include "toolformer/tokenizer.h"

namespace toolformer::bench {

absl::StatusOr<nlohmann::json> Train(const std::string& model_path, const nlohmann::json& command) {
  const absl::StatusOr<std::shared_ptr<const Tokenizer>> tokenizer = LoadTokenizer(model_path);
  if (!tokenizer.ok()) return tokenizer.status();
  std::vector<TrainingSequence> sequences;
  for (const nlohmann::json& ids : command.at("sequences")) {
    TrainingSequence& sequence = sequences.emplace_back();
    sequence.ids = ids.get<std::vector<int32_t>>();
    sequence.ids.insert(sequence.ids.begin(), (*tokenizer)->start_id());
  }
  FineTunerOptions options;
  options.batch_size = static_cast<int64_t>(sequences.size());
  options.max_steps = command.at("steps").get<int64_t>();
  options.learning_rate = command.at("learning_rate").get<double>();
  options.warmup = 0;
  options.checkpoint_interval = 0;
  const absl::StatusOr<FineTuner> tuner = FineTuner::Create(options);
  if (!tuner.ok()) return tuner.status();
  const auto folder = command.at("folder").get<std::string>();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  nlohmann::json seconds = nlohmann::json::array(), losses = nlohmann::json::array();
  int64_t tokens = 0;
  const auto note = [&](const FineTuneProgress& done) {
    seconds.push_back(done.seconds);
    losses.push_back(done.loss);
    tokens = done.tokens;
  };
  const absl::StatusOr<FineTuneResult> result = tuner->Run({model_path, folder, sequences, {}}, Interrupt(), note);
  std::filesystem::remove_all(folder, ignored);
  if (!result.ok()) return result.status();
  return nlohmann::json{{"step_seconds", seconds}, {"losses", losses}, {"tokens", tokens}};
}

}  // namespace toolformer::bench
