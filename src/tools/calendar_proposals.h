// Calls of the calendar before what depends on the date.
#ifndef TOOLFORMER_SRC_TOOLS_CALENDAR_PROPOSALS_H_
#define TOOLFORMER_SRC_TOOLS_CALENDAR_PROPOSALS_H_

#include <vector>

#include "toolformer/document.h"
#include "toolformer/tool.h"

namespace toolformer {

// Before the names of days and months, "today" and its like, and years next to the document's; one call at most within
// ten words. Of documents that state no date, none. At most kMostDatesOfAText.
inline constexpr int kMostDatesOfAText = 32;
std::vector<WorkedOutCall> CalendarProposals(const Document& document);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TOOLS_CALENDAR_PROPOSALS_H_
