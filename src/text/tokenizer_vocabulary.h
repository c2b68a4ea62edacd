// The pieces of a vocabulary, checked once and then immutable.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_VOCABULARY_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_VOCABULARY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

enum class TokenKind : uint8_t {
  kNormal,
  kUnknown,      // stands for what the vocabulary cannot spell
  kControl,      // never produced from text, adds no bytes to it
  kUserDefined,  // matched whole in text before anything else
  kUnused,       // merged through, but split again in the result
  kByte,         // one byte, for characters without a piece
};

struct Token {
  std::string key;    // what the token spells in normalised text
  std::string bytes;  // what it adds to a decoded text
  TokenKind kind = TokenKind::kNormal;
};

// No file needs more; it bounds what an id in a file can make us allocate.
inline constexpr int64_t kMaxVocabularySize = int64_t{1} << 24;

class Vocabulary {
 public:
  // `file` begins the error messages. kInvalidArgument: no tokens, too many, or two tokens that text can reach with the
  // same key.
  static absl::StatusOr<Vocabulary> Create(const std::string& file, const std::vector<Token>& tokens);

  int32_t size() const { return static_cast<int32_t>(kinds_.size()); }

  // The token that spells `key` among those that merging may produce (kNormal, kUnused), else -1.
  int32_t Find(std::string_view key) const;
  // Whether Find can answer `id`.
  bool IsFindable(int32_t id) const { return kinds_[id] == TokenKind::kNormal || kinds_[id] == TokenKind::kUnused; }

  std::string_view Bytes(int32_t id) const;
  std::string_view Key(int32_t id) const;
  TokenKind kind(int32_t id) const { return kinds_[id]; }
  bool has_unused() const { return has_unused_; }
  size_t max_key_bytes() const { return max_key_bytes_; }

  // The kByte token of `byte`, or -1.
  int32_t byte_token(uint8_t byte) const { return byte_tokens_[byte]; }
  // The kUnknown token, or -1.
  int32_t unknown() const { return unknown_; }

 private:
  // All strings one after the other: hundreds of thousands of small ones would cost more than they hold.
  struct Arena {
    std::string bytes;
    std::vector<uint64_t> begins{0};
    void Add(std::string_view text);
    std::string_view Get(int32_t id) const;
  };

  Arena keys_, bytes_;
  std::vector<TokenKind> kinds_;
  // Open addressing over Key(id). What stands in the slot decides for keys of up to eight bytes.
  struct Slot {
    uint64_t head = 0;  // the first eight bytes, zeros behind a shorter key
    uint32_t tag = 0;   // length, if under 255, and part of the hash
    int32_t id = -1;    // -1 is free
  };
  struct Hashed {
    size_t hash;
    uint64_t head;
    uint32_t tag;
  };
  static Hashed HashKey(std::string_view key);
  // The slot of `key`, or the free one where it would be.
  size_t SlotOf(std::string_view key, const Hashed& hashed) const;

  std::vector<Slot> slots_;
  std::array<int32_t, 256> byte_tokens_;
  int32_t unknown_ = -1;
  size_t max_key_bytes_ = 0;
  bool has_unused_ = false;
};

// The byte of a piece spelled exactly <0xHH>, H an upper- or lower-case hexadecimal digit.
std::optional<uint8_t> ParseByteToken(std::string_view piece);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_VOCABULARY_H_
