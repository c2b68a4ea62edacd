#define PCRE2_CODE_UNIT_WIDTH 8
#include "src/text/tokenizer_regex.h"

#include <pcre2.h>

#include <algorithm>

#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

constexpr size_t kMaxPatternBytes = 64 * 1024;
constexpr uint32_t kMaxParenthesesNesting = 100;

// A script is the characters that belong to it in the one; in the other also those that it shares, unless it is asked
// for otherwise. Empty where the pattern at `begin`, which is at "\\p{" or "\\P{", names no script.
std::string TranslateScript(std::string_view pattern, size_t begin) {
  const size_t end = pattern.find('}', begin);
  constexpr size_t kMaxNameBytes = 40;
  if (end == std::string_view::npos || end - begin > kMaxNameBytes) return "";
  std::string_view name = pattern.substr(begin + 3, end - begin - 3);
  const bool negated = name.starts_with('^');
  if (negated) name.remove_prefix(1);
  // Categories have one or two letters.
  if (name.size() < 3 || name.find_first_of(":=&") != std::string_view::npos) return "";
  const std::string script = fmt::format("\\{}{{{}sc:{}}}", pattern[begin + 1], negated ? "^" : "", name);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(script.data()), script.size(), PCRE2_UTF, &error, &offset, nullptr);
  pcre2_code_free(code);
  return code == nullptr ? "" : script;
}

// Oniguruma and PCRE2 differ in a few escapes. \s is White_Space in the one, but has U+180E besides in the other; \w
// holds other characters; \h is a hexadecimal digit in the one and a space in the other.
absl::StatusOr<std::string> Translate(std::string_view pattern) {
  // The last are six numbers of Latin-1 that are no digits.
  constexpr std::string_view kWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\u00b2\u00b3\u00b9\u00bc-\u00be";
  const auto unsupported = [&](std::string_view construct) {
    return Unimplemented(
        "the pattern {} holds {}; supported are literals, classes, \\p{{..}}, \\s \\S \\w \\d \\D, groups, "
        "alternatives, "
        "repetition and looking around",
        Quote(pattern), construct);
  };
  std::string out;
  int class_depth = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      switch (escaped) {
        case 's':
          out += "\\p{White_Space}";
          break;
        case 'S':
          out += "\\P{White_Space}";
          break;
        case 'w':
          out += class_depth > 0 ? std::string(kWord) : fmt::format("[{}]", kWord);
          break;
        case 'W':
          if (class_depth > 0) return unsupported("\\W in a class");
          out += fmt::format("[^{}]", kWord);
          break;
        case 'p':
        case 'P':
          if (const std::string script = TranslateScript(pattern, i - 1); !script.empty()) {
            out += script;
            i = pattern.find('}', i);
          } else {
            out += '\\';
            out += escaped;
          }
          break;
        case 'h':
        case 'H':
        case 'b':
        case 'B':
        case 'K':
        case 'R':
        case 'X':
        case 'g':
        case 'k':
          return unsupported(std::string("\\") + escaped);
        default:
          out += '\\';
          out += escaped;
      }
      continue;
    }
    if (c == '[') {
      // A class within a class is a union for Oniguruma and a literal bracket for PCRE2.
      if (class_depth > 0 && pattern.substr(i, 2) != "[:") return unsupported("a class in a class");
      if (class_depth == 0) {
        class_depth = 1;
        out += c;
        if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
        if (i + 1 < pattern.size() && pattern[i + 1] == ']') {
          out += '\\';
          out += pattern[++i];
        }
        continue;
      }
      const size_t end = pattern.find(":]", i);
      if (end == std::string_view::npos) return unsupported("'[:' without ':]'");
      out += pattern.substr(i, end + 2 - i);
      i = end + 1;
      continue;
    }
    if (c == ']' && class_depth > 0) class_depth = 0;
    if (c == '&' && class_depth > 0 && pattern.substr(i, 2) == "&&") return unsupported("an intersection (&&)");
    out += c;
  }
  return out;
}

}  // namespace

Regex::~Regex() { pcre2_code_free(static_cast<pcre2_code*>(code_)); }

Regex::Scratch::Scratch() : match_data_(pcre2_match_data_create(1, nullptr)) {}
Regex::Scratch::~Scratch() { pcre2_match_data_free(static_cast<pcre2_match_data*>(match_data_)); }

