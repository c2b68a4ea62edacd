// Conversions that sampling, annotating and training share.
#ifndef TOOLFORMER_CAPI_SRC_OPTIONS_H_
#define TOOLFORMER_CAPI_SRC_OPTIONS_H_

#include <limits>

#include "capi/src/objects.h"
#include "toolformer/call_sampler.h"
#include "toolformer/loss_filter.h"

namespace toolformer::capi {

absl::StatusOr<CallSamplerOptions> ReadSamplerOptions(const toolformer_sampler_options* given);
absl::StatusOr<LossFilterOptions> ReadFilterOptions(const toolformer_filter_options* given);

toolformer_sampling_counts ViewCounts(const SamplingCounts& own);

inline toolformer_losses ViewLosses(const CallLosses& own) {
  return {own.empty, own.call.value_or(std::numeric_limits<double>::quiet_NaN()), own.result, own.gain()};
}

inline absl::Status CheckIndex(size_t index, size_t count) {
  return index < count ? absl::OkStatus() : InvalidArgument("index {} of {}", index, count);
}

}  // namespace toolformer::capi

#endif  // TOOLFORMER_CAPI_SRC_OPTIONS_H_
