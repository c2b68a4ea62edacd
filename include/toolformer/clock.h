// Civil dates and the injectable clock. The paper's Calendar must return the date of the document (while annotating)
// or the date that an evaluation presumes, so no tool reads the system's time itself.
#ifndef TOOLFORMER_CLOCK_H_
#define TOOLFORMER_CLOCK_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "toolformer/export.h"

namespace toolformer {

// A day of the proleptic Gregorian calendar, year 1 to 9999.
struct TOOLFORMER_API Date {
  int year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;    // 1 to 31

  // True where the three fields name a day that exists.
  bool IsValid() const;
  friend bool operator==(const Date&, const Date&) = default;
};

// Reads a date at the start of `text`: "2023-01-30", "2023-01-30T10:00:00Z", "2023/01/30", "20230130".
// Nothing where there is none or where the day does not exist.
TOOLFORMER_API std::optional<Date> ParseDate(std::string_view text);

// The date that a URL's path states, as in ".../2023/01/30/title" or ".../2023-01-30-title" (paper App. A.1, Calendar).
TOOLFORMER_API std::optional<Date> DateFromUrl(std::string_view url);

// "2023-01-30".
TOOLFORMER_API std::string FormatIsoDate(const Date& date);

// "Monday, January 30, 2023".
TOOLFORMER_API std::string FormatLongDate(const Date& date);

// Where tools get the date from. Implementations must be safe to call from several threads at once.
class TOOLFORMER_API Clock {
 public:
  virtual ~Clock() = default;
  virtual Date Today() const = 0;
};

// The system's date in UTC, read anew at each call.
TOOLFORMER_API std::shared_ptr<const Clock> SystemClock();

// Always `date`.
TOOLFORMER_API std::shared_ptr<const Clock> FixedClock(const Date& date);

}  // namespace toolformer

#endif  // TOOLFORMER_CLOCK_H_
