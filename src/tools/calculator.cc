#include "src/tools/calculator_proposals.h"
#include "src/tools/number_relations.h"
#include "toolformer/tool.h"

namespace toolformer {

Tool MakeCalculator() {
  Tool tool;
  tool.name = "Calculator";
  tool.instruction =
      "Your task is to add calls to a Calculator API to a piece of text. A call works out a number that the text goes "
      "on to state. You can call the API by writing \"[Calculator(expression)]\" where \"expression\" is the "
      "expression to be computed.";
  tool.examples = {
      {"The theatre has 18 rows of 26 seats, so it seats 468 guests.",
       "The theatre has 18 rows of 26 seats, so it seats [Calculator(18 * 26) -> 468] 468 guests."},
      {"A coat for $64.50 and a scarf for $18.25 come to a total of $82.75.",
       "A coat for $64.50 and a scarf for $18.25 come to a total of [Calculator(64.50 + 18.25) -> 82.75] $82.75."},
      {"The mill was built in 1874 and burned down in 1921, after 47 years of work.",
       "The mill was built in 1874 and burned down in 1921, after [Calculator(1921 - 1874) -> 47] 47 years of work."},
      {"Of the 1,600 members 432 took part in the vote, a share of 0.27 of them all.",
       "Of the 1,600 members 432 took part in the vote, a share of [Calculator(432 / 1600) -> 0.27] 0.27 of them all."},
      {"With a discount of 15% the bicycle for 380 euros is 57 euros cheaper.",
       "With a discount of 15% the bicycle for 380 euros is [Calculator(380 * 15%) -> 57] 57 euros cheaper."},
      {"In 6 days she reads 6 * 35 pages = 210 pages.",
       "In 6 days she reads 6 * 35 pages = [Calculator(6 * 35) -> 210] 210 pages."},
      {"He sold 48 apples in April and 24 in May, so he sold 48 + 24 = 72 apples altogether.",
       "He sold 48 apples in April and 24 in May, so he sold 48 + 24 = [Calculator(48 + 24) -> 72] 72 apples "
       "altogether."},
  };
  tool.parameters = {.tau_s = 0.0, .k = 20, .m = 10, .tau_f = 0.5};
  tool.input_characters = "0123456789+-*/().,% ";
  tool.returns_at_once = true;
  tool.free_of_side_effects = true;
  tool.accepts = CalculatorAccepts;
  tool.propose = CalculatorProposals;
  tool.call = [](std::string_view input, const ToolContext& /*context*/) { return Calculate(input); };
  return tool;
}

}  // namespace toolformer
