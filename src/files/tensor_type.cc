#include "src/files/tensor_type.h"

namespace toolformer {
namespace {

struct GgmlType {
  uint32_t id;  // as stored in GGUF
  TensorType type;
};

constexpr GgmlType kGgmlTypes[] = {
    {0, {"F32", 1, 4, ConvertF32}},
    {1, {"F16", 1, 2, ConvertF16}},
    {30, {"BF16", 1, 2, ConvertBf16}},
    {28, {"F64", 1, 8, ConvertF64}},
    {2, {"Q4_0", 32, 18, ConvertQ4_0}},
    {3, {"Q4_1", 32, 20, ConvertQ4_1}},
    {6, {"Q5_0", 32, 22, ConvertQ5_0}},
    {7, {"Q5_1", 32, 24, ConvertQ5_1}},
    {8, {"Q8_0", 32, 34, ConvertQ8_0}},
    {12, {"Q4_K", 256, 144, ConvertQ4_K}},
    {13, {"Q5_K", 256, 176, ConvertQ5_K}},
    {14, {"Q6_K", 256, 210, ConvertQ6_K}},
    {9, {"Q8_1", 32, 40, nullptr}},
    {10, {"Q2_K", 256, 84, ConvertQ2_K}},
    {11, {"Q3_K", 256, 110, ConvertQ3_K}},
    {15, {"Q8_K", 256, 292, nullptr}},
    {16, {"IQ2_XXS", 256, 66, ConvertIq2Xxs}},
    {17, {"IQ2_XS", 256, 74, ConvertIq2Xs}},
    {18, {"IQ3_XXS", 256, 98, ConvertIq3Xxs}},
    {19, {"IQ1_S", 256, 50, ConvertIq1S}},
    {20, {"IQ4_NL", 32, 18, ConvertIq4Nl}},
    {21, {"IQ3_S", 256, 110, ConvertIq3S}},
    {22, {"IQ2_S", 256, 82, ConvertIq2S}},
    {23, {"IQ4_XS", 256, 136, ConvertIq4Xs}},
    {24, {"I8", 1, 1, ConvertI8}},
    {25, {"I16", 1, 2, ConvertI16}},
    {26, {"I32", 1, 4, ConvertI32}},
    {27, {"I64", 1, 8, ConvertI64}},
    {29, {"IQ1_M", 256, 56, ConvertIq1M}},
    {34, {"TQ1_0", 256, 54, ConvertTq1_0}},
    {35, {"TQ2_0", 256, 66, ConvertTq2_0}},
    {39, {"MXFP4", 32, 17, ConvertMxfp4}},
    {40, {"NVFP4", 64, 36, ConvertNvfp4}},
    {41, {"Q1_0", 128, 18, nullptr}},
};

constexpr TensorType kSafetensorsTypes[] = {
    {"F32", 1, 4, ConvertF32},   {"F16", 1, 2, ConvertF16},  {"BF16", 1, 2, ConvertBf16}, {"F64", 1, 8, ConvertF64},
    {"BOOL", 1, 1, ConvertBool}, {"U8", 1, 1, ConvertU8},    {"I8", 1, 1, ConvertI8},     {"U16", 1, 2, ConvertU16},
    {"I16", 1, 2, ConvertI16},   {"U32", 1, 4, ConvertU32},  {"I32", 1, 4, ConvertI32},   {"U64", 1, 8, ConvertU64},
    {"I64", 1, 8, ConvertI64},   {"F8_E4M3", 1, 1, nullptr}, {"F8_E5M2", 1, 1, nullptr},  {"F8_E8M0", 1, 1, nullptr},
    {"C64", 1, 8, nullptr},
};

void AppendName(std::string_view name, std::string* list) {
  if (!list->empty()) *list += ", ";
  *list += name;
}

}  // namespace

const TensorType* FindGgmlType(uint32_t id) {
  for (const GgmlType& candidate : kGgmlTypes) {
    if (candidate.id == id) return &candidate.type;
  }
  return nullptr;
}

const TensorType* FindSafetensorsType(std::string_view name) {
  for (const TensorType& candidate : kSafetensorsTypes) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

std::string ReadableTypes() {
  std::string list;
  for (const GgmlType& candidate : kGgmlTypes) {
    if (candidate.type.to_f32 != nullptr) AppendName(candidate.type.name, &list);
  }
  return list;
}

std::string SafetensorsTypes() {
  std::string list;
  for (const TensorType& candidate : kSafetensorsTypes) AppendName(candidate.name, &list);
  return list;
}

}  // namespace toolformer
