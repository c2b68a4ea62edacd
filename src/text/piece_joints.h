// Where a text can be cut before it is merged, whatever the text: between neighbours that no piece holds side by side
// no merge can ever join anything.
#ifndef TOOLFORMER_SRC_TEXT_PIECE_JOINTS_H_
#define TOOLFORMER_SRC_TEXT_PIECE_JOINTS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace toolformer {

class PieceJoints {
 public:
  // What `pieces` are made of.
  enum class Unit { kByte, kCodePoint };
  explicit PieceJoints(Unit unit);

  void Add(std::string_view piece);

  // Bytes of the shortest part at the start of `text`, which must not be empty, that can be encoded by itself. The cut
  // lies between two units that are pieces themselves; so neither vanishes nor becomes part of a run of unknown ones.
  // Some places to cut may be missed: pairs are remembered by a hash.
  size_t FirstPart(std::string_view text) const;

 private:
  // A unit as a number; kNoUnit for what is not valid UTF-8.
  struct Found {
    uint32_t value;
    size_t length;
  };
  Found UnitAt(std::string_view text, size_t begin) const;
  static size_t HashOf(uint32_t left, uint32_t right);
  bool IsPiece(uint32_t unit) const { return (alone_[unit / 64] >> unit % 64 & 1) != 0; }

  const Unit unit_;
  std::vector<uint64_t> pairs_;  // a bit for each hash
  std::vector<uint64_t> alone_;  // a bit for each unit: whether it is a piece
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_PIECE_JOINTS_H_
