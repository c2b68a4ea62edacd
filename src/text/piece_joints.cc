#include "src/text/piece_joints.h"

#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr uint32_t kCodePoints = 0x110000, kNoUnit = kCodePoints;
// 128 kB. A vocabulary of 262,144 pieces has 34,000 pairs.
constexpr size_t kHashBits = 20;

}  // namespace

PieceJoints::PieceJoints(Unit unit)
    : unit_(unit), pairs_((size_t{1} << kHashBits) / 64), alone_((unit == Unit::kByte ? 256 : kCodePoints) / 64 + 1) {}

PieceJoints::Found PieceJoints::UnitAt(std::string_view text, size_t begin) const {
  const uint8_t byte = static_cast<uint8_t>(text[begin]);
  if (byte < 0x80 || unit_ == Unit::kByte) return {byte, 1};
  const CodePoint point = NextCodePoint(text.substr(begin));
  return {point.valid ? point.value : kNoUnit, point.length};
}

size_t PieceJoints::HashOf(uint32_t left, uint32_t right) {
  return (uint64_t{left} << 32 | right) * 0x9e3779b97f4a7c15ull >> (64 - kHashBits);
}

void PieceJoints::Add(std::string_view piece) {
  uint32_t left = kNoUnit;
  for (size_t begin = 0; begin < piece.size();) {
    const auto [right, length] = UnitAt(piece, begin);
    if (length == piece.size() && right != kNoUnit) alone_[right / 64] |= uint64_t{1} << right % 64;
    if (begin > 0) {
      const size_t hash = HashOf(left, right);
      pairs_[hash / 64] |= uint64_t{1} << hash % 64;
    }
    left = right;
    begin += length;
  }
}

size_t PieceJoints::FirstPart(std::string_view text) const {
  auto [left, end] = UnitAt(text, 0);
  while (end < text.size()) {
    const auto [right, length] = UnitAt(text, end);
    const size_t hash = HashOf(left, right);
    const bool joined = (pairs_[hash / 64] >> hash % 64 & 1) != 0;
    if (!joined && IsPiece(left) && IsPiece(right)) return end;
    left = right;
    end += length;
  }
  return text.size();
}

}  // namespace toolformer