absl::StatusOr<std::shared_ptr<const Regex>> Regex::Compile(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return InvalidArgument("a pattern of {} bytes; at most {} are supported", pattern.size(), kMaxPatternBytes);
  }
  if (!IsValidUtf8(pattern)) return InvalidArgument("the pattern {} is not valid UTF-8", Quote(pattern));
  TF_ASSIGN_OR_RETURN(const std::string translated, Translate(pattern));
  // Oniguruma's ^ and $ match at every line; \uHHHH is a code point.
  TF_ASSIGN_OR_RETURN(const std::shared_ptr<Regex> regex, CompileWith(translated, PCRE2_MULTILINE | PCRE2_ALT_BSUX));
  regex->scanner_ = FindScanner(pattern);
  return regex;
}

absl::StatusOr<std::shared_ptr<const Regex>> Regex::CompileLiteral(std::string_view text) {
  if (text.size() > kMaxPatternBytes) {
    return InvalidArgument("a string of {} bytes; at most {} are supported", text.size(), kMaxPatternBytes);
  }
  if (!IsValidUtf8(text)) return InvalidArgument("the string {} is not valid UTF-8", Quote(text));
  TF_ASSIGN_OR_RETURN(const std::shared_ptr<Regex> regex, CompileWith(text, PCRE2_LITERAL));
  regex->literal_ = text;
  return regex;
}

absl::StatusOr<std::shared_ptr<Regex>> Regex::CompileWith(std::string_view pattern, uint32_t flags) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  if (context == nullptr) return ResourceExhausted("no memory for a pattern");
  pcre2_set_parens_nest_limit(context, kMaxParenthesesNesting);
  const uint32_t unicode = flags & PCRE2_LITERAL ? PCRE2_UTF : PCRE2_UTF | PCRE2_UCP;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), flags | unicode,
                                   &error, &offset, context);
  pcre2_compile_context_free(context);
  if (code == nullptr) {
    PCRE2_UCHAR message[200] = "";
    pcre2_get_error_message(error, message, sizeof(message));
    return InvalidArgument("the pattern {} does not compile: {} at byte {}", Quote(pattern),
                           reinterpret_cast<const char*>(message), offset);
  }
  // Without a compiler for this machine PCRE2 interprets the pattern: slower, with the same matches.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return std::shared_ptr<Regex>(new Regex(code));
}

bool Regex::can_match_empty() const {
  uint32_t matches_empty = 0;
  pcre2_pattern_info(static_cast<const pcre2_code*>(code_), PCRE2_INFO_MATCHEMPTY, &matches_empty);
  return matches_empty != 0;
}

ByteRange Regex::NextMatch(std::string_view text, size_t offset, Scratch* scratch) const {
  auto* data = static_cast<pcre2_match_data*>(scratch->match_data_);
  const ByteRange none{text.size(), text.size()};
  if (data == nullptr) return none;
  const auto* code = static_cast<const pcre2_code*>(code_);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const PCRE2_SIZE* found = pcre2_get_ovector_pointer(data);
  while (offset < text.size()) {
    int result = pcre2_match(code, subject, text.size(), offset, PCRE2_NO_UTF_CHECK, data, nullptr);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
      result = pcre2_match(code, subject, text.size(), offset, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, nullptr);
    }
    if (result < 0) return none;
    const size_t begin = found[0], end = found[1];
    if (begin < offset || end < begin || end > text.size()) return none;
    if (begin < end) return {begin, end};
    offset = end < text.size() ? end + NextCodePoint(text.substr(end)).length : end;
  }
  return none;
}

void Regex::FindMatchesByRegex(std::string_view text, Scratch* scratch, std::vector<ByteRange>* matches) const {
  for (size_t offset = 0; offset < text.size();) {
    const ByteRange match = NextMatch(text, offset, scratch);
    if (match.begin == match.end) return;
    matches->push_back(match);
    offset = match.end;
  }
}

void Regex::FindMatches(std::string_view text, Scratch* scratch, std::vector<ByteRange>* matches) const {
  if (!literal_.empty()) {
    for (size_t begin = 0; (begin = text.find(literal_, begin)) != std::string_view::npos; begin += literal_.size()) {
      matches->push_back({begin, begin + literal_.size()});
    }
    return;
  }
  if (scanner_ == nullptr) return FindMatchesByRegex(text, scratch, matches);
  for (size_t offset = 0; offset < text.size();) {
    const ScannedMatch scanned = scanner_(text, offset);
    if (scanned.kind == ScannedMatch::Kind::kNone) return;
    ByteRange match{scanned.begin, scanned.end};
    if (scanned.kind == ScannedMatch::Kind::kUndecided) match = NextMatch(text, offset, scratch);
    if (match.begin == match.end) return;
    matches->push_back(match);
    offset = match.end;
  }
}

}  // namespace toolformer
