#include "src/files/tensor_type.h"

namespace toolformer {
namespace {

struct GgmlType {
  uint32_t id;  // as stored in GGUF
  TensorType type;
};

constexpr GgmlType kGgmlTypes[] = {
    {0, {"F32", 1, 4, ConvertF32}},        {1, {"F16", 1, 2, ConvertF16}},        {30, {"BF16", 1, 2, ConvertBf16}},
    {28, {"F64", 1, 8, ConvertF64}},       {2, {"Q4_0", 32, 18, ConvertQ4_0}},    {3, {"Q4_1", 32, 20, ConvertQ4_1}},
    {6, {"Q5_0", 32, 22, ConvertQ5_0}},    {7, {"Q5_1", 32, 24, ConvertQ5_1}},    {8, {"Q8_0", 32, 34, ConvertQ8_0}},
    {12, {"Q4_K", 256, 144, ConvertQ4_K}}, {13, {"Q5_K", 256, 176, ConvertQ5_K}}, {14, {"Q6_K", 256, 210, ConvertQ6_K}},
    {9, {"Q8_1", 32, 40, nullptr}},        {10, {"Q2_K", 256, 84, nullptr}},      {11, {"Q3_K", 256, 110, nullptr}},
    {15, {"Q8_K", 256, 292, nullptr}},     {16, {"IQ2_XXS", 256, 66, nullptr}},   {17, {"IQ2_XS", 256, 74, nullptr}},
    {18, {"IQ3_XXS", 256, 98, nullptr}},   {19, {"IQ1_S", 256, 50, nullptr}},     {20, {"IQ4_NL", 32, 18, nullptr}},
    {21, {"IQ3_S", 256, 110, nullptr}},    {22, {"IQ2_S", 256, 82, nullptr}},     {23, {"IQ4_XS", 256, 136, nullptr}},
    {24, {"I8", 1, 1, nullptr}},           {25, {"I16", 1, 2, nullptr}},          {26, {"I32", 1, 4, nullptr}},
    {27, {"I64", 1, 8, nullptr}},          {29, {"IQ1_M", 256, 56, nullptr}},     {34, {"TQ1_0", 256, 54, nullptr}},
    {35, {"TQ2_0", 256, 66, nullptr}},     {39, {"MXFP4", 32, 17, nullptr}},
};

constexpr TensorType kSafetensorsTypes[] = {
    {"F32", 1, 4, ConvertF32}, {"F16", 1, 2, ConvertF16},  {"BF16", 1, 2, ConvertBf16}, {"F64", 1, 8, ConvertF64},
    {"BOOL", 1, 1, nullptr},   {"U8", 1, 1, nullptr},      {"I8", 1, 1, nullptr},       {"U16", 1, 2, nullptr},
    {"I16", 1, 2, nullptr},    {"U32", 1, 4, nullptr},     {"I32", 1, 4, nullptr},      {"U64", 1, 8, nullptr},
    {"I64", 1, 8, nullptr},    {"F8_E4M3", 1, 1, nullptr}, {"F8_E5M2", 1, 1, nullptr},  {"F8_E8M0", 1, 1, nullptr},
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
