// Names that a file states, made safe to show.
#ifndef TOOLFORMER_SRC_FILES_PRINTABLE_H_
#define TOOLFORMER_SRC_FILES_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace toolformer {

inline constexpr size_t kMaxShownBytes = 80;

// `text` with control characters and invalid UTF-8 as \xNN; what is longer than `max_bytes` ends in "...".
std::string Printable(std::string_view text, size_t max_bytes = kMaxShownBytes);

// Whether `name` can name a tensor or a metadata entry: not empty, valid UTF-8, no control characters.
bool IsProperName(std::string_view name);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_PRINTABLE_H_
