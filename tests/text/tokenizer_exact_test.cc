// Ids equal those of `tokenizers` and `sentencepiece`, text by text.
#include <map>
#include <optional>

#include "tests/text/tokenizer_fixture.h"

namespace toolformer::testing::tokenizer_exact_test {
namespace {

struct Source {
  std::string name;
  std::optional<std::string> path;
};

std::vector<Source> AllSources() {
  return {{"byte_level", Fixture("tokenizers/byte_level")},
          {"byte_level", Fixture("tokenizers/byte_level.gguf")},
          {"byte_fallback", Fixture("tokenizers/byte_fallback/tokenizer.json")},
          {"scores", Fixture("tokenizers/scores.gguf")},
          {"scores_no_prefix", Fixture("tokenizers/scores_no_prefix.gguf")},
          {"smollm2", SmolLm2()},
          {"gemma3", Gemma3()},
          {"gpt2", SharedData("data/tokenizers/ggml-vocab-gpt-2.gguf")},
          {"llama", SharedData("data/tokenizers/ggml-vocab-llama-spm.gguf")}};
}

// The vocabularies that are here, loaded; says which are not.
std::vector<std::pair<std::string, std::shared_ptr<const Tokenizer>>> LoadAll() {
  std::vector<std::pair<std::string, std::shared_ptr<const Tokenizer>>> loaded;
  for (const Source& source : AllSources()) {
    if (source.path) {
      loaded.emplace_back(source.name, Load(*source.path));
    } else {
      MESSAGE("skipped, not installed: ", source.name);
    }
  }
  return loaded;
}

std::vector<int32_t> ParseIds(const std::string& line) {
  std::vector<int32_t> ids;
  for (const std::string& word : SplitWords(line)) ids.push_back(std::stoi(word));
  return ids;
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    *out += {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
  } else {
    *out += {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
             static_cast<char>(0x80 | (code & 0x3f))};
  }
}

std::vector<std::string> SplitLines(const std::string& text, size_t limit, const std::string& separator) {
  std::vector<std::string> lines;
  for (size_t begin = 0; lines.size() < limit;) {
    const size_t end = text.find(separator, begin);
    lines.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) break;
    begin = end + separator.size();
  }
  return lines;
}

}  // namespace

TEST_CASE("lines of many scripts have the reference ids") {
  const std::vector<std::string> lines = Lines();
  REQUIRE(lines.size() > 200);
  for (const auto& [name, tokenizer] : LoadAll()) {
    std::ifstream ids(Fixture("tokenizers/" + name + ".ids"));
    size_t count = 0;
    for (std::string expected; std::getline(ids, expected); ++count) {
      REQUIRE(count < lines.size());
      INFO(name, ", line ", count, ": ", lines[count]);
      CHECK(tokenizer->Encode(lines[count]) == ParseIds(expected));
    }
    CHECK(count == lines.size());
  }
}

TEST_CASE("the first 10,000 code points have the reference ids") {
  std::map<std::string, std::vector<std::string>> expected;
  for (const auto& entry : TokenizerFixture("code_points.json")) expected[entry["name"]] = SplitWords(entry["hashes"]);
  for (const auto& [name, tokenizer] : LoadAll()) {
    REQUIRE(expected[name].size() == 20);
    for (uint32_t block = 0; block < 20; ++block) {
      IdHash hash;
      for (uint32_t code = block * 500; code < block * 500 + 500; ++code) {
        std::string text;
        AppendUtf8(code, &text);
        std::vector<int32_t> ids = tokenizer->Encode(text);
        ids.push_back(-1);
        hash.Add(ids);
      }
      INFO(name, ", block ", block);
      CHECK(hash.hex() == expected[name][block]);
    }
  }
}

