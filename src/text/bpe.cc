#include "src/text/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "src/base/random.h"
#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr uint64_t kFree = ~uint64_t{0};
constexpr uint32_t kNone = ~uint32_t{0};
// Positions are 32 bits; a longer word is encoded in parts.
constexpr size_t kMaxWordBytes = size_t{1} << 30;

uint64_t Pair(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// Maps floats to integers so that a higher score is a smaller number.
uint32_t PriorityOfScore(float score) {
  if (score == 0) score = 0;  // -0 equals 0
  const uint32_t bits = std::bit_cast<uint32_t>(score);
  const uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

}  // namespace

MergeTable::MergeTable(size_t expected) : rules_(std::bit_ceil(expected * 2 + 2), Rule{kFree, 0, 0}) {}

size_t MergeTable::SlotOf(uint64_t pair) const {
  const size_t mask = rules_.size() - 1;
  size_t slot = MixBits(pair) & mask;
  while (rules_[slot].pair != kFree && rules_[slot].pair != pair) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::Add(int32_t left, int32_t right, uint32_t rank, int32_t merged) {
  const uint64_t pair = Pair(left, right);
  rules_[SlotOf(pair)] = {pair, rank, merged};
}

const MergeTable::Rule* MergeTable::Find(int32_t left, int32_t right) const {
  const Rule& rule = rules_[SlotOf(Pair(left, right))];
  return rule.pair == kFree ? nullptr : &rule;
}

Bpe::Bpe(Vocabulary vocabulary, MergeTable merges, const BpeOptions& options)
    : vocabulary_(std::move(vocabulary)), merges_(std::move(merges)), options_(options) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_pieces_[byte] = vocabulary_.Find(std::string_view(&c, 1));
  }
  FindJoints();
}

Bpe::Bpe(Vocabulary vocabulary, const std::vector<float>& scores, const BpeOptions& options)
    : Bpe(std::move(vocabulary), MergeTable(0), options) {
  priorities_.reserve(scores.size());
  for (const float score : scores) priorities_.push_back(PriorityOfScore(score));
}

void Bpe::FindJoints() {
  // A whole word that is a piece, or the place in a word, counts; and an unused piece is taken apart as it was put
  // together anywhere in its word.
  if (options_.ignore_merges || has_affixes() || vocabulary_.has_unused()) return;
  const bool bytes = options_.alphabet == BpeOptions::Alphabet::kBytes;
  joints_.emplace(bytes ? PieceJoints::Unit::kByte : PieceJoints::Unit::kCodePoint);
  for (int32_t id = 0; id < vocabulary_.size(); ++id) {
    if (vocabulary_.IsFindable(id)) joints_->Add(vocabulary_.Key(id));
  }
}

void Bpe::Encode(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const {
  while (word.size() > kMaxWordBytes) {
    std::string_view chunk = Utf8Prefix(word, kMaxWordBytes);
    EncodeChunk(chunk, scratch, ids);
    word.remove_prefix(chunk.size());
  }
  if (!word.empty()) EncodeChunk(word, scratch, ids);
}

void Bpe::EncodeChunk(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const {
  if (options_.ignore_merges) {
    if (const int32_t id = vocabulary_.Find(word); id >= 0) {
      ids->push_back(id);
      return;
    }
  }
  scratch->first_id = ids->size();
  Split(word, scratch);
  MergeAll(word, scratch);
  Emit(word, *scratch, ids);
}

void Bpe::Split(std::string_view word, Scratch* scratch) const {
  std::vector<Symbol>& symbols = scratch->symbols;
  symbols.clear();
  const bool bytes = options_.alphabet == BpeOptions::Alphabet::kBytes;
  const bool affixes = has_affixes();
  for (size_t begin = 0; begin < word.size();) {
    const size_t length = bytes ? 1 : NextCodePoint(word.substr(begin)).length;
    const std::string_view character = word.substr(begin, length);
    int32_t id = -1;
    if (affixes) {
      id = FindAffixed(word, character);
    } else {
      id = bytes ? byte_pieces_[static_cast<uint8_t>(character[0])] : vocabulary_.Find(character);
    }
    // With merge rules, what nothing can stand for is as if it were not there: its neighbours may merge.
    const bool vanishes =
        id < 0 && priorities_.empty() && vocabulary_.unknown() < 0 && (bytes || !options_.byte_fallback);
    if (!vanishes) {
      const uint32_t index = static_cast<uint32_t>(symbols.size());
      symbols.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(length), id, index - 1, index + 1});
    }
    begin += length;
  }
  if (!symbols.empty()) {
    symbols.front().previous = kNone;
    symbols.back().next = kNone;
  }
}

