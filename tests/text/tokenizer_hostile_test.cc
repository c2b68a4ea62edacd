// Broken and unsupported files: refused with the name of what is wrong.
#include <cmath>
#include <filesystem>
#include <functional>

#include "src/base/utf8.h"
#include "tests/text/tokenizer_fixture.h"

namespace toolformer::testing::tokenizer_hostile_test {
namespace {

using nlohmann::json;

void CheckRefused(const std::string& path, absl::StatusCode code, const std::string& says) {
  const auto tokenizer = LoadTokenizer(path);
  REQUIRE_FALSE(tokenizer.ok());
  const std::string message(tokenizer.status().message());
  INFO(message);
  CHECK(tokenizer.status().code() == code);
  CHECK(message.find(path) != std::string::npos);
  CHECK(message.find(says) != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(IsValidUtf8(message));
  // The longest lists the names of all pre-tokenizers.
  CHECK(message.size() < 1500);
}

struct Case {
  std::function<void(json&)> change;
  std::string says;
};

// Changes a sound tokenizer.json, which lies beside the configuration that names its special tokens.
class JsonFile {
 public:
  explicit JsonFile(const std::string& base) : sound_(TokenizerFixture(base + "/tokenizer.json")) {
    std::filesystem::copy(Fixture("tokenizers/" + base + "/tokenizer_config.json"),
                          folder_.file("tokenizer_config.json"));
    Check({[](json&) {}, ""});
  }
  void CheckRefused(const Case& c, absl::StatusCode code) const {
    json changed = sound_;
    c.change(changed);
    WriteText(path(), PrintJson(changed));
    tokenizer_hostile_test::CheckRefused(path(), code, c.says);
  }
  void Check(const Case& c) const {
    json changed = sound_;
    c.change(changed);
    WriteText(path(), PrintJson(changed));
    Load(path());
  }
  std::string path() const { return folder_.file("tokenizer.json"); }
  const TemporaryFolder& folder() const { return folder_; }

 private:
  json sound_;
  TemporaryFolder folder_;
};

TinyGguf SentencePieceFile(const std::vector<std::string>& pieces, const std::vector<int32_t>& types,
                           const std::vector<float>& scores) {
  TinyGguf gguf;
  gguf.AddString("tokenizer.ggml.model", "llama");
  gguf.AddStrings("tokenizer.ggml.tokens", pieces);
  gguf.AddInts("tokenizer.ggml.token_type", types);
  gguf.AddFloats("tokenizer.ggml.scores", scores);
  return gguf;
}

TinyGguf ByteLevelFile(const std::vector<std::string>& pieces, const std::vector<std::string>& merges,
                       const std::string& pre) {
  TinyGguf gguf;
  gguf.AddString("tokenizer.ggml.model", "gpt2");
  gguf.AddString("tokenizer.ggml.pre", pre);
  gguf.AddStrings("tokenizer.ggml.tokens", pieces);
  gguf.AddStrings("tokenizer.ggml.merges", merges);
  gguf.AddUint32("tokenizer.ggml.eos_token_id", 0);
  return gguf;
}

}  // namespace

TEST_CASE("tokenizer.json: malformed") {
  const JsonFile file("byte_level");
  const std::string long_piece(100000, 'Z');
  const Case cases[] = {
      {[](json& j) { j = json::array(); }, "neither JSON nor GGUF"},
      {[](json& j) { j.erase("model"); }, "model is not an object"},
      {[](json& j) { j["model"].erase("vocab"); }, "model.vocab"},
      {[](json& j) { j["model"]["vocab"] = json::object(); }, "model.vocab"},
      {[](json& j) { j["model"]["vocab"]["a"] = "x"; }, "model.vocab[\"a\"] is not an integer"},
      {[](json& j) { j["model"]["vocab"]["a"] = -1; }, "model.vocab[\"a\"] is -1"},
      {[](json& j) { j["model"]["vocab"]["a"] = 2147483648u; }, "is 2147483648"},
      {[](json& j) { j["model"]["vocab"]["a"] = 16777215; }, "too many ids are left out"},
      {[](json& j) { j["model"]["vocab"]["a"] = 18446744073709551615u; }, "is 18446744073709551615"},
      {[](json& j) { j["model"]["vocab"]["a"] = 1.5; }, "is not an integer"},
      {[](json& j) { j["model"]["vocab"]["a"] = j["model"]["vocab"]["b"]; }, "which is the id of"},
      {[](json& j) { j["model"].erase("merges"); }, "tokenizer without merges"},
      {[](json& j) { j["model"]["merges"] = json::array(); }, "tokenizer without merges"},
      {[](json& j) {
         j["model"]["merges"][3] = {"a", "nowhere"};
       },
       "model.merges[3]"},
      {[](json& j) { j["model"]["merges"][3] = "a b c"; }, "model.merges[3] is not two pieces"},
      {[](json& j) {
         j["model"]["merges"][3] = json::array({1, 2});
       },
       "model.merges[3] is not two pieces"},
      {[&](json& j) {
         j["model"]["merges"][3] = {long_piece, long_piece};
       },
       "model.merges[3]"},
      {[](json& j) {
         j["model"]["merges"][3] = {"\n", "\xff"};
       },
       "model.merges[3]"},
      {[](json& j) { j["model"]["ignore_merges"] = 1; }, "model.ignore_merges is neither true nor false"},
      {[](json& j) { j["model"]["unk_token"] = "<none>"; }, "model.unk_token"},
      {[](json& j) { j["added_tokens"] = 3; }, "added_tokens is not an array"},
      {[](json& j) { j["added_tokens"][0] = 3; }, "added_tokens[0] is not an object"},
      {[](json& j) { j["added_tokens"][0].erase("content"); }, "added_tokens[0].content"},
      {[](json& j) { j["added_tokens"][0]["id"] = 77; }, "added_tokens[0].id is 77"},
      {[](json& j) { j["added_tokens"][0].erase("id"); }, "added_tokens[0].id is not an integer"},
      {[](json& j) { j["added_tokens"][1] = j["added_tokens"][0]; }, "is there twice"},
      {[&](json& j) { j["added_tokens"][3]["content"] = long_piece; }, "at most 1024"},
      {[](json& j) { j["pre_tokenizer"] = 3; }, "pre_tokenizer is not an object"},
      {[](json& j) {
         j["pre_tokenizer"] = {{"type", "Sequence"}};
       },
       "pre_tokenizer.pretokenizers is not an array"},
      {[](json& j) {
         j["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", "(("}}}, {"content", ""}};
       },
       "normalizer.pattern: the pattern \"((\" does not compile"},
      {[](json& j) {
         j["normalizer"] = {{"type", "Replace"}, {"pattern", "x"}};
       },
       "normalizer.pattern is neither"},
  };
  for (const Case& c : cases) {
    const bool other_format = c.says.starts_with("neither");
    file.CheckRefused(c, other_format ? absl::StatusCode::kUnimplemented : absl::StatusCode::kInvalidArgument);
  }
  WriteText(file.path(), "{\"model\": ");
  CheckRefused(file.path(), absl::StatusCode::kInvalidArgument, "byte");
  WriteText(file.path(), "{\"a\":" + std::string(100000, '['));
  CheckRefused(file.path(), absl::StatusCode::kResourceExhausted, "nests");
}

