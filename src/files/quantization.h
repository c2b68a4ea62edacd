// Stored number formats, converted to f32. The block formats are those of ggml; results are bit-equal to its reference.
#ifndef TOOLFORMER_SRC_FILES_QUANTIZATION_H_
#define TOOLFORMER_SRC_FILES_QUANTIZATION_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace toolformer {

// Converts `count` consecutive blocks at `blocks`, which need not be aligned, to count * (elements of a block) floats.
using BlockConverter = void (*)(const uint8_t* blocks, size_t count, float* out);

// Blocks of one element.
void ConvertF32(const uint8_t* blocks, size_t count, float* out);
void ConvertF64(const uint8_t* blocks, size_t count, float* out);
void ConvertF16(const uint8_t* blocks, size_t count, float* out);
void ConvertBf16(const uint8_t* blocks, size_t count, float* out);
void ConvertI8(const uint8_t* blocks, size_t count, float* out);
void ConvertI16(const uint8_t* blocks, size_t count, float* out);
void ConvertI32(const uint8_t* blocks, size_t count, float* out);
void ConvertI64(const uint8_t* blocks, size_t count, float* out);
void ConvertU8(const uint8_t* blocks, size_t count, float* out);
void ConvertU16(const uint8_t* blocks, size_t count, float* out);
void ConvertU32(const uint8_t* blocks, size_t count, float* out);
void ConvertU64(const uint8_t* blocks, size_t count, float* out);
void ConvertBool(const uint8_t* blocks, size_t count, float* out);  // any byte but 0 is 1

// The nearest bfloat16 of each value, ties to even; a NaN keeps its sign and becomes quiet.
void RoundToBf16(std::span<const float> values, uint16_t* out);

// Blocks of 32 elements with one f16 scale; _1 with an f16 minimum besides.
void ConvertQ4_0(const uint8_t* blocks, size_t count, float* out);
void ConvertQ4_1(const uint8_t* blocks, size_t count, float* out);
void ConvertQ5_0(const uint8_t* blocks, size_t count, float* out);
void ConvertQ5_1(const uint8_t* blocks, size_t count, float* out);
void ConvertQ8_0(const uint8_t* blocks, size_t count, float* out);

// 4-bit floats: blocks of 32 with a power of two as the scale, and of 64 with an 8-bit float for each 16.
void ConvertMxfp4(const uint8_t* blocks, size_t count, float* out);
void ConvertNvfp4(const uint8_t* blocks, size_t count, float* out);

// Blocks of 256 elements: scales of sub-blocks are themselves quantised.
void ConvertQ2_K(const uint8_t* blocks, size_t count, float* out);
void ConvertQ3_K(const uint8_t* blocks, size_t count, float* out);
void ConvertQ4_K(const uint8_t* blocks, size_t count, float* out);
void ConvertQ5_K(const uint8_t* blocks, size_t count, float* out);
void ConvertQ6_K(const uint8_t* blocks, size_t count, float* out);

// Blocks of 256 elements, each -1, 0 or 1 times the scale (TQ2_0 also twice).
void ConvertTq1_0(const uint8_t* blocks, size_t count, float* out);
void ConvertTq2_0(const uint8_t* blocks, size_t count, float* out);

// Blocks of 256 elements (IQ4_NL: 32) with values from lists.
void ConvertIq1S(const uint8_t* blocks, size_t count, float* out);
void ConvertIq1M(const uint8_t* blocks, size_t count, float* out);
void ConvertIq2Xxs(const uint8_t* blocks, size_t count, float* out);
void ConvertIq2Xs(const uint8_t* blocks, size_t count, float* out);
void ConvertIq2S(const uint8_t* blocks, size_t count, float* out);
void ConvertIq3Xxs(const uint8_t* blocks, size_t count, float* out);
void ConvertIq3S(const uint8_t* blocks, size_t count, float* out);
void ConvertIq4Nl(const uint8_t* blocks, size_t count, float* out);
void ConvertIq4Xs(const uint8_t* blocks, size_t count, float* out);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_QUANTIZATION_H_
