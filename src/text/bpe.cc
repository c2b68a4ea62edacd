#include "src/text/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "src/base/random.h"
#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr uint32_t kNone = ~uint32_t{0};
// Comes after all others.
constexpr MergeTable::Rule kNoRule = {~uint32_t{0}, -1};
// Positions are 32 bits; a longer word is encoded in parts.
constexpr size_t kMaxWordBytes = size_t{1} << 30;

// Maps floats to integers so that a higher score is a smaller number.
uint32_t PriorityOfScore(float score) {
  if (score == 0) score = 0;  // -0 equals 0
  const uint32_t bits = std::bit_cast<uint32_t>(score);
  const uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

}  // namespace

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
  scratch->unused_parts.clear();
  Split(word, scratch);
  if (scratch->symbols.size() <= scratch->few) {
    MergeFew(word, scratch);
  } else {
    MergeMany(word, scratch);
  }
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
      id = length == 1 ? byte_pieces_[static_cast<uint8_t>(character[0])] : vocabulary_.Find(character);
    }
    // With merge rules, what nothing can stand for is as if it were not there: its neighbours may merge.
    const bool vanishes =
        id < 0 && priorities_.empty() && vocabulary_.unknown() < 0 && (bytes || !options_.byte_fallback);
    if (!vanishes) symbols.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(length), id});
    begin += length;
  }
}

int32_t Bpe::FindAffixed(std::string_view word, std::string_view character) const {
  std::string piece;
  if (character.data() != word.data()) piece += options_.continuing_prefix;
  piece += character;
  if (character.data() + character.size() == word.data() + word.size()) piece += options_.end_suffix;
  return vocabulary_.Find(piece);
}

MergeTable::Rule Bpe::FindMerge(std::string_view word, const Symbol& left, const Symbol& right,
                                Scratch* scratch) const {
  const std::string_view both = word.substr(left.begin, left.length + right.length);
  MergeTable::Rule rule = kNoRule;
  if (!priorities_.empty()) {
    if (const int32_t id = vocabulary_.Find(both); id >= 0) rule = {priorities_[id], id};
  } else if (left.id >= 0 && right.id >= 0) {
    if (const MergeTable::Rule* found = merges_.Find(left.id, right.id)) rule = *found;
  }
  if (rule.merged >= 0 && vocabulary_.has_unused() && vocabulary_.kind(rule.merged) == TokenKind::kUnused) {
    scratch->unused_parts[both] = left.length;
  }
  return rule;
}

// Searches all merges for the first each time.
void Bpe::MergeFew(std::string_view word, Scratch* scratch) const {
  std::vector<Symbol>& symbols = scratch->symbols;
  std::vector<MergeTable::Rule>& merges = scratch->merges;  // of each symbol and the one after it
  merges.clear();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    merges.push_back(FindMerge(word, symbols[i], symbols[i + 1], scratch));
  }
  while (!merges.empty()) {
    size_t best = 0;
    for (size_t i = 1; i < merges.size(); ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].merged < 0) return;
    symbols[best].length += symbols[best + 1].length;
    symbols[best].id = merges[best].merged;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    merges.erase(merges.begin() + static_cast<ptrdiff_t>(best));
    if (best > 0) merges[best - 1] = FindMerge(word, symbols[best - 1], symbols[best], scratch);
    if (best < merges.size()) merges[best] = FindMerge(word, symbols[best], symbols[best + 1], scratch);
  }
}

// Keeps the merges in a heap. A symbol that has become part of the one before it has no length.
void Bpe::MergeMany(std::string_view word, Scratch* scratch) const {
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.rule.rank != b.rule.rank ? a.rule.rank > b.rule.rank : a.position > b.position;
  };
  std::vector<Symbol>& symbols = scratch->symbols;
  std::vector<Link>& links = scratch->links;
  std::vector<Candidate>& heap = scratch->heap;
  heap.clear();
  links.clear();
  const uint32_t count = static_cast<uint32_t>(symbols.size());
  for (uint32_t i = 0; i < count; ++i) links.push_back({i - 1, i + 1 < count ? i + 1 : kNone});
  const auto add = [&](uint32_t left) {
    const uint32_t right = links[left].next;
    if (right == kNone) return false;
    const MergeTable::Rule rule = FindMerge(word, symbols[left], symbols[right], scratch);
    if (rule.merged < 0) return false;
    heap.push_back({left, symbols[left].length + symbols[right].length, rule});
    return true;
  };
  const auto push = [&](uint32_t left) {
    if (add(left)) std::push_heap(heap.begin(), heap.end(), later);
  };
  for (uint32_t i = 0; i < count; ++i) add(i);
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.position];
    Link& link = links[best.position];
    if (left.length == 0 || link.next == kNone) continue;
    Symbol& right = symbols[link.next];
    // Symbols only grow, so an equal length means that both are what they were.
    if (left.length + right.length != best.length) continue;
    left.length = best.length;
    left.id = best.rule.merged;
    right.length = 0;
    link.next = links[link.next].next;
    if (link.next != kNone) links[link.next].previous = best.position;
    if (link.previous != kNone) push(link.previous);
    push(best.position);
  }
}

void Bpe::Emit(std::string_view word, const Scratch& scratch, std::vector<int32_t>* ids) const {
  for (const Symbol& symbol : scratch.symbols) {
    if (symbol.length == 0) continue;
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
