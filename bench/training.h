// Steps of fine-tuning, timed.
#ifndef TOOLFORMER_BENCH_TRAINING_H_
#define TOOLFORMER_BENCH_TRAINING_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace toolformer::bench {

// {"sequences": [[ids], ...], "steps": N, "learning_rate": R, "folder": PATH}: N steps of all sequences, each
// behind a start token, all weights learning; the seconds of each step, its loss, and the tokens of one.
absl::StatusOr<nlohmann::json> Train(const std::string& model_path, const nlohmann::json& command);

}  // namespace toolformer::bench

#endif  // TOOLFORMER_BENCH_TRAINING_H_
