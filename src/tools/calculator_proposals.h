// Calls of the calculator that give a text's own numbers.
#ifndef TOOLFORMER_SRC_TOOLS_CALCULATOR_PROPOSALS_H_
#define TOOLFORMER_SRC_TOOLS_CALCULATOR_PROPOSALS_H_

#include <vector>

#include "toolformer/document.h"
#include "toolformer/tool.h"

namespace toolformer {

// Before each number, the operations on earlier numbers, at most 100 words back, that give it, exactly or rounded to
// two decimals: those of two numbers, nearest first; where there is none, those of three. At most kMostOfANumber for
// each, kMostOfAText in all. Operations that are trivial (with 0, by 1) are left out, and numbers that stand among the
// earlier ones: a model copies them (on word problems half of all proposals, and one in eleven of the calls kept).
//
// Evidence: the logarithm of how many values a number could have had as easily (as many as there are with its
// significant digits, zeros at its end not counted, but no more than there are between it and the nearest earlier
// number: years next to years prove nothing), less that of the number of operations looked at.
inline constexpr int kMostOfANumber = 4;
inline constexpr int kMostOfAText = 256;
std::vector<WorkedOutCall> CalculatorProposals(const Document& document);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TOOLS_CALCULATOR_PROPOSALS_H_
