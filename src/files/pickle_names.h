// The only names that a pickle of tensors may refer to, and of the settings that training scripts save beside them.
#ifndef TOOLFORMER_SRC_FILES_PICKLE_NAMES_H_
#define TOOLFORMER_SRC_FILES_PICKLE_NAMES_H_

#include <string_view>

namespace toolformer {

enum class PickleRole {
  kOrderedDict,
  kSize,
  kTensor,     // (storage, offset, shape, strides ...)
  kTensorV3,   // ... and the element type as the seventh
  kParameter,  // (tensor, ...)
  kStorage,    // with the type below
  kUntypedStorage,
  kElementType,  // with the type below
  kNamespace,    // an object of attributes: a dictionary to us
  kDevice,       // (name, ...): its name to us
};

struct PickleName {
  std::string_view module, name;
  PickleRole role;
  std::string_view type = {};  // as safetensors calls it
};

// Null for every name but a few. The results live forever.
const PickleName* FindPickleName(std::string_view module, std::string_view name);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_PICKLE_NAMES_H_
