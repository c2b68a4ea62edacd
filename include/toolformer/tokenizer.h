// Text to token ids and back.
#ifndef TOOLFORMER_TOKENIZER_H_
#define TOOLFORMER_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "toolformer/export.h"

namespace toolformer {

// Interface of a tokenizer; hosts may implement it for models of their own. All methods are const and safe to call from
// several threads at once.
class TOOLFORMER_API Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of `text`, without BOS or EOS. Never yields the id of a control token, however the text spells it. Accepts any
  // bytes: invalid UTF-8 becomes byte tokens where the vocabulary has them, else the unknown token. Linear time up to a
  // logarithmic factor in the length of `text`.
  virtual std::vector<int32_t> Encode(std::string_view text) const = 0;

  // Like Encode, for text that follows other text: SentencePiece vocabularies that put a space before the first word of
  // a text do not put one here. Equal to Encode for all others.
  virtual std::vector<int32_t> EncodeContinuation(std::string_view text) const = 0;

  // The bytes that token `id` adds to a text that it is not the first token of; empty for control tokens and for ids
  // outside the vocabulary. Concatenating over ids gives the text (possibly with a leading space, see Encode).
  virtual std::string_view TokenBytes(int32_t id) const = 0;

  virtual int32_t vocab_size() const = 0;

  // The token that every sequence starts with: BOS, or EOS where the vocabulary has no BOS (design decision 3).
  virtual int32_t start_id() const = 0;

  // Tokens that end a generation; may be empty.
  virtual const std::vector<int32_t>& end_ids() const = 0;

  // Concatenated TokenBytes.
  std::string Decode(std::span<const int32_t> ids) const;
};

// Loads a tokenizer from a `.gguf` file, a `tokenizer.json`, a model file of SentencePiece, or a folder of Hugging Face
// with the first of these that is there:
//   tokenizer.json                                            BPE, Unigram, WordPiece and WordLevel
//   tokenizer.model, spiece.model, sentencepiece.bpe.model    BPE and Unigram, encoded as SentencePiece itself does
//   vocab.json and merges.txt                                 byte-level BPE: GPT-2, OPT, BART, Qwen2 ..
//   vocab.txt                                                 WordPiece: BERT
// Configuration files beside them say which tokens were added and which begin and end a text.
// kNotFound / kInvalidArgument / kUnimplemented name the file, the field and what is supported.
TOOLFORMER_API absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const std::string& path);

// Writes the tokenizer of `from`, a path that LoadTokenizer takes, to `folder` as Hugging Face files, each whole or not
// at all; the folder is made where it is not there. Files of a Hugging Face folder are copied as they are. A `.gguf`
// file becomes tokenizer.json, tokenizer_config.json and special_tokens_map.json, which AutoTokenizer and LoadTokenizer
// read: the same ids for the same text, except that a space comes after tokens of the kind "user defined" where the
// vocabulary puts one before the first word. kUnimplemented, naming the token, where merge rules cannot say what the
// scores of a SentencePiece vocabulary do; else as LoadTokenizer, or the errors of writing files.
TOOLFORMER_API absl::Status SaveTokenizer(const std::string& from, const std::string& folder);

}  // namespace toolformer

#endif  // TOOLFORMER_TOKENIZER_H_
