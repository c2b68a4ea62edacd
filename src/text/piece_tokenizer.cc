#include "src/text/piece_tokenizer.h"

#include <span>

#include "src/text/word_cache.h"

namespace toolformer {

struct PieceTokenizer::Scratch {
  Regex::Scratch regex;
  Bpe::Scratch bpe;
  Unigram::Scratch unigram;
  WordList words;
  std::vector<int32_t> ids;
};

std::vector<int32_t> PieceTokenizer::Encode(std::string_view text) const {
  return EncodeAt(text, TextPosition::kStart);
}

std::vector<int32_t> PieceTokenizer::EncodeContinuation(std::string_view text) const {
  return EncodeAt(text, TextPosition::kContinuation);
}

namespace {

// Calls token(id) and section(text, position) for the parts of `text`, in order.
template <typename OnToken, typename OnSection>
void ForEachSection(const TokenMatcher& matcher, std::string_view text, TextPosition position, OnToken token,
                    OnSection section) {
  size_t done = 0;
  while (!matcher.empty()) {
    const auto match = matcher.FindNext(text, done);
    if (!match) break;
    if (match->begin > done) section(text.substr(done, match->begin - done), position);
    token(match->id);
    done = match->end;
    position = TextPosition::kAfterToken;
  }
  if (done < text.size()) section(text.substr(done), position);
}

}  // namespace

std::vector<int32_t> PieceTokenizer::EncodeAt(std::string_view text, TextPosition position) const {
  Scratch scratch;
  ForEachSection(
      parts_.raw_tokens, text, position, [&](int32_t id) { scratch.ids.push_back(id); },
      [&](std::string_view section, TextPosition at) { EncodeSection(section, at, &scratch); });
  return std::move(scratch.ids);
}

void PieceTokenizer::EncodeSection(std::string_view section, TextPosition position, Scratch* scratch) const {
  std::string normalized;
  if (!parts_.normalizer.empty()) {
    normalized = Normalize(parts_.normalizer, section, position, &scratch->regex);
    section = normalized;
  }
  ForEachSection(
      parts_.normalized_tokens, section, position, [&](int32_t id) { scratch->ids.push_back(id); },
      [&](std::string_view part, TextPosition at) { EncodeWords(part, at, scratch); });
}

void PieceTokenizer::EncodePart(const Bpe& bpe, std::string_view part, WordCache* cache, Scratch* scratch) const {
  if (part.size() > WordCache::kMaxBytes) return bpe.Encode(part, &scratch->bpe, &scratch->ids);
  const WordCache::Key key = WordCache::MakeKey(cache_owner_, part);
  if (cache->Find(key, &scratch->ids)) return;
  const size_t before = scratch->ids.size();
  bpe.Encode(part, &scratch->bpe, &scratch->ids);
  cache->Add(key, std::span(scratch->ids).subspan(before));
}

void PieceTokenizer::EncodeWords(std::string_view section, TextPosition position, Scratch* scratch) const {
  WordList& list = scratch->words;
  list.text = section;
  PreTokenize(parts_.pre_tokenizer, position, &scratch->regex, &list);
  std::vector<int32_t>* ids = &scratch->ids;
  if (const auto* bpe = std::get_if<Bpe>(&encoder_)) {
    WordCache& cache = WordCache::OfThread();
    for (const WordList::Word& word : list.words) {
      std::string_view rest = list.Get(word);
      // Parts that are short enough are looked up where the whole is not.
      const PieceJoints* joints = rest.size() > WordCache::kMaxBytes ? bpe->joints() : nullptr;
      while (!rest.empty()) {
        const std::string_view part = rest.substr(0, joints == nullptr ? rest.size() : joints->FirstPart(rest));
        EncodePart(*bpe, part, &cache, scratch);
        rest.remove_prefix(part.size());
      }
    }
  } else if (const auto* unigram = std::get_if<Unigram>(&encoder_)) {
    for (const WordList::Word& word : list.words) unigram->Encode(list.Get(word), &scratch->unigram, ids);
  } else if (const auto* word_piece = std::get_if<WordPiece>(&encoder_)) {
    for (const WordList::Word& word : list.words) word_piece->Encode(list.Get(word), ids);
  }
}

const Vocabulary& PieceTokenizer::vocabulary() const {
  return std::visit([](const auto& encoder) -> const Vocabulary& { return encoder.vocabulary(); }, encoder_);
}

std::string_view PieceTokenizer::TokenBytes(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  return vocabulary().Bytes(id);
}

bool IsEndSpelling(std::string_view piece) {
  for (const std::string_view spelling : {"<|im_end|>", "<|endoftext|>", "<end_of_turn>", "<|eot_id|>"}) {
    if (piece == spelling) return true;
  }
  return false;
}

}  // namespace toolformer
