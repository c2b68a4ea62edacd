#include "toolformer/call_syntax.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "src/base/random.h"
#include "src/base/utf8.h"

namespace toolformer::call_syntax_test {
namespace {

CallScanState StateOf(std::string_view text) { return ScanCallBody(text).state; }

std::string InputOf(std::string_view text) {
  const CallScan scan = ScanCallBody(text);
  return scan.state == CallScanState::kComplete ? scan.call.input : "not complete";
}

// A random text over pieces that matter to the parser.
std::string RandomCallText(RandomStream* random, size_t max_pieces) {
  static const std::vector<std::string> kPieces = {"[",
                                                   "]",
                                                   "(",
                                                   ")",
                                                   "A",
                                                   "Calculator(",
                                                   "\"",
                                                   "\\",
                                                   ",",
                                                   " ",
                                                   "->",
                                                   " -> ",
                                                   "-",
                                                   ">",
                                                   "1 + 2",
                                                   "[A(",
                                                   ")]",
                                                   "\n",
                                                   std::string(1, '\0'),
                                                   "\r",
                                                   "\t",
                                                   "\xff",
                                                   "\xe2\x86\x92",
                                                   "_9",
                                                   "[QA(\"",
                                                   "\")",
                                                   " [",
                                                   "\x1b[0m",
                                                   "\xc2\x85"};
  std::string text;
  const size_t count = random->Next() % (max_pieces + 1);
  for (size_t i = 0; i < count; ++i) text += kPieces[random->Next() % kPieces.size()];
  return text;
}

TEST_CASE("ScanCallBody: whole calls") {
  CHECK(InputOf("Calculator(400 / 1400)] rest") == "400 / 1400");
  CHECK(InputOf("Calendar()") == "");
  CHECK(InputOf("Calculator(((1+2)*3))") == "((1+2)*3)");
  CHECK(InputOf("QA(\"a ) ] -> \\\" ( b\")x") == "\"a ) ] -> \\\" ( b\"");
  CHECK(InputOf("F( \"a)\", \"b)\")") == " \"a)\", \"b)\"");
  CHECK(InputOf("F(g(\")\"))") == "g(\")\")");
  CHECK(InputOf("QA(Who said \"hello)") == "Who said \"hello");  // a quote inside an argument is a character
  CHECK(InputOf("QA(\"a\" and \"b)") == "\"a\" and \"b");
  CHECK(InputOf("F(a[1] -> b)") == "a[1] -> b");
  CHECK(InputOf("_x9(\xff)") == "\xff");
  CHECK(ScanCallBody("Calculator(1)]").length == 13);
  CHECK(ScanCallBody("Calculator(1)]").call.tool == "Calculator");
}

TEST_CASE("ScanCallBody: prefixes of calls are incomplete") {
  const std::string whole = "QA(\"a \\\" ) b\", (c))";
  REQUIRE(StateOf(whole) == CallScanState::kComplete);
  for (size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(StateOf(std::string_view(whole).substr(0, length)) == CallScanState::kIncomplete);
  }
}

TEST_CASE("ScanCallBody: what cannot become a call") {
  for (const std::string& text :
       {std::string("1x("), std::string("("), std::string(" A("), std::string("A ("), std::string("A]"),
        std::string("A-b("), std::string("A(1\n)"), std::string("A(\"1\r\")"), std::string("A(\0)", 4),
        std::string("\xc3\xa9("), std::string("[A(1)]"), std::string("A.b(")}) {
    CAPTURE(text);
    CHECK(StateOf(text) == CallScanState::kInvalid);
  }
}

TEST_CASE("ScanCallBody: limits") {
  const std::string name(kMaxToolNameBytes, 'n');
  CHECK(StateOf(name) == CallScanState::kIncomplete);
  CHECK(StateOf(name + "()") == CallScanState::kComplete);
  CHECK(StateOf(name + "n") == CallScanState::kInvalid);
  const std::string input(kMaxInputBytes, '1');
  CHECK(StateOf("A(" + input) == CallScanState::kIncomplete);
  CHECK(StateOf("A(" + input + ")") == CallScanState::kComplete);
  CHECK(StateOf("A(" + input + "1") == CallScanState::kInvalid);
  CHECK(StateOf("A(" + input + "1)") == CallScanState::kInvalid);
  CHECK(StateOf("A(" + std::string(10000000, '(')) == CallScanState::kInvalid);
}

TEST_CASE("FindCalls: calls with and without results") {
  const std::string text = "x [A(1)] y [B(2 * (3)) -> 6] z[C()->] [D(4)  ->\tr -> [s ]";
  const std::vector<CallSpan> calls = FindCalls(text);
  REQUIRE(calls.size() == 4);
  CHECK(calls[0].call == Call{"A", "1"});
  CHECK_FALSE(calls[0].result.has_value());
  CHECK(text.substr(calls[0].begin, calls[0].end - calls[0].begin) == "[A(1)]");
  CHECK(calls[1].call == Call{"B", "2 * (3)"});
  CHECK(calls[1].result == "6");
  CHECK(text.substr(calls[1].begin, calls[1].end - calls[1].begin) == "[B(2 * (3)) -> 6]");
  CHECK(calls[2].result == "");
  CHECK(calls[3].result == "\tr -> [s ");  // one blank belongs to the syntax, any other to the result
  CHECK(calls[3].end == text.size());
}

TEST_CASE("FindCalls: back to back, nested, at the ends") {
  CHECK(FindCalls("[A(1)][A(2)]").size() == 2);
  CHECK(FindCalls("[A(1) ]").size() == 1);
  const std::vector<CallSpan> nested = FindCalls("[A([B(1)])]");
  REQUIRE(nested.size() == 1);
  CHECK(nested[0].call == Call{"A", "[B(1)]"});
  const std::vector<CallSpan> inner = FindCalls("[A([B(1) -> 2]");  // the outer one never closes
  REQUIRE(inner.size() == 1);
  CHECK(inner[0].call == Call{"B", "1"});
}

TEST_CASE("FindCalls: what does not parse is text") {
  for (const char* text : {"", "[", "[]", "[Calculator(", "[Calculator(1", "[Calculator(1)", "[Calculator(1]",
                           "[Calculator(1) -> 2", "[Calculator(1) - > 2]", "[Calculator(1) 2]", "[ Calculator(1)]",
                           "[Calculator (1)]", "Calculator(1)]", "[1](2)", "[Calculator(1) -> 2\n]", "[A(\n1)]",
                           "\xef\xbc\xbb"
                           "A(1)\xef\xbc\xbd",
                           "[A(1) \xe2\x86\x92 2]"}) {
    CAPTURE(text);
    CHECK(FindCalls(text).empty());
  }
}

TEST_CASE("FindCalls: hostile lengths stay cheap") {
  std::string deep, arrows, quotes;
  for (int i = 0; i < 30000; ++i) {
    deep += "[A(";
    arrows += "[A(1) -> ";
    quotes += "[A(\"";
  }
  CHECK(FindCalls(deep).empty());
  CHECK(FindCalls(arrows).empty());
  CHECK(FindCalls(quotes).empty());
  CHECK(FindCalls(std::string(3000000, '[')).empty());
  CHECK(FindCalls("[A(1) " + std::string(3000000, ' ')).empty());
  CHECK(FindCalls(arrows + "]").size() == 1);  // all the rest is the first one's result
}

TEST_CASE("FindCalls and PrintCall: printing what was parsed parses to the same") {
  RandomStream random(1);
  size_t accepted = 0;
  for (int i = 0; i < 60000; ++i) {
    const std::string text = RandomCallText(&random, 24);
    size_t end = 0;
    for (const CallSpan& span : FindCalls(text)) {
      ++accepted;
      REQUIRE(span.begin >= end);
      REQUIRE(span.end <= text.size());
      end = span.end;
      REQUIRE(text[span.begin] == '[');
      REQUIRE(text[span.end - 1] == ']');
      const std::string printed = PrintCall(span.call, span.result);
      const std::vector<CallSpan> again = FindCalls(printed);
      CAPTURE(text);
      CAPTURE(printed);
      REQUIRE(again.size() == 1);
      REQUIRE(again[0].begin == 0);
      REQUIRE(again[0].end == printed.size());
      REQUIRE(again[0].call == span.call);
      REQUIRE(again[0].result.has_value() == span.result.has_value());
      if (span.result) REQUIRE(*again[0].result == NeutralizeResult(*span.result));
      REQUIRE(PrintCall(again[0].call, again[0].result) == printed);
    }
  }
  CHECK(accepted > 1000);  // else the test says nothing
}

TEST_CASE("ScanCallBody: a longer text changes no complete or invalid scan") {
  RandomStream random(2);
  size_t complete = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = "A(" + RandomCallText(&random, 12);
    const CallScan whole = ScanCallBody(text);
    complete += whole.state == CallScanState::kComplete;
    for (size_t length = 0; length <= text.size(); ++length) {
      const CallScan scan = ScanCallBody(std::string_view(text).substr(0, length));
      if (scan.state == CallScanState::kIncomplete) continue;
      REQUIRE(scan.state == whole.state);
      REQUIRE(scan.length == whole.length);
      REQUIRE(scan.call == whole.call);
    }
  }
  CHECK(complete > 1000);
}

TEST_CASE("PrintCall: the forms of the paper") {
  const Call call{"Calculator", "400 / 1400"};
  CHECK(PrintCallBody(call) == "Calculator(400 / 1400)");
  CHECK(PrintCall(call, std::nullopt) == "[Calculator(400 / 1400)]");
  CHECK(PrintCall(call, "0.29") == "[Calculator(400 / 1400) -> 0.29]");
  CHECK(PrintCall(call, "") == "[Calculator(400 / 1400) ->]");
  CHECK(PrintCall(call, " a] [Calculator(1) -> 1 ") == "[Calculator(400 / 1400) ->  a) (Calculator(1) => 1 ]");
}

TEST_CASE("NeutralizeResult: nothing in a result can act") {
  CHECK(NeutralizeResult("0.29") == "0.29");
  CHECK(NeutralizeResult("foo] [Calculator(1, 2)] tail") == "foo) (Calculator(1, 2)) tail");
  CHECK(NeutralizeResult("a -> b") == "a => b");
  CHECK(NeutralizeResult("-->") == "-=>");
  CHECK(NeutralizeResult("->->") == "=>=>");
  CHECK(NeutralizeResult("-]>") == "-)>");
  CHECK(NeutralizeResult("-\n>") == "- >");  // a removed byte would have made an arrow
  CHECK(NeutralizeResult("-\xff>") == "-\xef\xbf\xbd>");
  CHECK(NeutralizeResult("\x1b[2J\aa\r\nb\x7f") == " (2J a  b ");
  CHECK(NeutralizeResult("a\xc2\x85"
                         "b") == "a b");
  CHECK(NeutralizeResult(std::string("a\0b", 3)) == "a b");
  CHECK(NeutralizeResult("\xff\xc0\xaf\xed\xa0\x80").find("\xef\xbf\xbd") == 0);
  CHECK(NeutralizeResult(" \t\n ") == "    ");  // blanks are data
  CHECK(NeutralizeResult("") == "");
  CHECK(NeutralizeResult("</API> <|endoftext|>") == "</API> <|endoftext|>");  // text, which no tokenizer promotes
  CHECK(NeutralizeResult("caf\xc3\xa9 \xf0\x9f\x98\x80") == "caf\xc3\xa9 \xf0\x9f\x98\x80");
}

TEST_CASE("NeutralizeResult: long results are cut and marked") {
  CHECK(NeutralizeResult("abcdefgh", 8) == "abcdefgh");
  CHECK(NeutralizeResult("abcdefghi", 8) == "abcde...");
  CHECK(NeutralizeResult("abcdefgh   ", 8) == "abcde...");
  CHECK(NeutralizeResult("abcd\xc3\xa9\xc3\xa9\xc3\xa9", 8) == "abcd...");
  CHECK(NeutralizeResult("abc", 2) == "..");
  CHECK(NeutralizeResult("abc", 0) == "");
  CHECK(NeutralizeResult(std::string(131072, 'Z')).size() == 50000);
  const std::string big = NeutralizeResult(std::string(10000000, '['));
  CHECK(big == std::string(49997, '(') + "...");
}

TEST_CASE("NeutralizeResult: properties on random bytes") {
  RandomStream random(3);
  for (int i = 0; i < 40000; ++i) {
    std::string raw = RandomCallText(&random, 16);
    const size_t noise = random.Next() % 8;
    for (size_t j = 0; j < noise; ++j) {
      raw.insert(raw.begin() + static_cast<int64_t>(random.Next() % (raw.size() + 1)),
                 static_cast<char>(random.Next()));
    }
    const size_t max_bytes = i % 2 == 0 ? 50000 : random.Next() % 24;
    const std::string out = NeutralizeResult(raw, max_bytes);
    CAPTURE(raw);
    REQUIRE(out.size() <= max_bytes);
    REQUIRE(out.find_first_of("[]") == std::string::npos);
    REQUIRE(out.find("->") == std::string::npos);
    REQUIRE(IsValidUtf8(out));
    for (std::string_view rest = out; !rest.empty();) {
      const CodePoint point = NextCodePoint(rest);
      REQUIRE(point.value >= 0x20);
      REQUIRE((point.value < 0x7f || point.value > 0x9f));
      rest.remove_prefix(point.length);
    }
    REQUIRE(NeutralizeResult(out, max_bytes) == out);
    // Whatever the tool said, the text holds this one call.
    const std::vector<CallSpan> calls = FindCalls("x " + PrintCall({"T", "1"}, raw) + " y");
    REQUIRE(calls.size() == 1);
    REQUIRE(calls[0].call == Call{"T", "1"});
    REQUIRE(calls[0].result == NeutralizeResult(raw));
  }
}

// One id a byte, and three merges. Encode puts a space before a text, as SentencePiece does.
class ToyTokenizer : public Tokenizer {
 public:
  explicit ToyTokenizer(std::vector<std::string> merges) : merges_(std::move(merges)) {}
  std::vector<int32_t> Encode(std::string_view text) const override {
    return EncodeContinuation(" " + std::string(text));
  }
  std::vector<int32_t> EncodeContinuation(std::string_view text) const override {
    std::vector<int32_t> ids;
    while (!text.empty()) {
      int32_t id = static_cast<uint8_t>(text[0]);
      size_t length = 1;
      for (size_t m = 0; m < merges_.size(); ++m) {
        if (!text.starts_with(merges_[m])) continue;
        id = 256 + static_cast<int32_t>(m);
        length = merges_[m].size();
        break;
      }
      ids.push_back(id);
      text.remove_prefix(length);
    }
    return ids;
  }
  std::string_view TokenBytes(int32_t) const override { return ""; }
  int32_t vocab_size() const override { return 256 + static_cast<int32_t>(merges_.size()); }
  int32_t start_id() const override { return 0; }
  const std::vector<int32_t>& end_ids() const override { return end_ids_; }

