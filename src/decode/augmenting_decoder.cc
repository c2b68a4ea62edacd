#include "toolformer/augmenting_decoder.h"

#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "src/base/status.h"
#include "src/decode/generation.h"

namespace toolformer {
namespace {

constexpr int64_t kMostCalls = 16;

absl::Status CheckOptions(const DecodeOptions& options) {
  if (options.max_new_tokens < 0) return InvalidArgument("max_new_tokens {} is negative", options.max_new_tokens);
  if (options.opening_top_k < 1) return InvalidArgument("opening_top_k {} is not positive", options.opening_top_k);
  if (options.max_calls < 0 || options.max_calls > kMostCalls) {
    return InvalidArgument("max_calls {} is not within 0 to {}", options.max_calls, kMostCalls);
  }
  if (options.max_call_tokens < 1)
    return InvalidArgument("max_call_tokens {} is not positive", options.max_call_tokens);
  if (options.max_result_tokens < 0)
    return InvalidArgument("max_result_tokens {} is negative", options.max_result_tokens);
  if (!(options.temperature >= 0.0) || std::isinf(options.temperature)) {
    return InvalidArgument("temperature {} is not a number from 0 up", options.temperature);
  }
  if (options.max_batch_rows < 1) return InvalidArgument("max_batch_rows {} is not positive", options.max_batch_rows);
  return absl::OkStatus();
}

// Some prompts that are continued together.
class Batch {
 public:
  struct Parts {
    const LanguageModel& model;
    const ToolRegistry& registry;
    ToolExecutor& executor;
    const DecodeOptions& options;
  };
  Batch(const Parts& parts, std::span<const std::string> prompts)
      : parts_(parts),
        prompts_(prompts),
        results_(prompts.size(), absl::StatusOr<Decoded>(absl::UnknownError(""))),
        calls_(parts.executor, parts.options.interrupt) {}

  absl::StatusOr<std::vector<absl::StatusOr<Decoded>>> Run();

 private:
  struct Row {
    size_t prompt = 0;
    std::unique_ptr<Generation> generation;
    bool waits = false;  // for a tool
  };

  void StartSome();
  absl::Status AnswerCalls();
  absl::Status RunModel();
  absl::Status RunAlone(Row* row);
  // Ends a row where `status` says so, or where it needs nothing more.
  void Settle(const absl::Status& status, Row* row);
  void RemoveEnded();

