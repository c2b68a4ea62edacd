// Regular expressions over texts that nobody vouches for: what a match may cost is bounded.
#ifndef TOOLFORMER_SRC_HOST_PATTERN_H_
#define TOOLFORMER_SRC_HOST_PATTERN_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

namespace toolformer {

// A compiled pattern in PCRE2's syntax, UTF-8. Const and concurrent.
class Pattern {
 public:
  // kInvalidArgument with the offset of what is wrong; at most 4,096 bytes.
  static absl::StatusOr<std::shared_ptr<const Pattern>> Compile(std::string_view pattern);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  // Whether it matches anywhere in `text`; bytes that are not UTF-8 match nothing. kResourceExhausted where that would
  // take too many steps.
  absl::StatusOr<bool> Matches(std::string_view text) const;

 private:
  explicit Pattern(void* code) : code_(code) {}
  void* code_;  // pcre2_code
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_PATTERN_H_
