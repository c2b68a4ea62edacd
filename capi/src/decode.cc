// Continuing prompts with tools.
#include "capi/src/host.h"
#include "capi/src/options.h"
#include "toolformer/augmenting_decoder.h"

namespace toolformer::capi {
namespace {

struct DecoderState {
  DecoderState(std::shared_ptr<const LanguageModel> m, std::shared_ptr<ExecutorState> e)
      : model(std::move(m)), executor(std::move(e)), decoder(*model, *executor->tools, executor->executor) {}
  const std::shared_ptr<const LanguageModel> model;
  const std::shared_ptr<ExecutorState> executor;
  const AugmentingDecoder decoder;
  Exclusive exclusive;
};

toolformer_decode_options DefaultDecodeOptions() {
  const DecodeOptions own;
  toolformer_decode_options options = {};
  options.struct_size = sizeof(options);
  options.tool_use = TOOLFORMER_TOOLS_ENABLED;
  options.max_new_tokens = own.max_new_tokens;
  options.opening_top_k = own.opening_top_k;
  options.max_calls = own.max_calls;
  options.max_call_tokens = own.max_call_tokens;
  options.max_result_tokens = own.max_result_tokens;
  options.temperature = own.temperature;
  options.seed = own.seed;
  options.max_batch_rows = own.max_batch_rows;
  options.max_read_tokens = own.max_read_tokens;
  return options;
}

absl::StatusOr<ToolUse> ToolUseOf(int32_t use) {
  switch (use) {
    case TOOLFORMER_TOOLS_ENABLED:
      return ToolUse::kEnabled;
    case TOOLFORMER_TOOLS_DISABLED:
      return ToolUse::kDisabled;
    case TOOLFORMER_TOOLS_IN_CONTEXT:
      return ToolUse::kInContext;
    default:
      return InvalidArgument("options.tool_use is {}, not one of TOOLFORMER_TOOLS_...", use);
  }
}

int32_t EventOf(DecodeEventKind kind) {
  switch (kind) {
    case DecodeEventKind::kText:
      return TOOLFORMER_EVENT_TEXT;
    case DecodeEventKind::kCall:
      return TOOLFORMER_EVENT_CALL;
    case DecodeEventKind::kResult:
      return TOOLFORMER_EVENT_RESULT;
    default:
      return TOOLFORMER_EVENT_ERROR;
  }
}

// Options of a call, with the token that they may refer to.
struct ReadDecode {
  DecodeOptions options;
  HeldInterrupt interrupt;
};

absl::StatusOr<ReadDecode> Read(const toolformer_decode_options* given) {
  TF_ASSIGN_OR_RETURN(const toolformer_decode_options read, ReadOptions(given, "options", DefaultDecodeOptions()));
  TF_RETURN_IF_ERROR(CheckReserved(read.reserved));
  TF_RETURN_IF_ERROR(CheckArray(read.stop, read.stop_count, "options.stop"));
  if (read.max_read_tokens < 1) return InvalidArgument("max_read_tokens {} is not positive", read.max_read_tokens);
  ReadDecode decode;
  DecodeOptions& options = decode.options;
  TF_ASSIGN_OR_RETURN(options.tool_use, ToolUseOf(read.tool_use));
  options.max_new_tokens = read.max_new_tokens;
  options.opening_top_k = read.opening_top_k;
  options.max_calls = read.max_calls;
  options.max_call_tokens = read.max_call_tokens;
  options.max_result_tokens = read.max_result_tokens;
  options.temperature = read.temperature;
  options.seed = read.seed;
  for (size_t i = 0; i < read.stop_count; ++i) {
    TF_RETURN_IF_ERROR(CheckText(read.stop[i], "options.stop"));
    options.stop.push_back(ToString(read.stop[i]));
  }
  if (read.on_event != nullptr) {
    options.on_event = [read](const DecodeEvent& event) {
      CallHost("on_event", [&] { read.on_event(read.event_data, EventOf(event.kind), View(event.text), event.row); });
    };
  }
  TF_ASSIGN_OR_RETURN(decode.interrupt, HeldInterrupt::Of(read.interrupt));
  options.interrupt = decode.interrupt.get();
  options.max_batch_rows = read.max_batch_rows;
  options.max_read_tokens = read.max_read_tokens;
  return decode;
}

int32_t StopReasonOf(StopReason reason) {
  switch (reason) {
    case StopReason::kEndToken:
      return TOOLFORMER_STOP_END_TOKEN;
    case StopReason::kStopText:
      return TOOLFORMER_STOP_TEXT;
    case StopReason::kContextFull:
      return TOOLFORMER_STOP_CONTEXT_FULL;
    default:
      return TOOLFORMER_STOP_MAX_TOKENS;
  }
}

}  // namespace
}  // namespace toolformer::capi

using namespace toolformer::capi;  // NOLINT(google-build-using-namespace)

struct toolformer_decoder : Handle<toolformer_decoder> {
  static constexpr const char* kName = "toolformer_decoder";
  explicit toolformer_decoder(std::shared_ptr<DecoderState> s) : state(std::move(s)) {}
  const std::shared_ptr<DecoderState> state;
};

