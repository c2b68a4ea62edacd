#include "src/seq2seq/seq2seq_network.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "src/model/device.h"
#include "src/model/kernels.h"

namespace toolformer {
namespace {

constexpr int64_t kFirstCapacity = 32;

// Tokens of a batch in rows of the longest one's length, the others filled up with `pad`.
at::Tensor PaddedIds(std::span<const std::vector<int32_t>> texts, int64_t columns, int32_t pad) {
  at::Tensor ids = at::full({std::ssize(texts) * columns}, static_cast<int64_t>(pad), at::kLong);
  int64_t* row = ids.data_ptr<int64_t>();
  for (const std::vector<int32_t>& text : texts) {
    std::copy(text.begin(), text.end(), row);
    row += columns;
  }
  return ids;
}

// [texts, 1, 1, columns], minus infinity where a text has ended; undefined where none is shorter.
at::Tensor PaddingBias(std::span<const int64_t> lengths, int64_t columns, const at::Device& device) {
  if (std::all_of(lengths.begin(), lengths.end(), [&](int64_t length) { return length == columns; })) return {};
  at::Tensor bias = at::zeros({std::ssize(lengths), 1, 1, columns}, at::kFloat);
  for (int64_t i = 0; i < std::ssize(lengths); ++i) {
    bias[i].narrow(2, lengths[i], columns - lengths[i]).fill_(-std::numeric_limits<float>::infinity());
  }
  return Upload(bias, device);
}

at::Tensor Sum(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined()) return b;
  return b.defined() ? a + b : a;
}

}  // namespace

at::Tensor Seq2SeqNetwork::Embed(const Seq2SeqStack& stack, const at::Tensor& ids, int64_t columns,
                                 int64_t first) const {
  at::Tensor x = stack.embedding.defined() ? stack.embedding.index_select(0, Upload(ids, settings_.device))
                                           : weights_.output.Rows(ids);
  if (x.scalar_type() != settings_.type) x = x.to(settings_.type);
  if (spec_.embedding_scale != 1.0) x = x * spec_.embedding_scale;
  if (spec_.position == Seq2SeqPosition::kSinusoid) {
    at::Tensor table = at::empty({columns, spec_.hidden}, at::kFloat);
    for (int64_t i = 0; i < columns; ++i) {
      const std::vector<float> row = SinusoidRow(spec_, first + i);
      std::copy(row.begin(), row.end(), table.data_ptr<float>() + i * spec_.hidden);
    }
    const at::Tensor positions = Upload(table, settings_.device).to(settings_.type);
    x = (x.view({-1, columns, spec_.hidden}) + positions).view({-1, spec_.hidden});
  }
  return x;
}

at::Tensor Seq2SeqNetwork::Normalized(const at::Tensor& x, const Norm& norm) const {
  return Normalize(x, norm, spec_.norm, spec_.norm_epsilon);
}

at::Tensor Seq2SeqNetwork::Heads(const at::Tensor& x, int64_t rows, int64_t heads) const {
  return x.reshape({rows, -1, heads, x.size(1) / heads}).transpose(1, 2);
}

at::Tensor Seq2SeqNetwork::Attend(const StackSpec& stack, const HeadTensors& heads) const {
  at::Tensor scores = at::matmul(heads.query * stack.attention_scale, heads.key.transpose(2, 3)).to(at::kFloat);
  if (heads.bias.defined()) scores = scores + heads.bias;
  const at::Tensor weights = at::softmax(scores, -1).to(heads.value.scalar_type());
  const at::Tensor values = at::matmul(weights, heads.value).transpose(1, 2);
  return values.reshape({-1, values.size(2) * values.size(3)});
}

at::Tensor Seq2SeqNetwork::RelativeBias(const Seq2SeqStack& stack, int64_t first, int64_t queries,
                                        Direction direction) const {
  if (spec_.position != Seq2SeqPosition::kRelativeBias) return {};
  const int64_t keys = first + queries;
  at::Tensor buckets = at::empty({queries * keys}, at::kLong);
  int64_t* bucket = buckets.data_ptr<int64_t>();
  for (int64_t q = 0; q < queries; ++q) {
    for (int64_t k = 0; k < keys; ++k) *bucket++ = RelativeBucket(spec_, k - (first + q), direction);
  }
  return stack.relative_bias.index_select(1, Upload(buckets, settings_.device)).view({1, -1, queries, keys});
}

