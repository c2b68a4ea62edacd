#include "src/model/token_sampler.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "src/base/status.h"
#include "src/model/cpu/parallel.h"
#include "src/model/cpu/simd.h"
#include "src/model/libtorch_guard.h"
#include "src/model/minus_infinity.h"

namespace toolformer {
namespace {

// Neighbouring logits whose exponentials are summed before a draw looks among them.
constexpr int64_t kBlock = 128;
// Logits that make a task worth a thread.
constexpr int64_t kTaskLogits = 1 << 15;

absl::Status NotFinite() { return Internal("non-finite logits: the weights hold NaN or infinite values"); }

// Calls work(row) for each row of `columns` logits, on several threads where there is enough to do.
template <typename Work>
void ForRows(int64_t rows, int64_t columns, const Work& work) {
  const int64_t grain = std::max<int64_t>(1, kTaskLogits / std::max<int64_t>(columns, 1));
  ForRanges(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) work(r);
  });
}

// Softmax of a row: p(id) = exp(logit - most) / sum.
struct Softmax {
  float most = 0.0f;
  double sum = 0.0;

  double LogProbability(float logit) const { return static_cast<double>(logit) - most - std::log(sum); }
};

Softmax SoftmaxOf(const float* row, int64_t columns) {
  const simd::Kernels& kernels = simd::Best();
  const float most = kernels.most(row, columns);
  return {most, kernels.sum_exp(row, columns, most, 1.0f)};
}

// NaN anywhere reaches the sum; so does infinity, less itself.
bool IsFinite(const Softmax& softmax) { return std::isfinite(softmax.most) && std::isfinite(softmax.sum); }

// value(row, softmax) of each row; kInternal where one is not finite.
template <typename Value>
absl::StatusOr<std::vector<double>> OfEachRow(const at::Tensor& logits, int64_t rows, const Value& value) {
  return GuardLibtorch([&]() -> absl::StatusOr<std::vector<double>> {
    std::vector<double> out(rows);
    std::atomic<bool> finite = true;
    const float* values = logits.const_data_ptr<float>();
    const int64_t columns = logits.size(1);
    ForRows(rows, columns, [&](int64_t r) {
      const Softmax softmax = SoftmaxOf(values + r * columns, columns);
      if (!IsFinite(softmax)) {
        finite = false;
        return;
      }
      out[r] = value(r, softmax);
    });
    if (!finite) return NotFinite();
    return out;
  });
}

// The cumulative distribution of a row, as sums over blocks. Kept by a thread for its rows.
class Cumulative {
 public:
  // `allowed` [columns], 0 or -inf; null: all. False where nothing can be drawn.
  bool Read(const float* row, const float* allowed, int64_t columns, double temperature) {
    row_ = row;
    allowed_ = allowed;
    columns_ = columns;
    scale_ = static_cast<float>(1.0 / temperature);
    most_ = kMinusInfinity;
    const simd::Kernels& kernels = simd::Best();
    float block[kBlock];
    for (int64_t first = 0; first < columns; first += kBlock) {
      const int64_t count = std::min(kBlock, columns - first);
      const float most = kernels.most(Block(first, count, block), count);
      if (!(most <= most_)) most_ = most;
    }
    sums_.clear();
    total_ = 0.0;
    if (most_ == kMinusInfinity) {
      // NaN hides from comparisons.
      has_nan_ = std::any_of(row, row + columns, [](float x) { return std::isnan(x); });
      return false;
    }
    for (int64_t first = 0; first < columns; first += kBlock) {
      const int64_t count = std::min(kBlock, columns - first);
      total_ += kernels.sum_exp(Block(first, count, block), count, most_, scale_);
      sums_.push_back(total_);
    }
    has_nan_ = !std::isfinite(total_) || !std::isfinite(most_);
    return !has_nan_;
  }
  bool has_nan() const { return has_nan_; }

  // The first column at which the cumulative distribution exceeds `uniform`.
  int32_t At(double uniform) const {
    const double target = uniform * total_;
    auto block = std::upper_bound(sums_.begin(), sums_.end(), target) - sums_.begin();
    // Rounding may leave the total at the target: then the last possible column is the answer.
    block = std::min(block, std::ssize(sums_) - 1);
    for (; block >= 0; --block) {
      double sum = block == 0 ? 0.0 : sums_[block - 1];
      int32_t last = -1;
      const int64_t first = block * kBlock, end = std::min(columns_, first + kBlock);
      for (int64_t c = first; c < end && (last < 0 || sum <= target); ++c) {
        const double p = std::exp((static_cast<double>(Logit(c)) - most_) * scale_);
        if (p > 0.0) last = static_cast<int32_t>(c);
        sum += p;
      }
      if (last >= 0) return last;
    }
    return -1;
  }

 private:
  float Logit(int64_t c) const { return allowed_ == nullptr ? row_[c] : row_[c] + allowed_[c]; }

  const float* Block(int64_t first, int64_t count, float* block) const {
    if (allowed_ == nullptr) return row_ + first;
    for (int64_t i = 0; i < count; ++i) block[i] = row_[first + i] + allowed_[first + i];
    return block;
  }

