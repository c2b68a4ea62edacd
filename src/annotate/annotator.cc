#include "toolformer/annotator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/random.h"
#include "src/base/status.h"

namespace toolformer {
namespace {

absl::Status CheckParameters(const std::string& tool, const AnnotationParameters& p) {
  if (!std::isfinite(p.tau_s) || p.tau_s < 0.0 || p.tau_s > 1.0) {
    return InvalidArgument("{}: tau_s is {}, not a probability", tool, p.tau_s);
  }
  if (!std::isfinite(p.tau_f)) return InvalidArgument("{}: tau_f is {}, not a number of nats", tool, p.tau_f);
  if (p.k < 1 || p.k > 100000) return InvalidArgument("{}: k is {}, not within 1 to 100000", tool, p.k);
  if (p.m < 1 || p.m > 10000) return InvalidArgument("{}: m is {}, not within 1 to 10000", tool, p.m);
  return absl::OkStatus();
}

// Byte of the text at which each token starts, and the text's end. Tokens give the text back but for what their
// vocabulary adds (a blank before the first word) or lacks (some control bytes): a token that does not stand where the
// last one ended is looked for a few bytes further on.
std::vector<int64_t> TokenOffsets(const Tokenizer& tokenizer, std::string_view text, std::span<const int32_t> ids) {
  constexpr size_t kMostDropped = 16;
  std::vector<int64_t> offsets;
  size_t at = 0;
  for (const int32_t id : ids) {
    std::string_view bytes = tokenizer.TokenBytes(id);
    if (offsets.empty() && bytes.starts_with(' ') && !text.starts_with(' ')) bytes.remove_prefix(1);
    const size_t found = text.substr(at, bytes.size() + kMostDropped).find(bytes);
    if (found != std::string_view::npos) at += found;
    offsets.push_back(static_cast<int64_t>(at));
    at = std::min(at + bytes.size(), text.size());
  }
  offsets.push_back(std::ssize(text));
  return offsets;
}

// Of the calls that reach their tool's threshold, keeps the one with the largest gain at each position, whichever the
// tool; the earlier proposed where two are equal.
void KeepBest(std::vector<ToolOutcome>* outcomes) {
  std::map<int64_t, JudgedCall*> best;
  for (ToolOutcome& outcome : *outcomes) {
    for (JudgedCall& call : outcome.calls) {
      if (call.verdict != Verdict::kKept) continue;
      JudgedCall*& holder = best[call.position];
      if (holder == nullptr) {
        holder = &call;
      } else if (call.losses->gain() > holder->losses->gain()) {
        holder->verdict = Verdict::kSmallerGain;
        holder = &call;
      } else {
        call.verdict = Verdict::kSmallerGain;
      }
    }
  }
}

// x*: the kept calls and results in place.
void Splice(const CallPieces& pieces, AnnotatedDocument* annotated) {
  std::map<int64_t, const JudgedCall*> kept;
  for (const ToolOutcome& outcome : annotated->tools) {
    for (const JudgedCall& call : outcome.calls) {
      if (call.verdict == Verdict::kKept) kept[call.position] = &call;
    }
  }
  const std::string& text = annotated->document.text;
  annotated->augmented_text.clear();
  annotated->augmented_ids.clear();
  int64_t byte = 0, token = 0;
  const auto copy_until = [&](int64_t to_byte, int64_t to_token) {
    annotated->augmented_text.append(text, byte, to_byte - byte);
    annotated->augmented_ids.insert(annotated->augmented_ids.end(), annotated->token_ids.begin() + token,
                                    annotated->token_ids.begin() + to_token);
    byte = to_byte;
    token = to_token;
  };
  for (const auto& [position, call] : kept) {
    copy_until(call->byte_offset, position);
    annotated->augmented_text += (position == 0 ? "" : " ") + PrintCall(call->call, call->result);
    const std::vector<int32_t> ids = pieces.InText(position, call->call, *call->result);
    annotated->augmented_ids.insert(annotated->augmented_ids.end(), ids.begin(), ids.end());
  }
  copy_until(std::ssize(text), std::ssize(annotated->token_ids));
}

}  // namespace

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

std::string_view SkipName(Skip skip) {
  switch (skip) {
    case Skip::kNone:
      return "";
    case Skip::kEmpty:
      return "empty";
    case Skip::kTooLong:
      return "too_long";
    case Skip::kContainsCalls:
      return "contains_calls";
  }
  return "unknown";
}

int64_t AnnotatedDocument::kept() const {
  int64_t count = 0;
  for (const ToolOutcome& outcome : tools) {
    count += std::count_if(outcome.calls.begin(), outcome.calls.end(),
                           [](const JudgedCall& call) { return call.verdict == Verdict::kKept; });
  }
  return count;
}

Annotator::Annotator(const LanguageModel& model, const ToolRegistry& registry, AnnotatorOptions options)
    : model_(model),
      registry_(registry),
      options_(std::move(options)),
      document_filter_(registry, options_.sampler.seed),
      sampler_(model, options_.sampler),
      filter_(model, options_.filter),
      executor_(registry, options_.executor) {}

absl::StatusOr<std::unique_ptr<Annotator>> Annotator::Create(const LanguageModel& model, const ToolRegistry& registry,
                                                             AnnotatorOptions options) {
  if (registry.tools().empty()) return InvalidArgument("no tools are registered");
  for (const auto& [name, parameters] : options.parameters) {
    if (registry.Find(name) == nullptr) {
      return InvalidArgument("parameters for unknown tool '{}'; there are: {}", name, registry.Names());
    }
    TF_RETURN_IF_ERROR(CheckParameters(name, parameters));
  }
  return std::unique_ptr<Annotator>(new Annotator(model, registry, std::move(options)));
}

const AnnotationParameters& Annotator::parameters(const Tool& tool) const {
  const auto given = options_.parameters.find(tool.name);
  return given == options_.parameters.end() ? tool.parameters : given->second;
}

absl::StatusOr<ToolOutcome> Annotator::AnnotateWith(const Tool& tool, const AnnotatedDocument& so_far,
                                                    const Interrupt& interrupt) {
  const Document& document = so_far.document;
  const uint64_t document_seed = HashBytes(document.text);
  ToolOutcome outcome;
  outcome.tool = tool.name;
  outcome.document_accepted = document_filter_.Accepts(tool, document);
  if (!outcome.document_accepted) return outcome;

  const AnnotationParameters& parameters = this->parameters(tool);
  TF_ASSIGN_OR_RETURN(SampledCalls sampled,
                      sampler_.Sample(tool, parameters, document.text, so_far.token_ids, document_seed, interrupt));
  outcome.positions = std::move(sampled.positions);
  outcome.sampling = sampled.counts;

  const std::vector<int64_t> offsets = TokenOffsets(model_.tokenizer(), document.text, so_far.token_ids);
  std::stable_sort(sampled.candidates.begin(), sampled.candidates.end(),
                   [](const CandidateCall& a, const CandidateCall& b) { return a.position < b.position; });
  std::vector<FilterCase> cases;
  for (const CandidateCall& candidate : sampled.candidates) {
    JudgedCall judged;
    judged.position = candidate.position;
    judged.byte_offset = offsets[candidate.position];
    judged.opening_probability = candidate.opening_probability;
    judged.call = candidate.call;
    absl::StatusOr<std::string> result = executor_.Execute(candidate.call, {document.date, interrupt});
    TF_RETURN_IF_ERROR(interrupt.Check());
    if (result.ok()) {
      judged.result = *std::move(result);
      cases.push_back({judged.position, judged.call, *judged.result});
    } else {
      judged.error = std::string(result.status().message());
    }
    outcome.calls.push_back(std::move(judged));
  }
  TF_ASSIGN_OR_RETURN(const std::vector<CallLosses> losses, filter_.Score(so_far.token_ids, cases, interrupt));
  size_t next = 0;
  for (JudgedCall& judged : outcome.calls) {
    if (!judged.result) continue;
    judged.losses = losses[next++];
    judged.verdict = judged.losses->gain() >= parameters.tau_f ? Verdict::kKept : Verdict::kBelowThreshold;
  }
  return outcome;
}

absl::StatusOr<AnnotatedDocument> Annotator::Annotate(const Document& document, const Interrupt& interrupt) {
  AnnotatedDocument annotated;
  annotated.document = document;
  annotated.augmented_text = document.text;
  if (document_filter_.ContainsCalls(document)) {
    annotated.skip = Skip::kContainsCalls;
    return annotated;
  }
  annotated.token_ids = model_.tokenizer().Encode(document.text);
  annotated.augmented_ids = annotated.token_ids;
  if (annotated.token_ids.empty()) annotated.skip = Skip::kEmpty;
  if (std::ssize(annotated.token_ids) >= model_.context_length()) annotated.skip = Skip::kTooLong;
  if (annotated.skip != Skip::kNone) return annotated;
  for (const std::shared_ptr<const Tool>& tool : registry_.tools()) {
    absl::StatusOr<ToolOutcome> outcome = AnnotateWith(*tool, annotated, interrupt);
    if (absl::IsOutOfRange(outcome.status())) {
      // The prompt, a call or its result does not fit beside the text.
      annotated.tools.clear();
      annotated.skip = Skip::kTooLong;
      return annotated;
    }
    TF_RETURN_IF_ERROR(outcome.status());
    annotated.tools.push_back(*std::move(outcome));
  }
  KeepBest(&annotated.tools);
  Splice(CallPieces(model_.tokenizer()), &annotated);
  return annotated;
}

}  // namespace toolformer
