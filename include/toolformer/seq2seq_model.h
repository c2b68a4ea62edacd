// Encoder-decoder transformers: M2M-100 and NLLB, Marian (OPUS-MT), T5. What translates, and what reads passages.
#ifndef TOOLFORMER_SEQ2SEQ_MODEL_H_
#define TOOLFORMER_SEQ2SEQ_MODEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"
#include "toolformer/seq2seq_tokenizer.h"

namespace toolformer {

struct TOOLFORMER_API Seq2SeqOptions {
  std::string device = "cpu";  // "cpu" or "cuda:N"
  Kernels kernels = Kernels::kOwn;
  // As ModelOptions::type. kInt8 is for the CPU, with the library's own kernels.
  std::optional<WeightType> type = std::nullopt;
  // Most tokens, padding included, that the encoder reads in one batch. Longer texts are read alone.
  int64_t max_batch_tokens = 4096;
  // Called while loading, on the calling thread: bytes of the file's tensors that have been read, and their sum.
  std::function<void(uint64_t done, uint64_t total)> progress = nullptr;
};

// When a search with beams ends.
enum class EarlyStopping {
  kFirstComplete,  // as soon as there are as many complete sequences as beams
  kHeuristic,      // and where a running one is unlikely to become better than the worst of them: transformers' `false`
  kNever,          // only where no running one can become better
};

// What transformers calls the generation configuration. Absent: what the model's generation_config.json says.
struct TOOLFORMER_API GenerationOptions {
  std::optional<int64_t> beams = std::nullopt;  // 1: greedy
  std::optional<double> length_penalty = std::nullopt;
  std::optional<EarlyStopping> early_stopping = std::nullopt;
  std::optional<int64_t> max_new_tokens = std::nullopt;  // where the files say nothing either: kDefaultNewTokens
  std::optional<int64_t> min_new_tokens = std::nullopt;
  std::optional<int64_t> no_repeat_ngram_size = std::nullopt;
  std::optional<double> repetition_penalty = std::nullopt;
  // The first token that is decoded, forced_bos_token_id: the language of a translation.
  std::optional<int32_t> forced_first_id = std::nullopt;
  // Looked at before every step.
  Interrupt interrupt = {};
};
inline constexpr int64_t kDefaultNewTokens = 256;

// What the encoder made of a text: one vector a token. Encoded passages may be joined (fusion in decoder); a decoder
// does not see where one ends.
struct TOOLFORMER_API EncodedText {
  at::Tensor states;  // [tokens, hidden], of the model's type, on its device
};

struct TOOLFORMER_API GeneratedSequence {
  std::vector<int32_t> ids;  // without the decoder's start token; the last one ends the sequence where `ended`
  // With beams: the sum of the log-probabilities, divided by length^length_penalty. 0 where greedy.
  double score = 0.0;
  bool ended = false;  // false: cut at the most tokens
};

struct TOOLFORMER_API Seq2SeqInfo {
  std::string path;
  std::string family;  // "m2m_100" (NLLB too), "marian", "t5"
  int64_t encoder_layers = 0;
  int64_t decoder_layers = 0;
  int64_t hidden = 0;
  int64_t vocab_size = 0;  // of the decoder
  int64_t parameters = 0;
  WeightType type = WeightType::kFloat32;
  std::string fingerprint;  // as ModelInfo::fingerprint
};

// Immutable after loading; const methods are safe to call from several threads at once.
class TOOLFORMER_API Seq2SeqModel {
 public:
  virtual ~Seq2SeqModel() = default;

  // Loads a Hugging Face folder: config.json, generation_config.json where it is there, model*.safetensors or
  // pytorch_model*.bin, and the files of a tokenizer (see LoadSeq2SeqTokenizer). A T5 may also be in
  // the wrappers of FiD, or a checkpoint of Atlas (model.pth.tar, its reader). Memory: the weights, and the largest
  // tensor besides. kNotFound, kInvalidArgument (corrupt; a tensor that is missing or has another shape than
  // config.json says), kUnimplemented (an architecture or setting that is not supported: names it and lists what is),
  // kResourceExhausted.
  static absl::StatusOr<std::unique_ptr<Seq2SeqModel>> Load(const std::string& path, const Seq2SeqOptions& options);

  virtual const Seq2SeqInfo& info() const = 0;
  virtual const Seq2SeqTokenizer& tokenizer() const = 0;

  // The token that the decoder starts with.
  virtual int32_t decoder_start_id() const = 0;
  // Most tokens of a text; 0: no limit.
  virtual int64_t context_length() const = 0;

  // Reads texts, each by itself: what comes out of one does not depend on the others, but for rounding. `texts` are ids
  // of the source vocabulary with all that belongs to a text (Seq2SeqTokenizer::EncodeSource). kInvalidArgument (an
  // empty text, an id that is not there), kOutOfRange (longer than the context), kResourceExhausted, the interrupt's
  // status.
  virtual absl::StatusOr<std::vector<EncodedText>> Encode(std::span<const std::vector<int32_t>> texts,
                                                          const Interrupt& interrupt) const = 0;

  // Logits [ids.size(), vocab_size] f32 on the CPU of the token after each of `ids`, the decoder's input, which starts
  // with decoder_start_id(). Errors as of Encode.
  virtual absl::StatusOr<at::Tensor> Logits(const EncodedText& encoded, std::span<const int32_t> ids) const = 0;

  // Decodes every text: the sequences that transformers' `generate` gives with the same settings and do_sample=false.
  // kInvalidArgument (options out of range, states of another model), kResourceExhausted, the interrupt's status.
  virtual absl::StatusOr<std::vector<GeneratedSequence>> Generate(std::span<const EncodedText> texts,
                                                                  const GenerationOptions& options) const = 0;
};

// One text of all states, in their order; for the same model. kInvalidArgument where there are none or widths differ.
TOOLFORMER_API absl::StatusOr<EncodedText> JoinEncodedTexts(std::span<const EncodedText> texts);

}  // namespace toolformer

#endif  // TOOLFORMER_SEQ2SEQ_MODEL_H_
