#include "src/annotate/allowed_tokens.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace toolformer {
namespace {

constexpr size_t kMostLists = 16;

}  // namespace

AllowedTokens::AllowedTokens(const LanguageModel& model) : model_(model), lists_(kMostLists) {}

std::shared_ptr<const std::vector<int32_t>> AllowedTokens::For(const Tool& tool) {
  if (tool.input_characters.empty()) return nullptr;
  const std::lock_guard lock(mutex_);
  if (auto known = lists_.Find(tool.input_characters); known != nullptr) return known;
  std::array<bool, 256> allowed_byte{};
  for (const char c : tool.input_characters + ")]") allowed_byte[static_cast<uint8_t>(c)] = true;
  auto ids = std::make_shared<std::vector<int32_t>>();
  const auto tokens = std::min<int64_t>(model_.tokenizer().vocab_size(), model_.vocab_size());
  for (int32_t id = 0; id < tokens; ++id) {
    const std::string_view bytes = model_.tokenizer().TokenBytes(id);
    const auto is_allowed = [&](char c) { return allowed_byte[static_cast<uint8_t>(c)]; };
    if (!bytes.empty() && std::all_of(bytes.begin(), bytes.end(), is_allowed)) ids->push_back(id);
  }
  lists_.Add(tool.input_characters, ids);
  return ids;
}

}  // namespace toolformer
