#include "src/files/pickle_names.h"

namespace toolformer {
namespace {

constexpr PickleName kNames[] = {
    {"collections", "OrderedDict", PickleRole::kOrderedDict},
    {"torch", "Size", PickleRole::kSize},
    {"argparse", "Namespace", PickleRole::kNamespace},
    {"torch", "device", PickleRole::kDevice},
    {"torch._utils", "_rebuild_tensor", PickleRole::kTensor},
    {"torch._utils", "_rebuild_tensor_v2", PickleRole::kTensor},
    {"torch._utils", "_rebuild_tensor_v3", PickleRole::kTensorV3},
    {"torch._utils", "_rebuild_parameter", PickleRole::kParameter},
    {"torch._utils", "_rebuild_parameter_with_state", PickleRole::kParameter},
    {"torch", "FloatStorage", PickleRole::kStorage, "F32"},
    {"torch", "HalfStorage", PickleRole::kStorage, "F16"},
    {"torch", "BFloat16Storage", PickleRole::kStorage, "BF16"},
    {"torch", "DoubleStorage", PickleRole::kStorage, "F64"},
    {"torch", "LongStorage", PickleRole::kStorage, "I64"},
    {"torch", "IntStorage", PickleRole::kStorage, "I32"},
    {"torch", "ShortStorage", PickleRole::kStorage, "I16"},
    {"torch", "CharStorage", PickleRole::kStorage, "I8"},
    {"torch", "ByteStorage", PickleRole::kStorage, "U8"},
    {"torch", "BoolStorage", PickleRole::kStorage, "BOOL"},
    {"torch", "ComplexFloatStorage", PickleRole::kStorage, "C64"},
    {"torch.storage", "UntypedStorage", PickleRole::kUntypedStorage},
    {"torch", "UntypedStorage", PickleRole::kUntypedStorage},
    {"torch", "float32", PickleRole::kElementType, "F32"},
    {"torch", "float16", PickleRole::kElementType, "F16"},
    {"torch", "bfloat16", PickleRole::kElementType, "BF16"},
    {"torch", "float64", PickleRole::kElementType, "F64"},
    {"torch", "int64", PickleRole::kElementType, "I64"},
    {"torch", "int32", PickleRole::kElementType, "I32"},
    {"torch", "int16", PickleRole::kElementType, "I16"},
    {"torch", "int8", PickleRole::kElementType, "I8"},
    {"torch", "uint8", PickleRole::kElementType, "U8"},
    {"torch", "uint16", PickleRole::kElementType, "U16"},
    {"torch", "uint32", PickleRole::kElementType, "U32"},
    {"torch", "uint64", PickleRole::kElementType, "U64"},
    {"torch", "bool", PickleRole::kElementType, "BOOL"},
    {"torch", "complex64", PickleRole::kElementType, "C64"},
    {"torch", "float8_e4m3fn", PickleRole::kElementType, "F8_E4M3"},
    {"torch", "float8_e5m2", PickleRole::kElementType, "F8_E5M2"},
    {"torch", "float8_e8m0fnu", PickleRole::kElementType, "F8_E8M0"},
};

}  // namespace

const PickleName* FindPickleName(std::string_view module, std::string_view name) {
  for (const PickleName& known : kNames) {
    if (known.module == module && known.name == name) return &known;
  }
  return nullptr;
}

}  // namespace toolformer
