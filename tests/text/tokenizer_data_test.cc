// Vocabularies and texts of the optional evaluation data: ids equal those of llama.cpp. The texts are chosen as
// scripts/fixtures/tokenizer_texts.py says, and the ids come from scripts/fixtures/compare_tokenizers.py.
#include <cstdio>
#include <map>

#include "src/base/utf8.h"
#include "tests/text/tokenizer_fixture.h"

namespace toolformer::testing::tokenizer_data_test {
namespace {

constexpr size_t kMaxBytes = 1500;

// The decompressed content, by the system's gzip; line(text) says whether to go on.
template <typename OnLine>
void ForEachLine(const std::string& path, OnLine line) {
  FILE* pipe = popen(("gzip -dc '" + path + "' 2>/dev/null").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char* data = nullptr;
  size_t capacity = 0;
  for (ssize_t length; (length = getline(&data, &capacity, pipe)) >= 0;) {
    if (!line(std::string_view(data, static_cast<size_t>(length)))) break;
  }
  free(data);
  pclose(pipe);
}

void AddText(const nlohmann::json& text, std::vector<std::string>* texts) {
  texts->emplace_back(Utf8Prefix(text.get_ref<const std::string&>(), kMaxBytes));
}

void AddParagraphs(const std::string& path, std::vector<std::string>* texts) {
  std::string content;
  ForEachLine(path, [&](std::string_view line) {
    content.append(line);
    return true;
  });
  const auto json = ParseJson(content);
  REQUIRE(json.ok());
  size_t number = 0;
  for (const auto& article : (*json)["data"]) {
    for (const auto& paragraph : article["paragraphs"]) {
      if (number++ % 4 == 0) AddText(paragraph["context"], texts);
      AddText(paragraph["qas"][0]["question"], texts);
    }
  }
}

struct Records {
  const char* file;
  const char* field;
  size_t step, count;
};

void AddRecords(const std::string& path, const Records& records, std::vector<std::string>* texts) {
  size_t number = 0;
  ForEachLine(path, [&](std::string_view line) {
    if (number >= records.step * records.count) return false;
    if (number++ % records.step == 0) {
      const auto json = ParseJson(line);
      REQUIRE(json.ok());
      AddText((*json)[records.field], texts);
    }
    return true;
  });
}

// Empty where the data is not there.
std::vector<std::string> DrawTexts() {
  std::vector<std::string> texts;
  for (const std::string language : {"en", "es", "de", "hi", "vi", "zh", "ar"}) {
    const auto path = SharedData("data/eval/xquad/xquad." + language + ".json.gz");
    if (!path) return {};
    AddParagraphs(*path, &texts);
  }
  constexpr Records kRecords[] = {{"wikipedia/simplewiki-2018.jsonl.gz", "text", 100, 300},
                                  {"wikipedia/enwiki-2015-part.jsonl.gz", "text", 10, 150},
                                  {"text/c4-sample.jsonl.gz", "text", 4, 250},
                                  {"text/digitalgov.jsonl.gz", "text", 20, 100},
                                  {"eval/gsm8k/test.jsonl.gz", "question", 13, 100}};
  for (const Records& records : kRecords) {
    const auto path = SharedData(std::string("data/") + records.file);
    if (!path) return {};
    AddRecords(*path, records, &texts);
  }
  return texts;
}

std::optional<std::string> FindVocabulary(const std::string& name) {
  if (name.starts_with("SmolLM2")) return SmolLm2();
  if (name.starts_with("gemma")) return Gemma3();
  return SharedData("data/tokenizers/" + name + ".gguf");
}

std::vector<std::string> HashGroups(const Tokenizer& tokenizer, const std::vector<std::string>& texts, size_t group) {
  std::vector<std::string> hashes;
  for (size_t begin = 0; begin < texts.size(); begin += group) {
    IdHash hash;
    for (size_t i = begin; i < std::min(begin + group, texts.size()); ++i) {
      std::vector<int32_t> ids = tokenizer.Encode(texts[i]);
      ids.push_back(-1);
      hash.Add(ids);
    }
    hashes.push_back(hash.hex());
  }
  return hashes;
}

}  // namespace

TEST_CASE("texts of many languages and the first 10,000 code points have the ids of llama.cpp") {
  const nlohmann::json drawn = TokenizerFixture("drawn.json");
  const std::vector<std::string> texts = DrawTexts();
  if (texts.empty()) MESSAGE("skipped, not there: texts of the evaluation data");
  if (!texts.empty()) REQUIRE(texts.size() == drawn["texts"].get<size_t>());
  std::vector<std::string> code_points(10000);
  for (uint32_t code = 0; code < code_points.size(); ++code) toolformer::AppendUtf8(code, &code_points[code]);
  for (const auto& [name, hashes] : drawn["vocabularies"].items()) {
    const auto path = FindVocabulary(name);
    if (!path) {
      MESSAGE("skipped, not there: ", name);
      continue;
    }
    const auto tokenizer = Load(*path);
    INFO(name);
    CHECK(HashGroups(*tokenizer, code_points, 500) == SplitWords(hashes["code points"]));
    if (texts.empty()) continue;
    const std::vector<std::string> expected = SplitWords(hashes["drawn"]);
    const std::vector<std::string> found = HashGroups(*tokenizer, texts, 10);
    REQUIRE(found.size() == expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      INFO("texts from ", 10 * i, ": ", texts[10 * i]);
      CHECK(found[i] == expected[i]);
    }
  }
}

}  // namespace toolformer::testing::tokenizer_data_test
