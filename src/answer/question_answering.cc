// The QA tool: its prompt, and the way from a question to an answer.
#include "toolformer/question_answering.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "src/answer/answer_text.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/tools/names.h"
#include "src/tools/search_input.h"

namespace toolformer {
namespace {

constexpr std::chrono::milliseconds kDeadline{60000};

absl::Status CheckOptions(const AnswerReader* reader, const QuestionAnsweringOptions& options) {
  if (reader == nullptr) return FailedPrecondition("question answering: no reader");
  if (options.passages < 1 || options.passages > 100) {
    return FailedPrecondition("question answering: passages is {}, not 1 to 100", options.passages);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FoundAnswer> AnswerQuestion(const AnswerReader& reader, const SearchSource* source,
                                           std::string_view question, const QuestionAnsweringOptions& options,
                                           const Interrupt& interrupt) {
  TF_RETURN_IF_ERROR(CheckOptions(&reader, options));
  TF_ASSIGN_OR_RETURN(const std::string asked, CheckedQuestion(question));
  std::vector<SearchPassage> found;
  if (source != nullptr) {
    SearchQuery query;
    query.text = asked;
    query.limit = options.passages;
    TF_ASSIGN_OR_RETURN(found, source->Search(query, interrupt));
    if (std::ssize(found) > options.passages) found.resize(options.passages);
    if (found.empty()) return NotFound("question answering: no passage has a word of the question");
  }
  TF_ASSIGN_OR_RETURN(FoundAnswer answer, reader.Read(question, found, interrupt));
  if (answer.text.empty() || answer.confidence < options.least_confidence) {
    return NotFound("question answering: no answer that is likely enough");
  }
  return answer;
}

Tool MakeQuestionAnswering(std::shared_ptr<const AnswerReader> reader, std::shared_ptr<const SearchSource> source,
                           const QuestionAnsweringOptions& options) {
  Tool tool;
  tool.name = "QA";
  tool.instruction =
      "Your task is to add calls to a Question Answering API to a piece of text. The questions should ask for a fact "
      "that the text is about to state. You can call the API by writing \"[QA(\"question\")]\" where \"question\" is "
      "the "
      "question you want to ask.";
  tool.examples = {
      {"Marie Curie was born in Warsaw, the capital of Poland.",
       "Marie Curie was born in [QA(\"Where was Marie Curie born?\") -> Warsaw] Warsaw, the capital of [QA(\"In which "
       "country is Warsaw?\") -> Poland] Poland."},
      {"Penicillin, discovered by Alexander Fleming, is made by a mould called Penicillium.",
       "Penicillin, discovered by [QA(\"Who discovered penicillin?\") -> Alexander Fleming] Alexander Fleming, is made "
       "by a mould called [QA(\"Which mould makes penicillin?\") -> Penicillium] Penicillium."},
  };
  tool.parameters = {.tau_s = 0.05, .k = 5, .m = 5, .tau_f = 1.0};
  // The paper names no heuristic for this tool: texts about something that has a name.
  tool.accepts = [](const Document& document, uint64_t /*seed*/) { return NamesSomething(document.text); };
  tool.free_of_side_effects = true;
  // A model uses all cores by itself.
  tool.max_concurrent_calls = 1;
  tool.deadline = kDeadline;
  // The names of models and indexes are of any length, a version is not.
  const std::string readable =
      fmt::format("{}; {}; {}; {}", reader == nullptr ? "" : reader->version(), options.least_confidence,
                  options.passages, source == nullptr ? "no passages" : "of " + source->Version());
  tool.version = fmt::format("1-{:016x}", HashBytes(readable));
  tool.call = [reader = std::move(reader), source = std::move(source), options](
                  std::string_view input, const ToolContext& context) -> absl::StatusOr<std::string> {
    TF_RETURN_IF_ERROR(CheckOptions(reader.get(), options));
    TF_ASSIGN_OR_RETURN(const std::string question, Unquote(input));
    TF_ASSIGN_OR_RETURN(FoundAnswer answer,
                        AnswerQuestion(*reader, source.get(), question, options, context.interrupt));
    return std::move(answer.text);
  };
  return tool;
}

}  // namespace toolformer
