#include "toolformer/annotator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/random.h"
#include "src/base/status.h"
#include "toolformer/augmented_text.h"

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

bool SameVocabulary(const Tokenizer& a, const Tokenizer& b) {
  if (a.vocab_size() != b.vocab_size() || a.start_id() != b.start_id() || a.end_ids() != b.end_ids()) return false;
  for (int32_t id = 0; id < a.vocab_size(); ++id) {
    if (a.TokenBytes(id) != b.TokenBytes(id)) return false;
  }
  return true;
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

// The token before which a call at a byte of the text stands: the one that holds it, or a blank of its own before that.
int64_t TokenAt(const Tokenizer& tokenizer, std::span<const int32_t> ids, std::span<const int64_t> offsets,
                size_t byte) {
  const auto after = std::upper_bound(offsets.begin(), offsets.end() - 1, static_cast<int64_t>(byte));
  const int64_t token = std::max<int64_t>(0, after - offsets.begin() - 1);
  const bool starts = offsets[token] == static_cast<int64_t>(byte);
  return starts && token > 0 && tokenizer.TokenBytes(ids[token - 1]) == " " ? token - 1 : token;
}

void SortByPosition(std::vector<JudgedCall>* calls) {
  std::stable_sort(calls->begin(), calls->end(),
                   [](const JudgedCall& a, const JudgedCall& b) { return a.position < b.position; });
}

// The prompt, a call or its result does not fit beside the text.
void SkipTooLong(AnnotatedDocument* annotated) {
  annotated->tools.clear();
  annotated->skip = Skip::kTooLong;
}

}  // namespace

std::string_view CallSourceName(CallSource source) { return source == CallSource::kSampled ? "sampled" : "worked_out"; }

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
      sampler_(options_.proposer == nullptr ? model : *options_.proposer, options_.sampler),
      filter_(model, options_.filter),
      executor_(registry, options_.executor) {}

absl::StatusOr<std::unique_ptr<Annotator>> Annotator::Create(const LanguageModel& model, const ToolRegistry& registry,
                                                             AnnotatorOptions options) {
  if (registry.tools().empty()) return InvalidArgument("no tools are registered");
  for (const std::shared_ptr<const Tool>& tool : registry.tools()) {
    if (tool->free_of_side_effects) continue;
    return InvalidArgument(
        "tool '{}' is not marked free_of_side_effects, and annotation runs every call that a model makes up: mark it "
        "where a call changes nothing, or leave the tool out",
        tool->name);
  }
  for (const auto& [name, parameters] : options.parameters) {
    if (registry.Find(name) == nullptr) {
      return InvalidArgument("parameters for unknown tool '{}'; there are: {}", name, registry.Names());
    }
    TF_RETURN_IF_ERROR(CheckParameters(name, parameters));
  }
  if (model.approximate()) {
    return InvalidArgument("annotation judges calls by exact losses; int8 weights are for AnnotatorOptions::proposer");
  }
  const bool any_proposer =
      std::any_of(registry.tools().begin(), registry.tools().end(),
                  [](const std::shared_ptr<const Tool>& tool) { return tool->propose != nullptr; });
  if (!options.sources.sampled && !(options.sources.worked_out && any_proposer)) {
    return InvalidArgument("no call would be proposed: calls are not sampled, and no tool works any out");
  }
  if (options.proposer != nullptr && !SameVocabulary(model.tokenizer(), options.proposer->tokenizer())) {
    return InvalidArgument("the proposer's vocabulary is not the model's");
  }
  return std::unique_ptr<Annotator>(new Annotator(model, registry, std::move(options)));
}

const AnnotationParameters& Annotator::parameters(const Tool& tool) const {
  const auto given = options_.parameters.find(tool.name);
  return given == options_.parameters.end() ? tool.parameters : given->second;
}

// What can be said of a document before a model is asked.
AnnotatedDocument Annotator::Prepare(const Document& document) const {
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
  return annotated;
}

