// What distinguishes one encoder-decoder transformer from another.
#ifndef TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_SPEC_H_
#define TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_SPEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "src/model/config_reader.h"
#include "src/model/spec.h"

namespace toolformer {

// Either half of the model.
struct StackSpec {
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  int64_t mlp_hidden = 0;
  double attention_scale = 1.0;
};

enum class Seq2SeqPosition {
  kSinusoid,      // added to the embeddings
  kRelativeBias,  // of T5: added to the scores of attention within a half, learned for buckets of distances
};

struct Seq2SeqSpec {
  std::string family;  // "m2m_100", "marian", "t5"
  StackSpec encoder, decoder;
  int64_t hidden = 0;
  int64_t vocab_size = 0;         // of what is decoded
  int64_t source_vocab_size = 0;  // of what is encoded
  int64_t context_length = 0;     // most tokens of either side; 0: no limit of the model's own

  NormKind norm = NormKind::kLayer;
  NormPlace norm_place = NormPlace::kBefore;  // kBefore or kAfterSum
  double norm_epsilon = 1e-5;
  bool final_norms = true;  // of both halves

  Seq2SeqPosition position = Seq2SeqPosition::kSinusoid;
  int64_t buckets = 0;       // kRelativeBias
  int64_t max_distance = 0;  // from there on all distances share a bucket

  Activation activation = Activation::kRelu;
  bool gated_mlp = false;
  bool biases = true;  // of the linear maps

  double embedding_scale = 1.0;
  double output_scale = 1.0;           // of what the output weights are multiplied with
  bool separate_vocabularies = false;  // the decoder has an embedding of its own
  bool tied_output = true;             // the output weights are the decoder's embedding
  bool output_bias = false;

  int32_t decoder_start_id = 0;
  int32_t pad_id = 0;
};

// From config.json. kUnimplemented names a family, an activation or a setting that is not supported, and what is;
// kInvalidArgument a field that is missing or absurd.
absl::StatusOr<Seq2SeqSpec> ReadSeq2SeqSpec(const ConfigReader& config);

// Names of the tensors of a family; "{}" stands for the layer. Of several candidates the first that a file has counts.
struct Seq2SeqNames {
  struct Stack {
    std::vector<std::string> embedding;
    std::string self, cross;  // of attention, followed by a projection's name
    std::string query, key, value, out;
    std::string self_norm, cross_norm, mlp_norm, final_norm;
    std::string gate, up, down;
    std::string relative_bias;
  };
  Stack encoder, decoder;
  std::vector<std::string> output;
  std::string output_bias;
};
Seq2SeqNames NamesOf(const Seq2SeqSpec& spec);

// Row `position` of the table of sinusoids, `width` values.
std::vector<float> SinusoidRow(const Seq2SeqSpec& spec, int64_t position);

// The bucket of the key at distance `key - query`: kBothWays in the encoder; in the decoder keys lie before their
// query.
enum class Direction { kBothWays, kBackwards };
int64_t RelativeBucket(const Seq2SeqSpec& spec, int64_t distance, Direction direction);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_SPEC_H_
