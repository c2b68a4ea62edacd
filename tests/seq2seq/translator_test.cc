#include "toolformer/translator.h"

#include <nlohmann/json.hpp>
#include <string>

#include "src/base/file.h"
#include "tests/check.h"
#include "tests/paths.h"
#include "toolformer/seq2seq_model.h"

namespace toolformer::translator_test {
namespace {

using nlohmann::json;

std::string Folder(const std::string& name) { return testing::Fixture("seq2seq/" + name); }

std::shared_ptr<const Seq2SeqModel> Load(const std::string& name) {
  return Seq2SeqModel::Load(Folder(name), {}).value();
}

TEST_CASE("a translator gives what transformers' generate gives, for each way of naming languages") {
  struct Case {
    const char *name, *label, *source;
  };
  for (const Case& c : {Case{"nllb", "de", "deu_Latn"}, Case{"m2m100", "de", "de"}, Case{"marian_apart", "de", "de"}}) {
    CAPTURE(c.name);
    const json expected = json::parse(ReadFile(Folder(c.name) + "/expected.json", 1 << 24).value());
    const auto translator = MakeTranslator(Load(c.name), {.beams = 4, .max_new_tokens = 24});
    REQUIRE_MESSAGE(translator.ok(), translator.status().ToString());
    CHECK((*translator)->FindSource(c.label) == c.source);
    const std::string text = expected["texts"][0]["text"].get<std::string>();
    CHECK((*translator)->Translate(text, c.source, {}).value() == expected["runs"][2]["texts"][0].get<std::string>());
    CHECK((*translator)->version().find("4 24") != std::string::npos);
  }
}

TEST_CASE("languages that a model does not read or write") {
  const auto nllb = MakeTranslator(Load("nllb_hub"), {}).value();
  CHECK(nllb->FindSource("deu_Latn") == "deu_Latn");
  CHECK(nllb->FindSource("zh") == "zho_Hans");
  CHECK(!nllb->FindSource("tlh").has_value());
  CHECK(!nllb->FindSource("").has_value());
  CHECK(!MakeTranslator(Load("m2m100"), {}).value()->FindSource("ckb").has_value());
  CHECK(!nllb->Translate("x", "nowhere", {}).ok());
  const auto foreign = MakeTranslator(Load("nllb"), {.target = "klingon"});
  CHECK(foreign.status().message().find("fra_Latn") != std::string::npos);
  CHECK(MakeTranslator(Load("nllb"), {.target = "fra_Latn"}).ok());
  CHECK(MakeTranslator(Load("marian"), {.target = ">>fra<<"}).ok());
  CHECK(MakeTranslator(Load("marian_apart"), {.target = "fr"}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(MakeTranslator(Load("t5_relu"), {}).status().code() == absl::StatusCode::kUnimplemented);
  CHECK(MakeTranslator(nullptr, {}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(MakeTranslator(Load("nllb"), {.beams = 0}).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a folder is loaded in one go, or says what is missing") {
  const auto translator = LoadTranslator(Folder("m2m100"), {}, {.int8 = true});
  REQUIRE_MESSAGE(translator.ok(), translator.status().ToString());
  CHECK((*translator)->Translate("der Zug", "de", {}).ok());
  CHECK(LoadTranslator("/nowhere", {}, {}).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a text beyond the context is an error") {
  const auto translator = MakeTranslator(Load("nllb"), {}).value();
  std::string text;
  for (int i = 0; i < 100; ++i) text += "der Zug ";
  CHECK(translator->Translate(text, "deu_Latn", {}).status().code() == absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace toolformer::translator_test
