// The tool of machine translation, declared in a file.
#include "src/base/status.h"
#include "src/kinds/kinds.h"
#include "toolformer/translator.h"

namespace toolformer {

absl::StatusOr<std::vector<Tool>> MakeTranslationKind(ToolFields& fields, const KindContext& context) {
  std::string model, languages;
  TranslatorOptions options;
  TranslatorLoading loading;
  TranslationToolOptions tool_options;
  int64_t beams = 0, max_tokens = 0;
  fields.Read("model", &model);
  fields.Read("lid", &languages);
  fields.Read("target", &options.target);
  fields.Read("beams", &beams);
  fields.Read("max_tokens", &max_tokens);
  fields.Read("device", &loading.device);
  fields.Read("int8", &loading.int8);
  fields.Read("max_input_bytes", &tool_options.max_input_bytes);
  if (model.empty()) fields.Fail("model", fields.Has("model") ? "is empty" : "is missing");
  if (languages.empty()) fields.Fail("lid", fields.Has("lid") ? "is empty" : "is missing");
  if (fields.Has("beams")) options.beams = beams;
  if (fields.Has("max_tokens")) options.max_new_tokens = max_tokens;
  TF_RETURN_IF_ERROR(fields.status());
  // The small file first: what is wrong with it is said before gigabytes are read.
  TF_ASSIGN_OR_RETURN(std::shared_ptr<const LanguageIdentifier> identifier,
                      LanguageIdentifier::Load(context.Resolve(languages)));
  TF_ASSIGN_OR_RETURN(std::shared_ptr<const Translator> translator,
                      LoadTranslator(context.Resolve(model), options, loading));
  std::vector<Tool> tools;
  tools.push_back(MakeTranslator(std::move(translator), std::move(identifier), tool_options));
  ReadCommonFields(fields, &tools.back());
  return tools;
}

}  // namespace toolformer
