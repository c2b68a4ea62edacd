// Callbacks of the host: calling them, what they answer through, and what belongs to them.
#ifndef TOOLFORMER_CAPI_SRC_HOST_H_
#define TOOLFORMER_CAPI_SRC_HOST_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capi/src/entry.h"
#include "toolformer/document.h"
#include "toolformer/tool.h"

// What a callback answers through. Each kind of answer is a type of its own and refuses the others.
struct toolformer_reply : toolformer::capi::Handle<toolformer_reply> {
  static constexpr const char* kName = "toolformer_reply";

  virtual ~toolformer_reply() = default;
  virtual absl::Status Write(std::string_view text);
  virtual absl::Status Ids(std::span<const int32_t> ids);
  virtual absl::Status Logits(const toolformer_array& logits);
  virtual absl::Status DlPack(DLManagedTensor* logits);
  virtual absl::Status Call(size_t byte_offset, std::string_view input);
  virtual absl::Status TakeDocument(const toolformer_document* document);

  // What the host said of its failure, and what it was told of the first answer that was refused: such a callback has
  // failed, whatever it returns.
  std::string failure;
  absl::Status refused;
};

namespace toolformer::capi {

// user_data with its destroy function, which runs once, when nobody is left who holds this.
class UserData {
 public:
  UserData(void* data, toolformer_destroy_fn destroy) : data_(data), destroy_(destroy) {}
  UserData(UserData&& other) noexcept : data_(other.data_), destroy_(std::exchange(other.destroy_, nullptr)) {}
  UserData& operator=(UserData&&) = delete;
  ~UserData();

  void* get() const { return data_; }

 private:
  void* data_;
  toolformer_destroy_fn destroy_;
};

// Runs a callback that answers through `reply` and returns a status. Not ok (TOOLFORMER_ERROR_CALLBACK, with what the
// host said) where it fails, throws, or has gone on after a refused answer.
template <typename Callback>
absl::Status CallHost(toolformer_reply& reply, const char* name, Callback&& callback) {
  toolformer_status status = TOOLFORMER_OK;
  try {
    status = std::forward<Callback>(callback)();
  } catch (const std::exception& exception) {
    return Coded(TOOLFORMER_ERROR_CALLBACK, fmt::format("{} threw an exception: {}", name, exception.what()));
  } catch (...) {
    return Coded(TOOLFORMER_ERROR_CALLBACK, fmt::format("{} threw something that is not an exception", name));
  }
  if (status == TOOLFORMER_OK && reply.refused.ok()) return absl::OkStatus();
  if (!reply.failure.empty()) return Coded(TOOLFORMER_ERROR_CALLBACK, reply.failure);
  if (!reply.refused.ok()) {
    return Coded(TOOLFORMER_ERROR_CALLBACK, fmt::format("{}: {}", name, std::string(reply.refused.message())));
  }
  return Coded(TOOLFORMER_ERROR_CALLBACK,
               fmt::format("{} returned {} ({})", name, status, toolformer_status_name(status)));
}

// Runs a callback that returns nothing or a plain value; throws HostFailure where it throws.
template <typename Callback>
auto CallHost(const char* name, Callback&& callback) {
  try {
    return std::forward<Callback>(callback)();
  } catch (const std::exception& exception) {
    throw HostFailure(
        Coded(TOOLFORMER_ERROR_CALLBACK, fmt::format("{} threw an exception: {}", name, exception.what())));
  } catch (...) {
    throw HostFailure(
        Coded(TOOLFORMER_ERROR_CALLBACK, fmt::format("{} threw something that is not an exception", name)));
  }
}

// Text that a callback writes.
struct TextReply : toolformer_reply {
  static constexpr size_t kMostBytes = size_t{64} << 20;
  absl::Status Write(std::string_view written) override;
  std::string text;
};

}  // namespace toolformer::capi

#endif  // TOOLFORMER_CAPI_SRC_HOST_H_
