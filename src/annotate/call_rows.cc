#include "src/annotate/call_rows.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <utility>

#include "src/base/status.h"
#include "src/model/libtorch_guard.h"
#include "src/model/token_sampler.h"
#include "src/text/call_body.h"

namespace toolformer {

CallRows::CallRows(const LanguageModel& model, const CallRowSettings& settings) : model_(model), settings_(settings) {}

void CallRows::Add(const Position& position, std::unique_ptr<KvCache> cache, std::span<const int32_t> opening,
                   std::span<const uint64_t> seeds) {
  Start start{position, std::move(cache), {opening.begin(), opening.end()}, {seeds.begin(), seeds.end()}};
  if (!settings_.forced.empty()) {
    const std::vector<int32_t> forced = model_.tokenizer().EncodeContinuation(settings_.forced);
    start.ids.insert(start.ids.end(), forced.begin(), forced.end());
  }
  starts_.push_back(std::move(start));
}

// Reads opening and forced text once a position, then forks a row a seed. Returns the logits of every row's first
// token.
absl::StatusOr<at::Tensor> CallRows::Begin(std::vector<CallRow>* results, std::vector<Open>* open) {
  std::vector<std::vector<int64_t>> wanted;
  std::vector<ForwardRow> batch;
  std::vector<int64_t> logits_of;  // which start a row's first logits are of
  for (const Start& start : starts_) wanted.push_back({static_cast<int64_t>(start.ids.size()) - 1});
  for (size_t s = 0; s < starts_.size(); ++s) batch.push_back({starts_[s].ids, starts_[s].cache.get(), wanted[s]});
  TF_ASSIGN_OR_RETURN(const at::Tensor logits, model_.Forward(batch));
  for (size_t s = 0; s < starts_.size(); ++s) {
    for (const uint64_t seed : starts_[s].seeds) {
      open->push_back({results->size(), starts_[s].cache->Fork(), RandomStream(seed), settings_.forced, 0, 0});
      results->push_back({starts_[s].position, CallRowOutcome::kNotClosed, {}});
      logits_of.push_back(static_cast<int64_t>(s));
    }
  }
  return GuardLibtorch([&]() -> absl::StatusOr<at::Tensor> { return logits.index_select(0, at::tensor(logits_of)); });
}

// Adds a token to a row. False where that ends it; its outcome is then in `result`.
bool CallRows::Extend(int32_t token, Open* row, CallRow* result) const {
  const std::vector<int32_t>& ends = model_.tokenizer().end_ids();
  if (token < 0 || std::find(ends.begin(), ends.end(), token) != ends.end()) return false;
  row->text += model_.tokenizer().TokenBytes(token);
  row->last = token;
  BodyReading reading = ReadCallBody(row->text);
  if (reading.state == BodyState::kGoOn) return ++row->tokens < settings_.max_tokens;
  result->outcome = reading.state == BodyState::kCall ? CallRowOutcome::kCall : CallRowOutcome::kNotACall;
  result->call = std::move(reading.call);
  return false;
}

absl::StatusOr<std::vector<CallRow>> CallRows::Run(const Interrupt& interrupt) {
  std::vector<CallRow> results;
  std::vector<Open> open;
  if (starts_.empty()) return results;
  TF_ASSIGN_OR_RETURN(at::Tensor logits, Begin(&results, &open));
  starts_.clear();
  const std::vector<int64_t> first = {0};
  while (!open.empty()) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    std::vector<double> uniforms;
    uniforms.reserve(open.size());
    for (Open& row : open) uniforms.push_back(row.random.Uniform());
    TF_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens,
                        SampleTokens(logits, settings_.temperature, uniforms, settings_.allowed));
    std::vector<Open> still_open;
    for (size_t r = 0; r < open.size(); ++r) {
      if (Extend(tokens[r], &open[r], &results[open[r].result])) still_open.push_back(std::move(open[r]));
    }
    open = std::move(still_open);
    if (open.empty()) break;
    std::vector<ForwardRow> batch;
    batch.reserve(open.size());
    for (Open& row : open) batch.push_back({{&row.last, 1}, row.cache.get(), first});
    TF_ASSIGN_OR_RETURN(logits, model_.Forward(batch));
  }
  return results;
}

}  // namespace toolformer