  const Parts parts_;
  const std::span<const std::string> prompts_;
  size_t next_prompt_ = 0;
  std::vector<Row> rows_;
  std::vector<absl::StatusOr<Decoded>> results_;
  PendingCalls calls_;  // by prompt: a row waits for one answer at a time
};

void Batch::Settle(const absl::Status& status, Row* row) {
  if (!status.ok()) {
    results_[row->prompt] = status;
    row->generation.reset();
  } else if (row->generation->need() == Generation::Need::kNothing) {
    results_[row->prompt] = row->generation->Finish();
    row->generation.reset();
  }
}

void Batch::RemoveEnded() {
  std::erase_if(rows_, [](const Row& row) { return row.generation == nullptr; });
}

void Batch::StartSome() {
  while (next_prompt_ < prompts_.size() && std::ssize(rows_) < parts_.options.max_batch_rows) {
    Row row{next_prompt_++, nullptr, false};
    row.generation = std::make_unique<Generation>(parts_.model, parts_.registry, parts_.options, row.prompt);
    Settle(row.generation->Start(prompts_[row.prompt]), &row);
    if (row.generation != nullptr) rows_.push_back(std::move(row));
  }
}

absl::Status Batch::AnswerCalls() {
  bool may_run = false;
  for (Row& row : rows_) {
    if (row.generation->need() == Generation::Need::kAnswer && !row.waits) {
      row.waits = true;
      calls_.Add(row.prompt, {row.generation->call(), std::nullopt});
    }
    may_run = may_run || row.generation->need() == Generation::Need::kLogits;
  }
  const auto wait = may_run ? PendingCalls::Wait::kNo : PendingCalls::Wait::kForOne;
  for (PendingCalls::Ended& ended : calls_.Take(wait)) {
    TF_RETURN_IF_ERROR(parts_.options.interrupt.Check());
    for (Row& row : rows_) {
      if (row.prompt != ended.id || row.generation == nullptr) continue;
      row.waits = false;
      Settle(row.generation->TakeAnswer(std::move(ended.result)), &row);
    }
  }
  RemoveEnded();
  return absl::OkStatus();
}

absl::Status Batch::RunAlone(Row* row) {
  const std::vector<int64_t> last = {std::ssize(row->generation->ids()) - 1};
  const ForwardRow forward{row->generation->ids(), row->generation->cache(), last};
  const absl::StatusOr<at::Tensor> logits = parts_.model.Forward({&forward, 1});
  if (!logits.ok() && !absl::IsOutOfRange(logits.status())) return logits.status();
  Settle(logits.ok() ? row->generation->TakeLogits(*logits) : row->generation->TakeFailure(logits.status()), row);
  return absl::OkStatus();
}

// One step of as many rows as fit.
absl::Status Batch::RunModel() {
  std::vector<Row*> running;
  std::vector<ForwardRow> forward;
  std::vector<int64_t> last;
  last.reserve(rows_.size());
  int64_t tokens = 0;
  for (Row& row : rows_) {
    if (row.generation->need() != Generation::Need::kLogits) continue;
    const auto more = std::ssize(row.generation->ids());
    if (!running.empty() && tokens + more > parts_.options.max_read_tokens) continue;
    tokens += more;
    last.push_back(more - 1);
    forward.push_back({row.generation->ids(), row.generation->cache(), std::span(last).last(1)});
    running.push_back(&row);
  }
  if (running.empty()) return absl::OkStatus();
  const absl::StatusOr<at::Tensor> logits = parts_.model.Forward(forward);
  if (absl::IsOutOfRange(logits.status())) {
    // A model whose context is narrower than it says refuses a whole batch for one of its rows.
    for (Row* row : running) TF_RETURN_IF_ERROR(RunAlone(row));
  } else {
    TF_RETURN_IF_ERROR(logits.status());
    for (size_t r = 0; r < running.size(); ++r) {
      Settle(running[r]->generation->TakeLogits(logits->narrow(0, static_cast<int64_t>(r), 1)), running[r]);
    }
  }
  RemoveEnded();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<absl::StatusOr<Decoded>>> Batch::Run() {
  while (true) {
    TF_RETURN_IF_ERROR(parts_.options.interrupt.Check());
    StartSome();
    if (rows_.empty()) break;
    TF_RETURN_IF_ERROR(AnswerCalls());
    TF_RETURN_IF_ERROR(RunModel());
  }
  return std::move(results_);
}

}  // namespace

std::string_view StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kEndToken:
      return "end_token";
    case StopReason::kStopText:
      return "stop_text";
    case StopReason::kMaxTokens:
      return "max_tokens";
    case StopReason::kContextFull:
      return "context_full";
  }
  return "unknown";
}

AugmentingDecoder::AugmentingDecoder(const LanguageModel& model, const ToolRegistry& registry, ToolExecutor& executor)
    : model_(model), registry_(registry), executor_(executor) {}

absl::StatusOr<std::vector<absl::StatusOr<Decoded>>> AugmentingDecoder::DecodeBatch(
    std::span<const std::string> prompts, const DecodeOptions& options) const {
  TF_RETURN_IF_ERROR(CheckOptions(options));
  return Batch({model_, registry_, executor_, options}, prompts).Run();
}

absl::StatusOr<Decoded> AugmentingDecoder::Decode(std::string_view prompt, const DecodeOptions& options) const {
  const std::string one(prompt);
  TF_ASSIGN_OR_RETURN(std::vector<absl::StatusOr<Decoded>> results, DecodeBatch({&one, 1}, options));
  return std::move(results.front());
}

}  // namespace toolformer
