// Sampling and filtering calls.
#include "capi/src/options.h"
#include "toolformer/call_sampler.h"
#include "toolformer/loss_filter.h"

namespace toolformer::capi {
namespace {

struct SamplerState {
  SamplerState(std::shared_ptr<const LanguageModel> m, const CallSamplerOptions& options)
      : model(std::move(m)), sampler(*model, options) {}
  const std::shared_ptr<const LanguageModel> model;
  const CallSampler sampler;
};

struct FilterState {
  FilterState(std::shared_ptr<const LanguageModel> m, const LossFilterOptions& options)
      : model(std::move(m)), filter(*model, options) {}
  const std::shared_ptr<const LanguageModel> model;
  const LossFilter filter;
};

toolformer_sampler_options DefaultSamplerOptions() {
  const CallSamplerOptions own;
  toolformer_sampler_options options = {};
  options.struct_size = sizeof(options);
  options.temperature = own.temperature;
  options.seed = own.seed;
  options.max_call_tokens = own.max_call_tokens;
  options.free_sampling = own.constrain_syntax ? 0 : 1;
  options.max_batch_rows = own.max_batch_rows;
  options.max_open_texts = own.max_open_texts;
  options.max_open_tokens = own.max_open_tokens;
  options.max_read_tokens = own.max_read_tokens;
  options.max_logits_bytes = static_cast<uint64_t>(own.max_logits_bytes);
  return options;
}

toolformer_filter_options DefaultFilterOptions() {
  const LossFilterOptions own;
  return {sizeof(toolformer_filter_options), own.max_batch_tokens, static_cast<uint64_t>(own.max_logits_bytes)};
}

absl::Status CheckPositive(int64_t value, const char* name) {
  return value >= 1 ? absl::OkStatus() : InvalidArgument("{} is {}, not at least 1", name, value);
}

absl::Status CheckBytes(uint64_t bytes, const char* name) {
  return bytes >= 1 && bytes <= static_cast<uint64_t>(INT64_MAX)
             ? absl::OkStatus()
             : InvalidArgument("{} is {}, not within 1 to {}", name, bytes, INT64_MAX);
}

// A text to sample from, read and checked.
struct ReadSampling {
  std::shared_ptr<const ToolRegistry> tools;
  std::shared_ptr<const Tool> tool;
  AnnotationParameters parameters;
  std::string_view text;
  std::vector<int32_t> ids;
  uint64_t seed = 0;
  HeldInterrupt interrupt;
};

absl::StatusOr<ReadSampling> Read(const toolformer_sampling* given, const LanguageModel& model) {
  TF_ASSIGN_OR_RETURN(const toolformer_sampling read, ReadStruct(given, "sampling", toolformer_sampling{}));
  TF_RETURN_IF_ERROR(CheckHandle(read.registry, "sampling.registry"));
  TF_RETURN_IF_ERROR(CheckText(read.tool, "sampling.tool"));
  TF_RETURN_IF_ERROR(CheckText(read.text, "sampling.text"));
  ReadSampling sampling;
  sampling.tools = read.registry->tools();
  sampling.tool = sampling.tools->Find(ToView(read.tool));
  if (sampling.tool == nullptr) return NotFound("unknown tool; there are: {}", sampling.tools->Names());
  TF_ASSIGN_OR_RETURN(sampling.parameters, ReadParameters(read.parameters, sampling.tool->parameters));
  TF_ASSIGN_OR_RETURN(sampling.interrupt, HeldInterrupt::Of(read.interrupt));
  const AnnotationParameters& p = sampling.parameters;
  if (!(p.tau_s >= 0 && p.tau_s <= 1)) return InvalidArgument("parameters.tau_s is {}, not from 0 to 1", p.tau_s);
  if (p.k < 1 || p.k > 100000) return InvalidArgument("parameters.k is {}, not within 1 to 100000", p.k);
  if (p.m < 1 || p.m > 10000) return InvalidArgument("parameters.m is {}, not within 1 to 10000", p.m);
  sampling.text = ToView(read.text);
  sampling.seed = read.seed;
  if (sampling.text.empty()) return InvalidArgument("sampling.text is empty");
  sampling.ids = model.tokenizer().Encode(sampling.text);
  return sampling;
}

}  // namespace

toolformer_sampling_counts ViewCounts(const SamplingCounts& own) {
  return {own.samples, own.not_a_call, own.other_tool, own.not_closed, own.duplicates, own.candidates};
}

absl::StatusOr<CallSamplerOptions> ReadSamplerOptions(const toolformer_sampler_options* given) {
  TF_ASSIGN_OR_RETURN(const toolformer_sampler_options read,
                      ReadOptions(given, "sampler options", DefaultSamplerOptions()));
  if (!(read.temperature > 0) || read.temperature > 1e6) {
    return InvalidArgument("temperature is {}, not above 0", read.temperature);
  }
  TF_RETURN_IF_ERROR(CheckFlag(read.free_sampling, "free_sampling"));
  TF_RETURN_IF_ERROR(CheckReserved(read.reserved));
  TF_RETURN_IF_ERROR(CheckPositive(read.max_call_tokens, "max_call_tokens"));
  TF_RETURN_IF_ERROR(CheckPositive(read.max_batch_rows, "max_batch_rows"));
  TF_RETURN_IF_ERROR(CheckPositive(read.max_open_texts, "max_open_texts"));
  TF_RETURN_IF_ERROR(CheckPositive(read.max_open_tokens, "max_open_tokens"));
  TF_RETURN_IF_ERROR(CheckPositive(read.max_read_tokens, "max_read_tokens"));
  TF_RETURN_IF_ERROR(CheckBytes(read.max_logits_bytes, "max_logits_bytes"));
  CallSamplerOptions options;
  options.temperature = read.temperature;
  options.seed = read.seed;
  options.max_call_tokens = read.max_call_tokens;
  options.constrain_syntax = read.free_sampling == 0;
  options.max_batch_rows = read.max_batch_rows;
  options.max_open_texts = read.max_open_texts;
  options.max_open_tokens = read.max_open_tokens;
  options.max_read_tokens = read.max_read_tokens;
  options.max_logits_bytes = static_cast<int64_t>(read.max_logits_bytes);
  return options;
}

absl::StatusOr<LossFilterOptions> ReadFilterOptions(const toolformer_filter_options* given) {
  TF_ASSIGN_OR_RETURN(const toolformer_filter_options read,
                      ReadOptions(given, "filter options", DefaultFilterOptions()));
  TF_RETURN_IF_ERROR(CheckPositive(read.max_batch_tokens, "max_batch_tokens"));
  TF_RETURN_IF_ERROR(CheckBytes(read.max_logits_bytes, "max_logits_bytes"));
  return LossFilterOptions{read.max_batch_tokens, static_cast<int64_t>(read.max_logits_bytes)};
}

}  // namespace toolformer::capi

