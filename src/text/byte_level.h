// The alphabet of byte-level vocabularies: GPT-2 spells each byte as one printable character, so that a vocabulary file
// holds text only.
#ifndef TOOLFORMER_SRC_TEXT_BYTE_LEVEL_H_
#define TOOLFORMER_SRC_TEXT_BYTE_LEVEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace toolformer {

// The bytes that a piece of a byte-level vocabulary stands for; nothing where it holds a character outside the
// alphabet.
std::optional<std::string> DecodeByteLevel(std::string_view piece);

// The piece that spells `bytes`.
std::string EncodeByteLevel(std::string_view bytes);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_BYTE_LEVEL_H_
