// eval of ppl: how well the model predicts texts, with calls disabled.
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>
#include <utility>

#include "eval_task.h"
#include "failure.h"
#include "jsonl.h"
#include "terminal.h"

namespace toolformer::cli {
namespace {

std::string FormatWindow(const TextLosses& window) {
  const nlohmann::ordered_json json = {{"tokens", window.all.tokens},
                                       {"nats", window.all.nats},
                                       {"disabled_tokens", window.calls_disabled.tokens},
                                       {"disabled_nats", window.calls_disabled.nats}};
  return PrintJson(json);
}

// JSON has no infinity: it is null.
bool ReadLosses(const nlohmann::ordered_json& json, const std::string& prefix, TokenLosses* losses) {
  const auto tokens = json.find(prefix + "tokens"), nats = json.find(prefix + "nats");
  if (tokens == json.end() || nats == json.end() || !tokens->is_number_integer()) return false;
  if (!nats->is_number() && !nats->is_null()) return false;
  losses->tokens = tokens->get<int64_t>();
  losses->nats = nats->is_null() ? std::numeric_limits<double>::infinity() : nats->get<double>();
  return true;
}

absl::StatusOr<TextLosses> ParseWindow(std::string_view line) {
  CLI_ASSIGN_OR_RETURN(const nlohmann::ordered_json json, ParseJsonObject(line));
  TextLosses window;
  if (!ReadLosses(json, "", &window.all) || !ReadLosses(json, "disabled_", &window.calls_disabled)) {
    return Failure("not the losses of a window");
  }
  return window;
}

class TextTask : public EvalTask {
 public:
  TextTask(std::vector<DataFile> files, const TaskOptions& options) : options_(options) {
    for (DataFile& file : files) {
      Text& text = texts_.emplace_back();
      text.evaluated.name = std::filesystem::path(file.path).filename().string();
      text.content = std::move(file.content);
    }
  }

  absl::Status Prepare(const Model& model) override;
  int64_t items() const override;
  nlohmann::ordered_json Fingerprint() const override;
  bool IsItem(std::string_view line) const override { return ParseWindow(line).ok(); }
  absl::Status Run(int64_t first, const Means& means, const Done& done) override;
  absl::Status Take(std::string_view item) override;
  std::string Progress() const override;
  nlohmann::ordered_json Scores() const override;
  std::string Table() const override;
  void AddTo(Evaluation* evaluation) const override {
    for (const Text& text : texts_) evaluation->texts.push_back(text.evaluated);
  }

 private:
  struct Text {
    EvaluatedText evaluated;
    std::string content;
    std::vector<int32_t> ids;
  };
  int64_t Windows(const Text& text) const {
    const int64_t step = options_.window - 1;
    return (std::ssize(text.ids) + step - 1) / step;
  }

  const TaskOptions options_;
  const Model* model_ = nullptr;
  std::vector<Text> texts_;
  size_t current_ = 0;  // of the text that takes the next window
};

absl::Status TextTask::Prepare(const Model& model) {
  model_ = &model;
  if (options_.window > model.context_length()) {
    return Failure("--window {}: the context of the model is {}", options_.window, model.context_length());
  }
  for (Text& text : texts_) {
    text.ids = model.tokenizer().Encode(text.content);
    text.content = {};
    if (text.ids.empty()) return Failure("{}: holds no text", text.evaluated.name);
    if (options_.limit > 0 && options_.limit < Windows(text)) text.ids.resize(options_.limit * (options_.window - 1));
  }
  return absl::OkStatus();
}

int64_t TextTask::items() const {
  int64_t count = 0;
  for (const Text& text : texts_) count += Windows(text);
  return count;
}

nlohmann::ordered_json TextTask::Fingerprint() const {
  nlohmann::ordered_json json = {{"window", options_.window}};
  for (const Text& text : texts_) {
    const std::string_view bytes(reinterpret_cast<const char*>(text.ids.data()), text.ids.size() * sizeof(int32_t));
    json[text.evaluated.name] = {{"tokens", text.ids.size()}, {"hash", Hex(HashBytes(bytes))}};
  }
  return json;
}

absl::Status TextTask::Run(int64_t first, const Means& means, const Done& done) {
  PerplexityOptions perplexity;
  perplexity.window = options_.window;
  perplexity.on_window = [&](const TextLosses& window) { return done(FormatWindow(window)); };
  for (const Text& text : texts_) {
    const int64_t skipped = std::min(first, Windows(text));
    first -= skipped;
    if (skipped == Windows(text)) continue;
    const std::span<const int32_t> rest = std::span(text.ids).subspan(skipped * (options_.window - 1));
    CLI_RETURN_IF_ERROR(MeasurePerplexity(*model_, rest, perplexity, means.options.interrupt).status());
  }
  return absl::OkStatus();
}

absl::Status TextTask::Take(std::string_view item) {
  CLI_ASSIGN_OR_RETURN(const TextLosses window, ParseWindow(item));
  while (current_ < texts_.size() &&
         std::ssize(texts_[current_].evaluated.perplexity.windows) == Windows(texts_[current_])) {
    ++current_;
  }
  if (current_ == texts_.size()) return Failure("more windows than the texts have");
  Perplexity& perplexity = texts_[current_].evaluated.perplexity;
  perplexity.total.Add(window);
  perplexity.windows.push_back(window);
  return absl::OkStatus();
}

std::string TextTask::Progress() const {
  const Text& text = texts_[current_];
  const TextLosses& total = text.evaluated.perplexity.total;
  return fmt::format("{}: {}/{} tokens, {:.4f} nats a token", PrintableLine(text.evaluated.name), total.all.tokens,
                     text.ids.size(), total.all.mean_nats());
}

nlohmann::ordered_json TextTask::Scores() const {
  const auto of = [](const TokenLosses& losses) {
    return nlohmann::ordered_json{
        {"tokens", losses.tokens}, {"mean_nats", losses.mean_nats()}, {"perplexity", losses.perplexity()}};
  };
  nlohmann::ordered_json json;
  for (const Text& text : texts_) {
    const Perplexity& perplexity = text.evaluated.perplexity;
    nlohmann::ordered_json& scores = json[text.evaluated.name] = of(perplexity.total.all);
    scores["calls_disabled"] = of(perplexity.total.calls_disabled);
    scores["window_nats"] = nlohmann::ordered_json::array();
    for (const TextLosses& window : perplexity.windows) scores["window_nats"].push_back(window.all.nats);
  }
  return json;
}

std::string TextTask::Table() const {
  std::string table =
      fmt::format("  {:28}{:>10}{:>16}{:>12}{:>14}\n", "", "tokens", "calls disabled", "perplexity", "nats a token");
  for (const Text& text : texts_) {
    const TextLosses& total = text.evaluated.perplexity.total;
    table +=
        fmt::format("  {:28}{:>10}{:>16.4f}{:>12.4f}{:>14.6f}\n", PrintableLine(text.evaluated.name), total.all.tokens,
                    total.calls_disabled.perplexity(), total.all.perplexity(), total.all.mean_nats());
  }
  return table;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EvalTask>> MakeTextTask(std::vector<DataFile> files, const TaskOptions& options) {
  for (size_t i = 0; i < files.size(); ++i) {
    const auto name = [&](size_t index) { return std::filesystem::path(files[index].path).filename(); };
    for (size_t j = 0; j < i; ++j) {
      if (name(i) == name(j)) return UsageError("--data: two texts have the name " + name(i).string());
    }
  }
  return std::make_unique<TextTask>(std::move(files), options);
}

}  // namespace toolformer::cli
