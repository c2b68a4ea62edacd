#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/tools/calculator_proposals.h"
#include "src/tools/calendar_proposals.h"
#include "src/tools/number_relations.h"

namespace toolformer::proposals_test {
namespace {

// "before|expression" of each.
std::vector<std::string> Calls(const std::string& text, const std::vector<WorkedOutCall>& proposals) {
  std::vector<std::string> calls;
  for (const WorkedOutCall& proposal : proposals) {
    calls.push_back(text.substr(proposal.byte_offset, 4) + "|" + proposal.call.input);
  }
  return calls;
}

std::vector<std::string> Calculator(const std::string& text) {
  Document document;
  document.text = text;
  return Calls(text, CalculatorProposals(document));
}

std::vector<std::string> Calendar(const std::string& text, std::optional<Date> date) {
  Document document;
  document.text = text;
  document.date = date;
  return Calls(text, CalendarProposals(document));
}

using Strings = std::vector<std::string>;

TEST_CASE("the operations on earlier numbers that give a number") {
  CHECK(Calculator("an area of 588 sqmi, of which 415 sqmi is land and 173 sqmi is water") ==
        Strings{"173 |588 - 415"});
  CHECK(Calculator("18 rows of 26 seats, 468 guests") == Strings{"468 |18 * 26"});
  CHECK(Calculator("Of 1,600 members 432 came, 0.27 of all.") == Strings{"0.27|432 / 1600"});
  CHECK(Calculator("a discount of 15% on 380 euros is 57 euros") == Strings{"57 e|15% * 380"});
  CHECK(Calculator("27 and 27 are 54.") == Strings{"54.|27 + 27"});
}

TEST_CASE("of three numbers where two do not suffice") {
  CHECK(Calculator("3 boxes at 12 and one at 30 cost 66") == Strings{"66|3 * 12 + 30"});
  CHECK(Calculator("2 + 7 people pay 13 each, 117") == Strings{"117|(2 + 7) * 13"});
}

TEST_CASE("a currency sign belongs to its number") {
  CHECK(Calculator("$64.50 and $18.25 make $82.75") == Strings{"$82.|64.50 + 18.25"});
  CHECK(Calculator("\u20ac10 and \u20ac25 make \u20ac35") == Strings{"\u20ac3|10 + 25"});
}

TEST_CASE("nothing trivial, nothing from far away") {
  CHECK(Calculator("0 and 5 and 5").empty());
  CHECK(Calculator("1 time 7 is 7").empty());
  CHECK(Calculator("no numbers").empty());
  CHECK(Calculator("").empty());
  std::string far = "3 and 4 ";
  for (int i = 0; i < 120; ++i) far += "word ";
  CHECK(Calculator(far + "7").empty());
}

TEST_CASE("nothing for a number that stands there already") {
  CHECK(Calculator("5 and 7 make 12, and 12 it is") == Strings{"12, |5 + 7"});
  CHECK(Calculator("12: 5 and 7 are 12") == Strings{"7 ar|12 - 5"});
}

TEST_CASE("evidence: the values that a number could have had, against the operations looked at") {
  const auto evidence = [](const std::string& text) {
    Document document;
    document.text = text;
    return CalculatorProposals(document).back().evidence;
  };
  // Two numbers give five positive values: +, -, *, and / both ways.
  CHECK(evidence("588 less 415 is 173") == doctest::Approx(std::log(173 / 5.0)));   // 173 away from 0
  CHECK(evidence("12 times 30 is 360") == doctest::Approx(std::log(100 / 5.0)));    // two significant digits
  CHECK(evidence("0.5 and 0.25 are 0.75") == doctest::Approx(std::log(25 / 5.0)));  // hundredths
  CHECK(evidence("30% and 45% are 75%") == doctest::Approx(std::log(30 / 5.0)));
  CHECK(evidence("2005 and 1 year: 2006") == 0.0);
  CHECK(evidence("9 less 7 is 2") == 0.0);
}

TEST_CASE("every proposal computes to the number that it stands before, in bounded time and number") {
  RandomStream random(7);
  for (int round = 0; round < 60; ++round) {
    Document document;
    const int words = static_cast<int>(random.Uniform() * 400);
    for (int w = 0; w < words; ++w) {
      const double kind = random.Uniform();
      if (kind < 0.2) document.text += "word ";
      if (kind >= 0.2 && kind < 0.8) document.text += std::to_string(static_cast<int>(random.Uniform() * 60)) + " ";
      if (kind >= 0.8) document.text += std::to_string(static_cast<int>(random.Uniform() * 9000)) + ".5% ";
    }
    const std::vector<TextNumber> numbers = FindNumbers(document.text, 100000);
    const std::vector<WorkedOutCall> proposals = CalculatorProposals(document);
    CHECK(proposals.size() <= static_cast<size_t>(kMostOfAText));
    size_t last = 0;
    for (const WorkedOutCall& proposal : proposals) {
      CAPTURE(proposal.call.input);
      CHECK(proposal.byte_offset >= last);
      last = proposal.byte_offset;
      const absl::StatusOr<std::string> result = Calculate(proposal.call.input);
      REQUIRE(result.ok());
      const auto at = std::find_if(numbers.begin(), numbers.end(),
                                   [&](const TextNumber& number) { return number.begin == proposal.byte_offset; });
      REQUIRE(at != numbers.end());
      CHECK(std::abs(std::stod(*result) - at->value) <= 0.0101);
    }
  }
}

TEST_CASE("dates of documents that state theirs") {
  const Date date{2023, 6, 14};
  CHECK(Calendar("It opens on Friday.", std::nullopt).empty());
  CHECK(Calendar("It opens on Friday.", date) == Strings{"Frid|"});
  CHECK(Calendar("We met today. In June it rained.", date) == Strings{"toda|"});  // June is too near
  CHECK(Calendar("In 2024 there is an election, in 1950 there was none.", date) == Strings{"2024|"});
  CHECK(Calendar("Mayor Mondays mayhem fridayish", date).empty());
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "Sunday word word word word word word word word word ";
  CHECK(Calendar(many, date).size() == static_cast<size_t>(kMostDatesOfAText));
}

}  // namespace
}  // namespace toolformer::proposals_test
