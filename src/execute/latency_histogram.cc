#include "src/execute/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace toolformer {

void LatencyHistogram::Add(std::chrono::nanoseconds time) {
  const double microseconds = std::max(1.0, static_cast<double>(time.count()) / 1e3);
  const int bucket = static_cast<int>(std::log2(microseconds) * kBucketsPerOctave);
  ++buckets_[std::clamp(bucket, 0, kBuckets - 1)];
  ++count_;
  longest_ms_ = std::max(longest_ms_, static_cast<double>(time.count()) / 1e6);
}

double LatencyHistogram::QuantileMs(double share) const {
  if (count_ == 0) return 0.0;
  const int64_t wanted =
      std::clamp<int64_t>(static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))), 1, count_);
  int64_t seen = 0;
  for (int b = 0; b < kBuckets; ++b) {
    seen += buckets_[b];
    if (seen < wanted) continue;
    return std::min(longest_ms_, std::exp2(static_cast<double>(b + 1) / kBucketsPerOctave) / 1e3);
  }
  return longest_ms_;
}

}  // namespace toolformer