TEST_CASE("tokenizer.json: unsupported") {
  const auto pattern = [](const char* regex) {
    return [regex](json& j) {
      j["pre_tokenizer"]["pretokenizers"][0] = {{"type", "Split"}, {"pattern", {{"Regex", regex}}}};
    };
  };
  const JsonFile file("byte_level");
  const Case cases[] = {
      {[](json& j) { j["model"]["type"] = "Charformer"; }, "model.type is \"Charformer\"; supported are BPE"},
      {[](json& j) { j["model"]["dropout"] = 0.1; }, "dropout"},
      {[](json& j) {
         j["normalizer"] = {{"type", "ByteLevel"}};
       },
       "\"ByteLevel\"; supported are Sequence, BertNormalizer"},
      {[](json& j) {
         j["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", "x*"}}}, {"content", "y"}};
       },
       "can match the empty string"},
      {[](json& j) {
         j["pre_tokenizer"] = {{"type", "UnicodeScripts"}};
       },
       "\"UnicodeScripts\"; supported are"},
      {[](json& j) {
         j["pre_tokenizer"]["pretokenizers"].push_back({{"type", "Digits"}});
       },
       "after ByteLevel"},
      {[](json& j) { j["pre_tokenizer"] = nullptr; }, "both pre_tokenizer and decoder"},
      {[](json& j) { j["decoder"] = nullptr; }, "both pre_tokenizer and decoder"},
      {[](json& j) {
         j["decoder"] = {{"type", "CTC"}};
       },
       "decoder is \"CTC\""},
      {pattern("[a-z&&[aeiou]]"), "pretokenizers[0].pattern"},
      {pattern("\\h+"), "\\h"},
      {pattern("[a[b]]"), "a class in a class"},
      {pattern("a\\b"), "\\b"},
  };
  for (const Case& c : cases) file.CheckRefused(c, absl::StatusCode::kUnimplemented);
}

