#include "src/text/unigram.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <utility>

#include "src/base/status.h"
#include "src/base/utf8.h"

namespace toolformer {
namespace {

// How much worse an unknown character is than the worst piece.
constexpr double kUnknownPenalty = 10;
// Each byte takes a node; a longer word is encoded in parts.
constexpr size_t kMaxWordBytes = size_t{1} << 24;
constexpr int32_t kUnknownId = -1;

double RoundToFloat(double value) {
  return static_cast<float>(std::clamp(value, -static_cast<double>(FLT_MAX), static_cast<double>(FLT_MAX)));
}

}  // namespace

Unigram::Unigram(Vocabulary vocabulary, const UnigramOptions& options, PieceTrie trie)
    : vocabulary_(std::move(vocabulary)), options_(options), trie_(std::move(trie)) {}

absl::StatusOr<Unigram> Unigram::Create(const std::string& where, Vocabulary vocabulary,
                                        const std::vector<double>& scores, const UnigramOptions& options) {
  const bool as_float = options.dialect == UnigramOptions::Dialect::kSentencePiece;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double lowest = as_float ? double{FLT_MAX} : kInfinity, highest = as_float ? double{FLT_MIN} : -kInfinity;
  std::vector<PieceTrie::Entry> reachable;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const TokenKind kind = vocabulary.kind(id);
    if (kind == TokenKind::kNormal || (as_float && kind == TokenKind::kUserDefined)) {
      reachable.emplace_back(vocabulary.Key(id), id);
    }
  }
  for (const auto& [piece, id] : reachable) {
    if (piece.size() > PieceTrie::kMaxPieceBytes) {
      return InvalidArgument("{}: token {} has {} bytes; at most {} are supported", where, id, piece.size(),
                             PieceTrie::kMaxPieceBytes);
    }
  }
  const size_t scored = std::min(scores.size(), static_cast<size_t>(vocabulary.size()));
  for (size_t i = 0; i < scored; ++i) {
    const int32_t id = static_cast<int32_t>(i);
    const double score = scores[i];
    if (!std::isfinite(score)) return InvalidArgument("{}: the score of token {} is not a finite number", where, id);
    // SentencePiece looks at normal pieces only.
    if (as_float && vocabulary.kind(id) != TokenKind::kNormal) continue;
    lowest = std::min(lowest, score);
    highest = std::max(highest, score);
  }
  PieceTrie trie(std::move(reachable));
  Unigram unigram(std::move(vocabulary), options, std::move(trie));
  unigram.scores_ = scores;
  unigram.scores_.resize(unigram.vocabulary_.size());
  unigram.unknown_score_ =
      as_float ? static_cast<float>(lowest) - static_cast<float>(kUnknownPenalty) : lowest - kUnknownPenalty;
  for (int32_t id = 0; id < unigram.vocabulary_.size(); ++id) {
    if (unigram.vocabulary_.kind(id) != TokenKind::kUserDefined) continue;
    const float best = static_cast<float>(unigram.vocabulary_.Key(id).size()) * static_cast<float>(highest);
    unigram.scores_[id] = static_cast<double>(best) - 0.1;
  }
  return unigram;
}

void Unigram::Encode(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const {
  while (word.size() > kMaxWordBytes) {
    const std::string_view part = Utf8Prefix(word, kMaxWordBytes);
    EncodePart(part, scratch, ids);
    word.remove_prefix(part.size());
  }
  EncodePart(word, scratch, ids);
}

void Unigram::FindPaths(std::string_view word, std::vector<Scratch::Node>* nodes) const {
  const bool as_float = options_.dialect == UnigramOptions::Dialect::kSentencePiece;
  nodes->assign(word.size() + 1, {0, kUnknownId, 0});
  for (size_t begin = 0; begin < word.size();) {
    const double until_here = (*nodes)[begin].score;
    const auto offer = [&](int32_t id, size_t length, double score) {
      Scratch::Node& end = (*nodes)[begin + length];
      const double sum = score + until_here;
      const double candidate = as_float ? RoundToFloat(sum) : sum;
      if (end.length > 0 && !(candidate > end.score)) return;
      end = {candidate, id, static_cast<uint32_t>(length)};
    };
    const size_t character = NextCodePoint(word.substr(begin)).length;
    bool has_character = false;
    trie_.ForEachPrefix(word.substr(begin), [&](int32_t id, size_t length) {
      offer(id, length, scores_[id]);
      has_character = has_character || length == character;
    });
    if (!has_character) offer(kUnknownId, character, unknown_score_);
    begin += character;
  }
}

void Unigram::AddUnknown(std::string_view text, std::vector<int32_t>* reversed) const {
  const auto has_token = [&](char c) { return vocabulary_.byte_token(static_cast<uint8_t>(c)) >= 0; };
  if (options_.byte_fallback && std::all_of(text.begin(), text.end(), has_token)) {
    for (size_t i = text.size(); i-- > 0;) reversed->push_back(vocabulary_.byte_token(static_cast<uint8_t>(text[i])));
  } else if (vocabulary_.unknown() >= 0) {
    reversed->push_back(vocabulary_.unknown());
  }
}

void Unigram::EncodePart(std::string_view word, Scratch* scratch, std::vector<int32_t>* ids) const {
  FindPaths(word, &scratch->nodes);
  scratch->reversed.clear();
  size_t unknown_end = 0;  // of the run of unknown characters that is being read; 0: none
  for (size_t end = word.size(); end > 0;) {
    const Scratch::Node& node = scratch->nodes[end];
    const size_t begin = end - node.length;
    if (node.id == kUnknownId) {
      if (unknown_end == 0) unknown_end = end;
    } else {
      if (unknown_end > 0) AddUnknown(word.substr(end, unknown_end - end), &scratch->reversed);
      unknown_end = 0;
      scratch->reversed.push_back(node.id);
    }
    end = begin;
  }
  if (unknown_end > 0) AddUnknown(word.substr(0, unknown_end), &scratch->reversed);
  ids->insert(ids->end(), scratch->reversed.rbegin(), scratch->reversed.rend());
}

}  // namespace toolformer
