// How calls are written in text and in tokens (paper section 2, footnote 1; design decision 1):
//
//     e(c)    =  [Calculator(400 / 1400)]
//     e(c, r) =  [Calculator(400 / 1400) -> 0.29]
#ifndef TOOLFORMER_CALL_SYNTAX_H_
#define TOOLFORMER_CALL_SYNTAX_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "toolformer/export.h"
#include "toolformer/tokenizer.h"

namespace toolformer {

// c = (a_c, i_c) of the paper.
struct TOOLFORMER_API Call {
  std::string tool;   // a_c
  std::string input;  // i_c, without the parentheses
  friend bool operator==(const Call&, const Call&) = default;
};

// "Calculator(400 / 1400)".
TOOLFORMER_API std::string PrintCallBody(const Call& call);

// "[Calculator(400 / 1400)]", or "[Calculator(400 / 1400) -> 0.29]" with a result. The result is neutralized.
TOOLFORMER_API std::string PrintCall(const Call& call, const std::optional<std::string>& result);

// Limits of the parser. Input beyond them is not a call.
inline constexpr size_t kMaxToolNameBytes = 64;
inline constexpr size_t kMaxInputBytes = 4096;

// State of a call body being read from the start of a text.
enum class CallScanState {
  kIncomplete,  // a prefix of a call: more text may complete it
  kComplete,    // a whole `Name(input)`
  kInvalid,     // no continuation can make it a call
};

struct TOOLFORMER_API CallScan {
  CallScanState state = CallScanState::kInvalid;
  size_t length = 0;  // bytes of `Name(input)`, where complete
  Call call;          // where complete
};

// Scans `Name(input)` at the start of `text`. The name is [A-Za-z_][A-Za-z0-9_]*. Parentheses inside the input nest; an
// argument that starts with a double quote runs to its closing quote (backslash escapes), and nothing inside it counts.
// A line break or NUL is invalid. Iterative, one pass, at most kMaxInputBytes.
TOOLFORMER_API CallScan ScanCallBody(std::string_view text);

// A call found in a text.
struct TOOLFORMER_API CallSpan {
  Call call;
  std::optional<std::string> result;  // absent: e(c); present, possibly empty: e(c, r)
  size_t begin = 0;                   // byte of '['
  size_t end = 0;                     // one past the byte of ']'
};

// All well-formed calls of `text` in order, whatever the tool; what does not parse is text. Calls do not nest.
TOOLFORMER_API std::vector<CallSpan> FindCalls(std::string_view text);

// A tool result as text in which nothing can act (design decision 10): '[' and ']' become '(' and ')', "->" becomes
// "=>", control characters become spaces, invalid UTF-8 becomes U+FFFD, and what exceeds `max_bytes` is cut at a code
// point and marked with "...". Idempotent.
TOOLFORMER_API std::string NeutralizeResult(std::string_view result, size_t max_bytes = 50000);

// Token pieces of calls. Each piece is encoded on its own and joined pieces are never re-tokenised; the filter,
// training and decoding all build calls here. Keeps a reference to the tokenizer. Const and concurrent.
class TOOLFORMER_API CallPieces {
 public:
  explicit CallPieces(const Tokenizer& tokenizer);

  // "[" where a text or a prefix starts; " [" inside a text.
  const std::vector<int32_t>& opening_at_start() const { return opening_at_start_; }
  const std::vector<int32_t>& opening_in_text() const { return opening_in_text_; }
  const std::vector<int32_t>& arrow() const { return arrow_; }      // " ->"
  const std::vector<int32_t>& closing() const { return closing_; }  // "]"

  // Ids whose summed probability is p_i (design decision 2): those of "[" and " [" that are one token; the first id of
  // " [" where neither is.
  const std::vector<int32_t>& opening_ids() const { return opening_ids_; }

  std::vector<int32_t> Body(const Call& call) const;             // Name(input)
  std::vector<int32_t> Result(const std::string& result) const;  // " " + neutralized result; nothing for ""

  // z of the loss filter (paper section 2, footnote 3): "[", body, " ->", result, "]" and the separator "\n". The empty
  // result gives e(c, epsilon), which keeps its arrow.
  std::vector<int32_t> Prefix(const Call& call, const std::string& result) const;

  // e(c, r) as it stands at position `position` of a text: opening (by position), body, arrow, result, closing.
  std::vector<int32_t> InText(int64_t position, const Call& call, const std::string& result) const;

 private:
  const Tokenizer& tokenizer_;
  std::vector<int32_t> opening_at_start_, opening_in_text_, arrow_, closing_, separator_, opening_ids_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_CALL_SYNTAX_H_