TEST_CASE("variants of tokenizer.json have the reference ids") {
  const std::vector<std::string> lines = Lines();
  const TemporaryFolder folder;
  for (const auto& variant : TokenizerFixture("variants.json")) {
    const std::string name = variant["name"], base = variant["base"];
    nlohmann::json json = TokenizerFixture(base + "/tokenizer.json");
    for (const auto& [member, value] : variant["changes"].items()) {
      const size_t dot = member.find('.');
      nlohmann::json& parent = dot == std::string::npos ? json : json[member.substr(0, dot)];
      parent[dot == std::string::npos ? member : member.substr(dot + 1)] = value;
    }
    WriteText(folder.file("tokenizer.json"), PrintJson(json));
    const auto tokenizer = Load(folder.path());
    const std::vector<std::string> hashes = SplitWords(variant["hashes"]);
    REQUIRE(hashes.size() == lines.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      IdHash hash;
      hash.Add(tokenizer->Encode(lines[i]));
      INFO(name, ", line ", i, ": ", lines[i]);
      CHECK(hash.hex() == hashes[i]);
    }
  }
}

TEST_CASE("lines of the evaluation data have the reference ids") {
  const auto tokenizers = LoadAll();
  for (const auto& entry : TokenizerFixture("files.json")) {
    const std::string file = entry["file"];
    const auto path = SharedData(file);
    if (!path) {
      MESSAGE("skipped, not there: ", file);
      continue;
    }
    const std::vector<std::string> lines = SplitLines(ReadText(*path), entry["lines"], "\n");
    for (const auto& [name, tokenizer] : tokenizers) {
      IdHash hash;
      for (const std::string& line : lines) {
        std::vector<int32_t> ids = tokenizer->Encode(line);
        ids.push_back(-1);
        hash.Add(ids);
      }
      INFO(name, ", ", file);
      CHECK(hash.hex() == entry["hashes"][name].get<std::string>());
    }
  }
}

TEST_CASE("vocabularies that come with texts and their ids") {
  for (const std::string name : {"gpt-2", "llama-spm"}) {
    const auto vocabulary = SharedData("data/tokenizers/ggml-vocab-" + name + ".gguf");
    if (!vocabulary) {
      MESSAGE("skipped, not there: ", name);
      continue;
    }
    const auto tokenizer = Load(*vocabulary);
    const auto texts = SplitLines(ReadText(*vocabulary + ".inp"), 1000, "\n__ggml_vocab_test__\n");
    const auto ids = SplitLines(ReadText(*vocabulary + ".out"), 1000, "\n");
    REQUIRE(texts.size() > 30);
    REQUIRE(ids.size() >= texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      INFO(name, ": ", texts[i]);
      CHECK(tokenizer->Encode(texts[i]) == ParseIds(ids[i]));
    }
  }
}

TEST_CASE("start and end tokens") {
  for (const char* name : {"byte_level", "byte_level.gguf"}) {
    const auto tokenizer = LoadFixture(name);
    CHECK(tokenizer->start_id() == 1);
    CHECK(tokenizer->end_ids() == std::vector<int32_t>{2, 0});
  }
  CHECK(LoadFixture("byte_fallback")->start_id() == 1);
  CHECK(LoadFixture("byte_fallback")->end_ids() == std::vector<int32_t>{2});
  CHECK(LoadFixture("scores.gguf")->start_id() == 1);
  CHECK(LoadFixture("scores.gguf")->end_ids() == std::vector<int32_t>{2});
  if (const auto path = SmolLm2()) {
    const auto tokenizer = Load(*path);
    CHECK(tokenizer->vocab_size() == 49152);
    CHECK(tokenizer->start_id() == 1);
    CHECK(tokenizer->end_ids() == std::vector<int32_t>{2, 0});
  }
  if (const auto path = Gemma3()) {
    const auto tokenizer = Load(*path);
    CHECK(tokenizer->vocab_size() == 262144);
    CHECK(tokenizer->start_id() == 2);
    CHECK(tokenizer->end_ids() == std::vector<int32_t>{1, 106});
  }
}

}  // namespace toolformer::testing::tokenizer_exact_test
