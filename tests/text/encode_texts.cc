// encode_texts VOCABULARY < texts > ids: a JSON string and the JSON array of its ids, line by line.
// encode_texts VOCABULARY FOLDER: saves the tokenizer there.
#include <cstdio>
#include <iostream>
#include <string>

#include "src/base/json.h"
#include "toolformer/tokenizer.h"

namespace toolformer {
namespace {

int Fail(const absl::Status& status) {
  std::cerr << std::string(status.message()) << "\n";
  return 1;
}

int Encode(const std::string& path) {
  const auto tokenizer = LoadTokenizer(path);
  if (!tokenizer.ok()) return Fail(tokenizer.status());
  for (std::string line; std::getline(std::cin, line);) {
    const auto text = ParseJson(line);
    if (!text.ok()) return Fail(text.status());
    std::cout << PrintJson(nlohmann::json((*tokenizer)->Encode(text->get<std::string>()))) << "\n";
  }
  return 0;
}

int Save(const std::string& path, const std::string& folder) {
  const absl::Status saved = SaveTokenizer(path, folder);
  return saved.ok() ? 0 : Fail(saved);
}

}  // namespace
}  // namespace toolformer

int main(int argc, char** argv) {
  if (argc == 2) return toolformer::Encode(argv[1]);
  if (argc == 3) return toolformer::Save(argv[1], argv[2]);
  std::fputs("usage: encode_texts VOCABULARY [FOLDER]\n", stderr);
  return 2;
}
