// How long things took, in a fixed amount of memory.
#ifndef TOOLFORMER_SRC_EXECUTE_LATENCY_HISTOGRAM_H_
#define TOOLFORMER_SRC_EXECUTE_LATENCY_HISTOGRAM_H_

#include <array>
#include <chrono>
#include <cstdint>

namespace toolformer {

// Buckets grow by an eighth of an octave (9%), from a microsecond to more than an hour; what lies outside counts to the
// first or last one.
class LatencyHistogram {
 public:
  void Add(std::chrono::nanoseconds time);

  int64_t count() const { return count_; }
  // The time that a share of 0 to 1 of all took at most, in milliseconds: the upper end of its bucket, but at most the
  // longest time. 0 where there is none.
  double QuantileMs(double share) const;

 private:
  static constexpr int kBucketsPerOctave = 8;
  static constexpr int kBuckets = 32 * kBucketsPerOctave;

  std::array<int64_t, kBuckets> buckets_{};
  int64_t count_ = 0;
  double longest_ms_ = 0.0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EXECUTE_LATENCY_HISTOGRAM_H_
