// What annotation costs a program that shares nothing: every sample reads prompt and text anew, every candidate and
// position takes three passes over the whole text, one sequence at a time.
#ifndef TOOLFORMER_BENCH_NAIVE_H_
#define TOOLFORMER_BENCH_NAIVE_H_

#include "work.h"

namespace toolformer::bench {

// {"text": "...", "k", "m", "whole": bool}. The sampler says which positions, samples and candidates there are; then
// the passes of the naive procedure for just these are timed on LanguageModel::Forward without shared caches. "whole":
// each of them runs. Otherwise one of each kind runs, at the mean length of its kind, and the answer is composed of
// these times and the exact numbers of passes and tokens; a pass is linear in its length but for a part of attention,
// so the mean length gives about the mean time.
absl::StatusOr<Json> Naive(const LanguageModel& model, const Json& command);

}  // namespace toolformer::bench

#endif  // TOOLFORMER_BENCH_NAIVE_H_
