// toolformer translate: text of any language into one, as the MT tool does it.
#include <toolformer/language_identifier.h>
#include <toolformer/seq2seq_model.h>
#include <toolformer/translator.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "model_flags.h"
#include "terminal.h"

namespace toolformer::cli {
namespace {

struct TranslateFlags {
  std::string model, languages, source, device = "cpu", dtype = "auto";
  TranslatorOptions options;
  int64_t beams = 0, max_tokens = 0;
  bool list = false;
  std::vector<std::string> words;
};

absl::StatusOr<std::unique_ptr<Seq2SeqModel>> LoadTranslationModel(const TranslateFlags& flags) {
  Seq2SeqOptions options;
  options.device = flags.device;
  for (const WeightType type : {WeightType::kFloat32, WeightType::kBFloat16, WeightType::kInt8}) {
    if (flags.dtype == TypeName(type)) options.type = type;
  }
  return Seq2SeqModel::Load(flags.model, options);
}

// The language of the text, as the translator calls it.
absl::StatusOr<std::string> SourceOf(const Translator& translator, const LanguageIdentifier* languages,
                                     const std::string& text, const std::string& wanted) {
  std::string label = wanted;
  if (label.empty() && languages != nullptr) {
    const std::vector<IdentifiedLanguage> best = languages->Identify(text, 1);
    if (best.empty()) return Failure("the language of '{}' is unknown; give it with --source", text);
    label = best[0].label;
  }
  const std::optional<std::string> source = translator.FindSource(label);
  if (!source) {
    return Failure("the model does not read '{}'; see --list for its languages, and give one with --source", label);
  }
  return *source;
}

absl::Status RunTranslate(const TranslateFlags& flags) {
  const CancelToken& cancel = CatchSignals();
  std::unique_ptr<Seq2SeqModel> loaded;
  CLI_ASSIGN_OR_RETURN(loaded, LoadTranslationModel(flags));
  const std::shared_ptr<const Seq2SeqModel> model = std::move(loaded);
  if (flags.list) {
    for (const std::string& language : model->tokenizer().languages()) fmt::print("{}\n", language);
    return absl::OkStatus();
  }
  TranslatorOptions options = flags.options;
  if (flags.beams > 0) options.beams = flags.beams;
  if (flags.max_tokens > 0) options.max_new_tokens = flags.max_tokens;
  CLI_ASSIGN_OR_RETURN(const std::shared_ptr<const Translator> translator, MakeTranslator(model, options));
  std::shared_ptr<const LanguageIdentifier> languages;
  if (!flags.languages.empty()) {
    CLI_ASSIGN_OR_RETURN(languages, LanguageIdentifier::Load(flags.languages));
  } else if (flags.source.empty() && !translator->FindSource("")) {
    return UsageError("--source or --lid is needed: the model must be told the language of the text");
  }
  const auto translate = [&](const std::string& text) -> absl::Status {
    if (text.find_first_not_of(" \t\r") == std::string::npos) {
      fmt::print("\n");
      return absl::OkStatus();
    }
    CLI_ASSIGN_OR_RETURN(const std::string source, SourceOf(*translator, languages.get(), text, flags.source));
    Interrupt interrupt;
    interrupt.cancel = &cancel;
    CLI_ASSIGN_OR_RETURN(const std::string translation, translator->Translate(text, source, interrupt));
    fmt::print("{}\n", PrintableLine(translation));
    return FlushOutput();
  };
  if (!flags.words.empty()) {
    std::string text;
    for (const std::string& word : flags.words) text += (text.empty() ? "" : " ") + word;
    return translate(text);
  }
  for (std::string line; std::getline(std::cin, line);) CLI_RETURN_IF_ERROR(translate(line));
  if (std::cin.bad()) return Failure("standard input: cannot be read");
  return absl::OkStatus();
}

}  // namespace

Subcommand AddTranslate(CLI::App* parent) {
  auto flags = std::make_shared<TranslateFlags>();
  CLI::App* app =
      parent->add_subcommand("translate", "Text of any language into English, with NLLB, M2M-100 or OPUS-MT");
  app->description(
      "Translates TEXT, or each line of standard input, into a line of standard output. The language of each text is "
      "told by "
      "a model of fastText (--lid) or by you (--source).");
  app->add_option("--model", flags->model,
                  "a Hugging Face folder: facebook/nllb-200-*, facebook/m2m100_*, Helsinki-NLP/opus-mt-*")
      ->required();
  app->add_option("--lid", flags->languages, "fastText's lid.176.ftz or lid.176.bin, or another supervised model");
  app->add_option("--source", flags->source,
                  "language of the text: a label of lid.176 (de) or the model's code (deu_Latn)");
  app->add_option("--target", flags->options.target, "language to write, as the model calls it; English");
  app->add_option("--beams", flags->beams, "1: greedy; as the model's files say")->check(CLI::Range(1, 256));
  app->add_option("--max-tokens", flags->max_tokens, "most tokens of a translation; as the model's files say")
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--device", flags->device, "cpu or cuda:N")->capture_default_str();
  app->add_option("--dtype", flags->dtype, "float32, bfloat16, int8 (CPU) or auto")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16", "int8"}))
      ->capture_default_str();
  app->add_flag("--list", flags->list, "prints the languages that the model names, and nothing else");
  app->add_option("text", flags->words, "TEXT");
  app->footer(
      "\nExamples:\n  toolformer translate --model nllb-200-distilled-600M --lid lid.176.ftz \"s\u00fbret\u00e9 "
      "nucl\u00e9aire\"\n"
      "  toolformer translate --model opus-mt-de-en --beams 4 < german.txt");
  return {app, [flags] { return RunTranslate(*flags); }};
}

}  // namespace toolformer::cli
