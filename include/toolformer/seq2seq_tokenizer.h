// Text to the ids that an encoder-decoder model reads, and what it decodes back to text.
#ifndef TOOLFORMER_SEQ2SEQ_TOKENIZER_H_
#define TOOLFORMER_SEQ2SEQ_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"

namespace toolformer {

// Const methods are safe to call from several threads at once.
class TOOLFORMER_API Seq2SeqTokenizer {
 public:
  virtual ~Seq2SeqTokenizer() = default;

  // Languages that texts may be marked with, as the files name them, in the order of their ids: "eng_Latn" (NLLB), "en"
  // (M2M-100), ">>fra<<" (Marian models that write several languages). Empty for T5 and for Marian models of one pair.
  virtual const std::vector<std::string>& languages() const = 0;
  // The token of a language, or nothing.
  virtual std::optional<int32_t> LanguageId(std::string_view language) const = 0;

  // Ids of a text with all that the encoder expects around it: NLLB and M2M-100 want the language of the text, Marian
  // the one to write (or "" where there is one only), T5 none (""). The spelling of a control token in the text never
  // becomes that token. kInvalidArgument, listing what there is, for an unknown language.
  virtual absl::StatusOr<std::vector<int32_t>> EncodeSource(std::string_view text, std::string_view language) const = 0;

  // Ids of a text alone, source vocabulary: for those who put inputs together themselves.
  virtual std::vector<int32_t> Encode(std::string_view text) const = 0;
  // The id of a control token by its spelling ("</s>", "<extra_id_0>"), or nothing.
  virtual std::optional<int32_t> ControlId(std::string_view spelling) const = 0;

  // What the ids of the target vocabulary spell, control tokens left out, without blanks at its ends.
  virtual std::string DecodeTarget(std::span<const int32_t> ids) const = 0;
};

// Loads the tokenizer of a Hugging Face folder with an encoder-decoder model, told apart by model_type of config.json:
//   m2m_100 (NLLB)     tokenizer.json, or sentencepiece.bpe.model with the languages of special_tokens_map.json or
//                      tokenizer_config.json
//   m2m_100 (M2M-100)  sentencepiece.bpe.model (or another *.model) and vocab.json
//   marian             source.spm, target.spm and vocab.json; with separate vocabularies target_vocab.json, too
//   t5, mt5            tokenizer.json, or spiece.model with the extra ids behind it
// kNotFound / kInvalidArgument / kUnimplemented name the file, the field and what is supported.
TOOLFORMER_API absl::StatusOr<std::shared_ptr<const Seq2SeqTokenizer>> LoadSeq2SeqTokenizer(const std::string& folder);

}  // namespace toolformer

#endif  // TOOLFORMER_SEQ2SEQ_TOKENIZER_H_
