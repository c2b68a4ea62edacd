#include <utility>

#include "src/base/status.h"
#include "src/tools/calendar_proposals.h"
#include "toolformer/tool.h"

namespace toolformer {
namespace {

absl::StatusOr<std::string> Answer(std::string_view input, const Date& today) {
  if (input.find_first_not_of(" \t") != std::string_view::npos) {
    return InvalidArgument("calendar: takes no input; the call is Calendar()");
  }
  if (!today.IsValid()) return InvalidArgument("calendar: {} is not a day of the calendar", FormatIsoDate(today));
  return "Today is " + FormatLongDate(today) + ".";
}

}  // namespace

Tool MakeCalendar(std::shared_ptr<const Clock> clock) {
  if (clock == nullptr) clock = SystemClock();
  Tool tool;
  tool.name = "Calendar";
  tool.instruction =
      "Your task is to add calls to a Calendar API to a piece of text. A call asks for the current date and stands "
      "before a passage that is easier to write for someone who knows that date. You can call the API by writing "
      "\"[Calendar()]\".";
  tool.examples = {
      {"The museum is closed on the first Monday of every month, so come back tomorrow, on Tuesday.",
       "The museum is closed on the first Monday of every month, so come back tomorrow, on [Calendar() -> Today is "
       "Monday, March 4, 2019.] Tuesday."},
      {"The bridge was opened in 1932, which makes it 85 years old this year.",
       "The bridge was opened in 1932, which makes it [Calendar() -> Today is Thursday, June 15, 2017.] 85 years old "
       "this year."},
      {"It is Saturday again, and the farmers have set up their stalls on the square.",
       "It is [Calendar() -> Today is Saturday, September 12, 2015.] Saturday again, and the farmers have set up their "
       "stalls on the square."},
      {"Only 9 days are left until New Year's Eve, and the tickets are almost gone.",
       "Only [Calendar() -> Today is Wednesday, December 22, 2021.] 9 days are left until New Year's Eve, and the "
       "tickets are almost gone."},
      {"The next election is held in 2024, that is in two years.",
       "The next election is held in 2024, that is in [Calendar() -> Today is Friday, May 20, 2022.] two years."},
      {"The minister said on Tuesday that the new timetable starts in February.",
       "The minister said on [Calendar() -> Today is Tuesday, January 14, 2020.] Tuesday that the new timetable starts "
       "in February."},
  };
  tool.parameters = {.tau_s = 0.05, .k = 5, .m = 5, .tau_f = 1.0};
  tool.takes_input = false;
  tool.returns_at_once = true;
  tool.free_of_side_effects = true;
  // Without a date of its own a text would be annotated with today's, which says nothing of it.
  tool.accepts = [](const Document& document, uint64_t /*seed*/) { return document.date.has_value(); };
  tool.propose = CalendarProposals;
  tool.call = [clock = std::move(clock)](std::string_view input, const ToolContext& context) {
    return Answer(input, context.document_date ? *context.document_date : clock->Today());
  };
  return tool;
}

}  // namespace toolformer
