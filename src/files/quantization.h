// Stored number formats, converted to f32. The block formats are those of ggml; results are bit-equal to its reference.
#ifndef TOOLFORMER_SRC_FILES_QUANTIZATION_H_
#define TOOLFORMER_SRC_FILES_QUANTIZATION_H_

#include <cstddef>
#include <cstdint>

namespace toolformer {

// Converts `count` consecutive blocks at `blocks`, which need not be aligned, to count * (elements of a block) floats.
using BlockConverter = void (*)(const uint8_t* blocks, size_t count, float* out);

// Blocks of one element.
void ConvertF32(const uint8_t* blocks, size_t count, float* out);
void ConvertF64(const uint8_t* blocks, size_t count, float* out);
void ConvertF16(const uint8_t* blocks, size_t count, float* out);
void ConvertBf16(const uint8_t* blocks, size_t count, float* out);

// Blocks of 32 elements with one f16 scale; _1 with an f16 minimum besides.
void ConvertQ4_0(const uint8_t* blocks, size_t count, float* out);
void ConvertQ4_1(const uint8_t* blocks, size_t count, float* out);
void ConvertQ5_0(const uint8_t* blocks, size_t count, float* out);
void ConvertQ5_1(const uint8_t* blocks, size_t count, float* out);
void ConvertQ8_0(const uint8_t* blocks, size_t count, float* out);

// Blocks of 256 elements: scales of sub-blocks are themselves quantised.
void ConvertQ4_K(const uint8_t* blocks, size_t count, float* out);
void ConvertQ5_K(const uint8_t* blocks, size_t count, float* out);
void ConvertQ6_K(const uint8_t* blocks, size_t count, float* out);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_QUANTIZATION_H_
