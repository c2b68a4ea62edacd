// One generation, taken step by step: what it needs next, logits or the answer of a tool, is somebody else's to get. So
// many of them run as one batch, and wait for tools without holding each other up.
#ifndef TOOLFORMER_SRC_DECODE_GENERATION_H_
#define TOOLFORMER_SRC_DECODE_GENERATION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "src/base/random.h"
#include "src/decode/stop_text.h"
#include "src/text/call_body.h"
#include "toolformer/augmenting_decoder.h"

namespace toolformer {

// The sequence is what the cache holds. Keeps references to what it is made of.
class Generation {
 public:
  enum class Need {
    kLogits,  // of what follows ids(), which follow what cache() holds
    kAnswer,  // of call()
    kNothing,
  };

  Generation(const LanguageModel& model, const ToolRegistry& registry, const DecodeOptions& options, size_t row);

  // kOutOfRange where the prompt exceeds the context.
  absl::Status Start(std::string_view prompt);

  Need need() const { return need_; }
  std::span<const int32_t> ids() const { return ids_; }
  KvCache* cache() const { return cache_.get(); }
  const Call& call() const { return decoded_.calls.back().call; }

  // logits [1, vocab]. The cache holds ids() now.
  absl::Status TakeLogits(at::Tensor logits);
  absl::Status TakeAnswer(absl::StatusOr<std::string> answer);
  // The model could not go on, with this error. Inside a call that ends the generation, else it is returned.
  absl::Status TakeFailure(const absl::Status& failure);

  // Of a generation that needs nothing.
  Decoded Finish();

 private:
  enum class Place { kText, kBody, kBehindBody, kTool, kBehindCall };

  static std::vector<std::string> StopsOf(const DecodeOptions& options);

  absl::Status Ask(std::vector<int32_t> ids, Place place);
  absl::Status Stop(StopReason reason);
  absl::StatusOr<int32_t> Choose(bool opening_allowed);
  bool MayOpen() const;
  absl::Status NoteOpening(const bool& taken);
  bool Fits(int64_t tokens) const;
  bool IsEnd(int32_t token) const;
  std::span<const float> Logits() const;

  absl::Status GoOnWithText();
  absl::Status WriteText(const bool& opening_allowed);
  absl::Status GoOnWithBody();
  absl::Status TakeOpeningBack();
  absl::Status KeepBody();
  absl::Status AskTool();
  std::vector<int32_t> FittingResult(std::string* result) const;

  void Emit(DecodeEventKind kind, const std::string& text) const;
  void AddText(std::string_view text);
  void FlushText();

  const LanguageModel& model_;
  const ToolRegistry& registry_;
  const DecodeOptions& options_;
  const size_t row_;
  const CallPieces pieces_;
  RandomStream random_;
  StopText stop_;
  std::unique_ptr<KvCache> cache_;
  at::Tensor logits_;  // [1, vocab], of what follows the cache
  at::Tensor no_opening_;

  Need need_ = Need::kNothing;
  Place place_ = Place::kText;
  std::vector<int32_t> ids_;

  // The call being written: where its opening and its body began, its tokens and the bytes of text up to the end of
  // each.
  int64_t before_opening_ = 0;
  int64_t body_begin_ = 0;
  at::Tensor logits_before_opening_;
  double opening_probability_ = 0.0;
  std::vector<int32_t> body_tokens_;
  std::vector<size_t> body_ends_;
  std::string body_text_;
  BodyReading reading_;

  Decoded decoded_;
  bool at_text_start_ = false;
  int taken_back_ = 0;
  std::map<std::pair<std::string, std::string>, int> times_called_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_DECODE_GENERATION_H_
