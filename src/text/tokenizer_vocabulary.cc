#include "src/text/tokenizer_vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "src/base/random.h"
#include "src/base/status.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Up to eight bytes as a number.
uint64_t Head(std::string_view text) {
  uint64_t head = 0;
  if (text.size() >= 8) {
    std::memcpy(&head, text.data(), 8);
    return head;
  }
  char* to = reinterpret_cast<char*>(&head);
  const char* from = text.data();
  // Copies of fixed sizes need no call.
  if ((text.size() & 4) != 0) std::memcpy(to, from, 4), to += 4, from += 4;
  if ((text.size() & 2) != 0) std::memcpy(to, from, 2), to += 2, from += 2;
  if ((text.size() & 1) != 0) *to = *from;
  return head;
}

}  // namespace

std::optional<uint8_t> ParseByteToken(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  const int high = HexDigit(piece[3]), low = HexDigit(piece[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<uint8_t>(high * 16 + low);
}

void Vocabulary::Arena::Add(std::string_view text) {
  bytes.append(text);
  begins.push_back(bytes.size());
}

std::string_view Vocabulary::Arena::Get(int32_t id) const {
  return std::string_view(bytes).substr(begins[id], begins[id + 1] - begins[id]);
}

absl::StatusOr<Vocabulary> Vocabulary::Create(const std::string& file, const std::vector<Token>& tokens) {
  if (tokens.empty()) return InvalidArgument("{}: the vocabulary has no tokens", file);
  if (tokens.size() > static_cast<size_t>(kMaxVocabularySize)) {
    return InvalidArgument("{}: the vocabulary has {} tokens; at most {} are supported", file, tokens.size(),
                           kMaxVocabularySize);
  }
  Vocabulary vocabulary;
  vocabulary.byte_tokens_.fill(-1);
  // At most half full, so that probing ends soon.
  vocabulary.slots_.resize(std::bit_ceil(tokens.size() * 2));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    const int32_t id = static_cast<int32_t>(i);
    vocabulary.keys_.Add(token.key);
    vocabulary.bytes_.Add(token.bytes);
    vocabulary.kinds_.push_back(token.kind);
    if (token.kind == TokenKind::kUnknown && vocabulary.unknown_ < 0) vocabulary.unknown_ = id;
    if (token.kind == TokenKind::kUnused) vocabulary.has_unused_ = true;
    if (token.kind == TokenKind::kByte && token.bytes.size() == 1) {
      int32_t& slot = vocabulary.byte_tokens_[static_cast<uint8_t>(token.bytes[0])];
      if (slot >= 0) return InvalidArgument("{}: tokens {} and {} are both byte {}", file, slot, i, Quote(token.key));
      slot = id;
    }
    if (!vocabulary.IsFindable(id) || token.key.empty()) continue;
    vocabulary.max_key_bytes_ = std::max(vocabulary.max_key_bytes_, token.key.size());
    const Hashed hashed = HashKey(token.key);
    Slot& slot = vocabulary.slots_[vocabulary.SlotOf(token.key, hashed)];
    if (slot.id >= 0) {
      return InvalidArgument("{}: tokens {} and {} are both spelled {}", file, slot.id, i, Quote(token.key));
    }
    slot = {hashed.head, hashed.tag, id};
  }
  return vocabulary;
}

Vocabulary::Hashed Vocabulary::HashKey(std::string_view key) {
  const uint64_t head = Head(key);
  uint64_t hash = MixBits(head ^ key.size() * 0x9e3779b97f4a7c15ull);
  for (size_t i = 8; i < key.size(); i += 8) hash = MixBits(hash ^ Head(key.substr(i)));
  const uint64_t length = std::min<size_t>(key.size(), 255);
  return {hash, head, static_cast<uint32_t>((hash >> 32 & ~uint64_t{255}) | length)};
}

size_t Vocabulary::SlotOf(std::string_view key, const Hashed& hashed) const {
  const size_t mask = slots_.size() - 1;
  const auto is_other = [&](const Slot& slot) {
    return slot.tag != hashed.tag || slot.head != hashed.head || (key.size() > 8 && Key(slot.id) != key);
  };
  size_t i = hashed.hash & mask;
  while (slots_[i].id >= 0 && is_other(slots_[i])) i = (i + 1) & mask;
  return i;
}

int32_t Vocabulary::Find(std::string_view key) const {
  if (key.empty() || key.size() > max_key_bytes_) return -1;
  return slots_[SlotOf(key, HashKey(key))].id;
}

std::string_view Vocabulary::Bytes(int32_t id) const { return bytes_.Get(id); }
std::string_view Vocabulary::Key(int32_t id) const { return keys_.Get(id); }

}  // namespace toolformer
