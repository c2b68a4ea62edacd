#include "src/model/attention.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <limits>
#include <map>

#include "src/model/device.h"
#include "src/model/minus_infinity.h"

namespace toolformer {
namespace {

// Positions in the sequence: queries first_query.., keys first_key...
struct Stretch {
  int64_t first_query, queries, first_key, keys;
};

bool Visible(int64_t query, int64_t key, int64_t window) {
  return key <= query && (window == 0 || key > query - window);
}

// Undefined where every query sees every key.
at::Tensor MakeMask(const Stretch& stretch, int64_t window, const at::Device& device) {
  const int64_t last_query = stretch.first_query + stretch.queries - 1;
  const int64_t last_key = stretch.first_key + stretch.keys - 1;
  if (Visible(stretch.first_query, last_key, window) && Visible(last_query, stretch.first_key, window)) return {};
  at::Tensor mask = at::empty({stretch.queries, stretch.keys}, at::kFloat);
  float* values = mask.data_ptr<float>();
  for (int64_t q = 0; q < stretch.queries; ++q) {
    for (int64_t k = 0; k < stretch.keys; ++k) {
      *values++ = Visible(stretch.first_query + q, stretch.first_key + k, window) ? 0.0f : kMinusInfinity;
    }
  }
  return Upload(mask, device);
}

}  // namespace

AttentionPlan::AttentionPlan(std::span<const BatchRow> rows, const Settings& settings) : settings_(settings) {
  const auto fits = [&](const BatchRow& row) {
    return (row.cache == nullptr ? 0 : row.cache->length()) + row.tokens <= settings_.window;
  };
  // A window that no row outgrows is none.
  if (std::all_of(rows.begin(), rows.end(), fits)) settings_.window = 0;
  for (const BatchRow& row : rows) PlanOwnKeys(row);
  if (settings_.window == 0) {
    PlanSharedSegments(rows);
  } else {
    for (const BatchRow& row : rows) PlanWindowedSegments(row);
  }
}

void AttentionPlan::PlanOwnKeys(const BatchRow& row) {
  OwnTask task;
  task.queries = {row.first_token, row.tokens};
  task.tail = row.cache;
  const int64_t behind = row.cache == nullptr ? 0 : row.cache->tail_length();
  const int64_t skipped = settings_.window == 0 ? 0 : std::max<int64_t>(0, behind - settings_.window + 1);
  const int64_t keys = behind + row.tokens - skipped;
  task.keys = {(row.cache == nullptr ? row.first_token : 0) + skipped, keys};
  task.first_key = (row.cache == nullptr ? 0 : row.cache->shared_length()) + skipped;
  task.bias = MakeBias(task.first_key, keys);
  // The fused kernel takes either of the two.
  if (behind == 0 && (settings_.window == 0 || row.tokens <= settings_.window) && !task.bias.defined()) {
    task.causal = row.tokens > 1;
  } else {
    task.mask = MakeMask({behind, row.tokens, skipped, keys}, settings_.window, settings_.device);
  }
  own_.push_back(std::move(task));
}

void AttentionPlan::PlanSharedSegments(std::span<const BatchRow> rows) {
  struct Reader {
    const BatchRow* row;
    int64_t visible;
  };
  struct Read {
    std::shared_ptr<const CacheSegment> segment;
    int64_t first_key;  // the same for all readers: what lies before a shared segment is shared too
    std::vector<Reader> readers;
  };
  // In the order in which the rows name them, so that a batch always adds in the same order.
  std::vector<Read> segments;
  std::map<const CacheSegment*, size_t> index;
  for (const BatchRow& row : rows) {
    if (row.cache == nullptr) continue;
    int64_t first_key = 0;
    for (const SegmentView& view : row.cache->shared()) {
      const auto [entry, added] = index.try_emplace(view.segment.get(), segments.size());
      if (added) segments.push_back({view.segment, first_key, {}});
      segments[entry->second].readers.push_back({&row, view.length});
      first_key += view.length;
    }
  }
  for (const auto& [segment, first_key, readers] : segments) {
    SharedTask task;
    task.segment = segment;
    int64_t most = 0, least = std::numeric_limits<int64_t>::max();
    std::vector<int64_t> indices;
    for (const Reader& reader : readers) {
      for (int64_t i = 0; i < reader.row->tokens; ++i) indices.push_back(reader.row->first_token + i);
      most = std::max(most, reader.visible);
      least = std::min(least, reader.visible);
    }
    const int64_t queries = static_cast<int64_t>(indices.size());
    task.keys = {0, most};
    task.bias = MakeBias(first_key, most);
    task.queries = {indices.front(), queries};
    if (indices.back() - indices.front() + 1 != queries) task.indices = Upload(at::tensor(indices), settings_.device);
    if (least != most) {
      at::Tensor mask = at::empty({queries, most}, at::kFloat);
      float* values = mask.data_ptr<float>();
      for (const Reader& reader : readers) {
        for (int64_t q = 0; q < reader.row->tokens; ++q) {
          values = std::fill_n(values, reader.visible, 0.0f);
          values = std::fill_n(values, most - reader.visible, kMinusInfinity);
        }
      }
      task.mask = Upload(mask, settings_.device);
    }
    shared_.push_back(std::move(task));
  }
}

void AttentionPlan::PlanWindowedSegments(const BatchRow& row) {
  if (row.cache == nullptr) return;
  const int64_t window = settings_.window;
  const int64_t first_query = row.cache->length();
  int64_t begin = 0;  // position of the segment's first key
  for (const SegmentView& view : row.cache->shared()) {
    const int64_t end = begin + view.length;
    const int64_t queries = std::min(row.tokens, end + window - 1 - first_query);  // the later ones see none of it
    if (queries > 0) {
      const int64_t first_key = std::max(begin, first_query - window + 1);
      SharedTask task;
      task.segment = view.segment;
      task.keys = {first_key - begin, end - first_key};
      task.queries = {row.first_token, queries};
      task.mask = MakeMask({first_query, queries, first_key, end - first_key}, window, settings_.device);
      task.bias = MakeBias(first_key, end - first_key);
      shared_.push_back(std::move(task));
    }
    begin = end;
  }
}

// Undefined without slopes.
at::Tensor AttentionPlan::MakeBias(int64_t first_key, int64_t keys) const {
  const std::vector<float>& slopes = settings_.scores.slopes;
  if (slopes.empty()) return {};
  const at::Tensor positions = at::arange(first_key, first_key + keys, at::kFloat);
  return Upload(at::outer(at::tensor(slopes), positions), settings_.device);
}

void AttentionPlan::RunOwn(const OwnTask& task, int64_t layer, const AttentionInput& batch,
                           const AttentionOutput& out) const {
  AttentionInput input;
  input.query = batch.query.narrow(0, task.queries.first, task.queries.second);
  const at::Tensor& keys = task.tail == nullptr ? batch.key : task.tail->tail_keys(layer);
  const at::Tensor& values = task.tail == nullptr ? batch.value : task.tail->tail_values(layer);
  input.key = keys.narrow(0, task.keys.first, task.keys.second);
  input.value = values.narrow(0, task.keys.first, task.keys.second);
  input.mask = task.mask;
  input.bias = task.bias;
  input.causal = task.causal;
  input.scale = settings_.scores.scale;
  input.soft_cap = settings_.scores.soft_cap;
  const AttentionOutput part = SoftmaxAttention(input);
  out.values.narrow(0, task.queries.first, task.queries.second).copy_(part.values);
  out.lse.narrow(0, task.queries.first, task.queries.second).copy_(part.lse);
}

at::Tensor AttentionPlan::Run(int64_t layer, const at::Tensor& query, const at::Tensor& key,
                              const at::Tensor& value) const {
  AttentionInput batch;
  batch.query = query;
  batch.key = key;
  batch.value = value;
  AttentionOutput out;
  out.values = at::empty(query.sizes(), query.options());
  out.lse = at::empty({query.size(0), query.size(1)}, query.options().dtype(at::kFloat));

  for (const OwnTask& task : own_) RunOwn(task, layer, batch, out);
  for (const SharedTask& task : shared_) {
    const auto of_queries = [&](const at::Tensor& x) {
      return task.indices.defined() ? x.index_select(0, task.indices)
                                    : x.narrow(0, task.queries.first, task.queries.second);
    };
    AttentionInput input;
    input.query = of_queries(query);
    input.key = task.segment->keys.select(0, layer).narrow(0, task.keys.first, task.keys.second);
    input.value = task.segment->values.select(0, layer).narrow(0, task.keys.first, task.keys.second);
    input.mask = task.mask;
    input.bias = task.bias;
    input.scale = settings_.scores.scale;
    input.soft_cap = settings_.scores.soft_cap;
    const AttentionOutput merged =
        MergeAttention({of_queries(out.values), of_queries(out.lse)}, SoftmaxAttention(input));
    if (task.indices.defined()) {
      out.values.index_copy_(0, task.indices, merged.values);
      out.lse.index_copy_(0, task.indices, merged.lse);
    } else {
      of_queries(out.values).copy_(merged.values);
      of_queries(out.lse).copy_(merged.lse);
    }
  }
  return out.values.flatten(1);
}

}  // namespace toolformer
