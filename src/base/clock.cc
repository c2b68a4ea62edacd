#include "toolformer/clock.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

namespace toolformer {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

// What a URL of the web may plausibly state; other groups of eight digits are identifiers.
constexpr int kFirstUrlYear = 1900;
constexpr int kLastUrlYear = 2100;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlnum(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::chrono::year_month_day ToChrono(const Date& date) {
  return {std::chrono::year(date.year), std::chrono::month(static_cast<unsigned>(date.month)),
          std::chrono::day(static_cast<unsigned>(date.day))};
}

// Takes `least` to `most` digits off the front of `text`, as many as there are; another digit after them is a failure.
std::optional<int> TakeNumber(std::string_view* text, size_t least, size_t most) {
  size_t length = 0;
  int value = 0;
  while (length < text->size() && IsDigit((*text)[length])) {
    if (length == most) return std::nullopt;
    value = value * 10 + ((*text)[length++] - '0');
  }
  if (length < least) return std::nullopt;
  text->remove_prefix(length);
  return value;
}

bool TakeChar(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

std::optional<Date> IfValid(const Date& date) {
  if (!date.IsValid()) return std::nullopt;
  return date;
}

// "20230130" at the front of `text`, removed from it.
std::optional<Date> TakeCompactDate(std::string_view* text) {
  const std::optional<int> digits = TakeNumber(text, 8, 8);
  if (!digits) return std::nullopt;
  return IfValid({*digits / 10000, *digits / 100 % 100, *digits % 100});
}

// "2023-01-30" or "2023/01/30" at the front of `text`, removed from it.
std::optional<Date> TakeSeparatedDate(std::string_view* text) {
  const std::optional<int> year = TakeNumber(text, 4, 4);
  if (!year || text->empty()) return std::nullopt;
  const char separator = text->front();
  if (separator != '-' && separator != '/') return std::nullopt;
  text->remove_prefix(1);
  const std::optional<int> month = TakeNumber(text, 2, 2);
  if (!month || !TakeChar(text, separator)) return std::nullopt;
  const std::optional<int> day = TakeNumber(text, 2, 2);
  if (!day) return std::nullopt;
  return IfValid({*year, *month, *day});
}

// A month as a segment of a path writes it: "1", "01", "jan".
std::optional<int> TakeUrlMonth(std::string_view* text) {
  if (!text->empty() && IsDigit(text->front())) return TakeNumber(text, 1, 2);
  if (text->size() < 3) return std::nullopt;
  for (size_t m = 0; m < kMonths.size(); ++m) {
    bool equal = true;
    for (size_t i = 0; i < 3; ++i) equal = equal && ((*text)[i] | 0x20) == (kMonths[m][i] | 0x20);
    if (!equal) continue;
    text->remove_prefix(3);
    return static_cast<int>(m) + 1;
  }
  return std::nullopt;
}

// Three segments of a path, "2023/01/30", "2023/1/30" or "2023/jan/30", at the front of `text`; what follows ends the
// last one.
std::optional<Date> PathSegmentsDate(std::string_view text) {
  const std::optional<int> year = TakeNumber(&text, 4, 4);
  if (!year || !TakeChar(&text, '/')) return std::nullopt;
  const std::optional<int> month = TakeUrlMonth(&text);
  if (!month || !TakeChar(&text, '/')) return std::nullopt;
  const std::optional<int> day = TakeNumber(&text, 1, 2);
  if (!day || (!text.empty() && IsAlnum(text.front()))) return std::nullopt;
  return IfValid({*year, *month, *day});
}

// A date at the front of `text`, before which stands `previous`.
std::optional<Date> UrlDateAt(std::string_view text, char previous) {
  if (previous == '/') {
    if (const std::optional<Date> date = PathSegmentsDate(text)) return date;
    std::string_view rest = text;
    const std::optional<Date> date = TakeCompactDate(&rest);
    if (date && (rest.empty() || !IsAlnum(rest.front()))) return date;
  }
  if (text.size() < 5 || text[4] != '-') return std::nullopt;
  return TakeSeparatedDate(&text);
}

}  // namespace

bool Date::IsValid() const {
  // The bounds come first: std::chrono's fields are narrower than int.
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31) return false;
  return ToChrono(*this).ok();
}

std::optional<Date> ParseDate(std::string_view text) {
  std::string_view rest = text;
  if (const std::optional<Date> date = TakeSeparatedDate(&rest)) return date;
  return TakeCompactDate(&text);
}

std::optional<Date> DateFromUrl(std::string_view url) {
  if (const size_t end = url.find_first_of("?#"); end != std::string_view::npos) url = url.substr(0, end);
  const size_t scheme = url.find("://");
  const size_t path = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  if (path == std::string_view::npos) return std::nullopt;
  for (size_t i = path + 1; i < url.size(); ++i) {
    if (!IsDigit(url[i]) || IsAlnum(url[i - 1])) continue;
    const std::optional<Date> date = UrlDateAt(url.substr(i), url[i - 1]);
    if (date && date->year >= kFirstUrlYear && date->year <= kLastUrlYear) return date;
  }
  return std::nullopt;
}

std::string FormatIsoDate(const Date& date) {
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

std::string FormatLongDate(const Date& date) {
  if (!date.IsValid()) return FormatIsoDate(date);
  const unsigned weekday = std::chrono::weekday(std::chrono::sys_days(ToChrono(date))).c_encoding();
  return fmt::format("{}, {} {}, {}", kWeekdays[weekday], kMonths[static_cast<size_t>(date.month) - 1], date.day,
                     date.year);
}

namespace {

class UtcClock : public Clock {
 public:
  Date Today() const override {
    const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
    return {static_cast<int>(today.year()), static_cast<int>(static_cast<unsigned>(today.month())),
            static_cast<int>(static_cast<unsigned>(today.day()))};
  }
};

class ConstantClock : public Clock {
 public:
  explicit ConstantClock(const Date& date) : date_(date) {}
  Date Today() const override { return date_; }

 private:
  Date date_;
};

}  // namespace

std::shared_ptr<const Clock> SystemClock() { return std::make_shared<UtcClock>(); }

std::shared_ptr<const Clock> FixedClock(const Date& date) { return std::make_shared<ConstantClock>(date); }

}  // namespace toolformer