 private:
  std::vector<std::string> merges_;
  std::vector<int32_t> end_ids_;
};

using Ids = std::vector<int32_t>;

TEST_CASE("CallPieces: pieces are encoded one by one") {
  // ")]" and ")->" would swallow a boundary if pieces were joined first.
  const ToyTokenizer tokenizer({" [", "->", ")]", ") ->", "] ", "]\n", "[A"});
  const CallPieces pieces(tokenizer);
  CHECK(pieces.opening_at_start() == Ids{'['});
  CHECK(pieces.opening_in_text() == Ids{256});
  CHECK(pieces.arrow() == Ids{' ', 257});
  CHECK(pieces.closing() == Ids{']'});
  CHECK(pieces.opening_ids() == Ids{'[', 256});
  const Call call{"A", "1"};
  CHECK(pieces.Body(call) == Ids{'A', '(', '1', ')'});
  CHECK(pieces.Result("7") == Ids{' ', '7'});
  CHECK(pieces.Result("").empty());
  CHECK(pieces.Result("]->") == Ids{' ', ')', '=', '>'});
  CHECK(pieces.Prefix(call, "7") == Ids{'[', 'A', '(', '1', ')', ' ', 257, ' ', '7', ']', '\n'});
  CHECK(pieces.Prefix(call, "") == Ids{'[', 'A', '(', '1', ')', ' ', 257, ']', '\n'});
  CHECK(pieces.InText(0, call, "7") == Ids{'[', 'A', '(', '1', ')', ' ', 257, ' ', '7', ']'});
  CHECK(pieces.InText(3, call, "7") == Ids{256, 'A', '(', '1', ')', ' ', 257, ' ', '7', ']'});
}

TEST_CASE("CallPieces: opening ids where the brackets are not one token each") {
  const ToyTokenizer bytes({});
  CHECK(CallPieces(bytes).opening_ids() == Ids{'['});  // " [" is two tokens
  const ToyTokenizer merged({" ["});
  CHECK(CallPieces(merged).opening_ids() == Ids{'[', 256});

  // Neither is one token: the first id of " [" stands for them.
  class Doubling : public ToyTokenizer {
   public:
    Doubling() : ToyTokenizer({}) {}
    Ids EncodeContinuation(std::string_view text) const override {
      Ids ids;
      for (const char c : text) ids.insert(ids.end(), {static_cast<uint8_t>(c), 255});
      return ids;
    }
  };
  const Doubling doubling;
  CHECK(CallPieces(doubling).opening_ids() == Ids{' '});
}

}  // namespace
}  // namespace toolformer::call_syntax_test
