#include "toolformer/augmenting_decoder.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "src/base/random.h"
#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/decode/stop_text.h"
#include "src/model/token_sampler.h"
#include "src/text/call_body.h"

namespace toolformer {
namespace {

constexpr int64_t kMostCalls = 16;
constexpr int kMostOpeningsTakenBack = 16;
constexpr int kMostIdenticalCalls = 3;  // more is a loop
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

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
  return absl::OkStatus();
}

// One generation. The sequence is what the cache holds; `logits_` predict what follows it.
class Generation {
 public:
  Generation(const LanguageModel& model, const ToolRegistry& registry, ToolExecutor& executor,
             const DecodeOptions& options)
      : model_(model),
        registry_(registry),
        executor_(executor),
        options_(options),
        pieces_(model.tokenizer()),
        random_(CombineSeeds({options.seed})),
        stop_(StopsOf(options)),
        cache_(model.NewCache()) {}

  absl::StatusOr<Decoded> Run(std::string_view prompt);

 private:
  static std::vector<std::string> StopsOf(const DecodeOptions& options);

  absl::Status Feed(std::span<const int32_t> ids);
  absl::StatusOr<int32_t> Choose(bool opening_allowed);
  bool MayOpen() const;
  bool Fits(int64_t tokens) const { return cache_->length() + tokens <= model_.context_length(); }
  bool IsEnd(int32_t token) const;
  std::span<const float> Logits() const {
    return {logits_.const_data_ptr<float>(), static_cast<size_t>(model_.vocab_size())};
  }

  absl::StatusOr<bool> TryCall();
  absl::StatusOr<bool> WriteCall(BodyReading* reading);
  absl::Status RunCall(const BodyReading& reading, int64_t body_begin);
  absl::Status KeepBody(const BodyReading& reading, int64_t body_begin);
  std::vector<int32_t> FittingResult(std::string* result) const;

  void Emit(DecodeEventKind kind, const std::string& text) const;
  void AddText(std::string_view text);

  const LanguageModel& model_;
  const ToolRegistry& registry_;
  ToolExecutor& executor_;
  const DecodeOptions& options_;
  const CallPieces pieces_;
  RandomStream random_;
  StopText stop_;
  std::unique_ptr<KvCache> cache_;
  at::Tensor logits_;  // [1, vocab]
  at::Tensor no_opening_;
  // The call being written: its tokens and the bytes of text up to the end of each.
  std::vector<int32_t> body_tokens_;
  std::vector<size_t> body_ends_;
  std::string body_text_;

