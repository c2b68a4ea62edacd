#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_SAVE_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_SAVE_H_

#include <string>

#include "absl/status/status.h"

namespace toolformer {

// SaveTokenizer for a `.gguf` file that LoadTokenizer takes; `folder` is there.
absl::Status SaveGgufTokenizer(const std::string& file, const std::string& folder);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_SAVE_H_
