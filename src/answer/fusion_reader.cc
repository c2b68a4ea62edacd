// Fusion in decoder (Izacard and Grave 2021; Atlas): a T5 encoder reads every passage with the question by itself, its
// decoder looks at all of them and writes the answer.
#include <ATen/ops/log_softmax.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <utility>

#include "src/answer/answer_text.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/seq2seq/checkpoint_weights.h"
#include "toolformer/question_answering.h"
#include "toolformer/seq2seq_model.h"

namespace toolformer {
namespace {

constexpr int64_t kPassageTokens = 200;  // what both projects read unless told otherwise
constexpr size_t kBytesOfToken = 32;
constexpr size_t kMaxFormatBytes = 1000;
constexpr std::string_view kFidFormat = "question: {question} title: {title} context: {text}";
constexpr std::string_view kAtlasQuestion = "question: {question} answer: <extra_id_0>";
constexpr std::string_view kAtlasFormat = "{query} title: {title} context: {text}";

std::string Replaced(std::string text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), with);
  return text;
}

// What a checkpoint says of how its reader was trained.
struct CheckpointSettings {
  std::string format;
  int64_t tokens = kPassageTokens;
  std::string made_from;  // the model whose configuration and tokenizer Atlas takes, by its name
};

absl::StatusOr<CheckpointSettings> ReadSettings(const std::string& folder) {
  CheckpointSettings settings;
  settings.format = kFidFormat;
  std::error_code ignored;
  const std::string atlas = folder + "/" + kAtlasFileName;
  if (!std::filesystem::exists(atlas, ignored)) return settings;
  std::string question(kAtlasQuestion), passage(kAtlasFormat);
  TF_ASSIGN_OR_RETURN(const std::unique_ptr<WeightFile> file, WeightFile::Open(atlas));
  for (const auto& [name, value] : file->metadata()) {
    if (name == "opt.qa_prompt_format") question = value;
    if (name == "opt.encoder_format") passage = value;
    if (name == "opt.reader_model_type") settings.made_from = value;
    if (name == "opt.text_maxlength") std::from_chars(value.data(), value.data() + value.size(), settings.tokens);
  }
  settings.format = Replaced(std::move(passage), "{query}", question);
  return settings;
}

// A part of the input: words, something to be filled in, or a control token.
struct FormatPart {
  enum class Kind { kText, kQuestion, kTitle, kPassage, kControl };
  Kind kind = Kind::kText;
  std::string text;
  int32_t id = 0;
};

absl::StatusOr<std::vector<FormatPart>> ParseFormat(std::string_view format, const Seq2SeqTokenizer& tokenizer) {
  using Kind = FormatPart::Kind;
  static constexpr std::pair<std::string_view, Kind> kPlaces[] = {
      {"{question}", Kind::kQuestion}, {"{title}", Kind::kTitle}, {"{text}", Kind::kPassage}};
  if (format.size() > kMaxFormatBytes) return InvalidArgument("the format of an input has {} bytes", format.size());
  std::vector<FormatPart> parts;
  const auto add_text = [&](std::string_view text) {
    if (parts.empty() || parts.back().kind != Kind::kText) parts.push_back({Kind::kText, "", 0});
    parts.back().text += text;
  };
  while (!format.empty()) {
    const auto* place = std::find_if(std::begin(kPlaces), std::end(kPlaces),
                                     [&](const auto& known) { return format.starts_with(known.first); });
    if (place != std::end(kPlaces)) {
      parts.push_back({place->second, "", 0});
      format.remove_prefix(place->first.size());
      continue;
    }
    if (format.front() == '<') {
      const std::string_view spelling =
          format.substr(0, format.find('>') == std::string_view::npos ? 1 : format.find('>') + 1);
      if (const std::optional<int32_t> id = tokenizer.ControlId(spelling)) {
        parts.push_back({Kind::kControl, "", *id});
        format.remove_prefix(spelling.size());
        continue;
      }
    }
    add_text(format.substr(0, 1));
    format.remove_prefix(1);
  }
  const auto has = [&](Kind kind) {
    return std::any_of(parts.begin(), parts.end(), [&](const FormatPart& part) { return part.kind == kind; });
  };
  if (!has(Kind::kQuestion) || !has(Kind::kPassage)) {
    return InvalidArgument("the format of an input lacks '{{question}}' or '{{text}}'");
  }
  return parts;
}

class FusionReader : public AnswerReader {
 public:
  struct Parts {
    std::unique_ptr<Seq2SeqModel> model;
    std::vector<FormatPart> format;
    int64_t passage_tokens = 0, answer_tokens = 0;
    int32_t end_id = 0;
    std::string version;
  };
  explicit FusionReader(Parts parts) : parts_(std::move(parts)) {}

  absl::StatusOr<FoundAnswer> Read(std::string_view question, std::span<const SearchPassage> passages,
                                   const Interrupt& interrupt) const override;
  std::string version() const override { return parts_.version; }

 private:
  std::vector<int32_t> Encode(std::string_view question, const SearchPassage& passage) const;

  const Parts parts_;
};