template <typename Branch>
at::Tensor Seq2SeqNetwork::AddBranch(const at::Tensor& x, const Norm& norm, const Branch& branch) const {
  if (spec_.norm_place == NormPlace::kAfterSum) return Normalized(x + branch(x), norm);
  return x + branch(Normalized(x, norm));
}

std::vector<at::Tensor> Seq2SeqNetwork::Encode(std::span<const std::vector<int32_t>> texts) const {
  const auto rows = std::ssize(texts);
  std::vector<int64_t> lengths;
  for (const std::vector<int32_t>& text : texts) lengths.push_back(std::ssize(text));
  const int64_t columns = *std::max_element(lengths.begin(), lengths.end());
  const Seq2SeqStack& stack = weights_.encoder;
  at::Tensor x = Embed(stack, PaddedIds(texts, columns, spec_.pad_id), columns, 0);
  const at::Tensor bias =
      Sum(RelativeBias(stack, 0, columns, Direction::kBothWays), PaddingBias(lengths, columns, settings_.device));
  for (const Seq2SeqLayer& layer : stack.layers) {
    x = AddBranch(x, layer.self_norm, [&](const at::Tensor& in) {
      const std::vector<at::Tensor> parts = layer.query_key_value.Apply(in).chunk(3, 1);
      const int64_t heads = spec_.encoder.heads;
      return layer.self_out.Apply(Attend(spec_.encoder, {Heads(parts[0], rows, heads), Heads(parts[1], rows, heads),
                                                         Heads(parts[2], rows, heads), bias}));
    });
    x = AddBranch(x, layer.mlp_norm, [&](const at::Tensor& in) { return layer.down.Apply(layer.up.Apply(in)); });
  }
  if (spec_.final_norms) x = Normalized(x, stack.final_norm);
  const at::Tensor states = x.view({rows, columns, spec_.hidden});
  std::vector<at::Tensor> out;
  for (int64_t i = 0; i < rows; ++i) out.push_back(states[i].narrow(0, 0, lengths[i]).clone());
  return out;
}

DecoderState Seq2SeqNetwork::StartDecoding(std::span<const at::Tensor> states) const {
  DecoderState state;
  state.texts = std::ssize(states);
  state.rows_per_text = 1;
  std::vector<int64_t> lengths;
  for (const at::Tensor& text : states) lengths.push_back(text.size(0));
  const int64_t columns = *std::max_element(lengths.begin(), lengths.end());
  state.padding = PaddingBias(lengths, columns, settings_.device);
  at::Tensor memory = states.front();
  if (state.texts > 1) {
    memory = at::zeros({state.texts, columns, spec_.hidden}, states.front().options());
    for (int64_t i = 0; i < state.texts; ++i) memory[i].narrow(0, 0, lengths[i]).copy_(states[i]);
    memory = memory.view({state.texts * columns, spec_.hidden});
  }
  const int64_t heads = spec_.decoder.heads;
  for (const Seq2SeqLayer& layer : weights_.decoder.layers) {
    const std::vector<at::Tensor> parts = layer.cross_key_value.Apply(memory).chunk(2, 1);
    DecoderState::Layer& kept = state.layers.emplace_back();
    kept.cross_key = Heads(parts[0], state.texts, heads).contiguous();
    kept.cross_value = Heads(parts[1], state.texts, heads).contiguous();
    kept.self_key = at::empty({state.texts, heads, kFirstCapacity, spec_.decoder.head_dim}, parts[0].options());
    kept.self_value = at::empty_like(kept.self_key);
  }
  return state;
}

at::Tensor Seq2SeqNetwork::SelfAttention(const Seq2SeqLayer& layer, const at::Tensor& x, const at::Tensor& bias,
                                         DecoderState::Layer* kept, const DecoderState& state) const {
  const int64_t rows = state.texts * state.rows_per_text, heads = spec_.decoder.heads;
  const std::vector<at::Tensor> parts = layer.query_key_value.Apply(x).chunk(3, 1);
  const at::Tensor query = Heads(parts[0], rows, heads);
  const int64_t tokens = query.size(2), length = state.length + tokens;
  for (const auto& [tensor, part] : {std::pair{&kept->self_key, &parts[1]}, std::pair{&kept->self_value, &parts[2]}}) {
    if (tensor->size(2) < length) {
      at::Tensor larger =
          at::empty({rows, heads, std::max(length, 2 * tensor->size(2)), tensor->size(3)}, tensor->options());
      larger.narrow(2, 0, state.length).copy_(tensor->narrow(2, 0, state.length));
      *tensor = larger;
    }
    tensor->narrow(2, state.length, tokens).copy_(Heads(*part, rows, heads));
  }
  return layer.self_out.Apply(
      Attend(spec_.decoder, {query, kept->self_key.narrow(2, 0, length), kept->self_value.narrow(2, 0, length), bias}));
}

