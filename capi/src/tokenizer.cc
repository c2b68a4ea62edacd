// Tokenizers, of files and of the host.
#include "capi/src/host.h"
#include "capi/src/objects.h"

namespace toolformer::capi {
namespace {

constexpr int32_t kMostTokens = 1 << 24;
constexpr size_t kMostTextBytes = size_t{256} << 20;

struct IdsReply : toolformer_reply {
  explicit IdsReply(int32_t size) : vocab_size(size) {}
  absl::Status Ids(std::span<const int32_t> given) override {
    if (given.size() > static_cast<size_t>(kMostTokens) - ids.size()) {
      return Coded(TOOLFORMER_ERROR_LIMIT, fmt::format("more than {} ids", kMostTokens));
    }
    for (const int32_t id : given) {
      if (id < 0 || id >= vocab_size) return InvalidArgument("id {} is not within 0 to {}", id, vocab_size - 1);
    }
    ids.insert(ids.end(), given.begin(), given.end());
    return absl::OkStatus();
  }
  const int32_t vocab_size;
  std::vector<int32_t> ids;
};

// A tokenizer of the host's. Its vocabulary is read once; texts are encoded by the host.
class HostTokenizer : public Tokenizer {
 public:
  static absl::StatusOr<std::shared_ptr<const Tokenizer>> Create(const toolformer_host_tokenizer& host,
                                                                 UserData user_data) {
    TF_RETURN_IF_ERROR(CheckNotNull(reinterpret_cast<const void*>(host.encode), "host.encode"));
    TF_RETURN_IF_ERROR(CheckNotNull(reinterpret_cast<const void*>(host.token_bytes), "host.token_bytes"));
    TF_RETURN_IF_ERROR(CheckArray(host.end_ids.data, host.end_ids.size, "host.end_ids"));
    if (host.vocab_size < 1 || host.vocab_size > kMostTokens) {
      return InvalidArgument("host.vocab_size is {}, not within 1 to {}", host.vocab_size, kMostTokens);
    }
    for (const int32_t id : ToSpan(host.end_ids)) {
      if (id < 0 || id >= host.vocab_size) return InvalidArgument("host.end_ids has {}, which is no id", id);
    }
    if (host.start_id < 0 || host.start_id >= host.vocab_size) {
      return InvalidArgument("host.start_id is {}, which is no id", host.start_id);
    }
    auto tokenizer = std::make_shared<HostTokenizer>(host, std::move(user_data));
    TF_RETURN_IF_ERROR(tokenizer->ReadVocabulary());
    return tokenizer;
  }

  HostTokenizer(const toolformer_host_tokenizer& host, UserData user_data)
      : host_(host),
        user_data_(std::move(user_data)),
        end_ids_(ToSpan(host.end_ids).begin(), ToSpan(host.end_ids).end()) {}

  std::vector<int32_t> Encode(std::string_view text) const override { return EncodeWith(text, 0); }
  std::vector<int32_t> EncodeContinuation(std::string_view text) const override { return EncodeWith(text, 1); }
  std::string_view TokenBytes(int32_t id) const override {
    return id >= 0 && id < host_.vocab_size ? std::string_view(pieces_[id]) : std::string_view();
  }
  int32_t vocab_size() const override { return host_.vocab_size; }
  int32_t start_id() const override { return host_.start_id; }
  const std::vector<int32_t>& end_ids() const override { return end_ids_; }

 private:
  absl::Status ReadVocabulary() {
    pieces_.reserve(host_.vocab_size);
    for (int32_t id = 0; id < host_.vocab_size; ++id) {
      TextReply reply;
      TF_RETURN_IF_ERROR(
          CallHost(reply, "token_bytes", [&] { return host_.token_bytes(user_data_.get(), id, &reply); }));
      pieces_.push_back(std::move(reply.text));
    }
    return absl::OkStatus();
  }

  std::vector<int32_t> EncodeWith(std::string_view text, int32_t continuation) const {
    IdsReply reply(host_.vocab_size);
    const absl::Status status =
        CallHost(reply, "encode", [&] { return host_.encode(user_data_.get(), View(text), continuation, &reply); });
    if (!status.ok()) throw HostFailure(status);
    return std::move(reply.ids);
  }

