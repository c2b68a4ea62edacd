#include "capi/src/host.h"

#include "src/base/utf8.h"

namespace {

absl::Status NotThisKind() { return toolformer::InvalidArgument("the callback is asked for another kind of answer"); }

// Remembers the first answer that was refused.
template <typename Answer>
toolformer_status Give(toolformer_reply* reply, Answer&& answer) noexcept {
  return toolformer::capi::Guard(nullptr, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(toolformer::capi::CheckHandle(reply, "reply"));
    absl::Status status = answer();
    if (!status.ok() && reply->refused.ok()) reply->refused = status;
    return status;
  });
}

}  // namespace

absl::Status toolformer_reply::Write(std::string_view) { return NotThisKind(); }
absl::Status toolformer_reply::Ids(std::span<const int32_t>) { return NotThisKind(); }
absl::Status toolformer_reply::Logits(const toolformer_array&) { return NotThisKind(); }
absl::Status toolformer_reply::Call(size_t, std::string_view) { return NotThisKind(); }
absl::Status toolformer_reply::TakeDocument(const toolformer_document*) { return NotThisKind(); }

namespace toolformer::capi {

UserData::~UserData() {
  if (destroy_ == nullptr) return;
  try {
    destroy_(data_);
  } catch (...) {  // there is nobody left to tell
  }
}

absl::Status TextReply::Write(std::string_view written) {
  if (written.size() > kMostBytes - text.size()) {
    return Coded(TOOLFORMER_ERROR_LIMIT, fmt::format("the answer is longer than {} bytes", kMostBytes));
  }
  text += written;
  return absl::OkStatus();
}

}  // namespace toolformer::capi

extern "C" {

void toolformer_reply_fail(toolformer_reply* reply, toolformer_string message) noexcept {
  constexpr size_t kMost = 4096;
  if (toolformer::capi::LiveOrNull(reply) == nullptr || (message.data == nullptr && message.size > 0)) return;
  try {
    const std::string_view kept = toolformer::Utf8Prefix(toolformer::capi::ToView(message), kMost);
    reply->failure = kept.empty() ? "the callback has failed" : std::string(kept);
  } catch (...) {  // it fails without a message
  }
}

toolformer_status toolformer_reply_write(toolformer_reply* reply, toolformer_string text) noexcept {
  return Give(reply, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(toolformer::capi::CheckText(text, "text"));
    return reply->Write(toolformer::capi::ToView(text));
  });
}

toolformer_status toolformer_reply_ids(toolformer_reply* reply, toolformer_ids ids) noexcept {
  return Give(reply, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(toolformer::capi::CheckArray(ids.data, ids.size, "ids"));
    return reply->Ids(toolformer::capi::ToSpan(ids));
  });
}

toolformer_status toolformer_reply_logits(toolformer_reply* reply, toolformer_array logits) noexcept {
  return Give(reply, [&] { return reply->Logits(logits); });
}

toolformer_status toolformer_reply_dlpack(toolformer_reply* reply, DLManagedTensor* logits) noexcept {
  return Give(reply, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(toolformer::capi::CheckNotNull(logits, "logits"));
    return reply->DlPack(logits);
  });
}

toolformer_status toolformer_reply_call(toolformer_reply* reply, size_t byte_offset, toolformer_string input) noexcept {
  return Give(reply, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(toolformer::capi::CheckText(input, "input"));
    return reply->Call(byte_offset, toolformer::capi::ToView(input));
  });
}

toolformer_status toolformer_reply_document(toolformer_reply* reply, const toolformer_document* document) noexcept {
  return Give(reply, [&] { return reply->TakeDocument(document); });
}

}  // extern "C"