// What a question, title or passage says never becomes a control token: only the format's own do.
std::vector<int32_t> FusionReader::Encode(std::string_view question, const SearchPassage& passage) const {
  const size_t most_bytes = static_cast<size_t>(parts_.passage_tokens) * kBytesOfToken;
  std::vector<int32_t> ids;
  std::string text;
  const auto flush = [&] {
    const std::vector<int32_t> encoded = parts_.model->tokenizer().Encode(text);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    text.clear();
  };
  for (const FormatPart& part : parts_.format) {
    switch (part.kind) {
      case FormatPart::Kind::kText:
        text += part.text;
        break;
      case FormatPart::Kind::kQuestion:
        text += question;
        break;
      case FormatPart::Kind::kTitle:
        text += OneLine(Utf8Prefix(passage.title, most_bytes));
        break;
      case FormatPart::Kind::kPassage:
        text += OneLine(Utf8Prefix(passage.text, most_bytes));
        break;
      case FormatPart::Kind::kControl:
        flush();
        ids.push_back(part.id);
        break;
    }
  }
  flush();
  if (std::ssize(ids) > parts_.passage_tokens - 1) ids.resize(parts_.passage_tokens - 1);
  ids.push_back(parts_.end_id);
  return ids;
}

absl::StatusOr<FoundAnswer> FusionReader::Read(std::string_view question, std::span<const SearchPassage> passages,
                                               const Interrupt& interrupt) const {
  TF_ASSIGN_OR_RETURN(const std::string asked, CheckedQuestion(question));
  if (passages.empty()) return Unimplemented("question answering: this reader answers out of passages only");
  std::vector<std::vector<int32_t>> inputs;
  for (const SearchPassage& passage : passages) inputs.push_back(Encode(asked, passage));
  const Seq2SeqModel& model = *parts_.model;
  TF_ASSIGN_OR_RETURN(const std::vector<EncodedText> encoded, model.Encode(inputs, interrupt));
  TF_ASSIGN_OR_RETURN(const EncodedText joined, JoinEncodedTexts(encoded));
  GenerationOptions generation;
  generation.beams = 1;
  generation.max_new_tokens = parts_.answer_tokens;
  generation.interrupt = interrupt;
  TF_ASSIGN_OR_RETURN(const std::vector<GeneratedSequence> sequences, model.Generate({&joined, 1}, generation));
  const std::vector<int32_t>& ids = sequences.front().ids;
  if (ids.empty()) return FoundAnswer();
  std::vector<int32_t> given = {model.decoder_start_id()};
  given.insert(given.end(), ids.begin(), ids.end() - 1);
  TF_ASSIGN_OR_RETURN(const at::Tensor logits, model.Logits(joined, given));
  const at::Tensor log_probabilities = at::log_softmax(logits, -1);
  double sum = 0.0;
  for (size_t i = 0; i < ids.size(); ++i) {
    sum += log_probabilities.const_data_ptr<float>()[static_cast<int64_t>(i) * logits.size(1) + ids[i]];
  }
  if (!std::isfinite(sum)) return Internal("question answering: the model's logits are not finite");
  return FoundAnswer{WrittenAnswer(model.tokenizer().DecodeTarget(ids)), std::exp(sum), -1};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const AnswerReader>> LoadFusionReader(const std::string& folder,
                                                                     const FusionReaderOptions& options) {
  if (options.max_answer_tokens < 1 || options.max_answer_tokens > 512) {
    return InvalidArgument("question answering: max_answer_tokens is {}, not 1 to 512", options.max_answer_tokens);
  }
  TF_ASSIGN_OR_RETURN(const CheckpointSettings settings, ReadSettings(folder));
  FusionReader::Parts parts;
  parts.passage_tokens = options.max_passage_tokens == 0 ? settings.tokens : options.max_passage_tokens;
  if (parts.passage_tokens < 16 || parts.passage_tokens > 4096) {
    return InvalidArgument("question answering: max_passage_tokens is {}, not 16 to 4096", parts.passage_tokens);
  }
  parts.answer_tokens = options.max_answer_tokens;
  std::error_code ignored;
  if (!settings.made_from.empty() && !std::filesystem::exists(folder + "/config.json", ignored)) {
    return NotFound("{}: config.json is missing; put that of {} and its tokenizer's files beside {}", folder,
                    settings.made_from, kAtlasFileName);
  }
  TF_ASSIGN_OR_RETURN(parts.model, Seq2SeqModel::Load(folder, options.model));
  if (parts.model->info().family != "t5") {
    return Unimplemented("{}: fusion in decoder is for T5, not for '{}'", folder, parts.model->info().family);
  }
  const std::string format = options.input_format.empty() ? settings.format : options.input_format;
  absl::StatusOr<std::vector<FormatPart>> parsed = ParseFormat(format, parts.model->tokenizer());
  if (!parsed.ok()) return Annotate(parsed.status(), folder);
  parts.format = *std::move(parsed);
  const std::optional<int32_t> end = parts.model->tokenizer().ControlId("</s>");
  if (!end) return InvalidArgument("{}: the tokenizer has no token '</s>'", folder);
  parts.end_id = *end;
  parts.version = fmt::format("fusion 1, {}, {:016x} {} {}", parts.model->info().fingerprint, HashBytes(format),
                              parts.passage_tokens, parts.answer_tokens);
  return std::make_shared<FusionReader>(std::move(parts));
}

}  // namespace toolformer
