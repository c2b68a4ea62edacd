// Ids of every kind of vocabulary file equal those of Hugging Face or SentencePiece, text by text.
#include <algorithm>
#include <set>

#include "src/base/utf8.h"
#include "tests/text/tokenizer_folder_fixture.h"

namespace toolformer::testing::tokenizer_folder_test {
namespace {

using nlohmann::json;

std::vector<std::string> AllLines() {
  std::vector<std::string> lines = Lines();
  for (const json& line : TokenizerFixture("folders/lines.json")) lines.push_back(line);
  return lines;
}

std::string HashOf(const std::vector<int32_t>& ids) {
  IdHash hash;
  hash.Add(ids);
  return hash.hex();
}

void CheckLines(const json& kind, const Tokenizer& tokenizer) {
  const std::vector<std::string> lines = AllLines(), hashes = SplitWords(kind["lines"]);
  REQUIRE(hashes.size() == lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    INFO("line ", i, ": ", lines[i]);
    CHECK(HashOf(tokenizer.Encode(lines[i])) == hashes[i]);
  }
}

void CheckCodePoints(const json& kind, const Tokenizer& tokenizer) {
  const std::vector<std::string> hashes = SplitWords(kind["code_points"]);
  REQUIRE(hashes.size() == 20);
  for (uint32_t block = 0; block < 20; ++block) {
    IdHash hash;
    for (uint32_t code = block * 500; code < block * 500 + 500; ++code) {
      std::string text;
      AppendUtf8(code, &text);
      std::vector<int32_t> ids = tokenizer.Encode(text);
      ids.push_back(-1);
      hash.Add(ids);
    }
    INFO("block ", block);
    CHECK(hash.hex() == hashes[block]);
  }
}

void CheckFiles(const json& kind, const Tokenizer& tokenizer) {
  for (const auto& [file, expected] : kind["files"].items()) {
    const auto path = SharedData(file);
    if (!path) {
      MESSAGE("skipped, not there: ", file);
      continue;
    }
    IdHash hash;
    const std::string text = ReadText(*path);
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      std::vector<int32_t> ids = tokenizer.Encode(text.substr(begin, end - begin));
      ids.push_back(-1);
      hash.Add(ids);
      begin = end + 1;
    }
    INFO(file);
    CHECK(hash.hex() == expected.get<std::string>());
  }
}

// As the script has it, halves of characters and added tokens that the reference gives back normalized count as
// nothing.
void CheckPieces(const json& kind, const Tokenizer& tokenizer) {
  if (!kind.contains("pieces")) return;
  std::set<int32_t> skipped;
  for (const json& token : kind["changes"].value("added_tokens", json::array())) {
    if (token["normalized"] == true) skipped.insert(token["id"].get<int32_t>());
  }
  IdHash hash;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view bytes = tokenizer.TokenBytes(id);
    std::vector<int32_t> values;
    if (IsValidUtf8(bytes) && !skipped.contains(id)) {
      for (const char c : bytes) values.push_back(static_cast<uint8_t>(c));
    }
    values.push_back(-1);
    hash.Add(values);
  }
  CHECK(hash.hex() == kind["pieces"].get<std::string>());
}

}  // namespace

TEST_CASE("every kind of vocabulary file has the reference ids") {
  const std::vector<json> kinds = Kinds();
  REQUIRE(kinds.size() >= 27);
  for (const json& kind : kinds) {
    INFO(kind["name"].get<std::string>());
    const auto tokenizer = LoadKind(kind);
    CheckLines(kind, *tokenizer);
    CheckCodePoints(kind, *tokenizer);
    CheckFiles(kind, *tokenizer);
    CheckPieces(kind, *tokenizer);
  }
}

