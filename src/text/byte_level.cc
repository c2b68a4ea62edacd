#include "src/text/byte_level.h"

#include <array>

#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr uint32_t kAlphabetEnd = 256 + 68;

struct Alphabet {
  std::array<uint32_t, 256> character_of_byte{};
  std::array<int16_t, kAlphabetEnd> byte_of_character{};
};

// Printable Latin-1 characters spell themselves; the other 68 bytes take U+0100 onward in their order.
constexpr Alphabet MakeAlphabet() {
  Alphabet alphabet;
  for (int16_t& byte : alphabet.byte_of_character) byte = -1;
  uint32_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    const uint32_t character = printable ? byte : next++;
    alphabet.character_of_byte[byte] = character;
    alphabet.byte_of_character[character] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();

}  // namespace

std::optional<std::string> DecodeByteLevel(std::string_view piece) {
  std::string bytes;
  bytes.reserve(piece.size());
  while (!piece.empty()) {
    const CodePoint point = NextCodePoint(piece);
    if (!point.valid || point.value >= kAlphabetEnd) return std::nullopt;
    const int16_t byte = kAlphabet.byte_of_character[point.value];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    piece.remove_prefix(point.length);
  }
  return bytes;
}

std::string EncodeByteLevel(std::string_view bytes) {
  std::string piece;
  piece.reserve(bytes.size() * 2);
  for (const char c : bytes) AppendUtf8(kAlphabet.character_of_byte[static_cast<uint8_t>(c)], &piece);
  return piece;
}

}  // namespace toolformer
