#include <doctest/doctest.h>
#include <zlib.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/paths.h"
#include "toolformer/language_identifier.h"
#include "toolformer/tool_registry.h"
#include "toolformer/translator.h"

namespace toolformer::translation_test {
namespace {

using testing::Fixture;

// Says what it was asked.
class Echo : public Translator {
 public:
  std::optional<std::string> FindSource(std::string_view label) const override {
    if (label != "de" && label != "fr") return std::nullopt;
    return std::string(label) + "_X";
  }
  absl::StatusOr<std::string> Translate(std::string_view text, std::string_view source,
                                        const Interrupt& interrupt) const override {
    if (const absl::Status status = interrupt.Check(); !status.ok()) return status;
    return std::string(source) + ": " + std::string(text);
  }
  std::string version() const override { return "echo 1"; }
};

std::shared_ptr<const LanguageIdentifier> Languages() {
  return LanguageIdentifier::Load(Fixture("fasttext/softmax.bin")).value();
}

Document Text(const std::string& text) {
  Document document;
  document.text = text;
  return document;
}

Tool MakeTool(const TranslationToolOptions& options = {}) {
  return MakeTranslator(std::make_shared<Echo>(), Languages(), options);
}

const char kEnglish[] = "the mill stands by the river and grinds wheat for ";
const char kGerman[] = "die M\u00fchle steht am Fluss und mahlt Weizen f\u00fcr drei ";

TEST_CASE("the tool is one that the registry takes, with the paper's parameters") {
  const Tool tool = MakeTool();
  CHECK(tool.name == "MT");
  CHECK(tool.examples.size() == 3);
  CHECK(tool.parameters.tau_s == 0.0);
  CHECK(tool.parameters.k == 20);
  CHECK(tool.parameters.m == 10);
  CHECK(tool.parameters.tau_f == 0.5);
  CHECK(tool.free_of_side_effects);
  CHECK(tool.version.starts_with("echo 1 "));
  ToolRegistry registry;
  const absl::Status status = registry.Register(tool);
  CHECK_MESSAGE(status.ok(), status.ToString());
  // The call stands behind what it translates.
  for (const ToolExample& example : tool.examples) {
    const size_t call = example.output.find("[MT(");
    const std::string text = example.output.substr(call + 4, example.output.find(')', call) - call - 4);
    CHECK(example.output.substr(0, call).find(text) != std::string::npos);
  }
}

TEST_CASE("the language of the input is told, English comes out") {
  const Tool tool = MakeTool();
  CHECK(tool.call(kGerman, {}).value().starts_with("de_X: die M"));
  CHECK(tool.call(" notre train part du vieux quai ", {}).value() == "fr_X: notre train part du vieux quai");
  CHECK(tool.call("", {}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(tool.call(" \t ", {}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(tool.call(kEnglish, {}).status().message().find("English already") != std::string::npos);
  CHECK(tool.call(std::string(2001, 'a'), {}).status().code() == absl::StatusCode::kResourceExhausted);
  CancelToken token;
  token.Cancel();
  ToolContext context;
  context.interrupt.cancel = &token;
  CHECK(tool.call(kGerman, context).status().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("documents have a chunk of another language between chunks of English") {
  const Tool tool = MakeTool();
  const auto accepts = [&](const std::string& text) { return tool.accepts(Text(text), 0); };
  const std::string english = kEnglish, german = kGerman;
  CHECK(accepts(english + german + english));
  CHECK(!accepts(english + german));
  CHECK(!accepts(german + english));
  CHECK(!accepts(english + english));
  CHECK(!accepts(german));
  CHECK(!accepts(""));
  // Not over the end of a paragraph.
  CHECK(!accepts(english + "\n" + german + "\n" + english));
  // Numbers and marks are passed over, wherever they stand.
  const std::string numbers = "1 2 3 4 5 6 7 8 9 10 ";
  CHECK(accepts(english + numbers + german + numbers + english));
  CHECK(!accepts(english + numbers + numbers + english));
}

TEST_CASE("characters of scripts without spaces are tokens") {
  const auto languages = Languages();
  const std::string chinese = "\u78e8\u574a\u5728\u6cb3\u8fb9\u4e3a\u4e09\u4e2a\u6751\u5b50";  // ten
  const TranslationToolOptions options;
  const std::string text = std::string(kEnglish) + chinese + " " + kEnglish;
  // The tiny model knows these words apart only; with the real one they are one chunk (below).
  CHECK(!HasForeignChunk(*languages, std::string(kEnglish) + chinese, options));
  CHECK_NOTHROW(HasForeignChunk(*languages, text + "\xff\xfe", options));
}

TEST_CASE("calls that give away what comes later are dropped") {
  const Tool tool = MakeTool();
  const Document document = Text("He said guten Tag and left. Later guten Abend was said, and guten Tag again.");
  const auto keeps = [&](const std::string& before, const std::string& input) {
    return tool.keeps(document, document.text.find(before), {"MT", input});
  };
  CHECK(keeps(" and left", "guten Tag"));       // before, and after, too
  CHECK(!keeps(" and left", "guten Abend"));    // only after
  CHECK(!keeps("guten Tag", "guten Tag"));      // right behind the call
  CHECK(keeps(" was said", " guten Abend "));   // before
  CHECK(keeps(" and left", "something else"));  // nowhere
  CHECK(keeps("He said", ""));
  CHECK(tool.keeps(document, 1 << 20, {"MT", "guten Tag"}));
}

std::string ReadGzip(const std::string& path) {
  std::string content;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return content;
  char block[65536];
  for (int size; (size = gzread(file, block, sizeof(block))) > 0;) content.append(block, static_cast<size_t>(size));
  gzclose(file);
  return content;
}

// First sentences of paragraphs, by language: as many as `most`.
std::vector<std::string> Paragraphs(const std::string& path, size_t most) {
  std::vector<std::string> out;
  const nlohmann::json root = nlohmann::json::parse(ReadGzip(path));
  for (const auto& article : root["data"]) {
    for (const auto& paragraph : article["paragraphs"]) {
      if (out.size() < most) out.push_back(paragraph["context"].get<std::string>());
    }
  }
  return out;
}

TEST_CASE("real texts of two languages, XQuAD and lid.176") {
  const auto model = testing::SharedData("data/models/lid.176.ftz");
  const auto english_file = testing::SharedData("data/eval/xquad/xquad.en.json.gz");
  if (!model || !english_file) {
    MESSAGE("skipped: the shared data with lid.176.ftz and XQuAD is not there");
    return;
  }
  const auto languages = LanguageIdentifier::Load(*model).value();
  const std::vector<std::string> english = Paragraphs(*english_file, 60);
  REQUIRE(english.size() == 60);
  const TranslationToolOptions options;
  int64_t plain = 0;
  for (const std::string& text : english) plain += HasForeignChunk(*languages, text, options) ? 1 : 0;
  CHECK(plain <= 1);
  for (const char* code : {"de", "es", "hi", "vi", "zh", "ar"}) {
    const auto file = testing::SharedData(std::string("data/eval/xquad/xquad.") + code + ".json.gz");
    REQUIRE(file.has_value());
    const std::vector<std::string> foreign = Paragraphs(*file, 60);
    int64_t accepted = 0, half = 0;
    for (size_t i = 0; i < foreign.size(); ++i) {
      accepted += HasForeignChunk(*languages, english[i] + " " + foreign[i] + " " + english[i], options) ? 1 : 0;
      half += HasForeignChunk(*languages, english[i] + " " + foreign[i], options) ? 1 : 0;
    }
    CAPTURE(code);
    CHECK(accepted == 60);
    CHECK(half <= 3);  // names of people and films in the foreign text read as English
  }
}

}  // namespace
}  // namespace toolformer::translation_test