TEST_CASE("tokenizer.json: byte fallback without a way back") {
  const JsonFile file("byte_fallback");
  file.CheckRefused({[](json& j) {
                       j["decoder"] = {{"type", "Fuse"}};
                     },
                     "without the decoder ByteFallback"},
                    absl::StatusCode::kUnimplemented);
}

TEST_CASE("tokenizer.json: tokens that begin and end a text") {
  const JsonFile file("byte_level");
  const TemporaryFolder& folder = file.folder();
  const auto config = [&](const std::string& name, const std::string& text) { WriteText(folder.file(name), text); };
  config("tokenizer_config.json", R"({"bos_token": "<none>"})");
  auto refused = LoadTokenizer(folder.path());
  REQUIRE_FALSE(refused.ok());
  CHECK(std::string(refused.status().message()).find("tokenizer_config.json: bos_token") != std::string::npos);

  config("tokenizer_config.json", R"({"bos_token": null, "eos_token": {"content": "<|im_end|>"}})");
  CHECK(Load(folder.path())->start_id() == 2);
  // A model's own defaults are taken only where the tokenizer says nothing.
  config("config.json", R"({"bos_token_id": 1, "eos_token_id": 50256})");
  CHECK(Load(folder.path())->start_id() == 1);
  CHECK(Load(folder.path())->end_ids() == std::vector<int32_t>{2, 0});
  std::filesystem::remove(folder.file("tokenizer_config.json"));
  refused = LoadTokenizer(folder.path());
  REQUIRE_FALSE(refused.ok());
  CHECK(std::string(refused.status().message()).find("config.json: eos_token_id is 50256") != std::string::npos);
  config("config.json", R"({"bos_token_id": 1, "eos_token_id": [2, 0]})");
  CHECK(Load(folder.path())->end_ids() == std::vector<int32_t>{2, 0});
  std::filesystem::remove(folder.file("config.json"));
  // By spelling: <|endoftext|>.
  CHECK(Load(folder.path())->start_id() == 0);
  CHECK(Load(folder.path())->end_ids() == std::vector<int32_t>{0, 2});
}

TEST_CASE("tokenizer.json: odd but sound") {
  const JsonFile file("byte_level");
  file.Check({[](json& j) { j["model"]["vocab"][std::string(200000, 'Z')] = 700; }, ""});
  file.Check({[](json& j) { j["model"]["merges"].insert(j["model"]["merges"].begin(), "#version: 0.2"); }, ""});
  // A rule that would make a control token is known, and never acts.
  file.Check({[](json& j) {
                j["model"]["merges"].push_back({"<", "|im_end|>"});
                j["model"]["vocab"]["|im_end|>"] = 701;
              },
              ""});
}

