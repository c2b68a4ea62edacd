#include "toolformer/call_syntax.h"

#include <algorithm>

#include "src/base/utf8.h"

namespace toolformer {
namespace {

constexpr std::string_view kArrow = "->";
constexpr std::string_view kCut = "...";

// What can stand neither in an input nor in a result.
bool IsLineEnd(char c) { return c == '\n' || c == '\r' || c == '\0'; }
bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameByte(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

size_t SkipBlanks(std::string_view text, size_t i) {
  while (i < text.size() && IsBlank(text[i])) ++i;
  return i;
}

// Reads an input byte by byte and says where its closing parenthesis stands.
class InputScanner {
 public:
  // True at the parenthesis that closes the input.
  bool Closes(char c) {
    if (quoted_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        quoted_ = false;
      }
      return false;
    }
    if (c == ')') {
      if (depth_ == 0) return true;
      --depth_;
    } else if (c == '(') {
      ++depth_;
    } else if (c == '"') {
      quoted_ = argument_start_;
    }
    argument_start_ = c == '(' || c == ',' || (argument_start_ && IsBlank(c));
    return false;
  }

 private:
  size_t depth_ = 0;
  bool quoted_ = false, escaped_ = false;
  bool argument_start_ = true;
};

// What FindCalls looks up again and again, found once: the next byte that ends a result, from any position on.
// Positions asked for must not decrease.
class ResultEnd {
 public:
  explicit ResultEnd(std::string_view text) : text_(text) {}

  // The ']' that ends a result starting at `begin`; npos where the line or the text ends first.
  size_t From(size_t begin) {
    if (!known_ || next_ < begin) {
      next_ = begin;
      while (next_ < text_.size() && text_[next_] != ']' && !IsLineEnd(text_[next_])) ++next_;
      known_ = true;
    }
    return next_ < text_.size() && text_[next_] == ']' ? next_ : std::string_view::npos;
  }

 private:
  std::string_view text_;
  size_t next_ = 0;
  bool known_ = false;
};

// The call whose '[' stands at `begin`.
std::optional<CallSpan> CallAt(std::string_view text, size_t begin, ResultEnd* result_end) {
  CallScan scan = ScanCallBody(text.substr(begin + 1));
  if (scan.state != CallScanState::kComplete) return std::nullopt;
  CallSpan span;
  span.call = std::move(scan.call);
  span.begin = begin;
  // Models write blanks before the arrow and before the bracket.
  const size_t arrow = SkipBlanks(text, begin + 1 + scan.length);
  if (arrow < text.size() && text[arrow] == ']') {
    span.end = arrow + 1;
    return span;
  }
  if (text.substr(arrow, kArrow.size()) != kArrow) return std::nullopt;
  const size_t result = arrow + kArrow.size();
  const size_t end = result_end->From(result);
  if (end == std::string_view::npos) return std::nullopt;
  // One blank belongs to the syntax; any other is the result's own.
  const size_t own = result + (text[result] == ' ' ? 1 : 0);
  span.result = std::string(text.substr(own, end - own));
  span.end = end + 1;
  return span;
}

bool IsControl(uint32_t code_point) { return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0); }

void Append(const std::vector<int32_t>& piece, std::vector<int32_t>* ids) {
  ids->insert(ids->end(), piece.begin(), piece.end());
}

}  // namespace

std::string PrintCallBody(const Call& call) { return call.tool + "(" + call.input + ")"; }

std::string PrintCall(const Call& call, const std::optional<std::string>& result) {
  std::string out = "[" + PrintCallBody(call);
  if (result) {
    const std::string neutral = NeutralizeResult(*result);
    out += neutral.empty() ? " ->" : " -> " + neutral;
  }
  return out + "]";
}

