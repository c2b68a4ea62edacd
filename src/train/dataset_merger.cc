#include "toolformer/dataset_merger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "src/base/random.h"
#include "src/base/status.h"
#include "toolformer/augmented_text.h"
#include "toolformer/call_syntax.h"

namespace toolformer {
namespace {

// Positions and offsets that can be spliced at.
absl::Status CheckCalls(const AnnotatedDocument& annotated) {
  std::vector<std::pair<int64_t, int64_t>> places;  // token, byte
  for (const ToolOutcome& outcome : annotated.tools) {
    for (const JudgedCall& call : outcome.calls) {
      if (call.position < 0 || call.position >= std::ssize(annotated.token_ids)) {
        return InvalidArgument("a call stands at token {} of a text of {}", call.position, annotated.token_ids.size());
      }
      if (call.losses && !call.result) return InvalidArgument("a call has losses but no result");
      if (call.verdict == Verdict::kKept && !call.losses) return InvalidArgument("a kept call has no losses");
      places.emplace_back(call.position, call.byte_offset);
    }
  }
  std::sort(places.begin(), places.end());
  int64_t last = 0;
  for (const auto& [token, byte] : places) {
    if (byte < last || byte > std::ssize(annotated.document.text)) {
      return InvalidArgument("a call at token {} stands at byte {}, which does not fit the text", token, byte);
    }
    last = byte;
  }
  return absl::OkStatus();
}

// Adds the calls that are not there yet. A known gain replaces a bound.
void JoinCalls(ToolOutcome from, ToolOutcome* to) {
  to->document_accepted = to->document_accepted || from.document_accepted;
  for (JudgedCall& call : from.calls) {
    const auto same = std::find_if(to->calls.begin(), to->calls.end(), [&](const JudgedCall& other) {
      return other.position == call.position && other.call == call.call;
    });
    if (same == to->calls.end()) {
      to->calls.push_back(std::move(call));
    } else if (call.losses && (!same->losses || same->losses->gain_is_bound())) {
      *same = std::move(call);
    }
  }
}

std::set<std::string> KeptTools(const AnnotatedDocument& annotated) {
  std::set<std::string> tools;
  for (const ToolOutcome& outcome : annotated.tools) {
    for (const JudgedCall& call : outcome.calls) {
      if (call.verdict == Verdict::kKept) tools.insert(outcome.tool);
    }
  }
  return tools;
}

}  // namespace

// A text with its place in the order of drawing.
struct DatasetMerger::Text {
  uint64_t key = 0;
  const AnnotatedDocument* annotated = nullptr;
  std::set<std::string> tools;  // of the kept calls
};

struct DatasetMerger::Selection {
  std::vector<Text> with_calls, originals;
  int64_t dropped = 0;
};

absl::StatusOr<DatasetMerger> DatasetMerger::Create(const Tokenizer& tokenizer, DatasetOptions options) {
  for (const auto& [tool, tau_f] : options.tau_f) {
    if (!std::isfinite(tau_f)) return InvalidArgument("{}: tau_f is {}, not a number of nats", tool, tau_f);
  }
  if (options.max_texts_per_tool < 1) {
    return InvalidArgument("max_texts_per_tool is {}; it must be at least 1", options.max_texts_per_tool);
  }
  if (!(options.originals >= 0 && options.originals <= 1e6)) {
    return InvalidArgument("originals is {}, not a number of texts for each text with calls", options.originals);
  }
  if (!(options.development >= 0 && options.development < 1)) {
    return InvalidArgument("development is {}; it must be at least 0 and less than 1", options.development);
  }
  return DatasetMerger(tokenizer, std::move(options));
}

DatasetMerger::DatasetMerger(const Tokenizer& tokenizer, DatasetOptions options)
    : tokenizer_(&tokenizer), options_(std::move(options)) {}

absl::Status DatasetMerger::Add(AnnotatedDocument annotated) {
  if (annotated.skip != Skip::kNone) return absl::OkStatus();
  if (annotated.token_ids != tokenizer_->Encode(annotated.document.text)) {
    return InvalidArgument("text '{}' was annotated with another tokenizer", annotated.document.id);
  }
  const auto [found, is_new] = index_.try_emplace(annotated.document.text, texts_.size());
  if (is_new) {
    const absl::Status status = CheckCalls(annotated);
    if (!status.ok()) {
      index_.erase(found);
      return Annotate(status, "text '" + annotated.document.id + "'");
    }
    texts_.push_back(std::move(annotated));
    return absl::OkStatus();
  }
  AnnotatedDocument joined = texts_[found->second];
  for (ToolOutcome& outcome : annotated.tools) {
    const auto same = std::find_if(joined.tools.begin(), joined.tools.end(),
                                   [&](const ToolOutcome& other) { return other.tool == outcome.tool; });
    if (same == joined.tools.end()) {
      joined.tools.push_back(std::move(outcome));
    } else {
      JoinCalls(std::move(outcome), &*same);
    }
  }
  const absl::Status status = CheckCalls(joined);
  if (!status.ok()) return Annotate(status, "text '" + joined.document.id + "'");
  texts_[found->second] = std::move(joined);
  return absl::OkStatus();
}

absl::Status DatasetMerger::AddOriginal(const Document& document) {
  AnnotatedDocument annotated;
  annotated.document = document;
  annotated.token_ids = tokenizer_->Encode(document.text);
  if (annotated.token_ids.empty()) return absl::OkStatus();
  return Add(std::move(annotated));
}

void DatasetMerger::Judge(AnnotatedDocument* annotated) const {
  JudgeCalls(
      [&](const std::string& tool, const JudgedCall& call) {
        const auto tau_f = options_.tau_f.find(tool);
        if (tau_f != options_.tau_f.end()) return call.losses->gain() >= tau_f->second;
        return call.verdict == Verdict::kKept || call.verdict == Verdict::kSmallerGain;
      },
      annotated);
}

DatasetMerger::Selection DatasetMerger::Select() const {
  Selection all;
  for (const AnnotatedDocument& annotated : texts_) {
    Text text{CombineSeeds({options_.seed, HashBytes(annotated.document.text)}), &annotated, KeptTools(annotated)};
    (text.tools.empty() ? all.originals : all.with_calls).push_back(std::move(text));
  }
  const auto by_key = [](const Text& a, const Text& b) {
    return a.key != b.key ? a.key < b.key : a.annotated->document.text < b.annotated->document.text;
  };
  std::sort(all.with_calls.begin(), all.with_calls.end(), by_key);
  std::sort(all.originals.begin(), all.originals.end(), by_key);

  Selection drawn;
  std::map<std::string, int64_t> texts_of;
  for (Text& text : all.with_calls) {
    const bool room = std::all_of(text.tools.begin(), text.tools.end(), [&](const std::string& tool) {
      return texts_of[tool] < options_.max_texts_per_tool;
    });
    if (!room) {
      ++drawn.dropped;
      continue;
    }
    for (const std::string& tool : text.tools) ++texts_of[tool];
    drawn.with_calls.push_back(std::move(text));
  }
  const double wanted = std::round(options_.originals * static_cast<double>(drawn.with_calls.size()));
  const auto count = std::min(all.originals.size(), static_cast<size_t>(wanted));
  drawn.originals.assign(all.originals.begin(), all.originals.begin() + static_cast<ptrdiff_t>(count));
  return drawn;
}

TrainingSequence DatasetMerger::SequenceOf(const AnnotatedDocument& annotated) const {
  TrainingSequence sequence;
  sequence.ids.push_back(tokenizer_->start_id());
  if (options_.without_calls) {
    sequence.ids.insert(sequence.ids.end(), annotated.token_ids.begin(), annotated.token_ids.end());
    return sequence;
  }
  AnnotatedDocument spliced = annotated;
  const std::vector<SplicedCall> calls = SpliceCalls(CallPieces(*tokenizer_), &spliced);
  sequence.ids.insert(sequence.ids.end(), spliced.augmented_ids.begin(), spliced.augmented_ids.end());
  if (options_.mask_results) {
    sequence.weights.assign(spliced.augmented_ids.size(), 1.0f);
    for (const SplicedCall& call : calls) {
      std::fill(sequence.weights.begin() + call.result_begin, sequence.weights.begin() + call.result_end, 0.0f);
    }
  }
  return sequence;
}

absl::StatusOr<Dataset> DatasetMerger::Merge() const {
  DatasetMerger judged = *this;
  Dataset dataset;
  DatasetCounts& counts = dataset.counts;
  counts.texts = std::ssize(texts_);
  int64_t candidates = 0;
  std::string thresholds;
  for (AnnotatedDocument& annotated : judged.texts_) {
    for (const ToolOutcome& outcome : annotated.tools) {
      DatasetCounts::OfTool& of_tool = counts.tools[outcome.tool];
      candidates += std::ssize(outcome.calls);
      for (size_t t = 0; t < kReportedThresholds.size(); ++t) {
        of_tool.texts_at[t] += std::any_of(outcome.calls.begin(), outcome.calls.end(), [&](const JudgedCall& call) {
          return call.losses && !call.losses->gain_is_bound() && call.losses->gain() >= kReportedThresholds[t];
        });
      }
    }
    judged.Judge(&annotated);
  }
  const Selection selection = judged.Select();
  counts.dropped = selection.dropped;
  counts.texts_with_calls = std::ssize(selection.with_calls) + selection.dropped;
  counts.originals = std::ssize(selection.originals);
  if (selection.with_calls.empty()) {
    for (const auto& [tool, tau_f] : options_.tau_f) thresholds += fmt::format(" {} {}", tool, tau_f);
    return FailedPrecondition(
        "0 of {} calls in {} texts kept{}{}: nothing to learn from; lower tau_f, or annotate more", candidates,
        counts.texts, thresholds.empty() ? "" : " at tau_f", thresholds);
  }
  for (const auto* texts : {&selection.with_calls, &selection.originals}) {
    for (const Text& text : *texts) {
      for (const ToolOutcome& outcome : text.annotated->tools) {
        const int64_t kept = std::count_if(outcome.calls.begin(), outcome.calls.end(),
                                           [](const JudgedCall& call) { return call.verdict == Verdict::kKept; });
        counts.tools[outcome.tool].calls += kept;
        counts.tools[outcome.tool].texts += kept > 0 ? 1 : 0;
      }
      // A text's fate depends on its own key, so that more texts change nothing for it.
      const double held_out = RandomStream(CombineSeeds({text.key, HashBytes("development")})).Uniform();
      (held_out < options_.development ? dataset.development : dataset.training)
          .push_back(judged.SequenceOf(*text.annotated));
    }
  }
  return dataset;
}

}  // namespace toolformer