at::Tensor Seq2SeqNetwork::Decode(std::span<const int32_t> ids, int64_t wanted, DecoderState* state) const {
  const int64_t rows = state->texts * state->rows_per_text, heads = spec_.decoder.heads;
  const int64_t tokens = std::ssize(ids) / rows;
  const Seq2SeqStack& stack = weights_.decoder;
  at::Tensor id_tensor = at::empty({std::ssize(ids)}, at::kLong);
  std::copy(ids.begin(), ids.end(), id_tensor.data_ptr<int64_t>());
  at::Tensor x = Embed(stack, id_tensor, tokens, state->length);
  at::Tensor bias = RelativeBias(stack, state->length, tokens, Direction::kBackwards);
  if (tokens > 1) {
    const at::Tensor later =
        at::full({tokens, state->length + tokens}, -std::numeric_limits<float>::infinity(), at::kFloat);
    bias = Sum(bias, Upload(at::triu(later, state->length + 1), settings_.device));
  }
  for (size_t i = 0; i < stack.layers.size(); ++i) {
    const Seq2SeqLayer& layer = stack.layers[i];
    DecoderState::Layer& kept = state->layers[i];
    x = AddBranch(x, layer.self_norm,
                  [&](const at::Tensor& in) { return SelfAttention(layer, in, bias, &kept, *state); });
    x = AddBranch(x, layer.cross_norm, [&](const at::Tensor& in) {
      // The rows of a text share its keys and values.
      const at::Tensor query = Heads(layer.cross_query.Apply(in), state->texts, heads);
      return layer.cross_out.Apply(Attend(spec_.decoder, {query, kept.cross_key, kept.cross_value, state->padding}));
    });
    x = AddBranch(x, layer.mlp_norm, [&](const at::Tensor& in) { return layer.down.Apply(layer.up.Apply(in)); });
  }
  state->length += tokens;
  if (wanted < tokens) {
    x = x.view({rows, tokens, spec_.hidden}).narrow(1, tokens - wanted, wanted).reshape({rows * wanted, spec_.hidden});
  }
  if (spec_.final_norms) x = Normalized(x, stack.final_norm);
  if (spec_.output_scale != 1.0) x = x * spec_.output_scale;
  return weights_.output.Apply(x).to(at::kFloat).cpu();
}

void Seq2SeqNetwork::Select(std::span<const int64_t> texts, std::span<const int64_t> rows, DecoderState* state) const {
  const auto as_tensor = [&](std::span<const int64_t> indices) {
    return Upload(at::tensor(at::ArrayRef<int64_t>(indices.data(), indices.size())), settings_.device);
  };
  const auto is_all = [](std::span<const int64_t> indices, int64_t count) {
    if (std::ssize(indices) != count) return false;
    for (int64_t i = 0; i < count; ++i) {
      if (indices[i] != i) return false;
    }
    return true;
  };
  const bool all_texts = is_all(texts, state->texts);
  if (!is_all(rows, state->texts * state->rows_per_text)) {
    const at::Tensor indices = as_tensor(rows);
    for (DecoderState::Layer& layer : state->layers) {
      for (at::Tensor* tensor : {&layer.self_key, &layer.self_value}) {
        at::Tensor chosen =
            at::empty({std::ssize(rows), tensor->size(1), tensor->size(2), tensor->size(3)}, tensor->options());
        chosen.narrow(2, 0, state->length).copy_(tensor->narrow(2, 0, state->length).index_select(0, indices));
        *tensor = chosen;
      }
    }
  }
  if (!all_texts) {
    const at::Tensor indices = as_tensor(texts);
    for (DecoderState::Layer& layer : state->layers) {
      layer.cross_key = layer.cross_key.index_select(0, indices);
      layer.cross_value = layer.cross_value.index_select(0, indices);
    }
    if (state->padding.defined()) state->padding = state->padding.index_select(0, indices);
    state->texts = std::ssize(texts);
  }
  state->rows_per_text = std::ssize(rows) / state->texts;
}

}  // namespace toolformer