  Decoded decoded_;
  bool at_text_start_ = false;
  int taken_back_ = 0;
  std::map<std::pair<std::string, std::string>, int> times_called_;
};

std::vector<std::string> Generation::StopsOf(const DecodeOptions& options) {
  if (options.tool_use == ToolUse::kInContext && options.stop.empty()) return {"\n"};
  return options.stop;
}

absl::Status Generation::Feed(std::span<const int32_t> ids) {
  const std::vector<int64_t> last = {std::ssize(ids) - 1};
  const ForwardRow row{ids, cache_.get(), last};
  TF_ASSIGN_OR_RETURN(logits_, model_.Forward({&row, 1}));
  return absl::OkStatus();
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
  if (options_.on_event && !text.empty()) options_.on_event({kind, text});
}

void Generation::AddText(std::string_view text) {
  const std::string out = stop_.Add(text);
  decoded_.text += out;
  decoded_.plain_text += out;
  Emit(DecodeEventKind::kText, out);
}

// Lets the model write a call after its opening. True where it came to one, false where it did not.
absl::StatusOr<bool> Generation::WriteCall(BodyReading* reading) {
  body_tokens_.clear();
  body_ends_.clear();
  body_text_.clear();
  for (int64_t n = 0; n < options_.max_call_tokens && Fits(1); ++n) {
    TF_RETURN_IF_ERROR(options_.interrupt.Check());
    TF_ASSIGN_OR_RETURN(const int32_t token, Choose(/*opening_allowed=*/true));
    if (IsEnd(token)) return false;
    body_tokens_.push_back(token);
    body_text_ += model_.tokenizer().TokenBytes(token);
    body_ends_.push_back(body_text_.size());
    *reading = ReadCallBody(body_text_);
    if (reading->state == BodyState::kCall) return true;
    if (reading->state == BodyState::kNotACall) return false;
    TF_RETURN_IF_ERROR(Feed({&token, 1}));
  }
  return false;
}

// Cuts the cache back to the last token that ends within the call's body, and feeds what of the body that token left
// out: a token may run past the closing parenthesis into the arrow.
absl::Status Generation::KeepBody(const BodyReading& reading, int64_t body_begin) {
  const auto within = std::upper_bound(body_ends_.begin(), body_ends_.end(), reading.end) - body_ends_.begin();
  TF_RETURN_IF_ERROR(cache_->Truncate(std::min(body_begin + within, cache_->length())));
  // The token that completed the reading was not fed yet, and may be the body's own last.
  std::vector<int32_t> missing(body_tokens_.begin() + (cache_->length() - body_begin), body_tokens_.begin() + within);
  const size_t kept = within == 0 ? 0 : body_ends_[within - 1];
  const std::vector<int32_t> rest =
      model_.tokenizer().EncodeContinuation(std::string_view(body_text_).substr(kept, reading.end - kept));
  missing.insert(missing.end(), rest.begin(), rest.end());
  return missing.empty() ? absl::OkStatus() : Feed(missing);
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

absl::Status Generation::RunCall(const BodyReading& reading, int64_t body_begin) {
  TF_RETURN_IF_ERROR(KeepBody(reading, body_begin));
  const bool at_start = std::exchange(at_text_start_, false);
  DecodedCall call;
  call.call = reading.call;
  const std::string held = stop_.Flush();
  decoded_.text += held;
  decoded_.plain_text += held;
  Emit(DecodeEventKind::kText, held);
  decoded_.text += at_start ? "[" : " [";
  call.byte_offset = std::ssize(decoded_.text) - 1;
  decoded_.text += body_text_.substr(0, reading.end);
  Emit(DecodeEventKind::kCall, PrintCallBody(call.call));
  ++times_called_[{call.call.tool, call.call.input}];

  absl::StatusOr<std::string> result = executor_.Execute(call.call, {std::nullopt, options_.interrupt});
  TF_RETURN_IF_ERROR(options_.interrupt.Check());
  std::vector<int32_t> ids = pieces_.arrow();
  decoded_.text += " ->";
  if (result.ok()) {
    const std::vector<int32_t> result_ids = FittingResult(&*result);
    ids.insert(ids.end(), result_ids.begin(), result_ids.end());
    if (!result->empty()) decoded_.text += " " + *result;
    Emit(DecodeEventKind::kResult, *result);
    call.result = *std::move(result);
  } else {
    // e(c, empty): the filter taught the model that this says nothing.
    call.error = std::string(result.status().message());
    Emit(DecodeEventKind::kError, call.error);
  }
  decoded_.text += "]";
  ids.insert(ids.end(), pieces_.closing().begin(), pieces_.closing().end());
  decoded_.calls.push_back(std::move(call));
  if (!Fits(std::ssize(ids))) return OutOfRange("the context is full");
  return Feed(ids);
}

// Takes the opening. False where what followed was not a call and the opening has been taken back.
absl::StatusOr<bool> Generation::TryCall() {
  const int64_t before = cache_->length();
  const at::Tensor logits_before = logits_;
  const std::vector<int32_t>& opening = at_text_start_ ? pieces_.opening_at_start() : pieces_.opening_in_text();
  if (!Fits(std::ssize(opening) + 1)) return false;
  TF_RETURN_IF_ERROR(Feed(opening));
  const int64_t body_begin = cache_->length();
  BodyReading reading;
  TF_ASSIGN_OR_RETURN(const bool is_call, WriteCall(&reading));
  if (is_call) {
    decoded_.tokens += std::ssize(opening) + std::ssize(body_tokens_);
    TF_RETURN_IF_ERROR(RunCall(reading, body_begin));
    return true;
  }
  ++taken_back_;
  TF_RETURN_IF_ERROR(cache_->Truncate(before));
  logits_ = logits_before;
  return false;
}

absl::StatusOr<Decoded> Generation::Run(std::string_view prompt) {
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
  TF_RETURN_IF_ERROR(options_.interrupt.Check());
  TF_RETURN_IF_ERROR(Feed(ids));

  decoded_.stop_reason = StopReason::kMaxTokens;
  while (decoded_.tokens < options_.max_new_tokens) {
    TF_RETURN_IF_ERROR(options_.interrupt.Check());
    bool may_open = MayOpen();
    if (may_open && AnyAmongTop(Logits(), pieces_.opening_ids(), options_.opening_top_k)) {
      absl::StatusOr<bool> called = TryCall();
      if (absl::IsOutOfRange(called.status())) {
        decoded_.stop_reason = StopReason::kContextFull;
        break;
      }
      TF_RETURN_IF_ERROR(called.status());
      if (*called) continue;
      may_open = false;
    }
    TF_ASSIGN_OR_RETURN(const int32_t token, Choose(may_open));
    if (IsEnd(token)) {
      decoded_.stop_reason = StopReason::kEndToken;
      break;
    }
    ++decoded_.tokens;
    at_text_start_ = false;
    AddText(model_.tokenizer().TokenBytes(token));
    if (stop_.stopped()) {
      decoded_.stop_reason = StopReason::kStopText;
      break;
    }
    if (!Fits(1)) {
      decoded_.stop_reason = StopReason::kContextFull;
      break;
    }
    TF_RETURN_IF_ERROR(Feed({&token, 1}));
  }
  const std::string held = stop_.Flush();
  decoded_.text += held;
  decoded_.plain_text += held;
  Emit(DecodeEventKind::kText, held);
  return std::move(decoded_);
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

absl::StatusOr<Decoded> AugmentingDecoder::Decode(std::string_view prompt, const DecodeOptions& options) const {
  TF_RETURN_IF_ERROR(CheckOptions(options));
  return Generation(model_, registry_, executor_, options).Run(prompt);
}

}  // namespace toolformer
