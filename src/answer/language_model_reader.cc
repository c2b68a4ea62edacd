// A decoder-only model as it is reads passages, each behind the same examples.
#include <ATen/ops/argmax.h>
#include <ATen/ops/logsumexp.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "src/answer/answer_text.h"
#include "src/answer/passage_prompt.h"
#include "src/answer/span_search.h"
#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/words.h"
#include "toolformer/question_answering.h"

namespace toolformer {
namespace {

// Passages that go through the model together: bounds the logits of their questions.
constexpr size_t kTogether = 8;
// A question and the words around it.
constexpr int64_t kMaxQuestionTokens = 512;
constexpr int64_t kMaxWrittenTokens = 32;
// How much of log p(question | passage) tells passages apart. The whole of it would leave no doubt, since the tokens of
// a question are not independent.
constexpr double kQuestionWeight = 0.4;
// Of an answer that only says what the question says: it is taken where there is hardly anything else.
constexpr double kEchoWeight = 0.01;

void Append(const std::vector<int32_t>& ids, std::vector<int32_t>* to) {
  to->insert(to->end(), ids.begin(), ids.end());
}

// Examples that have been read once. Forks share them.
class Head {
 public:
  absl::Status Read(const LanguageModel& model, std::string_view examples) {
    std::vector<int32_t> ids = {model.tokenizer().start_id()};
    Append(model.tokenizer().Encode(examples), &ids);
    cache_ = model.NewCache();
    const int64_t last = std::ssize(ids) - 1;
    const ForwardRow row{ids, cache_.get(), {&last, 1}};
    return model.Forward({&row, 1}).status();
  }
  int64_t length() const { return cache_->length(); }
  std::unique_ptr<KvCache> Fork() const {
    const std::lock_guard lock(mutex_);
    return cache_->Fork();
  }

 private:
  mutable std::mutex mutex_;
  std::unique_ptr<KvCache> cache_;
};

// What one passage says.
struct Evidence {
  double log_question = 0.0;  // log p(question | examples, passage)
  std::vector<Span> spans;
};

class LanguageModelReader : public AnswerReader {
 public:
  LanguageModelReader(std::shared_ptr<const LanguageModel> model, const LanguageModelReaderOptions& options)
      : model_(std::move(model)), options_(options) {}

  absl::Status Prepare() {
    const Tokenizer& tokenizer = model_->tokenizer();
    for (int32_t id = 0; id < std::min<int64_t>(tokenizer.vocab_size(), model_->vocab_size()); ++id) {
      const std::vector<int32_t>& ends = tokenizer.end_ids();
      if (tokenizer.TokenBytes(id).starts_with('\n') || std::find(ends.begin(), ends.end(), id) != ends.end()) {
        end_ids_.push_back(id);
      }
    }
    if (end_ids_.empty()) return InvalidArgument("question answering: the model's vocabulary has no line break");
    const int64_t head = std::ssize(tokenizer.Encode(kPassageExamples)) + 1;
    const int64_t needed = head + options_.max_passage_tokens + kMaxQuestionTokens + options_.max_answer_tokens;
    if (needed > model_->context_length()) {
      return InvalidArgument("question answering: {} tokens of examples, passage and question; the context has {}",
                             needed, model_->context_length());
    }
    TF_RETURN_IF_ERROR(with_passage_.Read(*model_, kPassageExamples));
    return without_passage_.Read(*model_, kQuestionExamples);
  }

  absl::StatusOr<FoundAnswer> Read(std::string_view question, std::span<const SearchPassage> passages,
                                   const Interrupt& interrupt) const override;

  std::string version() const override {
    std::string model = options_.model_version;
    if (const auto* known = dynamic_cast<const Model*>(model_.get()); model.empty() && known != nullptr) {
      model = known->info().fingerprint;
    }
    return fmt::format("spans 1, {}, {} {} {}", model.empty() ? "unknown" : model, options_.max_passage_tokens,
                       options_.max_answer_tokens, options_.beams);
  }

