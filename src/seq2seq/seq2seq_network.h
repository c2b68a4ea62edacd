// The forward passes of an encoder-decoder transformer.
#ifndef TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_NETWORK_H_
#define TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_NETWORK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "src/seq2seq/seq2seq_spec.h"
#include "src/seq2seq/seq2seq_weights.h"

namespace toolformer {

// What a decoder remembers while it decodes some texts, as many rows of each. Rows of a text stand together.
struct DecoderState {
  struct Layer {
    at::Tensor self_key, self_value;    // [rows, heads, capacity, head_dim], the first `length` of them in use
    at::Tensor cross_key, cross_value;  // [texts, heads, longest text, head_dim]
  };
  int64_t length = 0;  // tokens fed
  int64_t texts = 0, rows_per_text = 0;
  at::Tensor padding;  // [texts, 1, 1, longest text]: what is added to scores of keys; undefined where none is padding
  std::vector<Layer> layers;
};

// Immutable; const calls are concurrent. All of them throw what libtorch throws.
class Seq2SeqNetwork {
 public:
  Seq2SeqNetwork(Seq2SeqSpec spec, Seq2SeqWeights weights, const MatrixSettings& settings)
      : spec_(std::move(spec)), weights_(std::move(weights)), settings_(settings) {}

  const Seq2SeqSpec& spec() const { return spec_; }
  const Seq2SeqWeights& weights() const { return weights_; }
  const MatrixSettings& settings() const { return settings_; }

  // One batch: the states of each text, [tokens, hidden].
  std::vector<at::Tensor> Encode(std::span<const std::vector<int32_t>> texts) const;

  // A state with one row a text, and nothing decoded. `states` [tokens, hidden], each.
  DecoderState StartDecoding(std::span<const at::Tensor> states) const;
  // Feeds every row the same number of tokens, ids [rows * tokens], and gives the logits that follow the last `wanted`
  // of them, [rows * wanted, vocabulary] f32 on the CPU.
  at::Tensor Decode(std::span<const int32_t> ids, int64_t wanted, DecoderState* state) const;
  // Rows `rows` of the state, `rows_per_text` for each of `texts`.
  void Select(std::span<const int64_t> texts, std::span<const int64_t> rows, DecoderState* state) const;

 private:
  struct HeadTensors {
    at::Tensor query, key, value;  // [rows, heads, tokens, head_dim]
    at::Tensor bias;               // broadcast over the scores, or undefined
  };
  // ids [tokens] of rows of `columns` tokens, the first of which stands at `first`.
  at::Tensor Embed(const Seq2SeqStack& stack, const at::Tensor& ids, int64_t columns, int64_t first) const;
  at::Tensor Normalized(const at::Tensor& x, const Norm& norm) const;
  // [rows * tokens, heads * head_dim].
  at::Tensor Attend(const StackSpec& stack, const HeadTensors& heads) const;
  at::Tensor Heads(const at::Tensor& x, int64_t rows, int64_t heads) const;
  // [1, heads, queries, keys], of keys from 0 and queries from `first` on; undefined where positions have no bias.
  at::Tensor RelativeBias(const Seq2SeqStack& stack, int64_t first, int64_t queries, Direction direction) const;
  // x + branch(x), normalised where the spec says.
  template <typename Branch>
  at::Tensor AddBranch(const at::Tensor& x, const Norm& norm, const Branch& branch) const;
  at::Tensor SelfAttention(const Seq2SeqLayer& layer, const at::Tensor& x, const at::Tensor& bias,
                           DecoderState::Layer* kept, const DecoderState& state) const;

  const Seq2SeqSpec spec_;
  const Seq2SeqWeights weights_;
  const MatrixSettings settings_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEQ2SEQ_SEQ2SEQ_NETWORK_H_
