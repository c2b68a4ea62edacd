#include <doctest/doctest.h>

#include <clocale>
#include <cmath>
#include <cstdio>
#include <string>

#include "src/base/random.h"
#include "src/tools/decimal.h"
#include "toolformer/tool.h"

namespace toolformer::calculate_test {
namespace {

std::string Value(std::string_view expression) {
  const absl::StatusOr<std::string> value = Calculate(expression);
  return value.ok() ? *value : "error: " + std::string(value.status().message());
}

absl::StatusCode CodeOf(std::string_view expression) { return Calculate(expression).status().code(); }

TEST_CASE("Calculate: values of the paper") {
  CHECK(Value("27 + 4 * 2") == "35");
  CHECK(Value("85/23") == "3.70");
  CHECK(Value("735 / 499") == "1.47");
  CHECK(Value("400 / 1400") == "0.29");
  CHECK(Value("18 + 12 * 3") == "54");
  CHECK(Value("723 / 252") == "2.87");
  CHECK(Value("723 - 20") == "703");
  CHECK(Value("2011 - 1994") == "17");
  CHECK(Value("4 * 30") == "120");
  CHECK(Value("658,893 / 11.4%") == "5779763.16");
}

TEST_CASE("Calculate: precedence, associativity, signs") {
  CHECK(Value("10-2-3") == "5");
  CHECK(Value("8/4/2") == "1");
  CHECK(Value("(1+2)*3") == "9");
  CHECK(Value("1+2*3") == "7");
  CHECK(Value("2*(3+4)") == "14");
  CHECK(Value("-5") == "-5");
  CHECK(Value("--5") == "5");
  CHECK(Value("+-+5") == "-5");
  CHECK(Value("2*-3") == "-6");
  CHECK(Value("2--3") == "5");
  CHECK(Value("-2*-3") == "6");
  CHECK(Value("-(2+3)*2") == "-10");
  CHECK(Value("6/-(1+1)") == "-3");
  CHECK(Value(" \t1 +\t1 ") == "2");
  CHECK(Value("((((7))))") == "7");
}

TEST_CASE("Calculate: numbers and percentages") {
  CHECK(Value("1.5+1") == "2.50");
  CHECK(Value(".5") == "0.50");
  CHECK(Value("007") == "7");
  CHECK(Value("1,234.5") == "1234.50");
  CHECK(Value("1,234,567") == "1234567");
  CHECK(Value("999,999 + 1") == "1000000");
  CHECK(Value("50%") == "0.50");
  CHECK(Value("11.4 %") == "0.11");
  CHECK(Value("-50%") == "-0.50");
  CHECK(Value("200 * 15%") == "30");
  CHECK(Value("(10 + 20)%") == "0.30");
  CHECK(Value("100% - 3") == "-2");
}

TEST_CASE("Calculate: integers are bare, all else has two decimals") {
  CHECK(Value("0") == "0");
  CHECK(Value("-0") == "0");
  CHECK(Value("0 * -5") == "0");
  CHECK(Value("1 / 1000") == "0.00");
  CHECK(Value("-1 / 1000") == "0.00");
  CHECK(Value("5 / 1000 + 1 / 10000") == "0.01");
  CHECK(Value("1 / 3") == "0.33");
  CHECK(Value("-2 / 3") == "-0.67");
  CHECK(Value("0.1 + 0.2") == "0.30");
  CHECK(Value("999999999999999") == "999999999999999");
  CHECK(Value("1000000000 * 1000000000") == "1000000000000000000");
  CHECK(Value("9007199254740992 * 4") == "36028797018963968");  // no exponent
  // Half cases that a double holds exactly go to the even neighbour.
  CHECK(Value("0.125") == "0.12");
  CHECK(Value("0.375") == "0.38");
  CHECK(Value("2.5 / 100 * 25") == "0.62");
  CHECK(Value("1.005") == "1.00");  // the double below 1.005
}

TEST_CASE("Calculate: division by zero and what is not finite") {
  for (const char* text : {"1/0", "0/0", "1/(2-2)", "5 / 0%", "1/-0"}) {
    CAPTURE(text);
    CHECK(CodeOf(text) == absl::StatusCode::kOutOfRange);
    CHECK(Value(text).find("division by zero") != std::string::npos);
  }
  const std::string huge(400, '9');
  CHECK(CodeOf(huge) == absl::StatusCode::kOutOfRange);
  CHECK(CodeOf("1/" + huge) == absl::StatusCode::kOutOfRange);  // never a silent 0
  const std::string large(300, '9');
  CHECK(Calculate(large).ok());
  CHECK(CodeOf(large + "*" + large) == absl::StatusCode::kOutOfRange);
  CHECK(CodeOf("1/(" + large + "*" + large + ")") == absl::StatusCode::kOutOfRange);
  CHECK(Value("0." + std::string(400, '0') + "1") == "0");  // below every double
  CHECK(Value(std::string(400, '0') + "12") == "12");
}

TEST_CASE("Calculate: what is not an expression is an error, never a guess") {
  for (const std::string& text : {std::string(""),
                                  std::string("  "),
                                  std::string("1 +"),
                                  std::string("* 2"),
                                  std::string("1 2"),
                                  std::string("()"),
                                  std::string("(1"),
                                  std::string("1)"),
                                  std::string("(1))"),
                                  std::string("((1)"),
                                  std::string("2(3)"),
                                  std::string("(2)(3)"),
                                  std::string("%"),
                                  std::string("%0"),
                                  std::string("5%%"),
                                  std::string("10 % 3"),
                                  std::string("."),
                                  std::string("5."),
                                  std::string("1.2.3"),
                                  std::string("1,23"),
                                  std::string("1234,567"),
                                  std::string("0,123"),
                                  std::string("1,2345"),
                                  std::string("1,234,56"),
                                  std::string("1.234,5"),
                                  std::string(",5"),
                                  std::string("1e3"),
                                  std::string("1e400"),
                                  std::string("0x10"),
                                  std::string("9**9"),
                                  std::string("9**9**9"),
                                  std::string("(((9**64)**64)**64)**64"),
                                  std::string("7//2"),
                                  std::string("2^3"),
                                  std::string("pi"),
                                  std::string("abs(1)"),
                                  std::string("__import__('os')"),
                                  std::string("1;2"),
                                  std::string("1\n+1"),
                                  std::string("1\0+1", 4),
                                  std::string("$5"),
                                  std::string("1=1"),
                                  std::string("inf"),
                                  std::string("nan"),
                                  std::string("1 \xc3\x97 2"),
                                  std::string("\xe2\x88\x92"
                                              "5"),
                                  std::string("\xef\xbc\x91"),
                                  std::string("\xff"),
                                  std::string("factorial(10)"),
                                  std::string("1_000")}) {
    CAPTURE(text);
    CHECK(CodeOf(text) == absl::StatusCode::kInvalidArgument);
    const std::string message = Value(text);
    CHECK(message.starts_with("error: calculator: "));
    CHECK(message.find('\n') == std::string::npos);
  }
  CHECK(Value("9**9").find("'**' at byte 1") != std::string::npos);
  CHECK(Value("12 + x").find("byte 5") != std::string::npos);
}

TEST_CASE("Calculate: limits at, below and above") {
  std::string sum = "1";
  while (sum.size() + 2 <= 1023) sum += "+1";
  CHECK(Value(sum) == std::to_string((sum.size() + 1) / 2));
  CHECK(Value(std::string(1023 - sum.size() + 1, ' ') + sum).starts_with("5"));  // 1,024 bytes
  CHECK(CodeOf(std::string(1023 - sum.size() + 2, ' ') + sum) == absl::StatusCode::kResourceExhausted);
  const auto nested = [](size_t depth) { return std::string(depth, '(') + "1" + std::string(depth, ')'); };
  CHECK(Value(nested(63)) == "1");
  CHECK(Value(nested(64)) == "1");
  CHECK(CodeOf(nested(65)) == absl::StatusCode::kResourceExhausted);
  std::string wide;  // groups side by side are not deep
  for (int i = 0; i < 200; ++i) wide += "(1)+";
  CHECK(Value(wide + "1") == "201");
  CHECK(Value(std::string(1023, '-') + "1") == "-1");
  CHECK(CodeOf(std::string(100000, '(')) == absl::StatusCode::kResourceExhausted);
  CHECK(CodeOf(std::string(100000000, '1')) == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("Calculate: the locale changes nothing") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  bool found = false;
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;
    found = true;
    CHECK(Value("1,234.5 / 2") == "617.25");
  }
  std::setlocale(LC_ALL, before.c_str());
  if (!found) MESSAGE("no other locale is installed");
}

// An expression written together with its value, worked out by the shape of the tree instead of by reading the text.
struct Written {
  std::string text;
  double value = 0;
  int binds = 0;  // 1 sum, 2 product, 3 signed, 4 atom
};

class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {}