using namespace toolformer::capi;  // NOLINT(google-build-using-namespace)

struct toolformer_sampler : Handle<toolformer_sampler> {
  static constexpr const char* kName = "toolformer_sampler";
  explicit toolformer_sampler(std::shared_ptr<const SamplerState> s) : state(std::move(s)) {}
  const std::shared_ptr<const SamplerState> state;
};

struct toolformer_candidates : Handle<toolformer_candidates> {
  static constexpr const char* kName = "toolformer_candidates";
  explicit toolformer_candidates(toolformer::SampledCalls s) : sampled(std::move(s)) {}
  const toolformer::SampledCalls sampled;
};

struct toolformer_filter : Handle<toolformer_filter> {
  static constexpr const char* kName = "toolformer_filter";
  explicit toolformer_filter(std::shared_ptr<const FilterState> s) : state(std::move(s)) {}
  const std::shared_ptr<const FilterState> state;
};

extern "C" {

void toolformer_sampler_options_init(toolformer_sampler_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, DefaultSamplerOptions());
}

toolformer_status toolformer_sampler_new(const toolformer_model* model, const toolformer_sampler_options* options,
                                         toolformer_sampler** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_ASSIGN_OR_RETURN(const toolformer::CallSamplerOptions read, ReadSamplerOptions(options));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_sampler>(std::make_shared<const SamplerState>(model->model, read));
    return absl::OkStatus();
  });
}

void toolformer_sampler_free(toolformer_sampler* sampler) noexcept { delete LiveOrNull(sampler); }

void toolformer_sampling_init(toolformer_sampling* sampling, size_t struct_size) noexcept {
  Initialise(sampling, struct_size, toolformer_sampling{});
}

toolformer_status toolformer_sampler_probabilities(const toolformer_sampler* sampler,
                                                   const toolformer_sampling* sampling, toolformer_tensor** out,
                                                   toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(sampler, "sampler"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const std::shared_ptr<const SamplerState> state = sampler->state;
    TF_ASSIGN_OR_RETURN(const ReadSampling read, Read(sampling, *state->model));
    TF_RETURN_IF_ERROR(read.interrupt.get().Check());
    TF_ASSIGN_OR_RETURN(const std::vector<double> probabilities,
                        state->sampler.OpeningProbabilities(*read.tool, read.text, read.ids));
    *out = NewNumbers(probabilities);
    return absl::OkStatus();
  });
}

