// The names of tokenizer.ggml.pre: ids equal those of llama.cpp, or of `tokenizers` with the model's own pattern where
// llama.cpp cuts otherwise (scripts/fixtures/make_pre_tokenizer_fixtures.py).
#include <algorithm>
#include <chrono>
#include <set>

#include "src/text/tokenizer_presets.h"
#include "tests/text/gguf_patch.h"

namespace toolformer::testing::tokenizer_pre_tokenizer_test {
namespace {

struct Cuts {
  std::vector<std::string> names;
  std::string vocabulary;
  std::vector<std::string> hashes;  // "-": cut otherwise by choice
};

std::vector<Cuts> AllCuts() {
  std::vector<Cuts> all;
  const nlohmann::json fixture = TokenizerFixture("cuts.json");
  for (const auto& entry : fixture["patterns"]) {
    all.push_back({SplitWords(entry["names"]), entry["vocabulary"], SplitWords(entry["hashes"])});
  }
  return all;
}

// The small vocabulary with another name of a pre-tokenizer.
std::shared_ptr<const Tokenizer> LoadNamed(const std::string& vocabulary, const std::string& name,
                                           const TemporaryFolder& folder) {
  GgufPatch patch(Fixture("tokenizers/" + vocabulary + ".gguf"));
  if (vocabulary == "characters" && name != "gemma4") patch.SetString("tokenizer.ggml.model", "gpt2");
  patch.SetString("tokenizer.ggml.pre", name);
  patch.Write(folder.file("x.gguf"));
  return Load(folder.file("x.gguf"));
}

std::string HashOf(const std::vector<int32_t>& ids) {
  IdHash hash;
  hash.Add(ids);
  return hash.hex();
}

}  // namespace

TEST_CASE("every named pre-tokenizer has the reference ids") {
  const TemporaryFolder folder;
  std::vector<std::string> texts = Lines();
  const nlohmann::json fixture = TokenizerFixture("cuts.json");
  for (const auto& text : fixture["texts"]) texts.push_back(text);
  size_t names = 0;
  for (const Cuts& cuts : AllCuts()) {
    REQUIRE(cuts.hashes.size() == texts.size());
    const auto first = LoadNamed(cuts.vocabulary, cuts.names[0], folder);
    for (size_t i = 0; i < texts.size(); ++i) {
      if (cuts.hashes[i] == "-") continue;
      INFO(cuts.names[0], ": ", texts[i]);
      CHECK(HashOf(first->Encode(texts[i])) == cuts.hashes[i]);
    }
    for (const std::string& name : cuts.names) {
      ++names;
      const auto other = LoadNamed(cuts.vocabulary, name, folder);
      INFO(name, " as ", cuts.names[0]);
      CHECK(std::all_of(texts.begin(), texts.end(),
                        [&](const std::string& text) { return other->Encode(text) == first->Encode(text); }));
    }
  }
  const std::string all = PreTokenizerPresetNames();
  CHECK(names == static_cast<size_t>(std::count(all.begin(), all.end(), ',')) + 1);
}

TEST_CASE("the patterns differ from each other in the texts of the test") {
  std::vector<std::vector<std::string>> seen;
  for (const Cuts& cuts : AllCuts()) {
    // These differ from others in whether words that are pieces are taken apart or BOS is added, or not at all.
    const std::set<std::string> twins = {"dbrx", "glm4", "granite-embed-multi-97m", "bailingmoe", "sarvam-moe"};
    const bool twin = twins.contains(cuts.names[0]);
    if (!twin) seen.push_back(cuts.hashes);
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    for (size_t j = 0; j < i; ++j) CHECK(seen[i] != seen[j]);
  }
}

TEST_CASE("a file without tokenizer.ggml.pre is cut as llama.cpp's default") {
  const TemporaryFolder folder;
  GgufPatch patch(Fixture("tokenizers/cuts.gguf"));
  patch.Rename("tokenizer.ggml.pre");
  patch.Write(folder.file("none.gguf"));
  const auto none = Load(folder.file("none.gguf")), named = LoadNamed("cuts", "default", folder);
  const auto gpt2 = LoadNamed("cuts", "gpt-2", folder);
  size_t apart = 0;
  for (const std::string& line : Lines()) {
    CHECK(none->Encode(line) == named->Encode(line));
    apart += none->Encode(line) != gpt2->Encode(line);
  }
  CHECK(apart > 20);
}

TEST_CASE("unknown names are refused with the list of those that are known") {
  const TemporaryFolder folder;
  for (const std::string name : {"whitespace", "gpt-5", "default ", "gpt-2 phi-2", " ", "\n"}) {
    GgufPatch patch(Fixture("tokenizers/cuts.gguf"));
    patch.SetString("tokenizer.ggml.pre", name);
    patch.Write(folder.file("x.gguf"));
    const auto tokenizer = LoadTokenizer(folder.file("x.gguf"));
    REQUIRE_FALSE(tokenizer.ok());
    CHECK(tokenizer.status().code() == absl::StatusCode::kUnimplemented);
    const std::string message(tokenizer.status().message());
    INFO(message);
    CHECK(message.find("tokenizer.ggml.pre: ") != std::string::npos);
    for (const char* known : {"default, ", "llama-bpe, ", "kimi-k2, ", "gemma4, "}) {
      CHECK(message.find(known) != std::string::npos);
    }
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("every pattern takes time linear in the length of a text without a place to cut") {
  using Clock = std::chrono::steady_clock;
  constexpr size_t kCount = 131072;
  const TemporaryFolder folder;
  for (const Cuts& cuts : AllCuts()) {
    const auto tokenizer = LoadNamed(cuts.vocabulary, cuts.names[0], folder);
    for (const std::string unit : {"Z", "a", " ", "\n", "\U0001f642", "\u0301", "7", "\u4e2d", "a ", "\r\t"}) {
      std::string text;
      for (size_t i = 0; i < kCount; ++i) text += unit;
      const auto start = Clock::now();
      const auto ids = tokenizer->EncodeContinuation(text);
      INFO(cuts.names[0], ": ", unit);
      // A quadratic pattern would take minutes, a merge hours.
      CHECK(Clock::now() - start < std::chrono::seconds(60));
      CHECK(tokenizer->Decode(ids) == text);
    }
  }
}

}  // namespace toolformer::testing::tokenizer_pre_tokenizer_test