TEST_CASE("merging does not lead to control tokens") {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.gguf");
  for (const char* pre : {"gpt-2", "llama-bpe"}) {
    TinyGguf gguf = ByteLevelFile({"<|endoftext|>", "a", "b", "ab", "c", "abc"}, {"a b", "ab c"}, pre);
    gguf.AddInts("tokenizer.ggml.token_type", {3, 1, 1, 3, 1, 1});
    gguf.Write(path);
    CHECK(Load(path)->Encode("ab") == std::vector<int32_t>{1, 2});
  }
  TinyGguf gguf = SentencePieceFile({"<unk>", "<s>", "a", "b", "ab"}, {2, 3, 1, 1, 3}, {0, 0, -1, -2, -3});
  gguf.AddUint32("tokenizer.ggml.bos_token_id", 1);
  gguf.AddBool("tokenizer.ggml.add_space_prefix", false);
  gguf.Write(path);
  CHECK(Load(path)->Encode("ab") == std::vector<int32_t>{2, 3});
}

TEST_CASE("paths without a tokenizer") {
  const TemporaryFolder folder;
  CheckRefused(folder.path(), absl::StatusCode::kNotFound, "the folder holds no tokenizer");
  CheckRefused(folder.file("none.gguf"), absl::StatusCode::kNotFound, "");
  WriteText(folder.file("tokenizer.model"), "x");
  const auto cut_off = LoadTokenizer(folder.path());
  CHECK(cut_off.status().code() == absl::StatusCode::kInvalidArgument);
  CheckRefused(folder.file("tokenizer.model"), absl::StatusCode::kUnimplemented, "neither JSON nor GGUF");
  WriteText(folder.file("empty"), "");
  CheckRefused(folder.file("empty"), absl::StatusCode::kUnimplemented, "neither JSON nor GGUF");
}

TEST_CASE("GGUF: SentencePiece vocabularies") {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.gguf");
  const std::vector<std::string> pieces = {"<unk>", "<s>", "<0x41>", "\u2581", "b", "\u2581b"};
  const std::vector<int32_t> types = {2, 3, 6, 1, 1, 1};
  const std::vector<float> scores = {0, 0, 0, -1, -2, -3};
  const auto check = [&](TinyGguf gguf, const std::string& says) {
    gguf.AddUint32("tokenizer.ggml.bos_token_id", 1);
    gguf.Write(path);
    CheckRefused(path, absl::StatusCode::kInvalidArgument, says);
  };
  TinyGguf sound = SentencePieceFile(pieces, types, scores);
  sound.AddUint32("tokenizer.ggml.bos_token_id", 1);
  sound.Write(path);
  const auto tokenizer = Load(path);
  CHECK(tokenizer->Encode("b") == std::vector<int32_t>{5});
  // No byte token but that of A: unknown, once for a run.
  CHECK(tokenizer->Encode("bAxy b") == std::vector<int32_t>{5, 2, 0, 5});

  for (const char* spelling : {"<0x-1>", "<0xZZ>", "<0x100>", "0x41", "<0X41>", "<0x4>", ""}) {
    std::vector<std::string> changed = pieces;
    changed[2] = spelling;
    check(SentencePieceFile(changed, types, scores), "tokenizer.ggml.tokens[2] is a byte token");
  }
  std::vector<std::string> twice = pieces;
  twice[4] = twice[5];
  check(SentencePieceFile(twice, types, scores), "tokens 4 and 5 are both spelled");
  check(SentencePieceFile({}, {}, {}), "tokenizer.ggml.tokens is missing or empty");
  check(SentencePieceFile(pieces, {2, 3, 6, 1, 1}, scores), "tokenizer.ggml.token_type has 5 values for 6 tokens");
  check(SentencePieceFile(pieces, {2, 3, 6, 1, 1, 7}, scores), "tokenizer.ggml.token_type[5] is 7");
  check(SentencePieceFile(pieces, types, {0, 0, 0}), "tokenizer.ggml.scores has 3 values for 6 tokens");
  check(SentencePieceFile(pieces, types, {0, 0, 0, -1, -2, NAN}), "tokenizer.ggml.scores[5]");
  check(SentencePieceFile(pieces, {2, 3, 6, 6, 1, 1}, scores), "tokenizer.ggml.tokens[3] is a byte token");

  TinyGguf no_ids = SentencePieceFile(pieces, types, scores);
  no_ids.Write(path);
  CheckRefused(path, absl::StatusCode::kInvalidArgument, "neither tokenizer.ggml.bos_token_id nor");
  for (const char* key : {"eos", "unknown", "padding", "eot", "eom"}) {
    TinyGguf gguf = SentencePieceFile(pieces, types, scores);
    gguf.AddUint32(fmt::format("tokenizer.ggml.{}_token_id", key), 6);
    check(gguf, fmt::format("tokenizer.ggml.{}_token_id is 6, which is no token: there are 6", key));
  }
  TinyGguf other;
  other.AddString("tokenizer.ggml.model", "bert");
  other.Write(path);
  CheckRefused(path, absl::StatusCode::kUnimplemented, "\"bert\"; supported are \"gemma4\", \"gpt2\"");
  TinyGguf none;
  none.AddString("general.architecture", "llama");
  none.Write(path);
  CheckRefused(path, absl::StatusCode::kInvalidArgument, "tokenizer.ggml.model is missing");
}

