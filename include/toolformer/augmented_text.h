// From judged calls to x*: which of them stay, and the text with them in place (paper section 2, equation 4 and after).
#ifndef TOOLFORMER_AUGMENTED_TEXT_H_
#define TOOLFORMER_AUGMENTED_TEXT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "toolformer/annotator.h"
#include "toolformer/call_syntax.h"
#include "toolformer/export.h"

namespace toolformer {

// Whether a call, which has losses, passes the filter: in the paper whether its gain is at least its tool's tau_f.
using PassesFilter = std::function<bool(const std::string& tool, const JudgedCall& call)>;

// Decides anew which calls of a document are kept: those that pass, and of several at one position the one with the
// largest gain, whichever the tool (the first proposed where two are equal). Calls without losses are tool errors. Of a
// gain that is only bounded (CallLosses::gain_is_bound) nothing is concluded: such a call does not pass. SpliceCalls
// brings the augmented text up to this.
TOOLFORMER_API void JudgeCalls(const PassesFilter& passes, AnnotatedDocument* annotated);

// Where a kept call stands in augmented_ids: [begin, end), the opening and closing bracket included.
struct TOOLFORMER_API SplicedCall {
  const JudgedCall* call = nullptr;  // of the document
  int64_t begin = 0, end = 0;
  int64_t result_begin = 0, result_end = 0;  // the result's own tokens; equal for an empty one
};

// Writes augmented_text and augmented_ids: x with the kept calls and their results in place, each built of the pieces
// that filtering and decoding use. Returns where they stand, in order; valid as long as the document's calls are.
TOOLFORMER_API std::vector<SplicedCall> SpliceCalls(const CallPieces& pieces, AnnotatedDocument* annotated);

}  // namespace toolformer

#endif  // TOOLFORMER_AUGMENTED_TEXT_H_
