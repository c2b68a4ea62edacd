// Question answering: passages of a search read by a model, the answer a few words of theirs (paper section 3, the QA
// tool).
#ifndef TOOLFORMER_QUESTION_ANSWERING_H_
#define TOOLFORMER_QUESTION_ANSWERING_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"
#include "toolformer/search_index.h"
#include "toolformer/seq2seq_model.h"
#include "toolformer/tool.h"
#include "toolformer/wiki_search.h"

namespace toolformer {

struct TOOLFORMER_API FoundAnswer {
  std::string text;         // empty: none was found
  double confidence = 0.0;  // 0 to 1: what a least confidence is compared with; readers differ in what it means
  int64_t passage = -1;     // index of a passage that says so; -1: of none, or the reader does not know
};

// Answers questions out of passages. Const, and safe to call from several threads at once.
class TOOLFORMER_API AnswerReader {
 public:
  virtual ~AnswerReader() = default;

  // No passages: whatever the reader knows by itself. kInvalidArgument (a question without words), kResourceExhausted
  // (a question that is too long), kUnimplemented (no passages, and the reader needs some), the interrupt's status, the
  // model's errors.
  virtual absl::StatusOr<FoundAnswer> Read(std::string_view question, std::span<const SearchPassage> passages,
                                           const Interrupt& interrupt) const = 0;

  // Which reader and model this is: other answers, another version.
  virtual std::string version() const = 0;
};

struct TOOLFORMER_API LanguageModelReaderOptions {
  int64_t max_passage_tokens = 256;  // more of a passage are not read; at least 16
  int64_t max_answer_tokens = 12;    // 1 to 64
  int64_t beams = 3;                 // spans of a passage that are followed at once, 1 to 16
  // Stands for the model in version(); empty: the fingerprint of a Model, "unknown" for others.
  std::string model_version = {};
};

// Reads with a language model as it is, shown three examples first. Every passage is read by itself behind the same
// examples, all as one batch, and its answer is searched for among its own words: the spans of words with the highest
// p(span, end | examples, passage, question). What passages say together adds up: the answer is the one with the
// largest
//   s = sum over passages of (p(question | passage) / p(question))^0.4 * p(answer | passage, question),
// answers out of words of the question counting hardly. Its text is the passage's own, without the marks around it, and
// its confidence is s / (1 + s): low where passages make neither question nor answer likely. Without passages: the
// greedy continuation, its first line, and its probability. kInvalidArgument: an option out of range; the examples do
// not fit into the model's context.
TOOLFORMER_API absl::StatusOr<std::shared_ptr<const AnswerReader>> MakeLanguageModelReader(
    std::shared_ptr<const LanguageModel> model, const LanguageModelReaderOptions& options);

struct TOOLFORMER_API FusionReaderOptions {
  Seq2SeqOptions model;
  // Tokens of question and passage together, 16 to 4,096; more are cut off. 0: what the checkpoint was trained with
  // (Atlas: text_maxlength of its options; otherwise 200).
  int64_t max_passage_tokens = 0;
  int64_t max_answer_tokens = 50;  // 1 to 512
  // How an input is written: text, "{question}", "{title}", "{text}" and control tokens. Empty: as the checkpoint was
  // trained: "question: {question} title: {title} context: {text}" (FiD); what its options say (Atlas), by default
  // "question: {question} answer: <extra_id_0> title: {title} context: {text}".
  std::string input_format = {};
};

// Fusion in decoder, as the paper's QA tool (Atlas): a T5 encoder reads every passage with the question by itself, the
// decoder sees all of them and writes the answer, greedily. `folder` is one of Hugging Face with a T5 model; one that
// FiD's save_pretrained has left; or one with a checkpoint of Atlas (model.pth.tar: the reader's weights are taken),
// each with config.json and the tokenizer's files, which FiD and Atlas take from the T5 they begin with. FoundAnswer's
// confidence is the probability of all tokens of the answer; it does not say which passage the answer is from. Errors
// of Seq2SeqModel::Load; kInvalidArgument: an option out of range; kUnimplemented: a model of another family.
TOOLFORMER_API absl::StatusOr<std::shared_ptr<const AnswerReader>> LoadFusionReader(const std::string& folder,
                                                                                    const FusionReaderOptions& options);

// The reader for what is at `path`, with its defaults: fusion in decoder for a folder of a T5, of FiD or of Atlas,
// otherwise a language model. On the CPU; int8 weights are read in half the time, and nothing is judged by them.
TOOLFORMER_API absl::StatusOr<std::shared_ptr<const AnswerReader>> LoadAnswerReader(
    const std::string& path, WeightType type = WeightType::kInt8);

// Answers below it are more often wrong than of use (docs/decisions.md).
inline constexpr double kLeastAnswerConfidence = 0.8;

struct TOOLFORMER_API QuestionAnsweringOptions {
  int64_t passages = 5;                              // that are read, 1 to 100
  double least_confidence = kLeastAnswerConfidence;  // of an answer; 0: any is taken
};

// What is asked, with where the answer is from: the best passages of `source` for the question's words are read. Null:
// the reader answers by itself. Besides the reader's and the source's errors kNotFound: no passage, or none that
// answers the question well enough.
TOOLFORMER_API absl::StatusOr<FoundAnswer> AnswerQuestion(const AnswerReader& reader, const SearchSource* source,
                                                          std::string_view question,
                                                          const QuestionAnsweringOptions& options,
                                                          const Interrupt& interrupt);

// [QA("question")] -> the answer of AnswerQuestion. Without a reader (null) every call is a tool error.
TOOLFORMER_API Tool MakeQuestionAnswering(std::shared_ptr<const AnswerReader> reader,
                                          std::shared_ptr<const SearchSource> source,
                                          const QuestionAnsweringOptions& options = {});

}  // namespace toolformer

#endif  // TOOLFORMER_QUESTION_ANSWERING_H_