 private:
  absl::Status ReadTogether(const std::vector<int32_t>& question, std::span<const SearchPassage> passages,
                            const Interrupt& interrupt, std::vector<Evidence>* evidence) const;
  absl::StatusOr<double> LogQuestion(const std::vector<int32_t>& question) const;
  absl::StatusOr<FoundAnswer> Write(const std::vector<int32_t>& question, const Interrupt& interrupt) const;
  std::string Shortened(const SearchPassage& passage) const;

  const std::shared_ptr<const LanguageModel> model_;
  const LanguageModelReaderOptions options_;
  std::vector<int32_t> end_ids_;
  Head with_passage_, without_passage_;
};

// Title and text as one line of at most max_passage_tokens.
std::string LanguageModelReader::Shortened(const SearchPassage& passage) const {
  // No token is empty, and what is longer than that is cut in any case.
  constexpr size_t kMostBytesOfToken = 16;
  std::string text =
      OneLine(passage.title.empty() ? passage.text : passage.title + std::string(kAfterTitle) + passage.text);
  text = Utf8Prefix(text, options_.max_passage_tokens * kMostBytesOfToken);
  std::vector<int32_t> ids = model_->tokenizer().EncodeContinuation(" " + text);
  if (std::ssize(ids) <= options_.max_passage_tokens) return text;
  ids.resize(options_.max_passage_tokens);
  const std::string cut = model_->tokenizer().Decode(ids);
  // The bytes of a code point that was cut apart.
  size_t size = cut.size();
  while (size > 0 && cut.size() - size < 4 && !IsValidUtf8(std::string_view(cut).substr(0, size))) --size;
  return cut.substr(cut.starts_with(' ') ? 1 : 0, size - (cut.starts_with(' ') ? 1 : 0));
}

absl::Status LanguageModelReader::ReadTogether(const std::vector<int32_t>& question,
                                               std::span<const SearchPassage> passages, const Interrupt& interrupt,
                                               std::vector<Evidence>* evidence) const {
  const Tokenizer& tokenizer = model_->tokenizer();
  const std::vector<int32_t> before_answer = tokenizer.EncodeContinuation(kBeforeAnswer);
  std::vector<SpanSource> sources;
  std::vector<std::vector<int32_t>> ids(passages.size());
  std::vector<std::vector<int64_t>> wanted(passages.size());
  std::vector<ReadPassage> read(passages.size());
  std::vector<ForwardRow> rows;
  sources.reserve(passages.size());
  for (size_t i = 0; i < passages.size(); ++i) {
    const std::string text = Shortened(passages[i]);
    ids[i] = tokenizer.EncodeContinuation(fmt::format("{} {}\n{}", kBeforePassage, text, kBeforeQuestion));
    for (size_t j = 0; j < question.size(); ++j) wanted[i].push_back(std::ssize(ids[i]) - 1 + static_cast<int64_t>(j));
    Append(question, &ids[i]);
    Append(before_answer, &ids[i]);
    wanted[i].push_back(std::ssize(ids[i]) - 1);
    sources.emplace_back(tokenizer, text);
    read[i].source = &sources.back();
    read[i].cache = with_passage_.Fork();
    rows.push_back({ids[i], read[i].cache.get(), wanted[i]});
  }
  TF_RETURN_IF_ERROR(interrupt.Check());
  TF_ASSIGN_OR_RETURN(const at::Tensor logits, model_->Forward(rows));
  const at::Tensor log_sums = at::logsumexp(logits, 1);
  const auto log_sum = log_sums.accessor<float, 1>();
  const auto logit = logits.accessor<float, 2>();
  const size_t first = evidence->size();
  int64_t row = 0;
  for (size_t i = 0; i < passages.size(); ++i) {
    Evidence& of = evidence->emplace_back();
    for (const int32_t id : question) {
      of.log_question += logit[row][id] - log_sum[row];
      ++row;
    }
    if (!std::isfinite(of.log_question)) return Internal("question answering: the model's logits are not finite");
    read[i].logits = logits[row++].clone();
  }
  const SpanSearchOptions search = {
      .beams = options_.beams, .max_tokens = options_.max_answer_tokens, .end_ids = end_ids_};
  TF_ASSIGN_OR_RETURN(std::vector<std::vector<Span>> spans, SearchSpans(*model_, std::move(read), search, interrupt));
  for (size_t i = 0; i < spans.size(); ++i) (*evidence)[first + i].spans = std::move(spans[i]);
  return absl::OkStatus();
}

// Whether one word is the other with another ending: "film" and "films", "opened" and "open".
bool SameWord(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return a == b || (a.size() >= 3 && b.size() - a.size() <= 2 && b.starts_with(a));
}

// Whether all words of a normalised answer are words of the question, or such as join words.
bool OnlyEchoes(std::string_view answer, std::string_view question) {
  static constexpr std::string_view kJoining[] = {"and", "at", "by", "for", "in",  "it",
                                                  "of",  "on", "to", "was", "with"};
  constexpr size_t kAll = kMaxQuestionBytes;
  const std::vector<std::string_view> asked = FirstWords(question, kAll), words = FirstWords(answer, kAll);
  return std::all_of(words.begin(), words.end(), [&](std::string_view word) {
    return std::find(std::begin(kJoining), std::end(kJoining), word) != std::end(kJoining) ||
           std::any_of(asked.begin(), asked.end(), [&](std::string_view other) { return SameWord(word, other); });
  });
}

// The answer that the passages together make most likely: the one with the largest sum of
//   (p(question | passage) / p(question))^kQuestionWeight * p(answer | passage, question).
// Where passages have nothing to do with the question the ratio is about 1, so the sum also tells how thin the evidence
// is.
FoundAnswer Best(const std::vector<Evidence>& evidence, std::string_view question, double log_question) {
  const std::string asked = NormalizedAnswer(question);
  struct Sum {
    double weighted = 0.0, largest = 0.0;
    FoundAnswer best;
  };
  std::map<std::string, Sum> answers;  // by what they are compared by
  for (size_t i = 0; i < evidence.size(); ++i) {
    const double weight = std::exp(kQuestionWeight * (evidence[i].log_question - log_question));
    std::set<std::string> seen;  // spans of a passage that say the same count once
    for (const Span& span : evidence[i].spans) {
      const std::string_view text = TrimmedSpan(span.text);
      std::string key = NormalizedAnswer(text);
      if (key.empty() || !seen.insert(key).second) continue;
      const double probability = std::exp(span.log_probability) * (OnlyEchoes(key, asked) ? kEchoWeight : 1.0);
      Sum& sum = answers[std::move(key)];
      sum.weighted += weight * probability;
      if (probability > sum.largest) {
        sum.largest = probability;
        sum.best = {std::string(text), 0.0, static_cast<int64_t>(i)};
      }
    }
  }
  const auto most = std::max_element(answers.begin(), answers.end(), [](const auto& one, const auto& other) {
    return one.second.weighted < other.second.weighted;
  });
  if (most == answers.end()) return {};
  FoundAnswer found = most->second.best;
  const double sum = most->second.weighted;
  found.confidence = std::isfinite(sum) ? sum / (1.0 + sum) : 1.0;
  return found;
}

// log p(question) behind the examples alone.
absl::StatusOr<double> LanguageModelReader::LogQuestion(const std::vector<int32_t>& question) const {
  std::vector<int32_t> ids = model_->tokenizer().EncodeContinuation(kBeforeQuestion);
  std::vector<int64_t> wanted;
  for (size_t j = 0; j < question.size(); ++j) wanted.push_back(std::ssize(ids) - 1 + static_cast<int64_t>(j));
  Append(question, &ids);
  const std::unique_ptr<KvCache> cache = without_passage_.Fork();
  const ForwardRow row{ids, cache.get(), wanted};
  TF_ASSIGN_OR_RETURN(const at::Tensor logits, model_->Forward({&row, 1}));
  const at::Tensor log_sums = at::logsumexp(logits, 1);
  double log_question = 0.0;
  for (size_t j = 0; j < question.size(); ++j) {
    const auto at = static_cast<int64_t>(j);
    log_question += logits.accessor<float, 2>()[at][question[j]] - log_sums.accessor<float, 1>()[at];
  }
  if (!std::isfinite(log_question)) return Internal("question answering: the model's logits are not finite");
  return log_question;
}

// Without a passage: what the model says by itself.
absl::StatusOr<FoundAnswer> LanguageModelReader::Write(const std::vector<int32_t>& question,
                                                       const Interrupt& interrupt) const {
  const std::unique_ptr<KvCache> cache = without_passage_.Fork();
  std::vector<int32_t> ids = model_->tokenizer().EncodeContinuation(kBeforeQuestion);
  Append(question, &ids);
  Append(model_->tokenizer().EncodeContinuation(kBeforeAnswer), &ids);
  std::vector<int32_t> written;
  double log_probability = 0.0;
  while (std::ssize(written) < kMaxWrittenTokens) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    const int64_t last = std::ssize(ids) - 1;
    const ForwardRow row{ids, cache.get(), {&last, 1}};
    TF_ASSIGN_OR_RETURN(const at::Tensor logits, model_->Forward({&row, 1}));
    const double log_sum = at::logsumexp(logits, 1).item<double>();
    if (!std::isfinite(log_sum)) return Internal("question answering: the model's logits are not finite");
    const auto next = static_cast<int32_t>(at::argmax(logits).item<int64_t>());
    log_probability += logits.const_data_ptr<float>()[next] - log_sum;
    if (std::binary_search(end_ids_.begin(), end_ids_.end(), next)) break;
    written.push_back(next);
    ids = {next};
  }
  return FoundAnswer{WrittenAnswer(model_->tokenizer().Decode(written)), std::exp(log_probability), -1};
}

absl::StatusOr<FoundAnswer> LanguageModelReader::Read(std::string_view question,
                                                      std::span<const SearchPassage> passages,
                                                      const Interrupt& interrupt) const {
  TF_ASSIGN_OR_RETURN(const std::string asked, CheckedQuestion(question));
  const std::vector<int32_t> ids = model_->tokenizer().EncodeContinuation(" " + asked);
  if (std::ssize(ids) > kMaxQuestionTokens / 2) {
    return ResourceExhausted("question answering: a question of {} tokens; at most {} are read", ids.size(),
                             kMaxQuestionTokens / 2);
  }
  if (passages.empty()) return Write(ids, interrupt);
  TF_ASSIGN_OR_RETURN(const double log_question, LogQuestion(ids));
  std::vector<Evidence> evidence;
  for (size_t begin = 0; begin < passages.size(); begin += kTogether) {
    const size_t count = std::min(kTogether, passages.size() - begin);
    TF_RETURN_IF_ERROR(ReadTogether(ids, passages.subspan(begin, count), interrupt, &evidence));
  }
  return Best(evidence, asked, log_question);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const AnswerReader>> MakeLanguageModelReader(std::shared_ptr<const LanguageModel> model,
                                                                            const LanguageModelReaderOptions& options) {
  const auto within = [](int64_t value, int64_t least, int64_t most) { return value >= least && value <= most; };
  if (model == nullptr) return InvalidArgument("question answering: no model");
  if (!within(options.max_passage_tokens, 16, 4096)) {
    return InvalidArgument("question answering: max_passage_tokens is {}, not 16 to 4096", options.max_passage_tokens);
  }
  if (!within(options.max_answer_tokens, 1, 64)) {
    return InvalidArgument("question answering: max_answer_tokens is {}, not 1 to 64", options.max_answer_tokens);
  }
  if (!within(options.beams, 1, 16)) {
    return InvalidArgument("question answering: beams is {}, not 1 to 16", options.beams);
  }
  auto reader = std::make_shared<LanguageModelReader>(std::move(model), options);
  TF_RETURN_IF_ERROR(reader->Prepare());
  return reader;
}

}  // namespace toolformer