struct toolformer_generation : Handle<toolformer_generation> {
  static constexpr const char* kName = "toolformer_generation";
  explicit toolformer_generation(toolformer::Decoded d) : decoded(std::move(d)) {}
  const toolformer::Decoded decoded;
};

namespace toolformer::capi {
namespace {

// Everything is made before anything is given away.
absl::Status Give(std::vector<absl::StatusOr<Decoded>> decoded, toolformer_generation** generations,
                  toolformer_error** errors) {
  std::vector<std::unique_ptr<toolformer_generation>> made(decoded.size());
  for (size_t i = 0; i < decoded.size(); ++i) {
    if (decoded[i].ok()) made[i] = std::make_unique<toolformer_generation>(*std::move(decoded[i]));
  }
  for (size_t i = 0; i < decoded.size(); ++i) {
    if (errors != nullptr) {
      errors[i] = nullptr;
      if (!decoded[i].ok()) Report(decoded[i].status(), &errors[i]);
    }
    generations[i] = made[i].release();
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace toolformer::capi

extern "C" {

toolformer_status toolformer_decoder_new(const toolformer_model* model, const toolformer_executor* executor,
                                         toolformer_decoder** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_RETURN_IF_ERROR(CheckHandle(executor, "executor"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_decoder>(std::make_shared<DecoderState>(model->model, executor->state));
    return absl::OkStatus();
  });
}

void toolformer_decoder_free(toolformer_decoder* decoder) noexcept { delete LiveOrNull(decoder); }

void toolformer_decode_options_init(toolformer_decode_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, DefaultDecodeOptions());
}

toolformer_status toolformer_decoder_decode(toolformer_decoder* decoder, toolformer_string prompt,
                                            const toolformer_decode_options* options, toolformer_generation** out,
                                            toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(decoder, "decoder"));
    TF_RETURN_IF_ERROR(CheckText(prompt, "prompt"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    TF_ASSIGN_OR_RETURN(const ReadDecode read, Read(options));
    const std::shared_ptr<DecoderState> state = decoder->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("decoder"));
    TF_ASSIGN_OR_RETURN(auto decoded, state->decoder.Decode(ToView(prompt), read.options));
    *out = New<toolformer_generation>(std::move(decoded));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_decoder_decode_batch(toolformer_decoder* decoder, const toolformer_string* prompts,
                                                  size_t count, const toolformer_decode_options* options,
                                                  toolformer_generation** generations, toolformer_error** errors,
                                                  toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(decoder, "decoder"));
    TF_RETURN_IF_ERROR(CheckArray(prompts, count, "prompts"));
    TF_RETURN_IF_ERROR(CheckArray(generations, count, "generations"));
    TF_ASSIGN_OR_RETURN(const ReadDecode read, Read(options));
    std::vector<std::string> own;
    for (size_t i = 0; i < count; ++i) {
      TF_RETURN_IF_ERROR(CheckText(prompts[i], "prompts"));
      own.push_back(ToString(prompts[i]));
    }
    const std::shared_ptr<DecoderState> state = decoder->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("decoder"));
    TF_ASSIGN_OR_RETURN(auto decoded, state->decoder.DecodeBatch(own, read.options));
    return Give(std::move(decoded), generations, errors);
  });
}

toolformer_string toolformer_generation_text(const toolformer_generation* generation) noexcept {
  return LiveOrNull(generation) == nullptr ? toolformer_string{} : View(generation->decoded.text);
}

toolformer_string toolformer_generation_plain_text(const toolformer_generation* generation) noexcept {
  return LiveOrNull(generation) == nullptr ? toolformer_string{} : View(generation->decoded.plain_text);
}

int32_t toolformer_generation_stop_reason(const toolformer_generation* generation) noexcept {
  return LiveOrNull(generation) == nullptr ? 0 : StopReasonOf(generation->decoded.stop_reason);
}

int64_t toolformer_generation_tokens(const toolformer_generation* generation) noexcept {
  return LiveOrNull(generation) == nullptr ? 0 : generation->decoded.tokens;
}

size_t toolformer_generation_call_count(const toolformer_generation* generation) noexcept {
  return LiveOrNull(generation) == nullptr ? 0 : generation->decoded.calls.size();
}

double toolformer_generation_probability(const toolformer_generation* generation) noexcept {
  return LiveOrNull(generation) == nullptr ? 0.0 : generation->decoded.opening_probability;
}

toolformer_status toolformer_generation_get_call(const toolformer_generation* generation, size_t index,
                                                 toolformer_decoded_call* out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(generation, "generation"));
    TF_RETURN_IF_ERROR(CheckResult(out));
    TF_RETURN_IF_ERROR(CheckIndex(index, generation->decoded.calls.size()));
    const toolformer::DecodedCall& own = generation->decoded.calls[index];
    WriteResult(
        toolformer_decoded_call{0, View(own.call.tool), View(own.call.input), own.result ? View(*own.result) : View(""),
                                View(own.error), own.byte_offset, own.result ? 0 : 1, 0, own.opening_probability},
        out);
    return absl::OkStatus();
  });
}

void toolformer_generation_free(toolformer_generation* generation) noexcept { delete LiveOrNull(generation); }

}  // extern "C"