int32_t Bpe::FindAffixed(std::string_view word, std::string_view character) const {
  std::string piece;
  if (character.data() != word.data()) piece += options_.continuing_prefix;
  piece += character;
  if (character.data() + character.size() == word.data() + word.size()) piece += options_.end_suffix;
  return vocabulary_.Find(piece);
}

std::optional<Bpe::Merge> Bpe::FindMerge(std::string_view word, const Symbol& left, const Symbol& right) const {
  if (priorities_.empty()) {
    if (left.id < 0 || right.id < 0) return std::nullopt;
    const MergeTable::Rule* rule = merges_.Find(left.id, right.id);
    if (rule == nullptr) return std::nullopt;
    return Merge{rule->rank, rule->merged};
  }
  const int32_t id = vocabulary_.Find(word.substr(left.begin, left.length + right.length));
  if (id < 0) return std::nullopt;
  return Merge{priorities_[id], id};
}

void Bpe::Push(std::string_view word, uint32_t left, Scratch* scratch) const {
  const Symbol& a = scratch->symbols[left];
  if (a.next == kNone) return;
  const Symbol& b = scratch->symbols[a.next];
  const std::optional<Merge> merge = FindMerge(word, a, b);
  if (!merge) return;
  scratch->heap.push_back({merge->priority, left, a.length + b.length, merge->id});
  if (vocabulary_.has_unused() && vocabulary_.kind(merge->id) == TokenKind::kUnused) {
    scratch->unused_parts[word.substr(a.begin, a.length + b.length)] = a.length;
  }
}

void Bpe::MergeAll(std::string_view word, Scratch* scratch) const {
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.position > b.position;
  };
  std::vector<Symbol>& symbols = scratch->symbols;
  std::vector<Candidate>& heap = scratch->heap;
  heap.clear();
  scratch->unused_parts.clear();
  for (uint32_t i = 0; i < symbols.size(); ++i) Push(word, i, scratch);
  std::make_heap(heap.begin(), heap.end(), later);
  const auto push = [&](uint32_t left) {
    const size_t before = heap.size();
    Push(word, left, scratch);
    if (heap.size() > before) std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.position];
    if (left.length == 0 || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    // Symbols only grow, so an equal length means that both are what they were.
    if (left.length + right.length != best.length) continue;
    left.length = best.length;
    left.id = best.id;
    left.next = right.next;
    right.length = 0;
    if (left.next != kNone) symbols[left.next].previous = best.position;
    if (left.previous != kNone) push(left.previous);
    push(best.position);
  }
}

void Bpe::Emit(std::string_view word, const Scratch& scratch, std::vector<int32_t>* ids) const {
  if (scratch.symbols.empty()) return;
  for (uint32_t i = 0; i != kNone; i = scratch.symbols[i].next) {
    const Symbol& symbol = scratch.symbols[i];
    const std::string_view piece = word.substr(symbol.begin, symbol.length);
    if (symbol.id < 0) {
      EmitMissing(piece, scratch, ids);
    } else if (vocabulary_.has_unused() && vocabulary_.kind(symbol.id) == TokenKind::kUnused) {
      EmitUnused(piece, scratch, ids);
    } else {
      ids->push_back(symbol.id);
    }
  }
}

void Bpe::EmitMissing(std::string_view bytes, const Scratch& scratch, std::vector<int32_t>* ids) const {
  const auto has_token = [&](char c) { return vocabulary_.byte_token(static_cast<uint8_t>(c)) >= 0; };
  if (options_.byte_fallback && std::all_of(bytes.begin(), bytes.end(), has_token)) {
    for (const char c : bytes) ids->push_back(vocabulary_.byte_token(static_cast<uint8_t>(c)));
    return;
  }
  const int32_t unknown = vocabulary_.unknown();
  if (unknown < 0) return;
  if (options_.fuse_unknown && ids->size() > scratch.first_id && ids->back() == unknown) return;
  ids->push_back(unknown);
}

void Bpe::EmitUnused(std::string_view piece, const Scratch& scratch, std::vector<int32_t>* ids) const {
  std::vector<std::string_view> stack{piece};
  while (!stack.empty()) {
    const std::string_view top = stack.back();
    stack.pop_back();
    const int32_t id = vocabulary_.Find(top);
    const bool unused = id >= 0 && vocabulary_.kind(id) == TokenKind::kUnused;
    const auto parts = unused ? scratch.unused_parts.find(top) : scratch.unused_parts.end();
    if (id < 0) {
      EmitMissing(top, scratch, ids);
    } else if (parts == scratch.unused_parts.end()) {
      ids->push_back(id);
    } else {
      stack.push_back(top.substr(parts->second));
      stack.push_back(top.substr(0, parts->second));
    }
  }
}

}  // namespace toolformer