CallScan ScanCallBody(std::string_view text) {
  CallScan incomplete;
  incomplete.state = CallScanState::kIncomplete;

  size_t name = 0;
  while (name < text.size() && (name == 0 ? IsNameStart(text[0]) : IsNameByte(text[name]))) {
    if (++name > kMaxToolNameBytes) return {};
  }
  if (name == text.size()) return incomplete;
  if (name == 0 || text[name] != '(') return {};

  const size_t input = name + 1;
  InputScanner scanner;
  for (size_t i = input; i < text.size(); ++i) {
    if (IsLineEnd(text[i])) return {};
    if (scanner.Closes(text[i])) {
      CallScan complete;
      complete.state = CallScanState::kComplete;
      complete.length = i + 1;
      complete.call = {std::string(text.substr(0, name)), std::string(text.substr(input, i - input))};
      return complete;
    }
    if (i - input == kMaxInputBytes) return {};
  }
  return incomplete;
}

std::vector<CallSpan> FindCalls(std::string_view text) {
  std::vector<CallSpan> calls;
  ResultEnd result_end(text);
  size_t begin = text.find('[');
  while (begin != std::string_view::npos) {
    size_t next = begin + 1;
    if (std::optional<CallSpan> span = CallAt(text, begin, &result_end)) {
      next = span->end;
      calls.push_back(*std::move(span));
    }
    begin = text.find('[', next);
  }
  return calls;
}

std::string NeutralizeResult(std::string_view result, size_t max_bytes) {
  std::string out;
  while (!result.empty() && out.size() <= max_bytes) {
    const CodePoint point = NextCodePoint(result);
    if (!point.valid) {
      AppendUtf8(0xfffd, &out);
    } else if (point.value == '[') {
      out += '(';
    } else if (point.value == ']') {
      out += ')';
    } else if (result.starts_with(kArrow)) {
      out += '=';  // the '>' follows as it is
    } else if (IsControl(point.value)) {
      out += ' ';  // never deleted: what stood on both sides of it might join into an arrow
    } else {
      out.append(result.substr(0, point.length));
    }
    result.remove_prefix(point.length);
  }
  if (out.size() <= max_bytes) return out;
  const size_t kept = max_bytes - std::min(max_bytes, kCut.size());
  return std::string(Utf8Prefix(out, kept)).append(kCut.substr(0, max_bytes - kept));
}

CallPieces::CallPieces(const Tokenizer& tokenizer)
    : tokenizer_(tokenizer),
      opening_at_start_(tokenizer.EncodeContinuation("[")),
      opening_in_text_(tokenizer.EncodeContinuation(" [")),
      arrow_(tokenizer.EncodeContinuation(" ->")),
      closing_(tokenizer.EncodeContinuation("]")),
      separator_(tokenizer.EncodeContinuation("\n")) {
  for (const std::vector<int32_t>* opening : {&opening_at_start_, &opening_in_text_}) {
    if (opening->size() == 1) opening_ids_.push_back(opening->front());
  }
  if (opening_ids_.empty() && !opening_in_text_.empty()) opening_ids_.push_back(opening_in_text_.front());
}

std::vector<int32_t> CallPieces::Body(const Call& call) const {
  return tokenizer_.EncodeContinuation(PrintCallBody(call));
}

std::vector<int32_t> CallPieces::Result(const std::string& result) const {
  const std::string neutral = NeutralizeResult(result);
  if (neutral.empty()) return {};
  return tokenizer_.EncodeContinuation(" " + neutral);
}

std::vector<int32_t> CallPieces::Prefix(const Call& call, const std::string& result) const {
  std::vector<int32_t> ids = InText(0, call, result);
  Append(separator_, &ids);
  return ids;
}

std::vector<int32_t> CallPieces::InText(int64_t position, const Call& call, const std::string& result) const {
  std::vector<int32_t> ids = position == 0 ? opening_at_start_ : opening_in_text_;
  Append(Body(call), &ids);
  Append(arrow_, &ids);
  Append(Result(result), &ids);
  Append(closing_, &ids);
  return ids;
}

}  // namespace toolformer
