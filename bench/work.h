// The pieces of work that are timed, each a function from a JSON command to a JSON answer. Times are in seconds, of the
// work alone: reading the command and writing the answer are outside.
#ifndef TOOLFORMER_BENCH_WORK_H_
#define TOOLFORMER_BENCH_WORK_H_

#include <toolformer/toolformer.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace toolformer::bench {

using Json = nlohmann::json;

inline constexpr int64_t kMaxCallTokens = 32;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// The Calculator for every text, whatever its document heuristic says.
Tool BenchCalculator();

// {"texts": [...], "k", "m", "constrain_syntax"}: all texts as one batch, tau_s 0, tau_f 0.5, calls of at most 32
// tokens.
absl::StatusOr<Json> Annotate(const LanguageModel& model, const Json& command);

// {"ids": [...], "window": N}: the log-probability of every id, each window behind a start token of its own.
absl::StatusOr<Json> Score(const LanguageModel& model, const Json& command);

// {"prefix": [ids], "rows": R, "tokens": T}: one cache of the prefix, R forks of it, T greedy tokens each in one batch;
// end tokens are not taken.
absl::StatusOr<Json> Decode(const LanguageModel& model, const Json& command);

// {"file": PATH}: every line, a JSON string, encoded for itself.
absl::StatusOr<Json> EncodeFile(const Tokenizer& tokenizer, const Json& command);

// {"texts": [...]}: their ids.
absl::StatusOr<Json> Encode(const Tokenizer& tokenizer, const Json& command);

// {"text": "...", "tokens": N}: the beginning of the text that its first N tokens spell.
absl::StatusOr<Json> Cut(const Tokenizer& tokenizer, const Json& command);

// What the arithmetic of a forward pass is counted from: weights in matrices (an embedding that is also the output
// projection once, one that is only looked up not at all) and the width of all queries together.
absl::StatusOr<Json> Arithmetic(const std::string& model_path);

// Most memory that this process has had resident, in bytes: VmHWM.
absl::StatusOr<Json> PeakMemory();

}  // namespace toolformer::bench

#endif  // TOOLFORMER_BENCH_WORK_H_