TEST_CASE("a model of SentencePiece by its path, wherever it is and whatever it is called") {
  const TemporaryFolder folder;
  const std::string other = folder.file("weights.bin");
  std::filesystem::copy(Fixture("tokenizers/folders/sp_bpe/tokenizer.model"), other);
  const auto tokenizer = Load(other);
  CHECK(tokenizer->Encode("the river") == LoadFixture("folders/sp_bpe")->Encode("the river"));
}

TEST_CASE("tokens that begin and end a text, in every kind of folder") {
  struct Case {
    const char* kind;
    int32_t start;
    std::vector<int32_t> ends;
  };
  const Case cases[] = {{"unigram", 1, {2}}, {"wordpiece", 2, {3}}, {"sp_bpe", 1, {2}}, {"sp_unigram", 1, {2}},
                        {"XGLM", 0, {2}},    {"opt", 2, {2}},       {"bert", 2, {3}},   {"qwen2", 2, {2}}};
  for (const Case& c : cases) {
    INFO(c.kind);
    const auto tokenizer = LoadKind(FindKind(c.kind));
    CHECK(tokenizer->start_id() == c.start);
    CHECK(tokenizer->end_ids() == c.ends);
    CHECK(tokenizer->TokenBytes(c.start).empty());
  }
  const TemporaryFolder folder;
  LayOut(FindKind("opt"), folder);
  WriteText(folder.file("tokenizer_config.json"), R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}})");
  WriteText(folder.file("generation_config.json"), R"({"eos_token_id": [2, 3]})");
  WriteText(folder.file("special_tokens_map.json"), R"({"unk_token": "<unk>"})");
  const auto tokenizer = Load(folder.path());
  CHECK(tokenizer->start_id() == 0);
  CHECK(tokenizer->end_ids() == std::vector<int32_t>{2, 3});
}

TEST_CASE("tokens that files beside a vocabulary add") {
  const TemporaryFolder folder;
  LayOut(FindKind("sp_bpe"), folder);
  const int32_t size = LoadFixture("folders/sp_bpe")->vocab_size();
  const std::string decoder = fmt::format(
      R"({{"added_tokens_decoder": {{"{}": {{"content": "<tool>", "special": false, "lstrip": true}},
          "{}": {{"content": "<end>", "special": true}}}}, "eos_token": "<end>"}})",
      size, size + 2);
  WriteText(folder.file("tokenizer_config.json"), decoder);
  const auto tokenizer = Load(folder.path());
  CHECK(tokenizer->vocab_size() == size + 3);
  CHECK(tokenizer->end_ids() == std::vector<int32_t>{size + 2});
  const std::vector<int32_t> ids = tokenizer->Encode("the  <tool> river<end>");
  CHECK(std::count(ids.begin(), ids.end(), size) == 1);
  CHECK(std::count(ids.begin(), ids.end(), size + 2) == 0);
  CHECK(tokenizer->Decode(ids) == " the<tool> river<end>");

  WriteText(folder.file("tokenizer_config.json"), "{}");
  WriteText(folder.file("added_tokens.json"), fmt::format(R"({{"<tool>": {}}})", size));
  const auto plain = Load(folder.path());
  CHECK(plain->Decode(plain->Encode("the  <tool> river")) == " the  <tool> river");
  CHECK(plain->vocab_size() == size + 1);
}

TEST_CASE("a continuation goes on with a word or after a space") {
  for (const char* name : {"unigram", "unigram, T5", "unigram, stripped", "sp_unigram", "sp_bpe", "XGLM"}) {
    INFO(name);
    const auto tokenizer = LoadKind(FindKind(name));
    CHECK(tokenizer->Decode(tokenizer->Encode("the river")) == " the river");
    CHECK(tokenizer->Decode(tokenizer->EncodeContinuation("the river")) == "the river");
    CHECK(tokenizer->Decode(tokenizer->EncodeContinuation(" the river")) == " the river");
    CHECK(tokenizer->EncodeContinuation(" the river") == tokenizer->Encode("the river"));
  }
}

}  // namespace toolformer::testing::tokenizer_folder_test