  const toolformer_host_tokenizer host_;
  const UserData user_data_;
  const std::vector<int32_t> end_ids_;
  std::vector<std::string> pieces_;
};

}  // namespace
}  // namespace toolformer::capi

using namespace toolformer::capi;  // NOLINT(google-build-using-namespace)

extern "C" {

toolformer_status toolformer_tokenizer_load(toolformer_string path, toolformer_tokenizer** out,
                                            toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckText(path, "path"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    auto tokenizer = toolformer::LoadTokenizer(ToString(path));
    if (!tokenizer.ok()) return Corrupt(tokenizer.status());
    *out = New<toolformer_tokenizer>(*std::move(tokenizer));
    return absl::OkStatus();
  });
}

void toolformer_host_tokenizer_init(toolformer_host_tokenizer* tokenizer, size_t struct_size) noexcept {
  Initialise(tokenizer, struct_size, toolformer_host_tokenizer{});
}

toolformer_status toolformer_tokenizer_from_host(const toolformer_host_tokenizer* host, toolformer_tokenizer** out,
                                                 toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_ASSIGN_OR_RETURN(const toolformer_host_tokenizer read, ReadStruct(host, "host", toolformer_host_tokenizer{}));
    UserData user_data(read.user_data, read.destroy);
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    TF_ASSIGN_OR_RETURN(auto tokenizer, HostTokenizer::Create(read, std::move(user_data)));
    *out = New<toolformer_tokenizer>(std::move(tokenizer));
    return absl::OkStatus();
  });
}

void toolformer_tokenizer_free(toolformer_tokenizer* tokenizer) noexcept { delete LiveOrNull(tokenizer); }

toolformer_status toolformer_tokenizer_encode(const toolformer_tokenizer* tokenizer, toolformer_string text,
                                              int32_t continuation, toolformer_tensor** out,
                                              toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(tokenizer, "tokenizer"));
    TF_RETURN_IF_ERROR(CheckText(text, "text"));
    TF_RETURN_IF_ERROR(CheckFlag(continuation, "continuation"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    if (text.size > kMostTextBytes) {
      return Coded(TOOLFORMER_ERROR_LIMIT, fmt::format("a text of more than {} bytes", kMostTextBytes));
    }
    const std::shared_ptr<const toolformer::Tokenizer> kept = tokenizer->tokenizer;  // a callback may free the handle
    *out = NewIds(continuation == 1 ? kept->EncodeContinuation(ToView(text)) : kept->Encode(ToView(text)));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_tokenizer_decode(const toolformer_tokenizer* tokenizer, toolformer_ids ids,
                                              toolformer_bytes** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(tokenizer, "tokenizer"));
    TF_RETURN_IF_ERROR(CheckArray(ids.data, ids.size, "ids"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const std::shared_ptr<const toolformer::Tokenizer> kept = tokenizer->tokenizer;
    *out = New<toolformer_bytes>(kept->Decode(ToSpan(ids)));
    return absl::OkStatus();
  });
}

toolformer_string toolformer_tokenizer_token_bytes(const toolformer_tokenizer* tokenizer, int32_t id) noexcept {
  return LiveOrNull(tokenizer) == nullptr ? toolformer_string{} : View(tokenizer->tokenizer->TokenBytes(id));
}

int32_t toolformer_tokenizer_vocab_size(const toolformer_tokenizer* tokenizer) noexcept {
  return LiveOrNull(tokenizer) == nullptr ? 0 : tokenizer->tokenizer->vocab_size();
}

int32_t toolformer_tokenizer_start_id(const toolformer_tokenizer* tokenizer) noexcept {
  return LiveOrNull(tokenizer) == nullptr ? 0 : tokenizer->tokenizer->start_id();
}

toolformer_ids toolformer_tokenizer_end_ids(const toolformer_tokenizer* tokenizer) noexcept {
  return LiveOrNull(tokenizer) == nullptr ? toolformer_ids{} : ViewIds(tokenizer->tokenizer->end_ids());
}

}  // extern "C"
