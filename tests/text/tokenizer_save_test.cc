// Tokenizers saved as Hugging Face files: the library reads the same ids back. That AutoTokenizer does too is checked
// by scripts/fixtures/compare_tokenizers.py --save.
#include <filesystem>

#include "src/base/random.h"
#include "tests/text/gguf_patch.h"

namespace toolformer::testing::tokenizer_save_test {
namespace {

// Texts over few characters, so that the same pieces meet in many ways.
std::string RandomText(RandomStream* random) {
  constexpr const char* kUnits[] = {"a",      "e",      "t",          "h",      "the", "ing", " ",      " ",
                                    "  ",     "\n",     "1",          "42",     ".",   "'s",  "A",      "TH",
                                    "\u00e9", "\u65e5", "\U0001f642", "\u2581", "\t",  "_",   "word a", "<b>"};
  std::string text;
  for (uint64_t i = random->Next() % 40; i > 0; --i) text += kUnits[random->Next() % std::size(kUnits)];
  return text;
}

void CheckSame(const Tokenizer& a, const Tokenizer& b, const std::vector<std::string>& without = {}) {
  CHECK(a.vocab_size() == b.vocab_size());
  CHECK(a.start_id() == b.start_id());
  CHECK(a.end_ids() == b.end_ids());
  for (int32_t id = 0; id < a.vocab_size(); ++id) {
    if (a.TokenBytes(id) != b.TokenBytes(id)) FAIL_CHECK("bytes of token ", id);
  }
  std::vector<std::string> texts = Lines();
  RandomStream random(5);
  for (int i = 0; i < 3000; ++i) texts.push_back(RandomText(&random));
  for (char c : {'a', ' ', '\n', '=', '-'}) {
    for (size_t size = 1; size < 70; ++size) texts.push_back(std::string(size, c));
  }
  for (const std::string& text : texts) {
    const bool skipped = std::any_of(without.begin(), without.end(),
                                     [&](const std::string& part) { return text.find(part) != std::string::npos; });
    if (skipped) continue;
    INFO(text);
    CHECK(a.Encode(text) == b.Encode(text));
    CHECK(a.EncodeContinuation(text) == b.EncodeContinuation(text));
  }
}

void CheckRoundTrip(const std::string& path, const std::vector<std::string>& without = {}) {
  const TemporaryFolder folder;
  INFO(path);
  const absl::Status saved = SaveTokenizer(path, folder.path());
  REQUIRE_MESSAGE(saved.ok(), std::string(saved.message()));
  CheckSame(*Load(path), *Load(folder.path()), without);
}

void CheckNotSaved(const std::string& path, absl::StatusCode code, const std::string& says) {
  const TemporaryFolder folder;
  const absl::Status saved = SaveTokenizer(path, folder.path());
  REQUIRE_FALSE(saved.ok());
  CHECK(saved.code() == code);
  INFO(std::string(saved.message()));
  CHECK(std::string(saved.message()).find(says) != std::string::npos);
  CHECK(std::string(saved.message()).find(path) != std::string::npos);
  // Nothing half-written stays.
  CHECK(std::filesystem::is_empty(folder.path()));
}

TinyGguf ScoresFile(const std::vector<std::string>& pieces, const std::vector<int32_t>& types) {
  TinyGguf gguf;
  gguf.AddString("tokenizer.ggml.model", "llama");
  gguf.AddStrings("tokenizer.ggml.tokens", pieces);
  gguf.AddInts("tokenizer.ggml.token_type", types);
  std::vector<float> scores;
  for (size_t i = 0; i < pieces.size(); ++i) scores.push_back(-static_cast<float>(i));
  gguf.AddFloats("tokenizer.ggml.scores", scores);
  gguf.AddUint32("tokenizer.ggml.bos_token_id", 1);
  return gguf;
}

}  // namespace

TEST_CASE("a saved vocabulary has the same ids: small ones") {
  CheckRoundTrip(Fixture("tokenizers/byte_level.gguf"));
  CheckRoundTrip(Fixture("tokenizers/characters.gguf"));
  const TemporaryFolder folder;
  // Rules cannot say that a piece is merged through only.
  for (const char* name : {"scores", "scores_no_prefix"}) {
    GgufPatch patch(Fixture(std::string("tokenizers/") + name + ".gguf"));
    patch.ReplaceInts("tokenizer.ggml.token_type", 5, 1);
    // Where there is a prefix, Hugging Face adds one after every token that is matched whole: without such tokens.
    if (std::string(name) == "scores") patch.ReplaceInts("tokenizer.ggml.token_type", 4, 3);
    patch.Write(folder.file("x.gguf"));
    CheckRoundTrip(folder.file("x.gguf"));
  }
}

TEST_CASE("a saved vocabulary has the same ids: every named pre-tokenizer") {
  const TemporaryFolder folder;
  const nlohmann::json fixture = TokenizerFixture("cuts.json");
  for (const auto& entry : fixture["patterns"]) {
    const std::string name = SplitWords(entry["names"])[0], vocabulary = entry["vocabulary"];
    GgufPatch patch(Fixture("tokenizers/" + vocabulary + ".gguf"));
    if (vocabulary == "characters" && name != "gemma4") patch.SetString("tokenizer.ggml.model", "gpt2");
    patch.SetString("tokenizer.ggml.pre", name);
    patch.Write(folder.file("x.gguf"));
    INFO(name);
    CheckRoundTrip(folder.file("x.gguf"));
  }
}

TEST_CASE("a saved vocabulary has the same ids: those of models") {
  for (const auto& path : {SmolLm2(), Gemma3(), SharedData("data/tokenizers/ggml-vocab-gpt-2.gguf"),
                           SharedData("data/tokenizers/ggml-vocab-gpt-neox.gguf"),
                           SharedData("data/tokenizers/ggml-vocab-llama-spm.gguf")}) {
    if (path) {
      CheckRoundTrip(*path);
    } else {
      MESSAGE("skipped, not there");
    }
  }
  // Has a token that is matched whole, and a prefix.
  if (const auto path = SharedData("data/tokenizers/ggml-vocab-phi-3.gguf")) CheckRoundTrip(*path, {"</s>"});
}

TEST_CASE("what a saved GGUF vocabulary says of itself") {
  const TemporaryFolder folder;
  TinyGguf gguf = ScoresFile({"<unk>", "<s>", "</s>", "\u2581", "b", "\u2581b", "<0x41>"}, {2, 3, 3, 1, 1, 1, 6});
  gguf.AddUint32("tokenizer.ggml.eos_token_id", 2);
  gguf.AddUint32("tokenizer.ggml.unknown_token_id", 0);
  gguf.AddBool("tokenizer.ggml.add_eos_token", true);
  gguf.AddString("tokenizer.chat_template", "{{ bos_token }}\n\"{{ messages[0] }}\"");
  gguf.Write(folder.file("x.gguf"));
  REQUIRE(SaveTokenizer(folder.file("x.gguf"), folder.file("new/folder")).ok());
  const auto read = [&](const std::string& name) { return *ParseJson(ReadText(folder.file("new/folder/" + name))); };
  const nlohmann::json config = read("tokenizer_config.json"), tokenizer = read("tokenizer.json");
  CHECK(config["tokenizer_class"] == "PreTrainedTokenizerFast");
  CHECK(config["bos_token"] == "<s>");
  CHECK(config["eos_token"] == "</s>");
  CHECK(config["unk_token"] == "<unk>");
  CHECK_FALSE(config.contains("pad_token"));
  CHECK(config["add_bos_token"] == true);
  CHECK(config["add_eos_token"] == true);
  CHECK(config["clean_up_tokenization_spaces"] == false);
  CHECK(config["chat_template"] == "{{ bos_token }}\n\"{{ messages[0] }}\"");
  CHECK(read("special_tokens_map.json") ==
        nlohmann::json({{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}}));
  CHECK(tokenizer["model"]["merges"] == nlohmann::json::array({{"\u2581", "b"}}));
  CHECK(tokenizer["model"]["vocab"]["<0x41>"] == 6);
  CHECK(tokenizer["model"]["unk_token"] == "<unk>");
  CHECK(tokenizer["added_tokens"].size() == 3);
  CHECK(tokenizer["post_processor"]["single"].size() == 3);
  CHECK(tokenizer["post_processor"]["single"][2]["SpecialToken"]["id"] == "</s>");
  CHECK(tokenizer["post_processor"]["special_tokens"]["<s>"]["ids"] == nlohmann::json::array({1}));
}

TEST_CASE("a Hugging Face folder is copied byte for byte") {
  const TemporaryFolder folder, target;
  const std::string source = Fixture("tokenizers/byte_level");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
    WriteText(folder.file(name), ReadText(source + "/" + name));
  }
  WriteText(folder.file("merges.txt"), "#version: 0.2\n\xff no text");
  WriteText(folder.file("generation_config.json"), R"({"eos_token_id": 7})");
  WriteText(folder.file("model.safetensors"), "x");
  REQUIRE(SaveTokenizer(folder.path(), target.path()).ok());
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "merges.txt"}) {
    CHECK(ReadText(target.file(name)) == ReadText(folder.file(name)));
  }
  CHECK_FALSE(std::filesystem::exists(target.file("generation_config.json")));
  CHECK_FALSE(std::filesystem::exists(target.file("model.safetensors")));

  // A file stands for its folder, over what is there; and a folder can be saved to itself.
  const TemporaryFolder other;
  WriteText(other.file("tokenizer.json"), "old");
  REQUIRE(SaveTokenizer(folder.file("tokenizer.json"), other.path()).ok());
  CHECK(ReadText(other.file("tokenizer.json")) == ReadText(folder.file("tokenizer.json")));
  CHECK(ReadText(other.file("merges.txt")) == ReadText(folder.file("merges.txt")));
  REQUIRE(SaveTokenizer(other.path(), other.path()).ok());
  CheckSame(*Load(other.path()), *Load(source));
}

