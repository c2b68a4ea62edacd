#include "src/text/tokenizer_json_special.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/status.h"
#include "src/text/piece_tokenizer.h"
#include "src/text/tokenizer_limits.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

using nlohmann::json;

class Finder {
 public:
  Finder(const std::string& file, const PieceTable& pieces, const std::vector<int32_t>& special)
      : file_(file), pieces_(pieces), special_(special) {}

  absl::Status ReadConfigs();
  void ReadHints(const SpecialHints& hints);
  void ReadPostProcessor(const json& root);
  void ReadSpellings();
  absl::StatusOr<SpecialIds> Finish();

 private:
  absl::StatusOr<std::optional<json>> ReadConfig(const std::string& path) const;
  absl::StatusOr<std::vector<int32_t>> IdsOf(const json& value, const std::string& where) const;
  absl::StatusOr<int32_t> IdOf(const json& value, const std::string& where) const;
  void AddEnd(int32_t id);
  bool IsSpecial(int32_t id) const { return std::find(special_.begin(), special_.end(), id) != special_.end(); }

  const std::string& file_;
  const PieceTable& pieces_;
  const std::vector<int32_t>& special_;
  int32_t bos_ = -1, eos_ = -1;
  std::vector<int32_t> ends_;
};

absl::StatusOr<std::optional<json>> Finder::ReadConfig(const std::string& path) const {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::optional<json>();
  TF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTokenizerConfigBytes));
  absl::StatusOr<json> config = ParseJson(text);
  if (!config.ok()) return Annotate(config.status(), path);
  if (!config->is_object()) return InvalidArgument("{}: not a JSON object", path);
  return std::optional<json>(*std::move(config));
}

// A token is named by its id, its spelling, or an object with the spelling.
absl::StatusOr<int32_t> Finder::IdOf(const json& value, const std::string& where) const {
  const json* name = &value;
  if (value.is_object() && value.contains("content")) name = &value["content"];
  if (name->is_string()) {
    const int32_t id = pieces_.Find(name->get_ref<const std::string&>());
    if (id < 0)
      return InvalidArgument("{} is {}, which is no token", where, Quote(name->get_ref<const std::string&>()));
    return id;
  }
  if (!name->is_number_integer()) return InvalidArgument("{} is neither a token nor an id", where);
  const bool huge = name->is_number_unsigned() && name->get<uint64_t>() > INT32_MAX;
  const int64_t id = huge ? -1 : name->get<int64_t>();
  if (id < 0 || id > INT32_MAX || !pieces_.Has(static_cast<int32_t>(id))) {
    return InvalidArgument("{} is {}, which is no token: there are {}", where, PrintJson(*name), pieces_.size());
  }
  return static_cast<int32_t>(id);
}

absl::StatusOr<std::vector<int32_t>> Finder::IdsOf(const json& value, const std::string& where) const {
  std::vector<int32_t> ids;
  if (value.is_null()) return ids;
  if (!value.is_array()) {
    TF_ASSIGN_OR_RETURN(const int32_t id, IdOf(value, where));
    ids.push_back(id);
    return ids;
  }
  for (const json& member : value) {
    TF_ASSIGN_OR_RETURN(const int32_t id, IdOf(member, where));
    ids.push_back(id);
  }
  return ids;
}

void Finder::AddEnd(int32_t id) {
  if (eos_ < 0) eos_ = id;
  if (std::find(ends_.begin(), ends_.end(), id) == ends_.end()) ends_.push_back(id);
}

