// Expected values made by scripts/fixtures/make_model_fixtures.py with Hugging Face transformers.
#ifndef TOOLFORMER_TESTS_MODEL_FIXTURE_H_
#define TOOLFORMER_TESTS_MODEL_FIXTURE_H_

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/max.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/check.h"
#include "tests/paths.h"
#include "toolformer/model.h"
#include "toolformer/weight_file.h"

namespace toolformer::testing {

inline std::vector<float> ReadTensor(const WeightFile& file, const std::string& name) {
  const TensorInfo* info = file.Find(name);
  REQUIRE_MESSAGE(info != nullptr, name);
  std::vector<float> values(info->elements);
  const absl::Status status = file.ReadF32(name, 0, values);
  REQUIRE_MESSAGE(status.ok(), std::string(status.message()));
  return values;
}

inline std::vector<int32_t> ReadIds(const WeightFile& file, const std::string& name) {
  const std::vector<float> values = ReadTensor(file, name);
  return {values.begin(), values.end()};
}

inline std::unique_ptr<Model> LoadModel(const std::string& path, const ModelOptions& options = {}) {
  absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(path, options);
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  return *std::move(model);
}

inline std::unique_ptr<WeightFile> OpenWeights(const std::string& path) {
  absl::StatusOr<std::unique_ptr<WeightFile>> file = WeightFile::Open(path);
  REQUIRE_MESSAGE(file.ok(), std::string(file.status().message()));
  return *std::move(file);
}

inline at::Tensor Forward(const LanguageModel& model, std::span<const ForwardRow> rows) {
  absl::StatusOr<at::Tensor> logits = model.Forward(rows);
  REQUIRE_MESSAGE(logits.ok(), std::string(logits.status().message()));
  return *std::move(logits);
}

inline std::vector<int64_t> AllOf(size_t count) {
  std::vector<int64_t> indices(count);
  for (size_t i = 0; i < count; ++i) indices[i] = static_cast<int64_t>(i);
  return indices;
}

// Logits of every token of a sequence, without a cache.
inline at::Tensor AllLogits(const LanguageModel& model, std::span<const int32_t> ids) {
  const std::vector<int64_t> wanted = AllOf(ids.size());
  const ForwardRow row{ids, nullptr, wanted};
  return Forward(model, {&row, 1});
}

// Logits of the positions that the expected values are of: those it stores, or all.
inline at::Tensor LogitsAt(const LanguageModel& model, std::span<const int32_t> ids, const WeightFile& expected) {
  std::vector<int64_t> positions = AllOf(ids.size());
  if (expected.Find("positions") != nullptr) {
    const std::vector<int32_t> stored = ReadIds(expected, "positions");
    positions.assign(stored.begin(), stored.end());
  }
  const ForwardRow row{ids, nullptr, positions};
  return Forward(model, {&row, 1});
}

// The largest absolute difference. NaN where there is one, which no comparison calls small.
inline double MaxDifference(const at::Tensor& logits, const std::vector<float>& expected) {
  REQUIRE(logits.numel() == static_cast<int64_t>(expected.size()));
  const at::Tensor wanted = at::from_blob(const_cast<float*>(expected.data()), logits.sizes(), at::kFloat);
  return (logits - wanted).abs().max().item<double>();
}

// Continues `ids` greedily, one token at a time, with the cache.
inline std::vector<int32_t> Greedy(const LanguageModel& model, std::vector<int32_t> ids, size_t count) {
  const std::unique_ptr<KvCache> cache = model.NewCache();
  std::vector<int32_t> out;
  while (out.size() < count) {
    const std::vector<int64_t> last = {static_cast<int64_t>(ids.size()) - 1};
    const ForwardRow row{ids, cache.get(), last};
    ids = {static_cast<int32_t>(Forward(model, {&row, 1}).argmax().item<int64_t>())};
    out.push_back(ids[0]);
  }
  return out;
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_MODEL_FIXTURE_H_
