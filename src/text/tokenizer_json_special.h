// Where a folder with a tokenizer.json says which tokens begin and end a text.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_SPECIAL_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_SPECIAL_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

// The pieces of a file as it spells them, by id and by spelling.
class PieceTable {
 public:
  // The same piece with the same id may come again. kInvalidArgument, beginning with `where`, where piece or id is
  // taken.
  absl::Status Add(const std::string& piece, int32_t id, const std::string& where);
  size_t count() const { return by_id_.size(); }
  // One more than the highest id.
  int32_t size() const { return by_id_.empty() ? 0 : by_id_.rbegin()->first + 1; }
  bool Has(int32_t id) const { return by_id_.contains(id); }
  const std::string& Get(int32_t id) const { return by_id_.at(id); }
  // -1 where there is none.
  int32_t Find(const std::string& piece) const;

 private:
  std::map<int32_t, std::string> by_id_;
  std::map<std::string, int32_t> by_piece_;
};

struct SpecialIds {
  int32_t start = -1;
  std::vector<int32_t> ends;
};

// What the tokenizer itself says, where no file beside it does; -1 for nothing.
struct SpecialHints {
  int32_t bos = -1, eos = -1;
};

// From tokenizer_config.json, special_tokens_map.json, generation_config.json and config.json beside `file`, as far as
// they are there; then from `hints`, the post-processor and the spelling of the special tokens of `root` itself.
// kInvalidArgument where a file names a token that is not there, or nothing says how a text begins.
absl::StatusOr<SpecialIds> FindSpecialIds(const nlohmann::json& root, const std::string& file, const PieceTable& pieces,
                                          const std::vector<int32_t>& special, const SpecialHints& hints = {});

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_SPECIAL_H_
