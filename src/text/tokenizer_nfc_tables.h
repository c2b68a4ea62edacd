// Unicode data for normalisation form C.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_NFC_TABLES_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_NFC_TABLES_H_

#include <cstddef>
#include <cstdint>

namespace toolformer {

struct CombiningRange {
  uint32_t first, last;
  uint8_t combining_class;  // not 0
};
// Sorted.
extern const CombiningRange kCombiningRanges[];
extern const size_t kCombiningRangeCount;

struct CanonicalDecomposition {
  uint32_t composed;
  uint32_t first, second;  // second is 0 where there is one code point only
  bool composes;           // false: excluded from composition
};
// Sorted by `composed`; without Hangul syllables, which are computed.
extern const CanonicalDecomposition kCanonicalDecompositions[];
extern const size_t kCanonicalDecompositionCount;

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_NFC_TABLES_H_
