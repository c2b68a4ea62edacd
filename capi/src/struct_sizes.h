// The sizes that structs had when they first appeared, in bytes: what the shortest caller has. Fixed for ever.
#ifndef TOOLFORMER_CAPI_SRC_STRUCT_SIZES_H_
#define TOOLFORMER_CAPI_SRC_STRUCT_SIZES_H_

#include "toolformer_c.h"

namespace toolformer::capi {

template <typename T>
inline constexpr size_t kFirstSize = 0;

template <>
inline constexpr size_t kFirstSize<toolformer_host_tokenizer> = 64;
template <>
inline constexpr size_t kFirstSize<toolformer_model_options> = 72;
template <>
inline constexpr size_t kFirstSize<toolformer_host_model> = 64;
template <>
inline constexpr size_t kFirstSize<toolformer_model_info> = 104;
template <>
inline constexpr size_t kFirstSize<toolformer_loss_options> = 48;
template <>
inline constexpr size_t kFirstSize<toolformer_loss> = 56;
template <>
inline constexpr size_t kFirstSize<toolformer_document> = 72;
template <>
inline constexpr size_t kFirstSize<toolformer_parameters> = 40;
template <>
inline constexpr size_t kFirstSize<toolformer_tool> = 136;
template <>
inline constexpr size_t kFirstSize<toolformer_executor_options> = 40;
template <>
inline constexpr size_t kFirstSize<toolformer_request> = 72;
template <>
inline constexpr size_t kFirstSize<toolformer_sampler_options> = 80;
template <>
inline constexpr size_t kFirstSize<toolformer_sampling> = 80;
template <>
inline constexpr size_t kFirstSize<toolformer_candidate> = 64;
template <>
inline constexpr size_t kFirstSize<toolformer_filter_options> = 24;
template <>
inline constexpr size_t kFirstSize<toolformer_annotator_options> = 56;
template <>
inline constexpr size_t kFirstSize<toolformer_stream> = 56;
template <>
inline constexpr size_t kFirstSize<toolformer_judged_call> = 144;
template <>
inline constexpr size_t kFirstSize<toolformer_outcome> = 96;
template <>
inline constexpr size_t kFirstSize<toolformer_decode_options> = 136;
template <>
inline constexpr size_t kFirstSize<toolformer_decoded_call> = 88;
template <>
inline constexpr size_t kFirstSize<toolformer_dataset_options> = 64;
template <>
inline constexpr size_t kFirstSize<toolformer_tune_options> = 208;
template <>
inline constexpr size_t kFirstSize<toolformer_tune_job> = 48;
template <>
inline constexpr size_t kFirstSize<toolformer_tune_summary> = 64;

}  // namespace toolformer::capi

#endif  // TOOLFORMER_CAPI_SRC_STRUCT_SIZES_H_
