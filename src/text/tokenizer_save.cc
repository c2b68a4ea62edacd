#include "src/text/tokenizer_save.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "src/base/file.h"
#include "src/base/status.h"
#include "src/text/tokenizer_limits.h"
#include "toolformer/tokenizer.h"

namespace toolformer {
namespace {

// What makes up the tokenizer of a Hugging Face folder.
constexpr const char* kFiles[] = {
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
};

absl::Status CopyFile(const std::string& from, const std::string& to) {
  TF_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(from, kMaxTokenizerFileBytes));
  TF_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(to));
  TF_RETURN_IF_ERROR(file->Write(bytes));
  return file->Commit();
}

// Copies the tokenizer's files that are beside each other in `source`.
absl::Status CopyFolder(const std::filesystem::path& source, const std::filesystem::path& folder) {
  for (const char* name : kFiles) {
    std::error_code ignored;
    if (!std::filesystem::exists(source / name, ignored)) continue;
    TF_RETURN_IF_ERROR(CopyFile((source / name).string(), (folder / name).string()));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> StartsAsGguf(const std::string& path) {
  TF_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  constexpr std::string_view kMagic = "GGUF";
  const auto bytes = file->bytes();
  return bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
}

}  // namespace

absl::Status SaveTokenizer(const std::string& from, const std::string& folder) {
  // What cannot be read is not handed on; every error of the source is found here.
  TF_RETURN_IF_ERROR(LoadTokenizer(from).status());
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Unavailable("{}: cannot make the folder: {}", folder, error.message());
  const std::filesystem::path source(from), target(folder);
  if (std::filesystem::is_directory(source, error)) return CopyFolder(source, target);
  TF_ASSIGN_OR_RETURN(const bool is_gguf, StartsAsGguf(from));
  if (is_gguf) return SaveGgufTokenizer(from, folder);
  TF_RETURN_IF_ERROR(CopyFolder(source.parent_path(), target));
  // Another name says nothing to those who read the folder.
  const bool known = std::find(std::begin(kFiles), std::end(kFiles), source.filename().string()) != std::end(kFiles);
  if (known) return absl::OkStatus();
  const bool is_json = source.extension() != ".model";
  return CopyFile(from, (target / (is_json ? "tokenizer.json" : "tokenizer.model")).string());
}

}  // namespace toolformer