TEST_CASE("GGUF: byte-level vocabularies") {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.gguf");
  const std::vector<std::string> pieces = {"<|endoftext|>", "a", "b", "ab", "\u0120", "\u0120ab"};
  ByteLevelFile(pieces, {"a b", "\u0120 ab"}, "gpt-2").Write(path);
  const auto tokenizer = Load(path);
  CHECK(tokenizer->start_id() == 0);
  CHECK(tokenizer->Encode("ab ab") == std::vector<int32_t>{3, 5});
  // The vocabulary has no token for x: it is left out, and its neighbours meet.
  CHECK(tokenizer->Encode("axb") == std::vector<int32_t>{3});

  ByteLevelFile(pieces, {}, "gpt-2").Write(path);
  CheckRefused(path, absl::StatusCode::kInvalidArgument, "a tokenizer without merges");
  for (const char* merge : {"ab", " ab", "ab ", "a  b", "a b ab", ""}) {
    ByteLevelFile(pieces, {"a b", merge}, "gpt-2").Write(path);
    CheckRefused(path, absl::StatusCode::kInvalidArgument, "tokenizer.ggml.merges[1] is not two pieces");
  }
  ByteLevelFile(pieces, {"a b", "b a"}, "gpt-2").Write(path);
  CheckRefused(path, absl::StatusCode::kInvalidArgument, "but \"ba\" is no token");
  ByteLevelFile({"<|endoftext|>", "a", "a"}, {"a a"}, "gpt-2").Write(path);
  CheckRefused(path, absl::StatusCode::kInvalidArgument, "tokens 1 and 2 are both spelled \"a\"");
  ByteLevelFile(pieces, {"a b"}, "gpt-3").Write(path);
  CheckRefused(path, absl::StatusCode::kUnimplemented, "\"gpt-3\" is not supported; supported are default, gpt-2, ");
  for (const char* pre : {"gpt-2", "smollm", "starcoder", "refact", "llama-bpe", "qwen2", "dbrx"}) {
    ByteLevelFile(pieces, {"a b"}, pre).Write(path);
    CHECK(Load(path)->Encode("ab") == std::vector<int32_t>{3});
  }
}

}  // namespace toolformer::testing::tokenizer_hostile_test
