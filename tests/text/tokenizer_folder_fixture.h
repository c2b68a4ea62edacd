// The folders of scripts/fixtures/make_folder_fixtures.py, each laid out as its kind asks.
#ifndef TOOLFORMER_TESTS_TEXT_TOKENIZER_FOLDER_FIXTURE_H_
#define TOOLFORMER_TESTS_TEXT_TOKENIZER_FOLDER_FIXTURE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "tests/text/tokenizer_fixture.h"

namespace toolformer::testing {

inline std::vector<nlohmann::json> Kinds() {
  return TokenizerFixture("folders/kinds.json").get<std::vector<nlohmann::json>>();
}

inline nlohmann::json FindKind(const std::string& name) {
  for (const nlohmann::json& kind : Kinds()) {
    if (kind["name"] == name) return kind;
  }
  FAIL("no kind ", name);
  return {};
}

// The folder of a kind, with its changes.
inline void LayOut(const nlohmann::json& kind, const TemporaryFolder& folder) {
  const std::string from = Fixture("tokenizers/folders/" + kind["folder"].get<std::string>());
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    std::string name = entry.path().filename().string();
    if (kind.contains("rename") && kind["rename"].contains(name)) name = kind["rename"][name];
    std::filesystem::copy(entry.path(), folder.file(name), std::filesystem::copy_options::overwrite_existing);
  }
  if (kind.contains("changes") && !kind["changes"].empty()) {
    nlohmann::json root = *ParseJson(ReadText(folder.file("tokenizer.json")));
    for (const auto& [member, value] : kind["changes"].items()) {
      const size_t dot = member.find('.');
      nlohmann::json& parent = dot == std::string::npos ? root : root[member.substr(0, dot)];
      parent[dot == std::string::npos ? member : member.substr(dot + 1)] = value;
    }
    WriteText(folder.file("tokenizer.json"), PrintJson(root));
  }
  if (kind.contains("files_to_write")) {
    for (const auto& [name, content] : kind["files_to_write"].items()) WriteText(folder.file(name), PrintJson(content));
  }
}

inline std::shared_ptr<const Tokenizer> LoadKind(const nlohmann::json& kind) {
  const TemporaryFolder folder;
  LayOut(kind, folder);
  return Load(folder.path());
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_TEXT_TOKENIZER_FOLDER_FIXTURE_H_