  Written Expression(int depth) {
    if (depth == 0) return Number();
    switch (random_.Next() % 8) {
      case 0:
        return Number();
      case 1:
        return Signed(Expression(depth - 1));
      case 2:
        return Percent(Expression(depth - 1));
      case 3:
      case 4:
        return Binary(Expression(depth - 1), random_.Next() % 2 == 0 ? '+' : '-', Expression(depth - 1));
      default:
        return Binary(Expression(depth - 1), random_.Next() % 2 == 0 ? '*' : '/', Expression(depth - 1));
    }
  }

 private:
  Written Number() {
    const uint64_t whole = random_.Next() % 3 == 0 ? random_.Next() % 10000000 : random_.Next() % 30;
    const uint64_t cents = random_.Next() % 100;
    std::string digits = std::to_string(whole);
    if (random_.Next() % 2 == 0) {
      for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
    }
    if (random_.Next() % 2 == 0) return {digits, static_cast<double>(whole), 4};
    char fraction[8];
    std::snprintf(fraction, sizeof(fraction), ".%02d", static_cast<int>(cents));
    return {digits + fraction, std::stod(std::to_string(whole) + fraction), 4};
  }
  Written Signed(const Written& x) {
    const std::string inner = Grouped(x, 3);
    if (random_.Next() % 2 == 0) return {"+" + inner, x.value, 3};
    return {"-" + inner, -x.value, 3};
  }
  Written Percent(const Written& x) {
    const bool already = x.binds == 4 && x.text.back() == '%';
    return {(already ? "(" + x.text + ")" : Grouped(x, 4)) + "%", x.value / 100, 4};
  }
  Written Binary(const Written& left, char op, const Written& right) {
    const int binds = op == '+' || op == '-' ? 1 : 2;
    const std::string blank = random_.Next() % 2 == 0 ? " " : "";
    const std::string text = Grouped(left, binds) + blank + op + blank + Grouped(right, binds + 1);
    switch (op) {
      case '+':
        return {text, left.value + right.value, binds};
      case '-':
        return {text, left.value - right.value, binds};
      case '*':
        return {text, left.value * right.value, binds};
      default:
        return {text, left.value / right.value, binds};
    }
  }
  // In parentheses where it binds less tightly than its place needs, and sometimes where it need not be.
  std::string Grouped(const Written& x, int binds) {
    return x.binds < binds || random_.Next() % 6 == 0 ? "(" + x.text + ")" : x.text;
  }

