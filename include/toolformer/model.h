// Language models: the small interface that the rest of the library uses, and the transformer that implements it.
#ifndef TOOLFORMER_MODEL_H_
#define TOOLFORMER_MODEL_H_

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
#include "toolformer/tokenizer.h"

namespace toolformer {

// What a model remembers of one sequence. Not safe for concurrent use; may outlive nothing it was made from.
class TOOLFORMER_API KvCache {
 public:
  virtual ~KvCache() = default;

  // Tokens remembered.
  virtual int64_t length() const = 0;

  // Forgets all but the first `length` tokens. kOutOfRange where there are fewer or `length` is negative.
  virtual absl::Status Truncate(int64_t length) = 0;

  // A second cache with the same content; both may then grow apart. Sharing what they have in common is expected.
  virtual std::unique_ptr<KvCache> Fork() = 0;
};

// One sequence of a batch.
struct TOOLFORMER_API ForwardRow {
  // Tokens to process; at least one. They follow what `cache` holds.
  std::span<const int32_t> ids;

  // Extended by `ids` when the call succeeds, unchanged when it fails. Null: the row is a whole sequence, forgotten
  // afterwards. No two rows of a batch may name the same cache.
  KvCache* cache = nullptr;

  // Indices into `ids`, ascending: where the logits of the *next* token are wanted.
  std::span<const int64_t> wanted;
};

// The interface of a model; a host plugs in its own by implementing it. Const methods are safe to call from several
// threads at once, as long as no cache is in two calls at the same time.
class TOOLFORMER_API LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  virtual const Tokenizer& tokenizer() const = 0;

  // Width of the logits; at least tokenizer().vocab_size() where every id can be predicted.
  virtual int64_t vocab_size() const = 0;

  // Most tokens of one sequence, start token included.
  virtual int64_t context_length() const = 0;

  // True where the weights have been rounded for speed. The loss filter refuses such models: it compares differences of
  // losses with a threshold.
  virtual bool approximate() const { return false; }

  // An empty cache for this model.
  virtual std::unique_ptr<KvCache> NewCache() const = 0;

  // Runs the rows as one batch. Returns logits [sum of wanted, vocab_size] f32 on the CPU, row after row, in the order
  // of `wanted`. kInvalidArgument (an empty row, an id or index out of range, a cache of another model), kOutOfRange (a
  // sequence longer than the context), kResourceExhausted (out of memory), kInternal (an error of libtorch, with its
  // text).
  virtual absl::StatusOr<at::Tensor> Forward(std::span<const ForwardRow> rows) const = 0;

  // As Forward, for the tokens `vocabulary` (ascending ids) only: logits [sum of wanted, vocabulary.size()]. Where only
  // a few tokens may be drawn, the others need not be computed. This one calls Forward and picks.
  virtual absl::StatusOr<at::Tensor> ForwardOver(std::span<const ForwardRow> rows,
                                                 std::span<const int32_t> vocabulary) const;

 protected:
  // kInvalidArgument unless `vocabulary` is not empty, ascending and within vocab_size().
  absl::Status CheckVocabulary(std::span<const int32_t> vocabulary) const;
};

// kInt8: the matrices as bytes with a scale for every 64 weights of a row, activations likewise while they are
// multiplied; all else is float32. A quarter of the memory to read, for drafts: such a model may propose calls, it does
// not judge them. On the CPU only.
enum class WeightType { kFloat32, kBFloat16, kInt8 };

// What runs the layers of a float32 model on the CPU: kernels of our own, or libtorch's operators, which serve all
// other models and check ours. The numbers are the same but for rounding.
enum class Kernels { kOwn, kLibtorch };

struct TOOLFORMER_API ModelOptions {
  std::string device = "cpu";  // "cpu" or "cuda:N"
  Kernels kernels = Kernels::kOwn;
  // Weights and activations; logits are f32 in every case. Absent: float32 on the CPU, bfloat16 on CUDA.
  std::optional<WeightType> type;
  // Folder of a low-rank adapter in PEFT's format (adapter_config.json, adapter_model.safetensors), which is added to
  // the weights; empty: none.
  std::string adapter;
  // Lowers the context of the file; 0 keeps it.
  int64_t context_length = 0;
  // Called while loading, on the calling thread: bytes of the file's tensors that have been read, and their sum.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

// What a transformer is, as `inspect` and reports print it.
struct TOOLFORMER_API ModelInfo {
  std::string path;
  std::string family;  // "gpt2", "gptj", "llama", "qwen2", ...: see docs/adding-a-model.md
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t parameters = 0;                  // number of weights, tied ones once
  WeightType type = WeightType::kFloat32;  // as loaded
  // Hash of the weights' names, types, shapes and a sample of their bytes; tells models apart when a job is resumed.
  std::string fingerprint;
};

// A decoder-only transformer read from files. Immutable after loading.
class TOOLFORMER_API Model : public LanguageModel {
 public:
  // Loads a .gguf file, or a Hugging Face folder (config.json; model*.safetensors or pytorch_model*.bin; the files of a
  // tokenizer). Memory: the weights, and the largest tensor of the file besides. kNotFound, kInvalidArgument (corrupt;
  // a missing tensor), kUnimplemented (an architecture, rotary scaling, quantisation or device that is not supported:
  // names it and lists what is), kResourceExhausted.
  static absl::StatusOr<std::unique_ptr<Model>> Load(const std::string& path, const ModelOptions& options);

  virtual const ModelInfo& info() const = 0;

  // Writes the model as a Hugging Face folder, which Load and transformers read with the same logits: config.json,
  // model*.safetensors (shards of at most 5 GB) and the tokenizer's files, copied or made from the file that the model
  // was loaded from, which must still be there. Weights are stored in the type that they have in memory; int8 ones are
  // not (kUnimplemented). The folder is
  // made where it is not there; each file is written whole or not at all, config.json last. kInvalidArgument,
  // kUnavailable (names the file and the system's reason), kUnimplemented (see SaveTokenizer).
  virtual absl::Status Save(const std::string& folder) const = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_MODEL_H_
