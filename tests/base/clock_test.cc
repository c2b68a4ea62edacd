#include "toolformer/clock.h"

#include <doctest/doctest.h>

#include <ctime>
#include <string>

#include "src/base/random.h"

namespace toolformer::clock_test {
namespace {

TEST_CASE("Date: valid days are those of the proleptic Gregorian calendar") {
  CHECK(Date{2023, 1, 30}.IsValid());
  CHECK(Date{2024, 2, 29}.IsValid());
  CHECK(Date{2000, 2, 29}.IsValid());
  CHECK(Date{1, 1, 1}.IsValid());
  CHECK(Date{9999, 12, 31}.IsValid());
  for (const Date& bad : {Date{2023, 2, 29}, Date{1900, 2, 29}, Date{2023, 4, 31}, Date{2023, 13, 1}, Date{2023, 0, 1},
                          Date{2023, 1, 0}, Date{2023, 1, 32}, Date{0, 1, 1}, Date{10000, 1, 1}, Date{-5, 1, 1},
                          // Narrowed to a byte these would be January 1.
                          Date{2023, 257, 1}, Date{2023, 1, 257}, Date{2023 + 65536, 1, 1}}) {
    CAPTURE(FormatIsoDate(bad));
    CHECK_FALSE(bad.IsValid());
  }
}

TEST_CASE("ParseDate: the four forms, at the start of a text") {
  const Date expected{2023, 1, 30};
  for (const char* text : {"2023-01-30", "2023-01-30T10:00:00Z", "2023/01/30", "20230130", "2023-01-30 10:00:00 -0500",
                           "20230130T101010", "2023/01/30/title"}) {
    CAPTURE(text);
    REQUIRE(ParseDate(text).has_value());
    CHECK(*ParseDate(text) == expected);
  }
  for (const char* text : {"", "2023", "2023-01", "2023-1-30", "2023-01-3", "2023-01/30", "2023-01-301", "202301301",
                           "2023-02-29", "20231301", "0000-01-01", " 2023-01-30", "x2023-01-30", "-2023-01-30",
                           "2023.01.30", "20-01-30", "12023-01-30", "2023--01-30", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDate(text).has_value());
  }
}

TEST_CASE("DateFromUrl: what a path states") {
  const auto iso = [](const char* url) {
    const std::optional<Date> date = DateFromUrl(url);
    return date ? FormatIsoDate(*date) : std::string("none");
  };
  CHECK(iso("https://example.org/2023/01/30/title") == "2023-01-30");
  CHECK(iso("https://example.org/news/2023-01-30-title.html") == "2023-01-30");
  CHECK(iso("https://example.org/news/title-2023-01-30") == "2023-01-30");
  CHECK(iso("https://example.org/news/title_2023-01-30.html") == "2023-01-30");
  CHECK(iso("https://example.org/blog/2015/3/7/") == "2015-03-07");
  CHECK(iso("https://example.org/world/2015/jan/30/title") == "2015-01-30");
  CHECK(iso("https://example.org/world/2015/DEC/01") == "2015-12-01");
  CHECK(iso("https://example.org/20230130/title") == "2023-01-30");
  CHECK(iso("https://example.org/20230130-title") == "2023-01-30");
  CHECK(iso("example.org/2023/01/30") == "2023-01-30");
  CHECK(iso("https://example.org/1/2023/01/30") == "2023-01-30");
  CHECK(iso("https://example.org/2019/99/30/2023/01/30") == "2023-01-30");

  CHECK(iso("") == "none");
  CHECK(iso("https://example.org/") == "none");
  CHECK(iso("https://example.org/2023/01/title") == "none");
  CHECK(iso("https://example.org/2023/02/29/title") == "none");
  CHECK(iso("https://example.org/2023/01/30th/title") == "none");
  CHECK(iso("https://example.org/article/120230130") == "none");
  CHECK(iso("https://example.org/article/20230130ab") == "none");
  CHECK(iso("https://example.org/article/a20230130") == "none");
  CHECK(iso("https://example.org/article/30000101") == "none");  // an identifier, not a year
  CHECK(iso("https://example.org/title?date=2023-01-30") == "none");
  CHECK(iso("https://example.org/title#/2023/01/30/") == "none");
  CHECK(iso("https://2023-01-30.example.org/title") == "none");
}

TEST_CASE("FormatLongDate: weekdays from the calendar of Python") {
  CHECK(FormatLongDate({2023, 1, 30}) == "Monday, January 30, 2023");
  CHECK(FormatLongDate({2020, 11, 20}) == "Friday, November 20, 2020");
  CHECK(FormatLongDate({2000, 2, 29}) == "Tuesday, February 29, 2000");
  CHECK(FormatLongDate({1969, 7, 20}) == "Sunday, July 20, 1969");
  CHECK(FormatLongDate({1, 1, 1}) == "Monday, January 1, 1");
  CHECK(FormatLongDate({9999, 12, 31}) == "Friday, December 31, 9999");
  CHECK(FormatLongDate({2038, 1, 20}) == "Wednesday, January 20, 2038");
  CHECK(FormatLongDate({2023, 13, 45}) == "2023-13-45");  // no such day, and no crash
}

TEST_CASE("FormatLongDate: agrees with the C library on random days") {
  RandomStream random(7);
  for (int i = 0; i < 5000; ++i) {
    const std::time_t seconds = static_cast<std::time_t>(random.Next() % 4102444800ull) - 1000000000;
    std::tm fields{};
    REQUIRE(gmtime_r(&seconds, &fields) != nullptr);
    char expected[64];
    const size_t length = std::strftime(expected, sizeof(expected), "%A, %B ", &fields);
    const Date date{fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday};
    REQUIRE(FormatLongDate(date) ==
            std::string(expected, length) + std::to_string(date.day) + ", " + std::to_string(date.year));
    const std::optional<Date> parsed = ParseDate(FormatIsoDate(date));
    REQUIRE(parsed.has_value());
    REQUIRE(*parsed == date);
  }
}

TEST_CASE("Clocks") {
  CHECK(FixedClock({2038, 1, 20})->Today() == Date{2038, 1, 20});
  const auto utc = [] {
    const std::time_t now = std::time(nullptr);
    std::tm fields{};
    gmtime_r(&now, &fields);
    return Date{fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday};
  };
  const Date before = utc();
  const Date today = SystemClock()->Today();
  CHECK((today == before || today == utc()));  // midnight may pass in between
}

TEST_CASE("Dates: random bytes do no harm") {
  RandomStream random(8);
  static constexpr char kBytes[] = "0123456789/-T:jan ?#.\xff";
  for (int i = 0; i < 20000; ++i) {
    std::string text = i % 2 == 0 ? "" : "https://example.org/";
    const size_t length = random.Next() % 24;
    for (size_t j = 0; j < length; ++j) text += kBytes[random.Next() % (sizeof(kBytes) - 1)];
    if (const std::optional<Date> date = ParseDate(text)) REQUIRE(date->IsValid());
    if (const std::optional<Date> date = DateFromUrl(text)) REQUIRE(date->IsValid());
  }
}

}  // namespace
}  // namespace toolformer::clock_test