  RandomStream random_;
};

TEST_CASE("Calculate: agrees with values worked out from the tree") {
  size_t finite = 0;
  for (uint64_t seed = 0; seed < 30000; ++seed) {
    const Written written = Writer(seed).Expression(1 + static_cast<int>(seed % 5));
    if (written.text.size() > 1024) continue;
    CAPTURE(written.text);
    const absl::StatusOr<std::string> value = Calculate(written.text);
    if (!std::isfinite(written.value) || !value.ok()) {
      // Infinity may turn into 0 in the tree's doubles; the calculator must have stopped before.
      REQUIRE(value.status().code() == absl::StatusCode::kOutOfRange);
      continue;
    }
    ++finite;
    char expected[400];
    const bool integral = written.value == std::trunc(written.value);
    std::snprintf(expected, sizeof(expected), integral ? "%.0f" : "%.2f", written.value);
    std::string text = expected;
    if (text == "-0" || text == "-0.00") text = text.substr(1);
    REQUIRE(*value == text);
  }
  CHECK(finite > 20000);
}

TEST_CASE("Calculate: random bytes do no harm") {
  RandomStream random(5);
  static constexpr char kBytes[] = "0123456789+-*/().,% e\t\n\xff";
  size_t values = 0;
  for (int i = 0; i < 100000; ++i) {
    std::string text;
    const size_t length = random.Next() % 12;
    for (size_t j = 0; j < length; ++j) text += kBytes[random.Next() % (sizeof(kBytes) - 1)];
    const absl::StatusOr<std::string> value = Calculate(text);
    if (!value.ok()) continue;
    ++values;
    REQUIRE(value->find_first_not_of("-0123456789.") == std::string::npos);
    // A result is an expression, and its own value; "3.00" is a value near 3 and reads as 3 itself.
    std::string expected = *value;
    if (expected.ends_with(".00")) expected.resize(expected.size() - 3);
    if (expected == "-0") expected = "0";
    REQUIRE(Value(*value) == expected);
  }
  CHECK(values > 500);
}

TEST_CASE("ReadDecimal: how far a number reaches") {
  const auto length = [](std::string_view text) {
    const std::optional<Decimal> number = ReadDecimal(text);
    return number ? number->length : 0;
  };
  CHECK(length("12 ") == 2);
  CHECK(length("1,234.50x") == 8);
  CHECK(length("1,234,567") == 9);
  CHECK(length("2019.") == 4);
  CHECK(length("12, 345") == 2);
  CHECK(length("1,2345") == 1);
  CHECK(length("1234,567") == 4);
  CHECK(length("0,123") == 1);
  CHECK(length(".5") == 2);
  CHECK(length(".") == 0);
  CHECK(length("-5") == 0);
  CHECK(length("") == 0);
  CHECK(ReadDecimal("1,234.50")->value == 1234.5);
}

}  // namespace
}  // namespace toolformer::calculate_test
