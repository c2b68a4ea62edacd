// Element types of weight files: how large they are, and how they become f32.
#ifndef TOOLFORMER_SRC_FILES_TENSOR_TYPE_H_
#define TOOLFORMER_SRC_FILES_TENSOR_TYPE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "src/files/quantization.h"

namespace toolformer {

struct TensorType {
  std::string_view name;
  uint32_t block_elements;
  uint32_t block_bytes;
  BlockConverter to_f32;  // null: can be listed, not read
};

// Null for an unknown type. The results live forever.
const TensorType* FindGgmlType(uint32_t id);
const TensorType* FindSafetensorsType(std::string_view name);

// "F32, F16, ...": every type that can be read.
std::string ReadableTypes();

// "BOOL, U8, ...": every type that a safetensors file may hold.
std::string SafetensorsTypes();

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_TENSOR_TYPE_H_
