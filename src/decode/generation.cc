#include "src/decode/generation.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>

#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/model/token_sampler.h"

namespace toolformer {
namespace {

constexpr int kMostOpeningsTakenBack = 16;
constexpr int kMostIdenticalCalls = 3;  // more is a loop
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

}  // namespace

Generation::Generation(const LanguageModel& model, const ToolRegistry& registry, const DecodeOptions& options,
                       size_t row)
    : model_(model),
      registry_(registry),
      options_(options),
      row_(row),
      pieces_(model.tokenizer()),
      random_(CombineSeeds({options.seed})),
      stop_(StopsOf(options)),
      cache_(model.NewCache()) {}

std::vector<std::string> Generation::StopsOf(const DecodeOptions& options) {
  if (options.tool_use == ToolUse::kInContext && options.stop.empty()) return {"\n"};
  return options.stop;
}

absl::Status Generation::Start(std::string_view prompt) {
  no_opening_ = at::zeros({model_.vocab_size()}, at::kFloat);
  for (const int32_t id : pieces_.opening_ids()) no_opening_.data_ptr<float>()[id] = kMinusInfinity;
  std::string context;
  if (options_.tool_use == ToolUse::kInContext) {
    for (const std::shared_ptr<const Tool>& tool : registry_.tools()) context += InContextExamples(*tool);
  }
  at_text_start_ = context.empty() && prompt.empty();
  std::vector<int32_t> ids = {model_.tokenizer().start_id()};
  const std::vector<int32_t> prompt_ids = model_.tokenizer().Encode(context + std::string(prompt));
  ids.insert(ids.end(), prompt_ids.begin(), prompt_ids.end());
  if (!Fits(std::ssize(ids))) {
    return OutOfRange("the prompt has {} tokens, the context {}", ids.size(), model_.context_length());
  }
  return Ask(std::move(ids), Place::kText);
}

absl::Status Generation::Ask(std::vector<int32_t> ids, Place place) {
  ids_ = std::move(ids);
  place_ = place;
  need_ = Need::kLogits;
  return absl::OkStatus();
}

absl::Status Generation::Stop(StopReason reason) {
  decoded_.stop_reason = reason;
  need_ = Need::kNothing;
  return absl::OkStatus();
}

bool Generation::Fits(int64_t tokens) const { return cache_->length() + tokens <= model_.context_length(); }

std::span<const float> Generation::Logits() const {
  return {logits_.const_data_ptr<float>(), static_cast<size_t>(model_.vocab_size())};
}

bool Generation::IsEnd(int32_t token) const {
  const std::vector<int32_t>& ends = model_.tokenizer().end_ids();
  return std::find(ends.begin(), ends.end(), token) != ends.end();
}

bool Generation::MayOpen() const {
  const bool looping = std::any_of(times_called_.begin(), times_called_.end(),
                                   [](const auto& entry) { return entry.second >= kMostIdenticalCalls; });
  return options_.tool_use != ToolUse::kDisabled && !registry_.tools().empty() && !looping &&
         std::ssize(decoded_.calls) < options_.max_calls && taken_back_ < kMostOpeningsTakenBack;
}

// The next token of the model; where the opening is not allowed, it has probability 0.
absl::StatusOr<int32_t> Generation::Choose(bool opening_allowed) {
  if (options_.temperature > 0.0) {
    const double uniform = random_.Uniform();
    TF_ASSIGN_OR_RETURN(const std::vector<int32_t> token, SampleTokens(logits_, options_.temperature, {&uniform, 1},
                                                                       opening_allowed ? at::Tensor() : no_opening_));
    if (token[0] < 0) return Internal("non-finite logits: the weights hold NaN or infinite values");
    return token[0];
  }
  if (opening_allowed) return MostLikely(Logits());
  std::vector<float> logits(Logits().begin(), Logits().end());
  for (const int32_t id : pieces_.opening_ids()) logits[id] = kMinusInfinity;
  return MostLikely(logits);
}

void Generation::Emit(DecodeEventKind kind, const std::string& text) const {
  if (options_.on_event && !text.empty()) options_.on_event({kind, text, row_});
}

void Generation::AddText(std::string_view text) {
  const std::string out = stop_.Add(text);
  decoded_.text += out;
  decoded_.plain_text += out;
  Emit(DecodeEventKind::kText, out);
}

void Generation::FlushText() {
  const std::string held = stop_.Flush();
  decoded_.text += held;
  decoded_.plain_text += held;
  Emit(DecodeEventKind::kText, held);
}

absl::Status Generation::TakeLogits(at::Tensor logits) {
  logits_ = std::move(logits);
  switch (place_) {
    case Place::kText:
    case Place::kBehindCall:
      return GoOnWithText();
    case Place::kBody:
      return GoOnWithBody();
    case Place::kBehindBody:
      return AskTool();
    case Place::kTool:
      break;
  }
  return Internal("logits for a generation that waits for a tool");
}

absl::Status Generation::TakeFailure(const absl::Status& failure) {
  return absl::IsOutOfRange(failure) && place_ != Place::kText ? Stop(StopReason::kContextFull) : failure;
}

absl::Status Generation::GoOnWithText() {
  if (decoded_.tokens >= options_.max_new_tokens) return Stop(StopReason::kMaxTokens);
  if (!MayOpen()) return WriteText(/*opening_allowed=*/false);
  const bool taken = AnyAmongTop(Logits(), pieces_.opening_ids(), options_.opening_top_k);
  TF_RETURN_IF_ERROR(NoteOpening(taken));
  if (!taken) return WriteText(/*opening_allowed=*/true);
  const std::vector<int32_t>& opening = at_text_start_ ? pieces_.opening_at_start() : pieces_.opening_in_text();
  if (!Fits(std::ssize(opening) + 1)) return WriteText(false);
  before_opening_ = cache_->length();
  body_begin_ = before_opening_ + std::ssize(opening);
  logits_before_opening_ = logits_;
  body_tokens_.clear();
  body_ends_.clear();
  body_text_.clear();
  return Ask(opening, Place::kBody);
}

// The probability of calling here. Where no call is opened only a new largest one matters, which most places are seen
// not to have without a softmax.
absl::Status Generation::NoteOpening(const bool& taken) {
  const bool before_calls = decoded_.calls.empty();
  if (!taken && !before_calls) return absl::OkStatus();
  TF_ASSIGN_OR_RETURN(opening_probability_, SummedProbabilityAbove(Logits(), pieces_.opening_ids(),
                                                                   taken ? -1.0 : decoded_.opening_probability));
  if (before_calls) decoded_.opening_probability = std::max(decoded_.opening_probability, opening_probability_);
  return absl::OkStatus();
}

absl::Status Generation::WriteText(const bool& opening_allowed) {
  TF_ASSIGN_OR_RETURN(const int32_t token, Choose(opening_allowed));
  if (IsEnd(token)) return Stop(StopReason::kEndToken);
  ++decoded_.tokens;
  at_text_start_ = false;
  AddText(model_.tokenizer().TokenBytes(token));
  if (stop_.stopped()) return Stop(StopReason::kStopText);
  if (!Fits(1)) return Stop(StopReason::kContextFull);
  if (decoded_.tokens >= options_.max_new_tokens) return Stop(StopReason::kMaxTokens);
  return Ask({token}, Place::kText);
}

absl::Status Generation::GoOnWithBody() {
  if (std::ssize(body_tokens_) >= options_.max_call_tokens || !Fits(1)) return TakeOpeningBack();
  TF_ASSIGN_OR_RETURN(const int32_t token, Choose(/*opening_allowed=*/true));
  if (IsEnd(token)) return TakeOpeningBack();
  body_tokens_.push_back(token);
  body_text_ += model_.tokenizer().TokenBytes(token);
  body_ends_.push_back(body_text_.size());
  reading_ = ReadCallBody(body_text_);
  if (reading_.state == BodyState::kCall) return KeepBody();
  if (reading_.state == BodyState::kNotACall) return TakeOpeningBack();
  return Ask({token}, Place::kBody);
}

// What followed the opening was not a call: the text goes on as if it had not been taken.
absl::Status Generation::TakeOpeningBack() {
  ++taken_back_;
  TF_RETURN_IF_ERROR(cache_->Truncate(before_opening_));
  logits_ = std::move(logits_before_opening_);
  return WriteText(/*opening_allowed=*/false);
}

// Cuts the cache back to the last token that ends within the call's body, and feeds what of the body that token left
// out: a token may run past the closing parenthesis into the arrow.
absl::Status Generation::KeepBody() {
  decoded_.tokens += body_begin_ - before_opening_ + std::ssize(body_tokens_);
  const auto within = std::upper_bound(body_ends_.begin(), body_ends_.end(), reading_.end) - body_ends_.begin();
  TF_RETURN_IF_ERROR(cache_->Truncate(std::min(body_begin_ + within, cache_->length())));
  // The token that completed the reading was not fed yet, and may be the body's own last.
  std::vector<int32_t> missing(body_tokens_.begin() + (cache_->length() - body_begin_), body_tokens_.begin() + within);
  const size_t kept = within == 0 ? 0 : body_ends_[within - 1];
  const std::vector<int32_t> rest =
      model_.tokenizer().EncodeContinuation(std::string_view(body_text_).substr(kept, reading_.end - kept));
  missing.insert(missing.end(), rest.begin(), rest.end());
  if (missing.empty()) return AskTool();
  if (!Fits(std::ssize(missing))) return Stop(StopReason::kContextFull);
  return Ask(std::move(missing), Place::kBehindBody);
}

absl::Status Generation::AskTool() {
  const bool at_start = std::exchange(at_text_start_, false);
  FlushText();
  decoded_.text += at_start ? "[" : " [";
  DecodedCall& call = decoded_.calls.emplace_back();
  call.call = reading_.call;
  call.opening_probability = opening_probability_;
  if (decoded_.calls.size() == 1) decoded_.opening_probability = opening_probability_;
  call.byte_offset = std::ssize(decoded_.text) - 1;
  decoded_.text += body_text_.substr(0, reading_.end);
  Emit(DecodeEventKind::kCall, PrintCallBody(call.call));
  ++times_called_[{call.call.tool, call.call.input}];
  place_ = Place::kTool;
  need_ = Need::kAnswer;
  return absl::OkStatus();
}

// Ids of the result, cut to what the options and the context allow; `result` becomes what they say.
std::vector<int32_t> Generation::FittingResult(std::string* result) const {
  const int64_t room =
      model_.context_length() - cache_->length() - std::ssize(pieces_.arrow()) - std::ssize(pieces_.closing()) - 1;
  const int64_t most = std::min(options_.max_result_tokens, std::max<int64_t>(room, 0));
  std::vector<int32_t> ids = pieces_.Result(*result);
  if (std::ssize(ids) <= most) return ids;
  ids.resize(most);
  std::string cut = model_.tokenizer().Decode(ids);
  if (cut.starts_with(' ')) cut.erase(0, 1);  // the blank of the piece, not of the result
  // The cut may have fallen inside a code point.
  for (int i = 0; i < 3 && !IsValidUtf8(cut); ++i) cut.pop_back();
  *result = NeutralizeResult(cut);
  // Encoding again must not grow past the room.
  ids = pieces_.Result(*result);
  ids.resize(std::min(std::ssize(ids), most));
  return ids;
}

absl::Status Generation::TakeAnswer(absl::StatusOr<std::string> answer) {
  DecodedCall& call = decoded_.calls.back();
  std::vector<int32_t> ids = pieces_.arrow();
  decoded_.text += " ->";
  if (answer.ok()) {
    const std::vector<int32_t> result_ids = FittingResult(&*answer);
    ids.insert(ids.end(), result_ids.begin(), result_ids.end());
    if (!answer->empty()) decoded_.text += " " + *answer;
    Emit(DecodeEventKind::kResult, *answer);
    call.result = *std::move(answer);
  } else {
    // e(c, empty): the filter taught the model that this says nothing.
    call.error = std::string(answer.status().message());
    Emit(DecodeEventKind::kError, call.error);
  }
  decoded_.text += "]";
  ids.insert(ids.end(), pieces_.closing().begin(), pieces_.closing().end());
  if (!Fits(std::ssize(ids))) return Stop(StopReason::kContextFull);
  return Ask(std::move(ids), Place::kBehindCall);
}

Decoded Generation::Finish() {
  FlushText();
  return std::move(decoded_);
}

}  // namespace toolformer
