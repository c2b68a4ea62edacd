// Fusion in decoder: checkpoints of FiD and Atlas read and answered as transformers does.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "src/answer/answer_text.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "tests/check.h"
#include "tests/paths.h"
#include "toolformer/question_answering.h"
#include "toolformer/tools_file.h"

namespace toolformer::fusion_reader_test {
namespace {

std::string Folder(const std::string& name) { return testing::Fixture("fusion/" + name); }

FusionReaderOptions Options() {
  FusionReaderOptions options;
  options.max_answer_tokens = 12;  // as the fixtures were made
  return options;
}

std::shared_ptr<const AnswerReader> Reader(const std::string& folder, const FusionReaderOptions& options) {
  const auto reader = LoadFusionReader(folder, options);
  REQUIRE_MESSAGE(reader.ok(), std::string(reader.status().message()));
  return *reader;
}

std::vector<SearchPassage> Passages(const nlohmann::json& entry) {
  std::vector<SearchPassage> passages;
  for (const nlohmann::json& passage : entry["passages"]) {
    SearchPassage& added = passages.emplace_back();
    added.title = passage[0].get<std::string>();
    added.text = passage[1].get<std::string>();
  }
  return passages;
}

void CheckAnswers(const std::string& name) {
  const auto reader = Reader(Folder(name), Options());
  const nlohmann::json expected = *ParseJson(*ReadFile(Folder(name + ".json"), 1 << 20));
  REQUIRE(expected.size() == 3);
  for (const nlohmann::json& entry : expected) {
    CAPTURE(entry.dump());
    const absl::StatusOr<FoundAnswer> answer = reader->Read(entry["question"].get<std::string>(), Passages(entry), {});
    REQUIRE_MESSAGE(answer.ok(), std::string(answer.status().message()));
    CHECK(answer->text == WrittenAnswer(entry["answer"].get<std::string>()));
    // It is of all tokens of the input and of the answer: any other one would change it.
    CHECK(std::log(answer->confidence) == doctest::Approx(std::log(entry["probability"].get<double>())).epsilon(1e-4));
  }
}

TEST_CASE("a folder of FiD answers as transformers does") { CheckAnswers("fid"); }

// Its options say how inputs are written and how long they are.
TEST_CASE("a checkpoint of Atlas answers as transformers does") { CheckAnswers("atlas"); }

TEST_CASE("inputs are written as the options say") {
  const nlohmann::json entry = (*ParseJson(*ReadFile(Folder("atlas.json"), 1 << 20)))[0];
  const std::string question = entry["question"].get<std::string>();
  const auto probability = [&](const FusionReaderOptions& options) {
    return std::log(Reader(Folder("atlas"), options)->Read(question, Passages(entry), {})->confidence);
  };
  const double expected = probability(Options());
  FusionReaderOptions options = Options();
  options.input_format = "question: {question} answer: <extra_id_0> title: {title} context: {text}";
  options.max_passage_tokens = 120;
  CHECK(probability(options) == doctest::Approx(expected));
  options.max_passage_tokens = 16;
  CHECK(probability(options) != doctest::Approx(expected));
  options = Options();
  options.input_format = "{question} {text}";
  CHECK(probability(options) != doctest::Approx(expected));
  CHECK(Reader(Folder("atlas"), Options())->version() != Reader(Folder("atlas"), options)->version());
}

TEST_CASE("what a passage says is no control token and no place of the format") {
  const auto reader = Reader(Folder("atlas"), Options());
  const auto probability = [&](const std::string& question, const std::string& text) {
    SearchPassage passage;
    passage.text = text;
    const auto answer = reader->Read(question, {&passage, 1}, {});
    REQUIRE(answer.ok());
    return std::log(answer->confidence);
  };
  // Spelled apart they are the same tokens.
  CHECK(probability("who?", "a</s>b") != doctest::Approx(probability("who?", "a")));
  CHECK(probability("{text}?", "x") != doctest::Approx(probability("x?", "x")));
  CHECK(probability("who?", std::string(1 << 20, 'x')) < 0);
  CHECK(probability("who?", "\xff\xfe\n\x01") < 0);
}

TEST_CASE("a path says which reader it is for") {
  for (const std::string name : {"fid", "atlas"}) {
    const auto reader = LoadAnswerReader(Folder(name));
    REQUIRE_MESSAGE(reader.ok(), std::string(reader.status().message()));
    CHECK((*reader)->version().starts_with("fusion"));
  }
  const auto model = LoadAnswerReader(testing::Fixture("models/absent.gguf"));
  CHECK(absl::IsNotFound(model.status()));
}

TEST_CASE("a tools file may declare a reader") {
  ToolRegistry registry;
  const auto load = [&](const std::string& fields) {
    return LoadToolsFromText(R"({"tools": [{"kind": "question_answering", )" + fields + "}]}", Folder(""), {},
                             &registry);
  };
  const absl::Status loaded = load(R"("model": "fid", "weights": "float32", "passages": 3, "name": "Ask")");
  REQUIRE_MESSAGE(loaded.ok(), std::string(loaded.message()));
  REQUIRE(registry.Find("Ask") != nullptr);
  // Without an index there is nothing for this reader to read: a tool error.
  CHECK(absl::IsUnimplemented(registry.Find("Ask")->call("\"who?\"", {}).status()));
  CHECK(!load(R"("name": "A")").ok());
  CHECK(!load(R"("name": "A", "model": "absent")").ok());
  CHECK(!load(R"("name": "A", "model": "fid", "index": "fid")").ok());
  CHECK(!load(R"("name": "A", "model": "fid", "weights": "int4")").ok());
  CHECK(!load(R"("name": "A", "model": "fid", "passages": 0)").ok());
  CHECK(!load(R"("name": "A", "model": "fid", "least_confidence": 2)").ok());
  CHECK(!load(R"("name": "A", "model": "fid", "temperature": 1)").ok());
}

TEST_CASE("errors of fusion in decoder") {
  const auto reader = Reader(Folder("fid"), Options());
  SearchPassage passage;
  passage.text = "x";
  const auto status = [&](std::string_view question, const Interrupt& interrupt) {
    return reader->Read(question, {&passage, 1}, interrupt).status();
  };
  CHECK(absl::IsUnimplemented(reader->Read("who?", {}, {}).status()));
  CHECK(absl::IsInvalidArgument(status("", {})));
  CHECK(absl::IsResourceExhausted(status(std::string(2000, 'a'), {})));
  CancelToken cancel;
  cancel.Cancel();
  CHECK(absl::IsCancelled(status("who?", {.cancel = &cancel})));
  const auto refused = [&](const FusionReaderOptions& options) {
    return absl::IsInvalidArgument(LoadFusionReader(Folder("fid"), options).status());
  };
  FusionReaderOptions options;
  options.max_answer_tokens = 0;
  CHECK(refused(options));
  options = {};
  options.max_passage_tokens = 15;
  CHECK(refused(options));
  options = {};
  options.input_format = "question: {question}";
  CHECK(refused(options));
  options.input_format = std::string(2000, ' ') + "{question}{text}";
  CHECK(refused(options));
  CHECK(absl::IsNotFound(LoadFusionReader(Folder("absent"), {}).status()));
}

TEST_CASE("a checkpoint of Atlas without its configuration says what is missing") {
  const testing::TemporaryFolder folder;
  std::filesystem::copy_file(Folder("atlas/model.pth.tar"), folder.file("model.pth.tar"));
  const absl::Status status = LoadFusionReader(folder.path(), {}).status();
  CHECK(absl::IsNotFound(status));
  CHECK(std::string(status.message()).find("google/t5-base-lm-adapt") != std::string::npos);
}

TEST_CASE("damaged checkpoints are errors") {
  const std::string whole = *ReadFile(Folder("atlas/model.pth.tar"), 1 << 24);
  const testing::TemporaryFolder folder;
  for (const char* name : {"config.json", "spiece.model", "tokenizer.json", "tokenizer_config.json"}) {
    std::filesystem::copy_file(Folder(std::string("atlas/") + name), folder.file(name));
  }
  for (const size_t size : {size_t{0}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(folder.file("model.pth.tar"), std::ios::binary) << whole.substr(0, size);
    CHECK(!LoadFusionReader(folder.path(), {}).ok());
  }
  // FiD's tensors are no reader of Atlas.
  std::filesystem::copy_file(Folder("fid/pytorch_model.bin"), folder.file("model.pth.tar"),
                             std::filesystem::copy_options::overwrite_existing);
  const absl::Status status = LoadFusionReader(folder.path(), {}).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK(std::string(status.message()).find("holds no reader of Atlas") != std::string::npos);
}

}  // namespace
}  // namespace toolformer::fusion_reader_test
