// The QA tool.
#include "toolformer/question_answering.h"

#include <string>
#include <vector>

#include "tests/check.h"
#include "toolformer/tool_registry.h"

namespace toolformer::question_answering_test {
namespace {

// Answers with the text of the best passage.
class FirstPassage : public AnswerReader {
 public:
  absl::StatusOr<FoundAnswer> Read(std::string_view question, std::span<const SearchPassage> passages,
                                   const Interrupt& interrupt) const override {
    if (absl::Status status = interrupt.Check(); !status.ok()) return status;
    asked = std::string(question);
    read = passages.size();
    if (passages.empty()) return FoundAnswer{"by heart", 0.5, -1};
    return FoundAnswer{passages[0].text, passages[0].score, 0};
  }
  std::string version() const override { return "first"; }

  mutable std::string asked;
  mutable size_t read = 0;
};

SearchPassage Passage(const std::string& text, double score) {
  SearchPassage passage;
  passage.text = text;
  passage.score = score;
  return passage;
}

// Gives what it was made of, whatever is asked for.
class Given : public SearchSource {
 public:
  explicit Given(absl::StatusOr<std::vector<SearchPassage>> passages, std::string version = "1")
      : passages_(std::move(passages)), version_(std::move(version)) {}
  absl::StatusOr<std::vector<SearchPassage>> Search(const SearchQuery&, const Interrupt&) const override {
    return passages_;
  }
  absl::StatusOr<SearchPassage> Open(std::string_view, int64_t, const Interrupt&) const override {
    return absl::NotFoundError("none");
  }
  std::string Version() const override { return version_; }

 private:
  const absl::StatusOr<std::vector<SearchPassage>> passages_;
  const std::string version_;
};

std::shared_ptr<const SearchSource> Source(std::vector<SearchPassage> passages, std::string version = "1") {
  return std::make_shared<Given>(std::move(passages), std::move(version));
}

TEST_CASE("the tool asks for passages and answers with a span") {
  const auto reader = std::make_shared<FirstPassage>();
  const Tool tool =
      MakeQuestionAnswering(reader, Source({Passage("Paris", 0.4), Passage("Rome", 0.3)}), {.least_confidence = 0.0});
  CHECK(tool.call("\"Where is it?\"", {}).value() == "Paris");
  CHECK(reader->asked == "Where is it?");
  CHECK(tool.call(R"("Who wrote \"Emma\"?")", {}).ok());
  CHECK(reader->asked == "Who wrote \"Emma\"?");
  CHECK(absl::IsInvalidArgument(tool.call("\"Where is it?", {}).status()));
  CHECK(absl::IsInvalidArgument(tool.call("\"Where\" is it?", {}).status()));
  CHECK(reader->read == 2);
  CHECK(tool.call("where is it", {}).value() == "Paris");
  CHECK(tool.parameters.tau_s == 0.05);
  CHECK(tool.parameters.tau_f == 1.0);
  CHECK(tool.parameters.k == 5);
  CHECK(tool.parameters.m == 5);
  CHECK(tool.free_of_side_effects);
  CHECK(!tool.returns_at_once);
  // More than were asked for are not read.
  const Tool one = MakeQuestionAnswering(reader, Source({Passage("Paris", 0.4), Passage("Rome", 0.3)}),
                                         {.passages = 1, .least_confidence = 0.0});
  CHECK(one.call("where", {}).ok());
  CHECK(reader->read == 1);
}

TEST_CASE("no answer is an error of the tool") {
  const auto reader = std::make_shared<FirstPassage>();
  const auto call = [&](std::vector<SearchPassage> passages, double least, std::string_view question = "where") {
    return MakeQuestionAnswering(reader, Source(std::move(passages)), {.least_confidence = least})
        .call(question, {})
        .status();
  };
  CHECK(absl::IsNotFound(call({}, 0)));
  CHECK(absl::IsNotFound(call({Passage("", 1.0)}, 0)));
  CHECK(absl::IsNotFound(call({Passage("Paris", 0.4)}, 0.41)));
  CHECK(call({Passage("Paris", 0.4)}, 0.4).ok());
  CHECK(absl::IsInvalidArgument(call({Passage("Paris", 0.4)}, 0, "\"\"")));
  CHECK(absl::IsResourceExhausted(call({Passage("Paris", 0.4)}, 0, std::string(1025, 'a'))));
  const Tool unavailable =
      MakeQuestionAnswering(reader, std::make_shared<Given>(absl::UnavailableError("search: gone")));
  CHECK(absl::IsUnavailable(unavailable.call("where", {}).status()));
  CHECK(absl::IsFailedPrecondition(MakeQuestionAnswering(nullptr, nullptr, {}).call("where", {}).status()));
  CHECK(absl::IsFailedPrecondition(MakeQuestionAnswering(reader, nullptr, {.passages = 0}).call("where", {}).status()));
  CancelToken cancel;
  cancel.Cancel();
  ToolContext context;
  context.interrupt.cancel = &cancel;
  CHECK(absl::IsCancelled(MakeQuestionAnswering(reader, nullptr, {}).call("where", context).status()));
}

TEST_CASE("without passages the reader answers by itself") {
  const Tool tool = MakeQuestionAnswering(std::make_shared<FirstPassage>(), nullptr, {.least_confidence = 0.0});
  CHECK(tool.call("where", {}).value() == "by heart");
}

TEST_CASE("the registry takes the tool and its examples") {
  const Tool tool = MakeQuestionAnswering(std::make_shared<FirstPassage>(), nullptr, {});
  REQUIRE(tool.examples.size() == 2);
  for (const ToolExample& example : tool.examples) {
    size_t calls = 0;
    for (size_t at = example.output.find("[QA(\""); at != std::string::npos;
         at = example.output.find("[QA(\"", at + 1)) {
      ++calls;
    }
    CHECK(calls == 2);
  }
  ToolRegistry registry;
  const absl::Status registered = registry.Register(tool);
  CHECK_MESSAGE(registered.ok(), std::string(registered.message()));
  CHECK(SamplingPrompt(tool, "x").starts_with("Your task is to add calls to a Question Answering API"));
}

TEST_CASE("other answers, another version") {
  const auto reader = std::make_shared<FirstPassage>();
  const auto version = [&](std::shared_ptr<const SearchSource> source, const QuestionAnsweringOptions& options) {
    return MakeQuestionAnswering(reader, std::move(source), options).version;
  };
  const std::string base = version(Source({}, "a"), {});
  CHECK(base == version(Source({}, "a"), {}));
  CHECK(base != version(Source({}, "b"), {}));
  CHECK(base != version(Source({}, "a"), {.passages = 4}));
  CHECK(base != version(Source({}, "a"), {.least_confidence = 0.1}));
  CHECK(base != version(nullptr, {}));
  CHECK(version(Source({}, std::string(10000, 'x')), {}).size() <= 256);
}

}  // namespace
}  // namespace toolformer::question_answering_test
