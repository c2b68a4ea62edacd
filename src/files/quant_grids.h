// The rows of numbers that the grid-quantised types choose from, packed.
#ifndef TOOLFORMER_SRC_FILES_QUANT_GRIDS_H_
#define TOOLFORMER_SRC_FILES_QUANT_GRIDS_H_

#include <cstdint>

namespace toolformer {

// Eight elements of two bits each, the first in the lowest: of 8, 25 and 43 for IQ2, of -1, 0 and 1 for IQ1.
extern const uint16_t kGridIq2Xxs[256];
extern const uint16_t kGridIq2Xs[512];
extern const uint16_t kGridIq2S[1024];
extern const uint16_t kGridIq1[2048];

// Four elements of four bits each, the highest of which is not used.
extern const uint16_t kGridIq3Xxs[256];
extern const uint16_t kGridIq3S[512];

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_QUANT_GRIDS_H_
