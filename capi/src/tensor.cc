// Tensors across the interface.
#include <ATen/DLConvertor.h>
#include <ATen/dlpack.h>
#include <ATen/ops/empty.h>

#include "capi/src/host.h"
#include "capi/src/objects.h"

namespace toolformer::capi {
namespace {

int32_t TypeOf(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return TOOLFORMER_TYPE_F32;
    case at::kDouble:
      return TOOLFORMER_TYPE_F64;
    case at::kHalf:
      return TOOLFORMER_TYPE_F16;
    case at::kBFloat16:
      return TOOLFORMER_TYPE_BF16;
    case at::kInt:
      return TOOLFORMER_TYPE_I32;
    default:
      return 0;
  }
}

}  // namespace

toolformer_tensor* NewTensor(const at::Tensor& tensor) { return New<toolformer_tensor>(tensor.cpu().contiguous()); }

toolformer_tensor* NewIds(std::span<const int32_t> ids) {
  at::Tensor tensor = at::empty({std::ssize(ids)}, at::kInt);
  std::copy(ids.begin(), ids.end(), tensor.data_ptr<int32_t>());
  return New<toolformer_tensor>(std::move(tensor));
}

toolformer_tensor* NewNumbers(std::span<const double> numbers) {
  at::Tensor tensor = at::empty({std::ssize(numbers)}, at::kDouble);
  std::copy(numbers.begin(), numbers.end(), tensor.data_ptr<double>());
  return New<toolformer_tensor>(std::move(tensor));
}

}  // namespace toolformer::capi

using toolformer::capi::LiveOrNull;

// A reply that takes no logits gives the capsule back.
absl::Status toolformer_reply::DlPack(DLManagedTensor* logits) {
  if (logits->deleter != nullptr) logits->deleter(logits);
  return toolformer::InvalidArgument("the callback is asked for another kind of answer");
}

extern "C" {

toolformer_array toolformer_tensor_array(const toolformer_tensor* tensor) noexcept {
  if (LiveOrNull(tensor) == nullptr) return {};
  const at::Tensor& t = tensor->tensor;
  return {t.const_data_ptr(), t.sizes().data(), static_cast<int32_t>(t.dim()), toolformer::capi::TypeOf(t)};
}

toolformer_ids toolformer_tensor_ids(const toolformer_tensor* tensor) noexcept {
  if (LiveOrNull(tensor) == nullptr || tensor->tensor.scalar_type() != at::kInt) return {};
  return {static_cast<const int32_t*>(tensor->tensor.const_data_ptr()), static_cast<size_t>(tensor->tensor.numel())};
}

toolformer_status toolformer_tensor_to_dlpack(const toolformer_tensor* tensor, DLManagedTensor** out,
                                              toolformer_error** error) noexcept {
  return toolformer::capi::Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(toolformer::capi::CheckHandle(tensor, "tensor"));
    TF_RETURN_IF_ERROR(toolformer::capi::CheckNotNull(out, "out"));
    *out = at::toDLPack(tensor->tensor);
    return absl::OkStatus();
  });
}

void toolformer_tensor_free(toolformer_tensor* tensor) noexcept { delete LiveOrNull(tensor); }

}  // extern "C"