toolformer_status toolformer_sampler_sample(const toolformer_sampler* sampler, const toolformer_sampling* sampling,
                                            toolformer_candidates** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(sampler, "sampler"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const std::shared_ptr<const SamplerState> state = sampler->state;
    TF_ASSIGN_OR_RETURN(const ReadSampling read, Read(sampling, *state->model));
    TF_ASSIGN_OR_RETURN(auto sampled, state->sampler.Sample(*read.tool, read.parameters, read.text, read.ids, read.seed,
                                                            read.interrupt.get()));
    *out = New<toolformer_candidates>(std::move(sampled));
    return absl::OkStatus();
  });
}

size_t toolformer_candidates_count(const toolformer_candidates* candidates) noexcept {
  return LiveOrNull(candidates) == nullptr ? 0 : candidates->sampled.candidates.size();
}

toolformer_status toolformer_candidates_get(const toolformer_candidates* candidates, size_t index,
                                            toolformer_candidate* out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(candidates, "candidates"));
    TF_RETURN_IF_ERROR(CheckResult(out));
    TF_RETURN_IF_ERROR(CheckIndex(index, candidates->sampled.candidates.size()));
    const toolformer::CandidateCall& own = candidates->sampled.candidates[index];
    WriteResult(toolformer_candidate{0, own.position, own.opening_probability, View(own.call.tool),
                                     View(own.call.input), own.times_sampled},
                out);
    return absl::OkStatus();
  });
}

toolformer_sampling_counts toolformer_candidates_counts(const toolformer_candidates* candidates) noexcept {
  return LiveOrNull(candidates) == nullptr ? toolformer_sampling_counts{} : ViewCounts(candidates->sampled.counts);
}

void toolformer_candidates_free(toolformer_candidates* candidates) noexcept { delete LiveOrNull(candidates); }

void toolformer_filter_options_init(toolformer_filter_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, DefaultFilterOptions());
}

toolformer_status toolformer_filter_new(const toolformer_model* model, const toolformer_filter_options* options,
                                        toolformer_filter** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_ASSIGN_OR_RETURN(const toolformer::LossFilterOptions read, ReadFilterOptions(options));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_filter>(std::make_shared<const FilterState>(model->model, read));
    return absl::OkStatus();
  });
}

void toolformer_filter_free(toolformer_filter* filter) noexcept { delete LiveOrNull(filter); }

toolformer_status toolformer_filter_score(const toolformer_filter* filter, toolformer_ids ids,
                                          const toolformer_case* cases, size_t count,
                                          const toolformer_interrupt* interrupt, toolformer_losses* losses,
                                          toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(filter, "filter"));
    TF_RETURN_IF_ERROR(CheckArray(ids.data, ids.size, "ids"));
    TF_RETURN_IF_ERROR(CheckArray(cases, count, "cases"));
    TF_RETURN_IF_ERROR(CheckArray(losses, count, "losses"));
    TF_ASSIGN_OR_RETURN(const HeldInterrupt held,
                        HeldInterrupt::Of(interrupt == nullptr ? toolformer_interrupt{} : *interrupt));
    const std::shared_ptr<const FilterState> state = filter->state;
    const int32_t vocab_size = state->model->tokenizer().vocab_size();
    for (const int32_t id : ToSpan(ids)) {
      if (id < 0 || id >= vocab_size)
        return toolformer::InvalidArgument("ids has {}, which is not in the vocabulary", id);
    }
    std::vector<toolformer::FilterCase> own(count);
    for (size_t i = 0; i < count; ++i) {
      TF_RETURN_IF_ERROR(CheckText(cases[i].tool, "cases.tool"));
      TF_RETURN_IF_ERROR(CheckText(cases[i].input, "cases.input"));
      TF_RETURN_IF_ERROR(CheckText(cases[i].result, "cases.result"));
      own[i].position = cases[i].position;
      own[i].call = {ToString(cases[i].tool), ToString(cases[i].input)};
      own[i].result = ToString(cases[i].result);
    }
    TF_ASSIGN_OR_RETURN(const std::vector<toolformer::CallLosses> scored,
                        state->filter.Score(ToSpan(ids), own, held.get()));
    for (size_t i = 0; i < count; ++i) losses[i] = ViewLosses(scored[i]);
    return absl::OkStatus();
  });
}

}  // extern "C"
