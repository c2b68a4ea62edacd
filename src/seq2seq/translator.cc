#include "toolformer/translator.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "src/base/status.h"
#include "src/text/language_codes.h"
#include "toolformer/seq2seq_model.h"

namespace toolformer {
namespace {

// How a model's languages are named.
enum class Naming { kNllb, kM2m100, kMarian };

class ModelTranslator : public Translator {
 public:
  ModelTranslator(std::shared_ptr<const Seq2SeqModel> model, const Naming& naming, const TranslatorOptions& options)
      : model_(std::move(model)), naming_(naming), target_(options.target) {
    generation_.beams = options.beams;
    generation_.max_new_tokens = options.max_new_tokens;
    if (naming_ != Naming::kMarian) generation_.forced_first_id = model_->tokenizer().LanguageId(target_);
  }

  std::optional<std::string> FindSource(std::string_view label) const override {
    // A Marian model reads the languages that it was made for and is not told which.
    if (naming_ == Naming::kMarian) return std::string(label);
    const Seq2SeqTokenizer& tokenizer = model_->tokenizer();
    if (tokenizer.LanguageId(label)) return std::string(label);
    const std::optional<LanguageCodes> codes = FindLanguage(label);
    if (!codes) return std::nullopt;
    const std::string_view code = naming_ == Naming::kNllb ? codes->nllb : codes->m2m;
    if (code.empty() || !tokenizer.LanguageId(code)) return std::nullopt;
    return std::string(code);
  }

  absl::StatusOr<std::string> Translate(std::string_view text, std::string_view source,
                                        const Interrupt& interrupt) const override {
    const Seq2SeqTokenizer& tokenizer = model_->tokenizer();
    TF_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                        tokenizer.EncodeSource(text, naming_ == Naming::kMarian ? std::string_view(target_) : source));
    TF_ASSIGN_OR_RETURN(const std::vector<EncodedText> encoded, model_->Encode({&ids, 1}, interrupt));
    GenerationOptions options = generation_;
    options.interrupt = interrupt;
    TF_ASSIGN_OR_RETURN(const std::vector<GeneratedSequence> decoded, model_->Generate(encoded, options));
    return tokenizer.DecodeTarget(decoded.front().ids);
  }

  std::string version() const override {
    return fmt::format("{} {} {} {} {}", model_->info().family, model_->info().fingerprint, target_,
                       generation_.beams.value_or(0), generation_.max_new_tokens.value_or(0));
  }

 private:
  const std::shared_ptr<const Seq2SeqModel> model_;
  const Naming naming_;
  const std::string target_;
  GenerationOptions generation_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Translator>> MakeTranslator(std::shared_ptr<const Seq2SeqModel> model,
                                                                 const TranslatorOptions& options) {
  if (model == nullptr) return InvalidArgument("no model to translate with");
  const Seq2SeqInfo& info = model->info();
  const Seq2SeqTokenizer& tokenizer = model->tokenizer();
  Naming naming = Naming::kMarian;
  if (info.family == "m2m_100") {
    naming = tokenizer.LanguageId("eng_Latn") ? Naming::kNllb : Naming::kM2m100;
  } else if (info.family != "marian") {
    return Unimplemented("{}: a model of family {} does not translate; supported are m2m_100 and marian", info.path,
                         info.family);
  }
  TranslatorOptions complete = options;
  const bool chooses = !tokenizer.languages().empty();
  if (complete.target.empty() && chooses) {
    constexpr std::string_view kEnglish[] = {"eng_Latn", "en", ">>eng<<"};
    complete.target = kEnglish[static_cast<size_t>(naming)];
    if (naming == Naming::kMarian && tokenizer.languages().size() == 1) complete.target = tokenizer.languages().front();
  }
  if (!complete.target.empty() && !tokenizer.LanguageId(complete.target)) {
    std::string known;
    for (const std::string& name : tokenizer.languages()) known += (known.empty() ? "" : ", ") + name;
    return InvalidArgument("{}: the model does not write '{}'; it writes {}", info.path, complete.target,
                           chooses ? known : "one language only, which is not to be named");
  }
  if (options.beams && (*options.beams < 1 || *options.beams > 256)) {
    return InvalidArgument("{} beams; 1 to 256", *options.beams);
  }
  if (options.max_new_tokens && *options.max_new_tokens < 1) {
    return InvalidArgument("at most {} tokens leave room for no translation", *options.max_new_tokens);
  }
  return std::make_shared<ModelTranslator>(std::move(model), naming, complete);
}

absl::StatusOr<std::shared_ptr<const Translator>> LoadTranslator(const std::string& folder,
                                                                 const TranslatorOptions& options,
                                                                 const TranslatorLoading& loading) {
  Seq2SeqOptions model_options;
  model_options.device = loading.device;
  if (loading.int8) model_options.type = WeightType::kInt8;
  TF_ASSIGN_OR_RETURN(std::unique_ptr<Seq2SeqModel> model, Seq2SeqModel::Load(folder, model_options));
  return MakeTranslator(std::shared_ptr<const Seq2SeqModel>(std::move(model)), options);
}

}  // namespace toolformer
