// Names of people, places and things in texts.
#ifndef TOOLFORMER_SRC_TOOLS_NAMES_H_
#define TOOLFORMER_SRC_TOOLS_NAMES_H_

#include <string_view>

namespace toolformer {

// True where a text of at least ten words names something: a word of two letters or more inside a sentence begins with
// a capital and goes on with a small letter, or the script of the text has no capitals. One pass.
bool NamesSomething(std::string_view text);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TOOLS_NAMES_H_