TEST_CASE("what cannot be saved, or not there") {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.gguf");
  CheckNotSaved(folder.file("none.gguf"), absl::StatusCode::kNotFound, "none.gguf");
  CheckNotSaved(Fixture("tokenizers/scores.gguf"), absl::StatusCode::kUnimplemented, "unused but merged through");
  const std::vector<std::string> pieces = {"<unk>", "<s>", "a", "b", "ab"};
  ScoresFile(pieces, {2, 3, 1, 1, 5}).Write(path);
  CheckNotSaved(path, absl::StatusCode::kUnimplemented, "tokenizer.ggml.tokens[4] is \"ab\", which is unused");
  ScoresFile({"<unk>", "<s>", "a", "c", "ab"}, {2, 3, 1, 1, 1}).Write(path);
  CheckNotSaved(path, absl::StatusCode::kUnimplemented, "tokenizer.ggml.tokens[4] is \"ab\", with a character");
  ScoresFile({"<unk>", "<s>", "a", "b", std::string(2000, 'a')}, {2, 3, 1, 1, 1}).Write(path);
  CheckNotSaved(path, absl::StatusCode::kUnimplemented, "tokenizer.ggml.tokens[4] is \"aaa");
  ScoresFile({"<unk>", "<s>", "a", "\xff", "b"}, {2, 3, 1, 1, 1}).Write(path);
  CheckNotSaved(path, absl::StatusCode::kUnimplemented, "tokenizer.ggml.tokens[3]");
  ScoresFile({"<unk>", "<s>", "a", "<x>", "<x>"}, {2, 3, 1, 3, 3}).Write(path);
  CheckNotSaved(path, absl::StatusCode::kUnimplemented, "tokenizer.ggml.tokens[3] and [4] are both \"<x>\"");
  WriteText(folder.file("broken.gguf"), "GGUF\x03");
  CheckNotSaved(folder.file("broken.gguf"), absl::StatusCode::kInvalidArgument, "");

  ScoresFile(pieces, {2, 3, 1, 1, 1}).Write(path);
  WriteText(folder.file("file"), "x");
  const absl::Status no_folder = SaveTokenizer(path, folder.file("file"));
  CHECK(no_folder.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(no_folder.message()).find(folder.file("file")) != std::string::npos);
  CHECK(ReadText(folder.file("file")) == "x");
}

}  // namespace toolformer::testing::tokenizer_save_test
