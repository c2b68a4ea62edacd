#include <algorithm>
#include <utility>
#include <vector>

#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/unicode.h"
#include "toolformer/translator.h"

namespace toolformer {
namespace {

constexpr std::string_view kEnglish = "en";

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Scripts written without spaces between words: a character stands for a token.
bool IsWrittenWithoutSpaces(uint32_t c) {
  constexpr std::pair<uint32_t, uint32_t> kRanges[] = {
      {0x0e00, 0x0eff},    // Thai, Lao
      {0x1000, 0x109f},    // Myanmar
      {0x1780, 0x17ff},    // Khmer
      {0x3040, 0x30ff},    // Hiragana, Katakana
      {0x3400, 0x9fff},    // Han
      {0xf900, 0xfaff},    // Han
      {0x20000, 0x3ffff},  // Han
  };
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [c](const auto& range) { return c >= range.first && c <= range.second; });
}

struct Token {
  size_t begin = 0, end = 0;
  bool has_letter = false;
};

std::vector<Token> Tokens(std::string_view text) {
  std::vector<Token> tokens;
  bool open = false;  // the last token may go on
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = NextCodePoint(text.substr(at));
    const bool alone = c.valid && IsWrittenWithoutSpaces(c.value);
    if (c.valid && IsWhiteSpace(c.value)) {
      open = false;
    } else {
      if (!open || alone) tokens.push_back({at, at, false});
      tokens.back().end = at + c.length;
      const bool ascii_letter = (c.value >= 'a' && c.value <= 'z') || (c.value >= 'A' && c.value <= 'Z');
      if (c.valid && (ascii_letter || (c.value > 0x7f && IsWordCharacter(c.value)))) tokens.back().has_letter = true;
      open = !alone;
    }
    at += c.length;
  }
  return tokens;
}

bool ParagraphHasForeignChunk(const LanguageIdentifier& languages, std::string_view text,
                              const TranslationToolOptions& options) {
  const std::vector<Token> tokens = Tokens(text);
  const auto size = static_cast<size_t>(std::max<int64_t>(1, options.chunk_tokens));
  bool english = false, foreign = false;
  for (size_t first = 0; first < tokens.size(); first += size) {
    const size_t last = std::min(first + size, tokens.size());
    const bool letters =
        std::any_of(tokens.begin() + static_cast<int64_t>(first), tokens.begin() + static_cast<int64_t>(last),
                    [](const Token& t) { return t.has_letter; });
    if (!letters) continue;
    const std::string_view chunk = text.substr(tokens[first].begin, tokens[last - 1].end - tokens[first].begin);
    const std::vector<IdentifiedLanguage> best = languages.Identify(chunk, 1);
    if (best.empty() || best[0].confidence <= options.least_confidence) continue;
    if (best[0].label == kEnglish) {
      if (foreign) return true;
      english = true;
    } else if (english) {
      foreign = true;
    }
  }
  return false;
}

// Paper App. A.1: a call that gives away what the text only says later is no use.
bool KeepsCall(const Document& document, size_t byte_offset, const Call& call) {
  const std::string_view input = Trimmed(call.input), text = document.text;
  if (input.empty()) return true;
  const size_t offset = std::min(byte_offset, text.size());
  const bool before = text.substr(0, offset).find(input) != std::string_view::npos;
  return before || text.substr(offset).find(input) == std::string_view::npos;
}

// The most probable language that can be translated. English is told from the others only where it is likely: short
// inputs look like many languages.
absl::StatusOr<std::string> SourceOf(const Translator& translator, const LanguageIdentifier& languages,
                                     std::string_view text, double least_confidence) {
  const std::vector<IdentifiedLanguage> likely = languages.Identify(text, 5);
  if (likely.empty()) return InvalidArgument("MT: the language of the input is unknown");
  for (const IdentifiedLanguage& language : likely) {
    if (language.label == kEnglish) {
      if (language.confidence > least_confidence) return InvalidArgument("MT: the input is English already");
      continue;
    }
    if (std::optional<std::string> source = translator.FindSource(language.label)) return *std::move(source);
  }
  return InvalidArgument("MT: the input seems to be in '{}', which cannot be translated", likely[0].label);
}

}  // namespace

bool HasForeignChunk(const LanguageIdentifier& languages, std::string_view text,
                     const TranslationToolOptions& options) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (ParagraphHasForeignChunk(languages, text.substr(0, end), options)) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

Tool MakeTranslator(std::shared_ptr<const Translator> translator, std::shared_ptr<const LanguageIdentifier> languages,
                    const TranslationToolOptions& options) {
  Tool tool;
  tool.name = "MT";
  tool.instruction =
      "Your task is to complete a given piece of text. You can use a Machine Translation API for the parts of it that "
      "are not in English. You can call the API by writing \"[MT(text)]\" where \"text\" is the part to be translated "
      "into English, right after that part.";
  tool.examples = {
      {"On the door of the workshop hangs a sign, \"volto em dez minutos\", so the joiner will be back in ten minutes.",
       "On the door of the workshop hangs a sign, \"volto em dez minutos\" [MT(volto em dez minutos) -> I will be back "
       "in ten minutes], so the joiner will be back in ten minutes."},
      {"Her grandmother used to say \"Morgenstund hat Gold im Mund\", that the early bird catches the worm.",
       "Her grandmother used to say \"Morgenstund hat Gold im Mund\" [MT(Morgenstund hat Gold im Mund) -> The early "
       "bird catches the worm], that the early bird catches the worm."},
      {"The first line of the letter, \u6211\u5df2\u7ecf\u5230\u5317\u4eac\u4e86, told them that he had reached "
       "Beijing.",
       "The first line of the letter, \u6211\u5df2\u7ecf\u5230\u5317\u4eac\u4e86 "
       "[MT(\u6211\u5df2\u7ecf\u5230\u5317\u4eac\u4e86) -> I have arrived in Beijing], told them that he had reached "
       "Beijing."},
  };
  tool.parameters = {.tau_s = 0.0, .k = 20, .m = 10, .tau_f = 0.5};
  tool.free_of_side_effects = true;
  tool.version = translator->version() + " " + languages->fingerprint();
  tool.version.resize(std::min<size_t>(tool.version.size(), 256));
  // Calls share the model's threads: more at a time only slow each other down.
  tool.max_concurrent_calls = 2;
  tool.accepts = [languages, options](const Document& document, uint64_t /*seed*/) {
    return HasForeignChunk(*languages, document.text, options);
  };
  tool.keeps = KeepsCall;
  tool.call = [translator = std::move(translator), languages = std::move(languages), options](
                  std::string_view input, const ToolContext& context) -> absl::StatusOr<std::string> {
    const std::string_view text = Trimmed(input);
    if (text.empty()) return InvalidArgument("MT: nothing to translate; the call is MT(text)");
    if (std::ssize(text) > options.max_input_bytes) {
      return ResourceExhausted("MT: the input has {} bytes; at most {} are translated", text.size(),
                               options.max_input_bytes);
    }
    TF_ASSIGN_OR_RETURN(const std::string source, SourceOf(*translator, *languages, text, options.least_confidence));
    TF_ASSIGN_OR_RETURN(std::string translation, translator->Translate(text, source, context.interrupt));
    if (translation.empty()) return NotFound("MT: the model has no translation");
    return translation;
  };
  return tool;
}

}  // namespace toolformer