  const float* row_ = nullptr;
  const float* allowed_ = nullptr;
  int64_t columns_ = 0;
  float scale_ = 1.0f, most_ = 0.0f;
  double total_ = 0.0;
  bool has_nan_ = false;
  std::vector<double> sums_;  // up to the end of each block
};

}  // namespace

absl::StatusOr<std::vector<double>> LogProbabilities(const at::Tensor& logits, std::span<const int32_t> ids) {
  const float* values = logits.const_data_ptr<float>();
  return OfEachRow(logits, std::ssize(ids), [&](int64_t r, const Softmax& softmax) {
    return softmax.LogProbability(values[r * logits.size(1) + ids[r]]);
  });
}

absl::StatusOr<std::vector<double>> SummedProbabilities(const at::Tensor& logits, std::span<const int32_t> ids) {
  const float* values = logits.const_data_ptr<float>();
  return OfEachRow(logits, logits.size(0), [&](int64_t r, const Softmax& softmax) {
    double sum = 0.0;
    for (const int32_t id : ids) sum += std::exp(softmax.LogProbability(values[r * logits.size(1) + id]));
    return sum;
  });
}

absl::StatusOr<double> SummedProbabilityAbove(std::span<const float> logits, std::span<const int32_t> ids,
                                              double floor) {
  if (logits.empty()) return NotFinite();
  const simd::Kernels& kernels = simd::Best();
  const float most = kernels.most(logits.data(), std::ssize(logits));
  double weight = 0.0;
  for (const int32_t id : ids) weight += std::exp(static_cast<double>(logits[id]) - most);
  // The most likely token alone makes the sum at least 1.
  if (weight <= floor) return weight;
  const Softmax softmax = {most, kernels.sum_exp(logits.data(), std::ssize(logits), most, 1.0f)};
  if (!IsFinite(softmax)) return NotFinite();
  return weight / softmax.sum;
}

absl::StatusOr<std::vector<int32_t>> SampleTokens(const at::Tensor& logits, double temperature,
                                                  std::span<const double> uniforms, const at::Tensor& allowed) {
  return GuardLibtorch([&]() -> absl::StatusOr<std::vector<int32_t>> {
    const int64_t columns = logits.size(1);
    const float* values = logits.const_data_ptr<float>();
    const float* mask = allowed.defined() ? allowed.const_data_ptr<float>() : nullptr;
    std::vector<int32_t> out(uniforms.size(), -1);
    ForRows(std::ssize(uniforms), columns, [&](int64_t r) {
      Cumulative cumulative;
      if (cumulative.Read(values + r * columns, mask, columns, temperature)) out[r] = cumulative.At(uniforms[r]);
    });
    // Without a mask something may always be drawn.
    if (mask == nullptr && std::count(out.begin(), out.end(), -1) > 0) return NotFinite();
    return out;
  });
}

absl::StatusOr<std::vector<int32_t>> DrawColumns(const at::Tensor& logits, double temperature,
                                                 std::span<const Draw> draws) {
  return GuardLibtorch([&]() -> absl::StatusOr<std::vector<int32_t>> {
    std::vector<size_t> starts;  // of the draws of a row
    for (size_t d = 0; d < draws.size(); ++d) {
      if (d == 0 || draws[d].row != draws[d - 1].row) starts.push_back(d);
    }
    starts.push_back(draws.size());
    const int64_t columns = logits.size(1);
    const float* values = logits.const_data_ptr<float>();
    std::vector<int32_t> out(draws.size(), -1);
    std::atomic<bool> finite = true;
    ForRows(std::ssize(starts) - 1, columns, [&](int64_t s) {
      Cumulative cumulative;
      if (!cumulative.Read(values + draws[starts[s]].row * columns, nullptr, columns, temperature)) {
        if (cumulative.has_nan()) finite = false;
        return;
      }
      for (size_t d = starts[s]; d < starts[s + 1]; ++d) out[d] = cumulative.At(draws[d].uniform);
    });
    if (!finite) return NotFinite();
    return out;
  });
}

absl::StatusOr<int32_t> MostLikely(std::span<const float> logits) {
  if (logits.empty()) return NotFinite();
  const float best = simd::Best().most(logits.data(), std::ssize(logits));
  const float* values = logits.data();
  const int64_t count = std::ssize(logits);
  int32_t nans = 0;
#pragma omp simd reduction(+ : nans)
  for (int64_t i = 0; i < count; ++i) nans += values[i] != values[i] ? 1 : 0;
  // A NaN anywhere makes the comparison meaningless.
  if (!std::isfinite(best) || nans > 0) return NotFinite();
  return static_cast<int32_t>(std::find(logits.begin(), logits.end(), best) - logits.begin());
}

bool AnyAmongTop(std::span<const float> logits, std::span<const int32_t> ids, int64_t k) {
  float best = kMinusInfinity;
  for (const int32_t id : ids) best = std::max(best, logits[id]);
  return std::count_if(logits.begin(), logits.end(), [&](float x) { return x > best; }) < k;
}

}  // namespace toolformer
