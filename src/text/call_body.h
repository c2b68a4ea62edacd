// Reads a call as a model writes it: what stands between the opening and the arrow or the closing bracket.
#ifndef TOOLFORMER_SRC_TEXT_CALL_BODY_H_
#define TOOLFORMER_SRC_TEXT_CALL_BODY_H_

#include <cstddef>
#include <string_view>

#include "toolformer/call_syntax.h"

namespace toolformer {

enum class BodyState {
  kGoOn,      // more text may make it a call
  kCall,      // a whole call and the arrow or bracket behind it have been read
  kNotACall,  // nothing can make it one
};

struct BodyReading {
  BodyState state = BodyState::kNotACall;
  Call call;       // where it is one
  size_t end = 0;  // bytes up to the end of `Name(input)`, where it is one
};

// Reads the text after an opening. Blanks before the name and before the arrow or bracket are tolerated. Arrow and
// bracket are noticed as text: byte-pair vocabularies hold tokens that join them with what stands before.
BodyReading ReadCallBody(std::string_view text);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_CALL_BODY_H_
