#include "toolformer/augmented_text.h"

#include <map>

namespace toolformer {

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kKept:
      return "kept";
    case Verdict::kToolError:
      return "tool_error";
    case Verdict::kBelowThreshold:
      return "below_threshold";
    case Verdict::kSmallerGain:
      return "smaller_gain";
  }
  return "unknown";
}

void JudgeCalls(const PassesFilter& passes, AnnotatedDocument* annotated) {
  std::map<int64_t, JudgedCall*> best;
  for (ToolOutcome& outcome : annotated->tools) {
    for (JudgedCall& call : outcome.calls) {
      if (!call.losses) {
        call.verdict = Verdict::kToolError;
        continue;
      }
      const bool passed = !call.losses->gain_is_bound() && passes(outcome.tool, call);
      call.verdict = passed ? Verdict::kSmallerGain : Verdict::kBelowThreshold;
      if (!passed) continue;
      JudgedCall*& holder = best[call.position];
      if (holder == nullptr || call.losses->gain() > holder->losses->gain()) holder = &call;
    }
  }
  for (const auto& [position, call] : best) call->verdict = Verdict::kKept;
}

std::vector<SplicedCall> SpliceCalls(const CallPieces& pieces, AnnotatedDocument* annotated) {
  std::map<int64_t, const JudgedCall*> kept;
  for (const ToolOutcome& outcome : annotated->tools) {
    for (const JudgedCall& call : outcome.calls) {
      if (call.verdict == Verdict::kKept) kept[call.position] = &call;
    }
  }
  const std::string& text = annotated->document.text;
  std::vector<int32_t>& ids = annotated->augmented_ids;
  annotated->augmented_text.clear();
  ids.clear();
  int64_t byte = 0, token = 0;
  const auto copy_until = [&](int64_t to_byte, int64_t to_token) {
    annotated->augmented_text.append(text, byte, to_byte - byte);
    ids.insert(ids.end(), annotated->token_ids.begin() + token, annotated->token_ids.begin() + to_token);
    byte = to_byte;
    token = to_token;
  };
  std::vector<SplicedCall> spliced;
  for (const auto& [position, call] : kept) {
    copy_until(call->byte_offset, position);
    annotated->augmented_text += (position == 0 ? "" : " ") + PrintCall(call->call, call->result);
    SplicedCall& where = spliced.emplace_back();
    where.call = call;
    where.begin = std::ssize(ids);
    const std::vector<int32_t> in_text = pieces.InText(position, call->call, *call->result);
    ids.insert(ids.end(), in_text.begin(), in_text.end());
    where.end = std::ssize(ids);
    where.result_end = where.end - std::ssize(pieces.closing());
    where.result_begin = where.result_end - std::ssize(pieces.Result(*call->result));
  }
  copy_until(std::ssize(text), std::ssize(annotated->token_ids));
  return spliced;
}

}  // namespace toolformer