// Adds the tool's outcome to every document that is not skipped: positions, and candidates without results.
absl::Status Annotator::ProposeWith(const Tool& tool, const Interrupt& interrupt,
                                    std::vector<AnnotatedDocument>* batch) const {
  std::vector<AnnotatedDocument*> accepted;
  for (AnnotatedDocument& annotated : *batch) {
    if (annotated.skip != Skip::kNone) continue;
    ToolOutcome& outcome = annotated.tools.emplace_back();
    outcome.tool = tool.name;
    outcome.document_accepted = document_filter_.Accepts(tool, annotated.document);
    if (outcome.document_accepted) accepted.push_back(&annotated);
  }
  if (options_.sources.sampled) TF_RETURN_IF_ERROR(Sample(tool, interrupt, accepted));
  if (options_.sources.worked_out && tool.propose) {
    for (AnnotatedDocument* annotated : accepted) {
      if (annotated->skip == Skip::kNone) WorkOut(tool, annotated);
    }
  }
  return absl::OkStatus();
}

absl::Status Annotator::Sample(const Tool& tool, const Interrupt& interrupt,
                               std::span<AnnotatedDocument* const> accepted) const {
  std::vector<SamplingText> texts;
  texts.reserve(accepted.size());
  for (const AnnotatedDocument* annotated : accepted) {
    const std::string& text = annotated->document.text;
    texts.push_back({text, annotated->token_ids, HashBytes(text)});
  }
  TF_ASSIGN_OR_RETURN(std::vector<absl::StatusOr<SampledCalls>> sampled,
                      sampler_.Sample(tool, parameters(tool), texts, interrupt));
  for (size_t d = 0; d < accepted.size(); ++d) {
    AnnotatedDocument& annotated = *accepted[d];
    if (absl::IsOutOfRange(sampled[d].status())) {
      SkipTooLong(&annotated);
      continue;
    }
    TF_RETURN_IF_ERROR(sampled[d].status());
    ToolOutcome& outcome = annotated.tools.back();
    outcome.positions = std::move(sampled[d]->positions);
    outcome.sampling = sampled[d]->counts;
    const std::vector<int64_t> offsets = TokenOffsets(model_.tokenizer(), annotated.document.text, annotated.token_ids);
    for (CandidateCall& candidate : sampled[d]->candidates) {
      const auto offset = static_cast<size_t>(offsets[candidate.position]);
      if (tool.keeps && !tool.keeps(annotated.document, offset, candidate.call)) {
        ++outcome.sampling.dropped;
        continue;
      }
      JudgedCall& judged = outcome.calls.emplace_back();
      judged.position = candidate.position;
      judged.byte_offset = offsets[candidate.position];
      judged.opening_probability = candidate.opening_probability;
      judged.call = std::move(candidate.call);
    }
    SortByPosition(&outcome.calls);
  }
  return absl::OkStatus();
}

void Annotator::WorkOut(const Tool& tool, AnnotatedDocument* annotated) const {
  ToolOutcome& outcome = annotated->tools.back();
  const std::vector<int64_t> offsets = TokenOffsets(model_.tokenizer(), annotated->document.text, annotated->token_ids);
  for (WorkedOutCall& proposal : tool.propose(annotated->document)) {
    const int64_t position = TokenAt(model_.tokenizer(), annotated->token_ids, offsets, proposal.byte_offset);
    const bool known = std::any_of(outcome.calls.begin(), outcome.calls.end(), [&](const JudgedCall& other) {
      return other.position == position && other.call == proposal.call;
    });
    if (known || proposal.call.tool != tool.name) continue;
    if (tool.keeps && !tool.keeps(annotated->document, static_cast<size_t>(offsets[position]), proposal.call)) continue;
    JudgedCall& judged = outcome.calls.emplace_back();
    judged.position = position;
    judged.byte_offset = offsets[position];
    judged.source = CallSource::kWorkedOut;
    judged.call = std::move(proposal.call);
  }
  SortByPosition(&outcome.calls);
}

absl::Status Annotator::Execute(const Interrupt& interrupt, std::vector<AnnotatedDocument>* batch) {
  std::vector<JudgedCall*> calls;
  std::vector<ToolRequest> requests;
  for (AnnotatedDocument& annotated : *batch) {
    for (ToolOutcome& outcome : annotated.tools) {
      for (JudgedCall& call : outcome.calls) {
        calls.push_back(&call);
        requests.push_back({call.call, annotated.document.date});
      }
    }
  }
  TF_ASSIGN_OR_RETURN(std::vector<absl::StatusOr<std::string>> results, executor_.ExecuteAll(requests, interrupt));
  for (size_t c = 0; c < calls.size(); ++c) {
    if (results[c].ok()) {
      calls[c]->result = *std::move(results[c]);
    } else {
      calls[c]->error = std::string(results[c].status().message());
    }
  }
  return absl::OkStatus();
}

