#define PCRE2_CODE_UNIT_WIDTH 8
#include "src/host/pattern.h"

#include <pcre2.h>

#include <array>

#include "src/base/status.h"

namespace toolformer {
namespace {

constexpr size_t kMaxPatternBytes = 4096;
constexpr uint32_t kMaxNesting = 64;
// Some tens of milliseconds, and some megabytes.
constexpr uint32_t kMatchLimit = 1'000'000, kDepthLimit = 10'000, kHeapKilobytes = 16 << 10;

template <typename T, void (*Free)(T*)>
struct Freer {
  void operator()(T* object) const { Free(object); }
};
using CompileContext = std::unique_ptr<pcre2_compile_context, Freer<pcre2_compile_context, pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Freer<pcre2_match_context, pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freer<pcre2_match_data, pcre2_match_data_free>>;

}  // namespace

absl::StatusOr<std::shared_ptr<const Pattern>> Pattern::Compile(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return InvalidArgument("a pattern of {} bytes; at most {}", pattern.size(), kMaxPatternBytes);
  }
  const CompileContext context(pcre2_compile_context_create(nullptr));
  if (context == nullptr) return ResourceExhausted("no memory for a pattern");
  pcre2_set_parens_nest_limit(context.get(), kMaxNesting);
  int error = 0;
  size_t offset = 0;
  constexpr uint32_t kFlags = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), kFlags, &error,
                                   &offset, context.get());
  if (code == nullptr) {
    std::array<PCRE2_UCHAR, 160> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    return InvalidArgument("not a pattern: {} at byte {}", reinterpret_cast<const char*>(message.data()), offset);
  }
  return std::shared_ptr<const Pattern>(new Pattern(code));
}

Pattern::~Pattern() { pcre2_code_free(static_cast<pcre2_code*>(code_)); }

absl::StatusOr<bool> Pattern::Matches(std::string_view text) const {
  const MatchContext context(pcre2_match_context_create(nullptr));
  const MatchData data(pcre2_match_data_create(1, nullptr));
  if (context == nullptr || data == nullptr) return ResourceExhausted("no memory for a match");
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_depth_limit(context.get(), kDepthLimit);
  pcre2_set_heap_limit(context.get(), kHeapKilobytes);
  const int result = pcre2_match(static_cast<const pcre2_code*>(code_), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                 text.size(), 0, 0, data.get(), context.get());
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) return ResourceExhausted("the pattern takes too many steps on a text of {} bytes", text.size());
  return true;
}

}  // namespace toolformer
