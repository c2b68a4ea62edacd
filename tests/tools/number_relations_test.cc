#include "src/tools/number_relations.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "src/base/random.h"
#include "toolformer/tool.h"

namespace toolformer::number_relations_test {
namespace {

Document TextDocument(std::string text) {
  Document document;
  document.text = std::move(text);
  return document;
}

bool Related(std::string_view text) { return HasArithmeticRelation(FindNumbers(text, 10000)); }

TEST_CASE("Calculator: accepts texts with a number that follows from two others") {
  CHECK(Related("The first leg is 118 km and the second 64 km, which makes 182 km."));
  CHECK(Related("Opened in 1987 and sold in 2013, after 26 years."));
  CHECK(Related("24 rows of 35 seats: 840 people"));
  CHECK(Related("735 people, 499 of them, so 1.47"));
  CHECK(Related("Of 1,250 ballots 475 were postal, that is 38%."));
  CHECK(Related("85/23=3.7"));
  CHECK(Related("the total 82.75 of 64.50 and 18.25"));
  CHECK_FALSE(Related("735 people, 499 of them, so 1.48"));
  CHECK_FALSE(Related("In 1987 there were 12 and then 31."));
  CHECK_FALSE(Related("12 and 24"));
  CHECK_FALSE(Related(""));
  // Neither 0 and 1 nor a quotient that rounds to 1 tells anything.
  CHECK_FALSE(Related("7 of 7 is 1"));
  CHECK_FALSE(Related("7 and 7 leave 0"));
  CHECK_FALSE(Related("1 times 35 is 35"));
  CHECK_FALSE(Related("1000 of 1003, 1 each"));
  CHECK(Related("4 and 1 make 5"));
  CHECK_FALSE(Related("B12 and A30 and C42"));  // names
}

TEST_CASE("Calculator: the window is 100 words") {
  const auto spread = [](size_t words) {
    std::string text = "12 30";
    for (size_t i = 2; i < words; ++i) text += " w";
    return text + " 42";
  };
  CHECK(Related(spread(99)));  // the words 0, 1 and 99
  CHECK_FALSE(Related(spread(100)));
  CHECK(Related("7 " + spread(99)));
}

TEST_CASE("Calculator: of a window the last 32 numbers count") {
  // Multiples of powers of five: no two of them make a third, or 12, 30 or 42.
  const auto crowded = [](int between) {
    std::string text = "12 30";
    double value = 1e6;
    for (int i = 0; i < between; ++i, value *= 5) text += " " + fmt::format("{:.0f}", value);
    return text + " 42";
  };
  CHECK(Related(crowded(29)));
  CHECK_FALSE(Related(crowded(30)));
}

TEST_CASE("Calculator: accepts results that a text states") {
  for (const char* text : {"x = 5", "x=5", "it EQUALS 17", "equal to $5.20", "a total of 12 men", "an average of .5",
                           "a total of \xe2\x82\xac"
                           "500",
                           "x == 3", "= -4", "Total of\n12"}) {
    CAPTURE(text);
    CHECK(HasStatedResult(text));
  }
  for (const char* text : {"", "=", "x = y", "total of", "total of them 5", "unequals 5", "equal 5", "average 5", "= .",
                           "subtotal of 5"}) {
    CAPTURE(text);
    CHECK_FALSE(HasStatedResult(text));
  }
}

TEST_CASE("Calculator: one in a hundred of the texts with three other numbers") {
  const Tool calculator = MakeCalculator();
  size_t accepted = 0;
  constexpr int kTexts = 20000;
  for (int i = 0; i < kTexts; ++i) {
    const Document document =
        TextDocument("Bus 7, floor 23, room 511, guest " + std::string(1, static_cast<char>('a' + i % 26)) +
                     std::string(static_cast<size_t>(i / 26), 'x'));
    const bool first = calculator.accepts(document, 11);
    REQUIRE(calculator.accepts(document, 11) == first);
    accepted += first;
  }
  // Binomial: mean 200, standard deviation 14.
  CHECK(accepted > 120);
  CHECK(accepted < 280);
  size_t by_seed = 0;
  for (uint64_t seed = 0; seed < kTexts; ++seed) by_seed += calculator.accepts(TextDocument("7, 23 and 511"), seed);
  CHECK(by_seed > 120);
  CHECK(by_seed < 280);
  for (uint64_t seed = 0; seed < 2000; ++seed) REQUIRE_FALSE(calculator.accepts(TextDocument("7 and 23"), seed));
}

TEST_CASE("Calculator: a document of numbers alone is cheap") {
  std::string text;
  for (int i = 0; i < 300000; ++i) text += "0.";
  for (int i = 0; i < 300000; ++i) text += " 10000019 10000079 10000103";
  CHECK_FALSE(MakeCalculator().accepts(TextDocument(text), 1));
  CHECK_FALSE(MakeCalculator().accepts(TextDocument(std::string(5000000, '1')), 1));
  CHECK_FALSE(MakeCalculator().accepts(TextDocument(std::string(5000000, '=')), 1));
}

TEST_CASE("Calculator: random bytes do no harm") {
  RandomStream random(6);
  static constexpr char kBytes[] = "0123456789.,%=$ -\nof\xe2\x82\xac";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    const size_t length = random.Next() % 40;
    for (size_t j = 0; j < length; ++j) text += kBytes[random.Next() % (sizeof(kBytes) - 1)];
    for (const TextNumber& number : FindNumbers(text, 5)) REQUIRE(number.value >= 0);
    HasStatedResult(text);
    Related(text);
  }
}

}  // namespace
}  // namespace toolformer::number_relations_test
