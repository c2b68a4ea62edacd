// The paper's machine translation tool (section 3): text of any language in, English out.
#ifndef TOOLFORMER_TRANSLATOR_H_
#define TOOLFORMER_TRANSLATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "toolformer/document.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/language_identifier.h"
#include "toolformer/tool.h"

namespace toolformer {

class Seq2SeqModel;

// Translates into one language. Hosts may implement it for a service of their own. Const methods are safe to call from
// several threads at once.
class TOOLFORMER_API Translator {
 public:
  virtual ~Translator() = default;

  // What Translate calls the language of a label of LanguageIdentifier ("de" -> "deu_Latn"); codes of its own stand for
  // themselves. Nothing where it does not read that language.
  virtual std::optional<std::string> FindSource(std::string_view label) const = 0;

  // `source` is a language that FindSource gave. The status of the interrupt; kOutOfRange for a text beyond the model's
  // context; errors of the model.
  virtual absl::StatusOr<std::string> Translate(std::string_view text, std::string_view source,
                                                const Interrupt& interrupt) const = 0;

  // Changes when translations may.
  virtual std::string version() const = 0;
};

struct TOOLFORMER_API TranslatorOptions {
  // The language to write, as the model calls it; empty: English ("eng_Latn", "en", ">>eng<<" or the only one there
  // is).
  std::string target = {};
  // Absent: what the model's files say.
  std::optional<int64_t> beams = std::nullopt;
  std::optional<int64_t> max_new_tokens = std::nullopt;
};

// How LoadTranslator loads a model.
struct TOOLFORMER_API TranslatorLoading {
  std::string device = "cpu";  // "cpu" or "cuda:N"
  bool int8 = false;           // a third of the memory, on the CPU; translations are a little different
};

// Translates with NLLB, M2M-100 or a Marian model. kInvalidArgument where the model does not write the target language,
// listing those that it does; kUnimplemented for models that do not translate.
TOOLFORMER_API absl::StatusOr<std::shared_ptr<const Translator>> MakeTranslator(
    std::shared_ptr<const Seq2SeqModel> model, const TranslatorOptions& options);

// Seq2SeqModel::Load and MakeTranslator in one, for those who have no other use for the model.
TOOLFORMER_API absl::StatusOr<std::shared_ptr<const Translator>> LoadTranslator(const std::string& folder,
                                                                                const TranslatorOptions& options,
                                                                                const TranslatorLoading& loading);

struct TOOLFORMER_API TranslationToolOptions {
  // Texts that are longer are refused.
  int64_t max_input_bytes = 2000;
  // From which confidence on a chunk of a document counts as being in a language (paper App. A.1).
  double least_confidence = 0.8;
  // Tokens of a chunk.
  int64_t chunk_tokens = 10;
};

// The tool `MT`: the language of the input is told by `languages`, English comes out. Documents are worth asking about
// where a chunk of another language stands between chunks of English; calls whose input comes later in the text, but
// not before, are dropped. docs/tools.md.
TOOLFORMER_API Tool MakeTranslator(std::shared_ptr<const Translator> translator,
                                   std::shared_ptr<const LanguageIdentifier> languages,
                                   const TranslationToolOptions& options);

// Whether a paragraph of `text` has, in this order, a chunk of English, one of another language and one of English.
// Chunks are `chunk_tokens` neighbouring tokens: words between white space, or single characters of scripts that are
// written without spaces. Chunks without any letter are passed over.
TOOLFORMER_API bool HasForeignChunk(const LanguageIdentifier& languages, std::string_view text,
                                    const TranslationToolOptions& options);

}  // namespace toolformer

#endif  // TOOLFORMER_TRANSLATOR_H_
