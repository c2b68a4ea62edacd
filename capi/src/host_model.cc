#include "capi/src/host_model.h"

#include <ATen/DLConvertor.h>
#include <ATen/dlpack.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <set>

namespace toolformer::capi {
namespace {

// Remembers the sequence itself: what the host keeps beside it is the host's affair.
class SequenceCache : public KvCache {
 public:
  explicit SequenceCache(const LanguageModel* model) : model_(model) {}
  int64_t length() const override { return std::ssize(ids); }
  absl::Status Truncate(int64_t length) override {
    if (length < 0 || length > this->length()) {
      return OutOfRange("length {} is not within 0 to the cache's {}", length, this->length());
    }
    ids.resize(length);
    return absl::OkStatus();
  }
  std::unique_ptr<KvCache> Fork() override { return std::make_unique<SequenceCache>(*this); }
  const LanguageModel* model() const { return model_; }

  std::vector<int32_t> ids;

 private:
  const LanguageModel* model_;
};

absl::StatusOr<at::ScalarType> ScalarType(int32_t type) {
  switch (type) {
    case TOOLFORMER_TYPE_F32:
      return at::kFloat;
    case TOOLFORMER_TYPE_F64:
      return at::kDouble;
    case TOOLFORMER_TYPE_F16:
      return at::kHalf;
    case TOOLFORMER_TYPE_BF16:
      return at::kBFloat16;
    default:
      return InvalidArgument("logits.dtype is {}, not F32, F64, F16 or BF16", type);
  }
}

struct LogitsReply : toolformer_reply {
  LogitsReply(int64_t r, int64_t c) : rows(r), columns(c) {}

  absl::Status Logits(const toolformer_array& given) override {
    TF_RETURN_IF_ERROR(CheckNotNull(given.data, "logits.data"));
    TF_RETURN_IF_ERROR(CheckNotNull(given.shape, "logits.shape"));
    TF_ASSIGN_OR_RETURN(const at::ScalarType type, ScalarType(given.dtype));
    if (given.rank < 0 || given.rank > 8) return InvalidArgument("logits.rank is {}", given.rank);
    TF_RETURN_IF_ERROR(CheckShape({given.shape, static_cast<size_t>(given.rank)}));
    return Take(at::from_blob(const_cast<void*>(given.data), {rows, columns}, at::TensorOptions(type)));
  }

  absl::Status DlPack(DLManagedTensor* given) override {
    at::Tensor shared;
    try {
      shared = at::fromDLPack(given);  // whose memory the deleter frees with the last reference
    } catch (const std::exception& error) {
      const std::string_view what = error.what();
      if (given->deleter != nullptr) given->deleter(given);
      return InvalidArgument("the DLPack capsule cannot be read: {}", what.substr(0, what.find('\n')));
    }
    TF_RETURN_IF_ERROR(CheckShape({shared.sizes().data(), shared.sizes().size()}));
    if (!shared.is_floating_point()) return InvalidArgument("the DLPack capsule does not hold floating-point numbers");
    return Take(shared);
  }

  absl::Status CheckShape(std::span<const int64_t> shape) const {
    if (logits) return InvalidArgument("logits were given before");
    if (shape.size() == 2 && shape[0] == rows && shape[1] == columns) return absl::OkStatus();
    return InvalidArgument("logits have the shape [{}], not [{}, {}]", fmt::join(shape, ", "), rows, columns);
  }

  absl::Status Take(const at::Tensor& given) {
    at::Tensor own = at::empty({rows, columns}, at::kFloat);
    own.copy_(given);
    logits = std::move(own);
    return absl::OkStatus();
  }

  const int64_t rows, columns;
  std::optional<at::Tensor> logits;
};

class HostModel : public LanguageModel {
 public:
  HostModel(const toolformer_host_model& host, std::shared_ptr<const Tokenizer> tokenizer, UserData user_data)
      : host_(host), tokenizer_(std::move(tokenizer)), user_data_(std::move(user_data)) {}

  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  int64_t vocab_size() const override { return host_.vocab_size; }
  int64_t context_length() const override { return host_.context_length; }
  bool approximate() const override { return host_.approximate == 1; }
  std::unique_ptr<KvCache> NewCache() const override { return std::make_unique<SequenceCache>(this); }

