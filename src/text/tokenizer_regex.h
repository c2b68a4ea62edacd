// Regular expressions of tokenizer files, run by PCRE2.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_REGEX_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_REGEX_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/pattern_scanner.h"

namespace toolformer {

struct ByteRange {
  size_t begin, end;
};

// A compiled pattern; const methods are safe to call from several threads at once.
class Regex {
 public:
  // `pattern` in the syntax of Oniguruma, in which tokenizer files are written, as far as PCRE2 gives it the same
  // meaning. kUnimplemented, naming the construct, for the rest; kInvalidArgument for what is no pattern.
  static absl::StatusOr<std::shared_ptr<const Regex>> Compile(std::string_view pattern);
  // Matches `text` itself.
  static absl::StatusOr<std::shared_ptr<const Regex>> CompileLiteral(std::string_view text);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Memory for matching; one a thread.
  class Scratch;

  // Appends the non-empty matches in `text`, which must be valid UTF-8, from left to right. Where PCRE2 gives up
  // (a pattern that backtracks without end) the rest of the text is taken to match nothing.
  // Known patterns are scanned by hand where they can be, and literals searched for.
  void FindMatches(std::string_view text, Scratch* scratch, std::vector<ByteRange>* matches) const;
  // The same by PCRE2 alone.
  void FindMatchesByRegex(std::string_view text, Scratch* scratch, std::vector<ByteRange>* matches) const;

  bool can_match_empty() const;

 private:
  explicit Regex(void* code) : code_(code) {}
  static absl::StatusOr<std::shared_ptr<Regex>> CompileWith(std::string_view pattern, uint32_t flags);
  // The first match from `offset` on; empty at the end of the text where there is none.
  ByteRange NextMatch(std::string_view text, size_t offset, Scratch* scratch) const;
  void* code_;  // pcre2_code
  PatternScanner scanner_ = nullptr;
  std::string literal_;  // empty: a pattern
};

class Regex::Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  friend class Regex;
  void* match_data_;  // pcre2_match_data; null where memory ran out
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_REGEX_H_
