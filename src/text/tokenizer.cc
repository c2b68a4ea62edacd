#include "toolformer/tokenizer.h"

#include <filesystem>
#include <system_error>

#include "src/base/file.h"
#include "src/base/status.h"
#include "src/text/tokenizer_bpe.h"

namespace toolformer {

std::string Tokenizer::Decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) text.append(TokenBytes(id));
  return text;
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    const std::filesystem::path folder(path);
    const std::string json = (folder / "tokenizer.json").string();
    if (std::filesystem::exists(json, ignored)) return LoadJsonTokenizer(json);
    for (const char* other : {"tokenizer.model", "vocab.json", "vocab.txt", "spiece.model"}) {
      if (std::filesystem::exists(folder / other, ignored)) {
        return Unimplemented("{}: holds {} but no tokenizer.json; supported are tokenizer.json and .gguf", path, other);
      }
    }
    return NotFound("{}: the folder holds no tokenizer.json", path);
  }
  TF_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  const auto bytes = file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("GGUF")) return LoadGgufTokenizer(path);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') return LoadJsonTokenizer(path);
  return Unimplemented("{}: neither JSON nor GGUF; supported are a tokenizer.json, a folder that holds one and a .gguf",
                       path);
}

}  // namespace toolformer