  absl::StatusOr<at::Tensor> Forward(std::span<const ForwardRow> rows) const override {
    TF_RETURN_IF_ERROR(CheckRows(rows));
    std::vector<std::vector<int32_t>> sequences;
    std::vector<std::vector<int64_t>> wanted;
    std::vector<toolformer_host_row> asked;
    sequences.reserve(rows.size());
    wanted.reserve(rows.size());
    int64_t count = 0;
    for (const ForwardRow& row : rows) {
      const auto* cache = static_cast<const SequenceCache*>(row.cache);
      std::vector<int32_t>& sequence = sequences.emplace_back();
      if (cache != nullptr) sequence = cache->ids;
      const size_t first_new = sequence.size();
      sequence.insert(sequence.end(), row.ids.begin(), row.ids.end());
      std::vector<int64_t>& indices = wanted.emplace_back(row.wanted.begin(), row.wanted.end());
      for (int64_t& index : indices) index += static_cast<int64_t>(first_new);
      asked.push_back({ViewIds(sequence), first_new, indices.data(), indices.size()});
      count += std::ssize(indices);
    }
    LogitsReply reply(count, host_.vocab_size);
    TF_RETURN_IF_ERROR(CallHost(reply, "forward",
                                [&] { return host_.forward(user_data_.get(), asked.data(), asked.size(), &reply); }));
    if (!reply.logits && count > 0) return Coded(TOOLFORMER_ERROR_CALLBACK, "forward gave no logits");
    for (size_t i = 0; i < rows.size(); ++i) {
      if (auto* cache = static_cast<SequenceCache*>(rows[i].cache)) cache->ids = std::move(sequences[i]);
    }
    return reply.logits ? *reply.logits : at::empty({0, host_.vocab_size}, at::kFloat);
  }

 private:
  absl::Status CheckRows(std::span<const ForwardRow> rows) const {
    std::set<const KvCache*> seen;
    for (size_t i = 0; i < rows.size(); ++i) {
      const ForwardRow& row = rows[i];
      if (row.ids.empty()) return InvalidArgument("row {} has no ids", i);
      int64_t length = 0;
      if (row.cache != nullptr) {
        const auto* cache = dynamic_cast<const SequenceCache*>(row.cache);
        if (cache == nullptr || cache->model() != this) return InvalidArgument("row {}: a cache of another model", i);
        if (!seen.insert(cache).second) return InvalidArgument("row {}: a cache that another row has", i);
        length = cache->length();
      }
      for (const int32_t id : row.ids) {
        if (id < 0 || id >= host_.vocab_size) return InvalidArgument("row {}: id {} is not in the vocabulary", i, id);
      }
      int64_t last = -1;
      for (const int64_t index : row.wanted) {
        if (index <= last || index >= std::ssize(row.ids)) {
          return InvalidArgument("row {}: wanted has {}, which is out of order or no index", i, index);
        }
        last = index;
      }
      if (length + std::ssize(row.ids) > host_.context_length) {
        return OutOfRange("row {}: {} tokens exceed the context of {}", i, length + std::ssize(row.ids),
                          host_.context_length);
      }
    }
    return absl::OkStatus();
  }

  const toolformer_host_model host_;
  const std::shared_ptr<const Tokenizer> tokenizer_;
  const UserData user_data_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const LanguageModel>> MakeHostModel(const toolformer_host_model& host,
                                                                   std::shared_ptr<const Tokenizer> tokenizer,
                                                                   UserData user_data) {
  constexpr int64_t kMost = int64_t{1} << 31;
  TF_RETURN_IF_ERROR(CheckNotNull(reinterpret_cast<const void*>(host.forward), "host.forward"));
  if (host.vocab_size < 1 || host.vocab_size > kMost) {
    return InvalidArgument("host.vocab_size is {}, not within 1 to {}", host.vocab_size, kMost);
  }
  if (host.vocab_size < tokenizer->vocab_size()) {
    return InvalidArgument("host.vocab_size is {}, less than the {} of its tokenizer", host.vocab_size,
                           tokenizer->vocab_size());
  }
  if (host.context_length < 2 || host.context_length > kMost) {
    return InvalidArgument("host.context_length is {}, not within 2 to {}", host.context_length, kMost);
  }
  TF_RETURN_IF_ERROR(CheckFlag(host.approximate, "host.approximate"));
  TF_RETURN_IF_ERROR(CheckReserved(host.reserved));
  return std::make_shared<HostModel>(host, std::move(tokenizer), std::move(user_data));
}

}  // namespace toolformer::capi
