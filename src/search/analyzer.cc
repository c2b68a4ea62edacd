#include "src/search/analyzer.h"

#include <libstemmer.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "src/base/status.h"
#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr size_t kMaxWordBytes = 64;
// Bounds the memory of remembered words.
constexpr size_t kMaxRememberedWords = 1 << 18;

// English words that say nothing of what a text is about; the list that Lucene's analyser made common.
constexpr std::array<std::string_view, 33> kStopWords = {
    "a",   "an",    "and",  "are",   "as",    "at",   "be",   "but", "by",  "for",  "if",
    "in",  "into",  "is",   "it",    "no",    "not",  "of",   "on",  "or",  "such", "that",
    "the", "their", "then", "there", "these", "they", "this", "to",  "was", "will", "with"};

bool IsStopWord(std::string_view word) { return std::binary_search(kStopWords.begin(), kStopWords.end(), word); }

enum class Kind { kOther, kWord, kMark, kSingle };

// Scripts that are written without blanks, where a character is nearly a word.
bool StandsAlone(uint32_t c) {
  return (c >= 0x3041 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x323AF);
}

Kind KindOf(uint32_t c) {
  if (c < 0x80) {
    const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return word ? Kind::kWord : Kind::kOther;
  }
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return StandsAlone(c) ? Kind::kSingle : Kind::kWord;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
      return Kind::kMark;
    default:
      return Kind::kOther;
  }
}

bool IsApostrophe(uint32_t c) { return c == '\'' || c == 0x2019 || c == 0x02BC; }

// Letter case, accents and compatible forms folded: "Fiancee" of its accented spelling, "fi" of the ligature.
void AppendFolded(uint32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
    return;
  }
  std::array<utf8proc_int32_t, 32> parts;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD |
                                                      UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
  int last_class = 0;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(),
                              static_cast<utf8proc_ssize_t>(parts.size()), options, &last_class);
  if (count > static_cast<utf8proc_ssize_t>(parts.size())) return AppendUtf8(c, out);
  for (utf8proc_ssize_t i = 0; i < count; ++i) AppendUtf8(static_cast<uint32_t>(parts[i]), out);
}

// Calls `visit` with each word, folded, in `*word`.
template <typename Visit>
void ForEachWord(std::string_view text, std::string* word, const Visit& visit) {
  word->clear();
  const auto finish = [&] {
    while (!word->empty() && word->back() == '\'') word->pop_back();
    if (!word->empty()) visit(*word);
    word->clear();
  };
  while (!text.empty()) {
    const CodePoint c = NextCodePoint(text);
    text.remove_prefix(c.length);
    const Kind kind = c.valid ? KindOf(c.value) : Kind::kOther;
    if (kind == Kind::kSingle) {
      finish();
      AppendFolded(c.value, word);
      finish();
    } else if (kind == Kind::kWord || (kind == Kind::kMark && !word->empty())) {
      if (word->size() < kMaxWordBytes) AppendFolded(c.value, word);
    } else if (c.valid && IsApostrophe(c.value) && !word->empty() && word->back() != '\'') {
      word->push_back('\'');
    } else {
      finish();
    }
  }
  finish();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Analyzer>> Analyzer::Make(const std::string& language) {
  if (language == "none") return std::unique_ptr<Analyzer>(new Analyzer(nullptr, false));
  sb_stemmer* stemmer = language.size() <= kMaxWordBytes ? sb_stemmer_new(language.c_str(), "UTF_8") : nullptr;
  if (stemmer == nullptr) {
    std::string known = "none";
    for (const char** name = sb_stemmer_list(); *name != nullptr; ++name) known += std::string(", ") + *name;
    return InvalidArgument("unknown language '{}'; there are: {}", language, known);
  }
  return std::unique_ptr<Analyzer>(new Analyzer(stemmer, language == "english"));
}

Analyzer::~Analyzer() {
  if (stemmer_ != nullptr) sb_stemmer_delete(stemmer_);
}

const std::string& Analyzer::TermOf(const std::string& word) {
  const auto known = terms_.find(word);
  if (known != terms_.end()) return known->second;
  if (terms_.size() >= kMaxRememberedWords) terms_.clear();
  std::string term = english_ && IsStopWord(word) ? "" : word;
  if (stemmer_ != nullptr && !term.empty()) {
    const sb_symbol* stem =
        sb_stemmer_stem(stemmer_, reinterpret_cast<const sb_symbol*>(term.data()), static_cast<int>(term.size()));
    // Null: no memory. The word itself then stands for its stem.
    if (stem != nullptr) term.assign(reinterpret_cast<const char*>(stem), sb_stemmer_length(stemmer_));
  }
  return terms_.emplace(word, std::move(term)).first->second;
}

void Analyzer::ForEach(std::string_view text, const std::function<void(std::string_view term)>& visit) {
  ForEachWord(text, &word_, [&](const std::string& word) {
    const std::string& term = TermOf(word);
    if (!term.empty()) visit(term);
  });
}

std::vector<std::string> Analyzer::Terms(std::string_view text) {
  std::vector<std::string> terms;
  ForEach(text, [&](std::string_view term) { terms.emplace_back(term); });
  return terms;
}

std::string FoldedTitle(std::string_view title) {
  std::string folded, word;
  ForEachWord(title, &word, [&](const std::string& each) {
    if (!folded.empty()) folded += ' ';
    folded += each;
  });
  return folded;
}

}  // namespace toolformer
