#include "src/text/tokenizer_json_decoder.h"

#include <utility>

#include "src/base/status.h"
#include "src/text/byte_level.h"
#include "src/text/tokenizer_json_fields.h"
#include "src/text/tokenizer_messages.h"
#include "src/text/tokenizer_presets.h"
#include "src/text/tokenizer_vocabulary.h"

namespace toolformer {
namespace {

using nlohmann::json;

constexpr char kDecoders[] =
    "Sequence, ByteLevel alone, or before Fuse: BPEDecoder, ByteFallback, Metaspace, Replace, Strip and WordPiece; "
    "after it Strip at the start";

// As WordPiece cleans up English, in this order.
constexpr std::pair<std::string_view, std::string_view> kCleanUps[] = {
    {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
    {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};

std::string ReplaceMatches(const Regex& pattern, std::string_view text, std::string_view to) {
  Regex::Scratch scratch;
  std::vector<ByteRange> matches;
  pattern.FindMatches(text, &scratch, &matches);
  std::string out;
  size_t done = 0;
  for (const ByteRange& match : matches) {
    out.append(text.substr(done, match.begin - done)).append(to);
    done = match.end;
  }
  return out.append(text.substr(done));
}

std::string StripPiece(std::string_view text, std::string_view content, size_t at_start, size_t at_end) {
  for (size_t i = 0; i < at_start && text.starts_with(content); ++i) text.remove_prefix(content.size());
  for (size_t i = 0; i < at_end && text.ends_with(content); ++i) text.remove_suffix(content.size());
  return std::string(text);
}

}  // namespace

absl::Status Decoder::AddReplace(const json& object, const std::string& where) {
  TF_ASSIGN_OR_RETURN(JsonPattern pattern, ParseJsonPattern(object, where));
  Step step{Step::Kind::kReplace};
  TF_ASSIGN_OR_RETURN(step.to, JsonString(object, "content", where, ""));
  if (pattern.is_literal) {
    step.from = std::move(pattern.literal);
  } else {
    step.pattern = std::move(pattern.regex);
    if (step.pattern->can_match_empty()) {
      return Unimplemented("{}.pattern can match the empty string; supported are patterns that cannot", where);
    }
  }
  steps_.push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status Decoder::AddStrip(const json& object, const std::string& where) {
  Step step{Step::Kind::kStrip};
  TF_ASSIGN_OR_RETURN(step.from, JsonString(object, "content", where, " "));
  TF_ASSIGN_OR_RETURN(step.at_start, JsonCount(object, "start", where, 0));
  TF_ASSIGN_OR_RETURN(step.at_end, JsonCount(object, "stop", where, 0));
  if (step.from.empty()) return InvalidArgument("{}.content is empty", where);
  if (!fused_) {
    steps_.push_back(std::move(step));
  } else if (step.at_end != 0) {
    return Unimplemented("{}.stop is {} after Fuse; supported is 0: the end of a text is not known", where,
                         step.at_end);
  }
  // At the start of the whole text there is nothing to do: no single token is that.
  return absl::OkStatus();
}

absl::Status Decoder::AddWordPiece(const json& object, const std::string& where) {
  Step step{Step::Kind::kWordPiece};
  TF_ASSIGN_OR_RETURN(step.from, JsonString(object, "prefix", where, "##"));
  TF_ASSIGN_OR_RETURN(const bool cleans_up, JsonFlag(object, "cleanup", where, true));
  steps_.push_back(std::move(step));
  if (cleans_up) steps_.push_back({Step::Kind::kCleanUp});
  return absl::OkStatus();
}

absl::Status Decoder::AddStep(const json& object, const std::string& type, const std::string& where) {
  if (type == "Strip") return AddStrip(object, where);
  if (type == "Fuse") {
    fused_ = true;
    return absl::OkStatus();
  }
  if (!fused_ && !byte_level_) {
    if (type == "ByteLevel" && steps_.empty()) {
      byte_level_ = true;
      return absl::OkStatus();
    }
    if (type == "ByteFallback") {
      steps_.push_back({Step::Kind::kByteFallback});
      return absl::OkStatus();
    }
    if (type == "Metaspace") {
      TF_ASSIGN_OR_RETURN(std::string mark, JsonString(object, "replacement", where, "\u2581"));
      if (mark.empty()) return InvalidArgument("{}.replacement is empty", where);
      steps_.push_back({Step::Kind::kReplace, std::move(mark), " "});
      return absl::OkStatus();
    }
    if (type == "BPEDecoder") {
      TF_ASSIGN_OR_RETURN(std::string suffix, JsonString(object, "suffix", where, "</w>"));
      if (suffix.empty()) return InvalidArgument("{}.suffix is empty", where);
      steps_.push_back({Step::Kind::kReplace, std::move(suffix), " "});
      return absl::OkStatus();
    }
    if (type == "Replace") return AddReplace(object, where);
    if (type == "WordPiece") return AddWordPiece(object, where);
  }
  return Unimplemented("{} is {}; supported are {}", where, Quote(type), kDecoders);
}

absl::StatusOr<Decoder> Decoder::Parse(const json& root, const std::string& where) {
  TF_ASSIGN_OR_RETURN(const std::vector<JsonStep> flat, FlattenJsonSteps(root, "decoders", where));
  Decoder out;
  if (root.is_null()) out.steps_.push_back({Step::Kind::kSpaceBefore});
  for (const auto& [object, at] : flat) {
    TF_ASSIGN_OR_RETURN(const std::string type, JsonType(*object, at));
    TF_RETURN_IF_ERROR(out.AddStep(*object, type, at));
  }
  return out;
}

std::string Decoder::Decode(std::string_view piece) const {
  if (byte_level_) return DecodeByteLevel(piece).value_or(std::string(piece));
  std::string text(piece);
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Step::Kind::kReplace:
        text = step.pattern ? ReplaceMatches(*step.pattern, text, step.to) : ReplaceAll(text, step.from, step.to);
        break;
      case Step::Kind::kByteFallback:
        if (const auto byte = ParseByteToken(text)) return std::string(1, static_cast<char>(*byte));
        break;
      case Step::Kind::kStrip:
        text = StripPiece(text, step.from, step.at_start, step.at_end);
        break;
      case Step::Kind::kWordPiece:
        if (text.starts_with(step.from)) {
          text.erase(0, step.from.size());
        } else {
          text.insert(0, 1, ' ');
        }
        break;
      case Step::Kind::kCleanUp:
        for (const auto& [from, to] : kCleanUps) text = ReplaceAll(text, from, to);
        break;
      case Step::Kind::kSpaceBefore:
        text.insert(0, 1, ' ');
        break;
    }
  }
  return text;
}

}  // namespace toolformer
