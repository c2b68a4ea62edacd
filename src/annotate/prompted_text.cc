#include "src/annotate/prompted_text.h"

#include <algorithm>
#include <utility>

#include "src/base/status.h"
#include "src/model/token_sampler.h"

namespace toolformer {
namespace {

std::vector<int32_t> WithStart(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids = {tokenizer.start_id()};
  const std::vector<int32_t> encoded = tokenizer.Encode(text);
  ids.insert(ids.end(), encoded.begin(), encoded.end());
  return ids;
}

// The tokens of a text that go through the model together, and which of them predict a token of x.
struct Piece {
  int64_t begin = 0, end = 0;
  std::vector<int64_t> wanted;  // within the piece
  bool predicts = false;        // false: the only one wanted is of no use
};

Piece NextPiece(const PromptedText& text, const ReadingLimits& limits) {
  Piece piece;
  piece.begin = text.cache->length();
  const int64_t first = std::max(piece.begin, text.head - 1);
  piece.end = std::min({text.tokens_to_read(), piece.begin + std::max<int64_t>(limits.tokens, 1),
                        first + std::max<int64_t>(limits.wanted, 1)});
  for (int64_t t = first; t < piece.end; ++t) piece.wanted.push_back(t - piece.begin);
  piece.predicts = !piece.wanted.empty();
  if (!piece.predicts) piece.wanted.push_back(piece.end - 1 - piece.begin);
  return piece;
}

}  // namespace

KeptPrompts::KeptPrompts(const LanguageModel& model, int64_t capacity)
    : model_(model), capacity_(capacity), heads_(static_cast<size_t>(std::max<int64_t>(capacity, 0))) {}

absl::StatusOr<std::shared_ptr<PromptHead>> KeptPrompts::Head(const Tool& tool) {
  if (capacity_ <= 0) return nullptr;
  const std::string prompt = SamplingPromptHead(tool);
  {
    const std::lock_guard lock(mutex_);
    if (std::shared_ptr<PromptHead> known = heads_.Find(prompt); known != nullptr) return known;
  }
  auto head = std::make_shared<PromptHead>();
  head->ids = WithStart(model_.tokenizer(), prompt);
  if (std::ssize(head->ids) > model_.context_length()) return nullptr;
  head->cache = model_.NewCache();
  const std::vector<int64_t> last = {std::ssize(head->ids) - 1};
  const ForwardRow row{head->ids, head->cache.get(), last};
  TF_RETURN_IF_ERROR(model_.Forward({&row, 1}).status());
  const std::lock_guard lock(mutex_);
  // Another thread may have been faster.
  if (std::shared_ptr<PromptHead> known = heads_.Find(prompt); known != nullptr) return known;
  heads_.Add(prompt, head);
  return head;
}

absl::StatusOr<PromptedText> OpenText(const LanguageModel& model, PromptHead* head, const std::string& prompt,
                                      std::span<const int32_t> x) {
  if (x.empty()) return InvalidArgument("the text has no tokens");
  PromptedText text;
  text.ids = WithStart(model.tokenizer(), prompt);
  text.head = std::ssize(text.ids);
  text.ids.insert(text.ids.end(), x.begin(), x.end());
  if (std::ssize(text.ids) > model.context_length()) {
    return OutOfRange("prompt and text are {} tokens, the context has {}", text.ids.size(), model.context_length());
  }
  if (head == nullptr) {
    text.cache = model.NewCache();
    return text;
  }
  // The text may change how the head's last words are cut into tokens: only what is the same in tokens is shared. The
  // token before x is always read, because it predicts x_1.
  const auto common = std::mismatch(head->ids.begin(), head->ids.end(), text.ids.begin(), text.ids.end()).first;
  const int64_t shared = std::min(common - head->ids.begin(), text.head - 1);
  {
    const std::lock_guard lock(head->mutex);
    text.cache = head->cache->Fork();
  }
  TF_RETURN_IF_ERROR(text.cache->Truncate(shared));
  return text;
}

absl::Status ReadTexts(const LanguageModel& model, std::span<const int32_t> opening_ids, const ReadingLimits& limits,
                       std::span<PromptedText* const> texts, const Interrupt& interrupt) {
  std::vector<PromptedText*> unread(texts.begin(), texts.end());
  while (!unread.empty()) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    std::vector<Piece> pieces;
    int64_t tokens = 0, wanted = 0;
    for (const PromptedText* text : unread) {
      Piece piece = NextPiece(*text, limits);
      tokens += piece.end - piece.begin;
      wanted += std::ssize(piece.wanted);
      if (!pieces.empty() && (tokens > limits.tokens || wanted > limits.wanted)) break;
      pieces.push_back(std::move(piece));
    }
    std::vector<ForwardRow> rows;
    for (size_t p = 0; p < pieces.size(); ++p) {
      const auto ids = std::span(unread[p]->ids).subspan(pieces[p].begin, pieces[p].end - pieces[p].begin);
      rows.push_back({ids, unread[p]->cache.get(), pieces[p].wanted});
    }
    TF_ASSIGN_OR_RETURN(const at::Tensor logits, model.Forward(rows));
    TF_ASSIGN_OR_RETURN(const std::vector<double> probabilities, SummedProbabilities(logits, opening_ids));
    auto next = probabilities.begin();
    for (size_t p = 0; p < pieces.size(); ++p) {
      const auto end = next + std::ssize(pieces[p].wanted);
      if (pieces[p].predicts) unread[p]->probabilities.insert(unread[p]->probabilities.end(), next, end);
      next = end;
    }
    std::erase_if(unread, [](const PromptedText* text) { return text->cache->length() >= text->tokens_to_read(); });
  }
  return absl::OkStatus();
}

}  // namespace toolformer