// Losses of all calls that have a result; one job a document, whatever the number of tools.
absl::Status Annotator::Filter(const Interrupt& interrupt, std::vector<AnnotatedDocument>* batch) const {
  std::vector<std::vector<FilterCase>> cases;
  for (const AnnotatedDocument& annotated : *batch) {
    std::vector<FilterCase>& of_document = cases.emplace_back();
    for (size_t t = 0; t < annotated.tools.size(); ++t) {
      // Tools have outcomes in the order in which they are registered.
      const double tau_f = parameters(*registry_.tools()[t]).tau_f;
      for (const JudgedCall& call : annotated.tools[t].calls) {
        if (!call.result) continue;
        FilterCase& filter_case = of_document.emplace_back(FilterCase{call.position, call.call, *call.result});
        if (!options_.exact_gains) filter_case.needed_gain = std::min(tau_f, kLowestReportedGain);
      }
    }
  }
  std::vector<FilterJob> jobs;
  std::vector<AnnotatedDocument*> scored;
  for (size_t d = 0; d < batch->size(); ++d) {
    if (cases[d].empty()) continue;
    jobs.push_back({(*batch)[d].token_ids, cases[d]});
    scored.push_back(&(*batch)[d]);
  }
  TF_ASSIGN_OR_RETURN(const auto losses, filter_.Score(jobs, interrupt));
  for (size_t d = 0; d < scored.size(); ++d) {
    if (absl::IsOutOfRange(losses[d].status())) {
      SkipTooLong(scored[d]);
      continue;
    }
    TF_RETURN_IF_ERROR(losses[d].status());
    auto next = losses[d]->begin();
    for (ToolOutcome& outcome : scored[d]->tools) {
      for (JudgedCall& call : outcome.calls) {
        if (call.result) call.losses = *next++;
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AnnotatedDocument>> Annotator::TryBatch(std::span<const Document> documents,
                                                                   const Interrupt& interrupt) {
  std::vector<AnnotatedDocument> batch;
  for (const Document& document : documents) batch.push_back(Prepare(document));
  for (const std::shared_ptr<const Tool>& tool : registry_.tools()) {
    TF_RETURN_IF_ERROR(ProposeWith(*tool, interrupt, &batch));
  }
  TF_RETURN_IF_ERROR(Execute(interrupt, &batch));
  TF_RETURN_IF_ERROR(Filter(interrupt, &batch));
  const CallPieces pieces(model_.tokenizer());
  std::map<std::string, double> tau_f;
  for (const std::shared_ptr<const Tool>& tool : registry_.tools()) tau_f[tool->name] = parameters(*tool).tau_f;
  for (AnnotatedDocument& annotated : batch) {
    if (annotated.skip != Skip::kNone) continue;
    JudgeCalls([&](const std::string& tool, const JudgedCall& call) { return call.losses->gain() >= tau_f.at(tool); },
               &annotated);
    SpliceCalls(pieces, &annotated);
  }
  return batch;
}

absl::StatusOr<std::vector<AnnotatedDocument>> Annotator::AnnotateBatch(std::span<const Document> documents,
                                                                        const Interrupt& interrupt) {
  absl::StatusOr<std::vector<AnnotatedDocument>> batch = TryBatch(documents, interrupt);
  if (!absl::IsOutOfRange(batch.status())) return batch;
  // A model whose context is narrower than it says refuses a whole batch for one of its texts.
  std::vector<AnnotatedDocument> one_by_one;
  for (const Document& document : documents) {
    absl::StatusOr<std::vector<AnnotatedDocument>> alone = TryBatch({&document, 1}, interrupt);
    if (absl::IsOutOfRange(alone.status())) {
      SkipTooLong(&one_by_one.emplace_back(Prepare(document)));
    } else {
      TF_RETURN_IF_ERROR(alone.status());
      one_by_one.push_back(std::move(alone->front()));
    }
  }
  return one_by_one;
}

absl::StatusOr<AnnotatedDocument> Annotator::Annotate(const Document& document, const Interrupt& interrupt) {
  TF_ASSIGN_OR_RETURN(std::vector<AnnotatedDocument> batch, AnnotateBatch({&document, 1}, interrupt));
  return std::move(batch.front());
}

}  // namespace toolformer
