#include "toolformer/language_identifier.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "src/base/file.h"
#include "src/text/fasttext_model.h"
#include "src/text/language_codes.h"
#include "tests/paths.h"

namespace toolformer::language_identifier_test {
namespace {

using nlohmann::json;
using testing::Fixture;

json Expected() { return json::parse(ReadFile(Fixture("fasttext/expected.json"), 1 << 24).value()); }

TEST_CASE("labels and probabilities are those of fastText, whatever the loss") {
  const json expected = Expected();
  for (const auto& [name, texts] : expected["models"].items()) {
    const auto identifier = LanguageIdentifier::Load(Fixture("fasttext/" + name));
    REQUIRE_MESSAGE(identifier.ok(), identifier.status().ToString());
    CHECK((*identifier)->labels().size() == 4);
    for (size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(name);
      CAPTURE(i);
      const auto languages = (*identifier)->Identify(expected["texts"][i].get<std::string>(), 3);
      REQUIRE(languages.size() == texts[i].size());
      for (size_t k = 0; k < languages.size(); ++k) {
        const double wanted = texts[i][k][1].get<double>();
        CHECK(std::abs(languages[k].confidence - wanted) < 1e-4);
        // Of labels that are equally probable any may come first.
        const bool tie = (k + 1 < texts[i].size() && wanted - texts[i][k + 1][1].get<double>() < 1e-6) || k == 2 ||
                         (k > 0 && texts[i][k - 1][1].get<double>() - wanted < 1e-6);
        if (!tie) CHECK(languages[k].label == texts[i][k][0].get<std::string>());
      }
    }
  }
}

TEST_CASE("a file that is cut anywhere is refused") {
  testing::TemporaryFolder folder;
  for (const char* name : {"hs.ftz", "softmax.bin"}) {
    const std::string whole = ReadFile(Fixture(std::string("fasttext/") + name), 1 << 24).value();
    const size_t step = std::max<size_t>(1, whole.size() / 400);
    for (size_t size = 0; size < whole.size(); size += size < 200 ? 1 : step) {
      const std::string path = folder.file("cut");
      std::ofstream(path, std::ios::binary) << whole.substr(0, size);
      const auto identifier = LanguageIdentifier::Load(path);
      REQUIRE(!identifier.ok());
      REQUIRE(identifier.status().code() == absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST_CASE("a file with any byte changed is refused or answers") {
  testing::TemporaryFolder folder;
  for (const char* name : {"hs.ftz", "ns.bin", "softmax.ftz"}) {
    const std::string whole = ReadFile(Fixture(std::string("fasttext/") + name), 1 << 24).value();
    // Settings, dictionary, and the heads of the matrices.
    for (size_t at = 0; at < whole.size(); at += at < 3000 ? 1 : 97) {
      for (const char value : {'\x00', '\x7f', '\xff'}) {
        std::string changed = whole;
        changed[at] = value;
        const std::string path = folder.file("changed");
        std::ofstream(path, std::ios::binary) << changed;
        const auto identifier = LanguageIdentifier::Load(path);
        if (identifier.ok()) (void)(*identifier)->Identify("der Zug steht seit acht Uhr \xff am Fluss", 2);
      }
    }
  }
}

TEST_CASE("what is no model is named") {
  testing::TemporaryFolder folder;
  CHECK(LanguageIdentifier::Load(folder.file("none")).status().code() == absl::StatusCode::kNotFound);
  std::ofstream(folder.file("text")) << "this is a text and no model at all, however long it is";
  CHECK(LanguageIdentifier::Load(folder.file("text")).status().message().find("magic") != std::string::npos);
  std::string vectors = ReadFile(Fixture("fasttext/softmax.bin"), 1 << 24).value();
  const int32_t skipgram = 2;
  std::memcpy(vectors.data() + 8 + 7 * 4, &skipgram, 4);
  std::ofstream(folder.file("vectors"), std::ios::binary) << vectors;
  CHECK(LanguageIdentifier::Load(folder.file("vectors")).status().code() == absl::StatusCode::kUnimplemented);
}

TEST_CASE("languages of labels") {
  CHECK(FindLanguage("de")->nllb == "deu_Latn");
  CHECK(FindLanguage("zh")->m2m == "zh");
  CHECK(FindLanguage("af").has_value());
  CHECK(FindLanguage("zh")->nllb == "zho_Hans");
  CHECK(!FindLanguage("").has_value());
  CHECK(!FindLanguage("tlh").has_value());
  for (const std::string_view code : NllbLanguages()) CHECK(code.size() == 8);
  CHECK(NllbLanguages().size() == 202);
}

// Contexts of XQuAD with what fastText says of them (scripts/fixtures/make_fasttext_fixtures.py --predict); looked at
// by language: each of its seven languages is told with confidence.
TEST_CASE("lid.176 tells the languages of XQuAD") {
  const auto model = testing::SharedData("data/models/lid.176.ftz");
  if (!model) {
    MESSAGE("skipped: the shared data with lid.176.ftz is not there");
    return;
  }
  const auto identifier = LanguageIdentifier::Load(*model).value();
  CHECK(identifier->labels().size() == 176);
  const std::pair<const char*, const char*> texts[] = {
      {"en", "The committee met on Tuesday to discuss how the river could be kept clean."},
      {"de", "Der Ausschuss traf sich am Dienstag, um zu besprechen, wie der Fluss sauber bleibt."},
      {"es", "La comisi\u00f3n se reuni\u00f3 el martes para hablar de c\u00f3mo mantener limpio el r\u00edo."},
      {"vi",
       "\u1ee6y ban h\u1ecdp v\u00e0o th\u1ee9 Ba \u0111\u1ec3 b\u00e0n c\u00e1ch gi\u1eef cho d\u00f2ng s\u00f4ng "
       "s\u1ea1ch."},
      {"zh",
       "\u59d4\u5458\u4f1a\u661f\u671f\u4e8c\u5f00\u4f1a\u8ba8\u8bba\u5982\u4f55\u4fdd\u6301\u6cb3\u6d41\u6e05\u6d01"
       "\u3002"},
      {"hi",
       "\u0938\u092e\u093f\u0924\u093f \u092e\u0902\u0917\u0932\u0935\u093e\u0930 \u0915\u094b "
       "\u092e\u093f\u0932\u0940"}};
  for (const auto& [label, text] : texts) {
    const auto languages = identifier->Identify(text, 1);
    REQUIRE(languages.size() == 1);
    CHECK(languages[0].label == label);
    CHECK(languages[0].confidence > 0.8);
  }
}

}  // namespace
}  // namespace toolformer::language_identifier_test
