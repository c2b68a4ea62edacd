#include "toolformer/tokenizer.h"

#include <filesystem>
#include <system_error>

#include "src/base/file.h"
#include "src/base/status.h"
#include "src/text/piece_tokenizer.h"

namespace toolformer {

std::string Tokenizer::Decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) text.append(TokenBytes(id));
  return text;
}

namespace {

constexpr char kSupported[] =
    "tokenizer.json; tokenizer.model, spiece.model or sentencepiece.bpe.model; vocab.json with merges.txt; vocab.txt; "
    "or "
    "a .gguf file";

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadFolder(const std::filesystem::path& folder) {
  std::error_code ignored;
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name, ignored); };
  if (has("tokenizer.json")) return LoadJsonTokenizer((folder / "tokenizer.json").string());
  for (const char* name : {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model"}) {
    if (has(name)) return LoadSentencePieceTokenizer((folder / name).string());
  }
  if (has("vocab.json") && has("merges.txt")) return LoadMergesTokenizer(folder.string());
  if (has("vocab.txt")) return LoadWordPieceTokenizer(folder.string());
  for (const char* name : {"vocab.json", "merges.txt"}) {
    if (has(name)) {
      return Unimplemented("{}: holds {} without the file that goes with it; supported are {}", folder.string(), name,
                           kSupported);
    }
  }
  return NotFound("{}: the folder holds no tokenizer; supported are {}", folder.string(), kSupported);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return LoadFolder(path);
  TF_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  const auto bytes = file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("GGUF")) return LoadGgufTokenizer(path);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') return LoadJsonTokenizer(path);
  // The first field of a model of SentencePiece is a piece: number 1, a message. JSON may begin with a line break, too.
  if (text.starts_with('\n')) return LoadSentencePieceTokenizer(path);
  return Unimplemented("{}: neither JSON nor GGUF nor a model of SentencePiece; supported are {}", path, kSupported);
}

}  // namespace toolformer
