// How large the files of a tokenizer may be.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_LIMITS_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_LIMITS_H_

#include <cstdint>

namespace toolformer {

inline constexpr uint64_t kMaxTokenizerFileBytes = uint64_t{512} << 20;   // vocabularies
inline constexpr uint64_t kMaxTokenizerConfigBytes = uint64_t{16} << 20;  // what stands beside them

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_LIMITS_H_
