// Models whose probabilities are known in closed form, behind the same interface that hosts implement.
#ifndef TOOLFORMER_TESTS_TOY_MODEL_H_
#define TOOLFORMER_TESTS_TOY_MODEL_H_

#include <ATen/ops/empty.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "toolformer/model.h"

namespace toolformer::testing {

// Ids: 0 start, 1 end, 2 to 257 the bytes, then merged pieces. Encodes greedily, longest piece first.
class ToyTokenizer : public Tokenizer {
 public:
  static constexpr int32_t kStart = 0, kEnd = 1, kFirstByte = 2;

  explicit ToyTokenizer(std::vector<std::string> merged) {
    pieces_ = {"", ""};
    for (int byte = 0; byte < 256; ++byte) pieces_.push_back(std::string(1, static_cast<char>(byte)));
    pieces_.insert(pieces_.end(), merged.begin(), merged.end());
  }

  std::vector<int32_t> Encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    while (!text.empty()) {
      int32_t best = kFirstByte + static_cast<uint8_t>(text[0]);
      for (size_t id = kFirstByte + 256; id < pieces_.size(); ++id) {
        if (text.starts_with(pieces_[id]) && pieces_[id].size() > pieces_[best].size()) best = static_cast<int32_t>(id);
      }
      ids.push_back(best);
      text.remove_prefix(pieces_[best].size());
    }
    return ids;
  }
  std::vector<int32_t> EncodeContinuation(std::string_view text) const override { return Encode(text); }
  std::string_view TokenBytes(int32_t id) const override {
    return id >= 0 && id < vocab_size() ? std::string_view(pieces_[id]) : std::string_view();
  }
  int32_t vocab_size() const override { return static_cast<int32_t>(pieces_.size()); }
  int32_t start_id() const override { return kStart; }
  const std::vector<int32_t>& end_ids() const override { return ends_; }

 private:
  std::vector<std::string> pieces_;
  std::vector<int32_t> ends_ = {kEnd};
};

// The cache of a toy model is the sequence itself.
class ToyCache : public KvCache {
 public:
  int64_t length() const override { return static_cast<int64_t>(ids.size()); }
  absl::Status Truncate(int64_t length) override {
    if (length < 0 || length > this->length()) return absl::OutOfRangeError("length");
    ids.resize(length);
    return absl::OkStatus();
  }
  std::unique_ptr<KvCache> Fork() override { return std::make_unique<ToyCache>(*this); }
  std::vector<int32_t> ids;
};

class ToyModel : public LanguageModel {
 public:
  // Logits of the token after a sequence (start token included).
  using NextLogits = std::function<std::vector<float>(const std::vector<int32_t>& sequence)>;

  ToyModel(std::vector<std::string> merged, NextLogits next) : tokenizer_(std::move(merged)), next_(std::move(next)) {}

  const Tokenizer& tokenizer() const override { return tokenizer_; }
  int64_t vocab_size() const override { return tokenizer_.vocab_size(); }
  int64_t context_length() const override { return context; }
  std::unique_ptr<KvCache> NewCache() const override { return std::make_unique<ToyCache>(); }

  absl::StatusOr<at::Tensor> Forward(std::span<const ForwardRow> rows) const override {
    ++forwards;
    int64_t count = 0;
    for (const ForwardRow& row : rows) {
      auto* cache = static_cast<ToyCache*>(row.cache);
      if ((cache == nullptr ? 0 : cache->length()) + static_cast<int64_t>(row.ids.size()) > context) {
        return absl::OutOfRangeError("a sequence exceeds the context");
      }
      count += static_cast<int64_t>(row.wanted.size());
      tokens += static_cast<int64_t>(row.ids.size());
    }
    at::Tensor logits = at::empty({count, vocab_size()}, at::kFloat);
    float* out = logits.data_ptr<float>();
    for (const ForwardRow& row : rows) {
      auto* cache = static_cast<ToyCache*>(row.cache);
      const std::vector<int32_t> past = cache == nullptr ? std::vector<int32_t>() : cache->ids;
      for (const int64_t index : row.wanted) {
        std::vector<int32_t> sequence = past;
        sequence.insert(sequence.end(), row.ids.begin(), row.ids.begin() + index + 1);
        const std::vector<float> next = next_(sequence);
        out = std::copy(next.begin(), next.end(), out);
      }
      if (cache != nullptr) cache->ids.insert(cache->ids.end(), row.ids.begin(), row.ids.end());
    }
    return logits;
  }

  int64_t context = 4096;
  mutable std::atomic<int64_t> forwards = 0;
  mutable std::atomic<int64_t> tokens = 0;

 private:
  ToyTokenizer tokenizer_;
  NextLogits next_;
};

// Gives `id` almost all of the probability, and `second`, where there is one, most of the rest.
inline std::vector<float> Peak(int64_t vocab, int32_t id, int32_t second = -1) {
  std::vector<float> logits(vocab, 0.0f);
  if (second >= 0) logits[second] = 10.0f;
  logits[id] = 20.0f;
  return logits;
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_TOY_MODEL_H_