absl::Status Finder::ReadConfigs() {
  struct Source {
    const char *name, *bos, *eos;
  };
  constexpr Source kSources[] = {{"tokenizer_config.json", "bos_token", "eos_token"},
                                 {"special_tokens_map.json", "bos_token", "eos_token"},
                                 {"generation_config.json", "bos_token_id", "eos_token_id"},
                                 {"config.json", "bos_token_id", "eos_token_id"}};
  const std::filesystem::path folder = std::filesystem::path(file_).parent_path();
  for (const Source& source : kSources) {
    const std::string path = (folder / source.name).string();
    TF_ASSIGN_OR_RETURN(const std::optional<json> config, ReadConfig(path));
    if (!config) continue;
    // A model's config often states its family's default ids rather than those of its tokenizer.
    const bool trusted = std::string_view(source.bos) == "bos_token";
    if (const auto bos = config->find(source.bos); bos != config->end() && bos_ < 0) {
      TF_ASSIGN_OR_RETURN(const auto ids, IdsOf(*bos, fmt::format("{}: {}", path, source.bos)));
      if (!ids.empty()) bos_ = ids[0];
    }
    if (const auto eos = config->find(source.eos); eos != config->end()) {
      const auto ids = IdsOf(*eos, fmt::format("{}: {}", path, source.eos));
      const bool needed = trusted || eos_ < 0;
      if (needed && !ids.ok()) return ids.status();
      if (!ids.ok()) continue;
      for (const int32_t id : *ids) {
        if (needed || IsSpecial(id)) AddEnd(id);
      }
    }
  }
  return absl::OkStatus();
}

void Finder::ReadHints(const SpecialHints& hints) {
  if (bos_ < 0) bos_ = hints.bos;
  if (eos_ < 0 && hints.eos >= 0) AddEnd(hints.eos);
}

void Finder::ReadPostProcessor(const json& root) {
  const json::json_pointer single("/post_processor/single");
  if (!root.contains(single) || !root[single].is_array()) return;
  bool after_text = false;
  for (const json& item : root[single]) {
    if (!item.is_object()) continue;
    after_text = after_text || item.contains("Sequence");
    const json::json_pointer name("/SpecialToken/id");
    if (!item.contains(name) || !item[name].is_string()) continue;
    const int32_t id = pieces_.Find(item[name].get_ref<const std::string&>());
    if (id < 0) continue;
    if (!after_text && bos_ < 0) bos_ = id;
    if (after_text && eos_ < 0) AddEnd(id);
  }
}

void Finder::ReadSpellings() {
  const auto find = [&](std::initializer_list<const char*> spellings) {
    for (const char* spelling : spellings) {
      const int32_t id = pieces_.Find(spelling);
      if (id >= 0 && IsSpecial(id)) return id;
    }
    return -1;
  };
  if (bos_ < 0) bos_ = find({"<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>"});
  if (eos_ < 0) {
    const int32_t eos = find({"</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>"});
    if (eos >= 0) AddEnd(eos);
  }
  for (const int32_t id : special_) {
    if (IsEndSpelling(pieces_.Get(id))) AddEnd(id);
  }
}

absl::StatusOr<SpecialIds> Finder::Finish() {
  if (bos_ < 0 && eos_ < 0) {
    return InvalidArgument(
        "{}: nothing says which token begins or ends a text; name bos_token or eos_token in a tokenizer_config.json "
        "beside it",
        file_);
  }
  return SpecialIds{bos_ >= 0 ? bos_ : eos_, ends_};
}

}  // namespace

absl::Status PieceTable::Add(const std::string& piece, int32_t id, const std::string& where) {
  const auto [by_piece, new_piece] = by_piece_.try_emplace(piece, id);
  if (by_piece->second != id) {
    return InvalidArgument("{} is {}, but {} is token {} already", where, id, Quote(piece), by_piece->second);
  }
  const auto [by_id, new_id] = by_id_.try_emplace(id, piece);
  if (by_id->second != piece) {
    return InvalidArgument("{} is {}, which is the id of {} already", where, id, Quote(by_id->second));
  }
  return absl::OkStatus();
}

int32_t PieceTable::Find(const std::string& piece) const {
  const auto found = by_piece_.find(piece);
  return found == by_piece_.end() ? -1 : found->second;
}

absl::StatusOr<SpecialIds> FindSpecialIds(const json& root, const std::string& file, const PieceTable& pieces,
                                          const std::vector<int32_t>& special, const SpecialHints& hints) {
  Finder finder(file, pieces, special);
  TF_RETURN_IF_ERROR(finder.ReadConfigs());
  finder.ReadHints(hints);
  finder.ReadPostProcessor(root);
  finder.ReadSpellings();
  return finder.Finish();
}

}  // namespace toolformer
