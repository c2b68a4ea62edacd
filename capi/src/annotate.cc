// Annotating texts, and what comes of them.
#include "capi/src/host.h"
#include "capi/src/options.h"

namespace toolformer::capi {
namespace {

struct AnnotatorState {
  std::shared_ptr<const LanguageModel> model, proposer;
  std::shared_ptr<const ToolRegistry> tools;
  std::unique_ptr<Annotator> annotator;
  Exclusive exclusive;
};

absl::StatusOr<AnnotatorOptions> ReadAnnotatorOptions(const toolformer_annotator_options* given,
                                                      AnnotatorState* state) {
  TF_ASSIGN_OR_RETURN(const toolformer_annotator_options read,
                      ReadOptions(given, "options", toolformer_annotator_options{}));
  TF_RETURN_IF_ERROR(CheckFlag(read.no_sampling, "options.no_sampling"));
  TF_RETURN_IF_ERROR(CheckFlag(read.worked_out, "options.worked_out"));
  TF_RETURN_IF_ERROR(CheckFlag(read.exact_gains, "options.exact_gains"));
  TF_RETURN_IF_ERROR(CheckReserved(read.reserved));
  AnnotatorOptions options;
  options.sources = {read.no_sampling == 0, read.worked_out == 1};
  TF_ASSIGN_OR_RETURN(options.sampler, ReadSamplerOptions(read.sampler));
  TF_ASSIGN_OR_RETURN(options.filter, ReadFilterOptions(read.filter));
  TF_ASSIGN_OR_RETURN(options.executor, ReadExecutorOptions(read.executor));
  options.exact_gains = read.exact_gains == 1;
  if (read.proposer != nullptr) {
    TF_RETURN_IF_ERROR(CheckHandle(read.proposer, "options.proposer"));
    state->proposer = read.proposer->model;
    options.proposer = state->proposer.get();
  }
  return options;
}

struct DocumentReply : toolformer_reply {
  absl::Status TakeDocument(const toolformer_document* given) override {
    if (document) return InvalidArgument("a document was given before");
    TF_ASSIGN_OR_RETURN(document, ReadDocument(given, "document"));
    return absl::OkStatus();
  }
  std::optional<Document> document;
};

// The next documents of a stream, at most `count`; fewer at its end.
absl::StatusOr<std::vector<Document>> NextBatch(const toolformer_stream& stream, int64_t count) {
  std::vector<Document> batch;
  while (std::ssize(batch) < count) {
    DocumentReply reply;
    TF_RETURN_IF_ERROR(CallHost(reply, "next", [&] { return stream.next(stream.user_data, &reply); }));
    if (!reply.document) break;
    batch.push_back(*std::move(reply.document));
  }
  return batch;
}

absl::Status Deliver(const toolformer_stream& stream, AnnotatedDocument annotated) {
  auto owned = std::make_unique<toolformer_annotation>(std::move(annotated));
  toolformer_reply nothing;
  return CallHost(nothing, "take", [&] { return stream.take(stream.user_data, owned.release()); });
}

absl::Status Run(AnnotatorState& state, const toolformer_stream& stream) {
  TF_ASSIGN_OR_RETURN(const HeldInterrupt interrupt, HeldInterrupt::Of(stream.interrupt));
  while (true) {
    TF_RETURN_IF_ERROR(interrupt.get().Check());
    TF_ASSIGN_OR_RETURN(const std::vector<Document> batch, NextBatch(stream, stream.batch_size));
    if (batch.empty()) return absl::OkStatus();
    TF_ASSIGN_OR_RETURN(std::vector<AnnotatedDocument> annotated,
                        state.annotator->AnnotateBatch(batch, interrupt.get()));
    for (AnnotatedDocument& one : annotated) TF_RETURN_IF_ERROR(Deliver(stream, std::move(one)));
  }
}

toolformer_stream DefaultStream() {
  toolformer_stream stream = {};
  stream.struct_size = sizeof(stream);
  stream.batch_size = 16;
  return stream;
}

int32_t SkipOf(Skip skip) {
  switch (skip) {
    case Skip::kEmpty:
      return TOOLFORMER_SKIP_EMPTY;
    case Skip::kTooLong:
      return TOOLFORMER_SKIP_TOO_LONG;
    case Skip::kContainsCalls:
      return TOOLFORMER_SKIP_CONTAINS_CALLS;
    default:
      return TOOLFORMER_SKIP_NONE;
  }
}

int32_t VerdictOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kKept:
      return TOOLFORMER_VERDICT_KEPT;
    case Verdict::kBelowThreshold:
      return TOOLFORMER_VERDICT_BELOW_THRESHOLD;
    case Verdict::kSmallerGain:
      return TOOLFORMER_VERDICT_SMALLER_GAIN;
    default:
      return TOOLFORMER_VERDICT_TOOL_ERROR;
  }
}

toolformer_judged_call ViewCall(const JudgedCall& own) {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  toolformer_judged_call call = {};
  call.tool = View(own.call.tool);
  call.input = View(own.call.input);
  call.result = own.result ? View(*own.result) : View("");
  call.error = View(own.error);
  call.position = own.position;
  call.byte_offset = own.byte_offset;
  call.probability = own.opening_probability;
  call.losses = own.losses ? ViewLosses(*own.losses) : toolformer_losses{kUnknown, kUnknown, kUnknown, kUnknown};
  call.verdict = VerdictOf(own.verdict);
  call.worked_out = own.source == CallSource::kWorkedOut ? 1 : 0;
  call.gain_is_bound = own.losses && own.losses->gain_is_bound() ? 1 : 0;
  return call;
}

}  // namespace
}  // namespace toolformer::capi

using namespace toolformer::capi;  // NOLINT(google-build-using-namespace)

struct toolformer_annotator : Handle<toolformer_annotator> {
  static constexpr const char* kName = "toolformer_annotator";
  explicit toolformer_annotator(std::shared_ptr<AnnotatorState> s) : state(std::move(s)) {}
  const std::shared_ptr<AnnotatorState> state;
};

extern "C" {

void toolformer_annotator_options_init(toolformer_annotator_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, toolformer_annotator_options{});
}

toolformer_status toolformer_annotator_new(const toolformer_model* model, const toolformer_registry* registry,
                                           const toolformer_annotator_options* options, toolformer_annotator** out,
                                           toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_RETURN_IF_ERROR(CheckHandle(registry, "registry"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    auto state = std::make_shared<AnnotatorState>();
    state->model = model->model;
    state->tools = registry->tools();
    TF_ASSIGN_OR_RETURN(toolformer::AnnotatorOptions read, ReadAnnotatorOptions(options, state.get()));
    TF_ASSIGN_OR_RETURN(state->annotator, toolformer::Annotator::Create(*state->model, *state->tools, std::move(read)));
    *out = New<toolformer_annotator>(std::move(state));
    return absl::OkStatus();
  });
}

void toolformer_annotator_free(toolformer_annotator* annotator) noexcept { delete LiveOrNull(annotator); }

toolformer_status toolformer_annotator_annotate(toolformer_annotator* annotator, const toolformer_document* document,
                                                const toolformer_interrupt* interrupt, toolformer_annotation** out,
                                                toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(annotator, "annotator"));
    TF_ASSIGN_OR_RETURN(const toolformer::Document read, ReadDocument(document, "document"));
    TF_ASSIGN_OR_RETURN(const HeldInterrupt held,
                        HeldInterrupt::Of(interrupt == nullptr ? toolformer_interrupt{} : *interrupt));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const std::shared_ptr<AnnotatorState> state = annotator->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("annotator"));
    TF_ASSIGN_OR_RETURN(auto annotated, state->annotator->Annotate(read, held.get()));
    *out = New<toolformer_annotation>(std::move(annotated));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_annotator_statistics(const toolformer_annotator* annotator, toolformer_bytes** out,
                                                  toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(annotator, "annotator"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_bytes>(toolformer::FormatToolStatistics(annotator->state->annotator->statistics()));
    return absl::OkStatus();
  });
}

void toolformer_stream_init(toolformer_stream* stream, size_t struct_size) noexcept {
  Initialise(stream, struct_size, DefaultStream());
}

toolformer_status toolformer_annotator_stream(toolformer_annotator* annotator, const toolformer_stream* stream,
                                              toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(annotator, "annotator"));
    TF_ASSIGN_OR_RETURN(const toolformer_stream read, ReadStruct(stream, "stream", DefaultStream()));
    TF_RETURN_IF_ERROR(CheckNotNull(reinterpret_cast<const void*>(read.next), "stream.next"));
    TF_RETURN_IF_ERROR(CheckNotNull(reinterpret_cast<const void*>(read.take), "stream.take"));
    if (read.batch_size < 1) return toolformer::InvalidArgument("stream.batch_size is {}", read.batch_size);
    const std::shared_ptr<AnnotatorState> state = annotator->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("annotator"));
    return Run(*state, read);
  });
}

int32_t toolformer_annotation_skip(const toolformer_annotation* annotation) noexcept {
  return LiveOrNull(annotation) == nullptr ? TOOLFORMER_SKIP_NONE : SkipOf(annotation->document.skip);
}

toolformer_string toolformer_annotation_text(const toolformer_annotation* annotation) noexcept {
  return LiveOrNull(annotation) == nullptr ? toolformer_string{} : View(annotation->document.document.text);
}

toolformer_string toolformer_annotation_id(const toolformer_annotation* annotation) noexcept {
  return LiveOrNull(annotation) == nullptr ? toolformer_string{} : View(annotation->document.document.id);
}

toolformer_string toolformer_annotation_augmented_text(const toolformer_annotation* annotation) noexcept {
  return LiveOrNull(annotation) == nullptr ? toolformer_string{} : View(annotation->document.augmented_text);
}

toolformer_ids toolformer_annotation_ids(const toolformer_annotation* annotation) noexcept {
  return LiveOrNull(annotation) == nullptr ? toolformer_ids{} : ViewIds(annotation->document.token_ids);
}

toolformer_ids toolformer_annotation_augmented_ids(const toolformer_annotation* annotation) noexcept {
  return LiveOrNull(annotation) == nullptr ? toolformer_ids{} : ViewIds(annotation->document.augmented_ids);
}

size_t toolformer_annotation_call_count(const toolformer_annotation* annotation) noexcept {
  if (LiveOrNull(annotation) == nullptr) return 0;
  size_t count = 0;
  for (const toolformer::ToolOutcome& outcome : annotation->document.tools) count += outcome.calls.size();
  return count;
}

toolformer_status toolformer_annotation_get_call(const toolformer_annotation* annotation, size_t index,
                                                 toolformer_judged_call* out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(annotation, "annotation"));
    TF_RETURN_IF_ERROR(CheckResult(out));
    TF_RETURN_IF_ERROR(CheckIndex(index, toolformer_annotation_call_count(annotation)));
    for (const toolformer::ToolOutcome& outcome : annotation->document.tools) {
      if (index < outcome.calls.size()) {
        WriteResult(ViewCall(outcome.calls[index]), out);
        break;
      }
      index -= outcome.calls.size();
    }
    return absl::OkStatus();
  });
}

size_t toolformer_annotation_tool_count(const toolformer_annotation* annotation) noexcept {
  return LiveOrNull(annotation) == nullptr ? 0 : annotation->document.tools.size();
}

toolformer_status toolformer_annotation_get_tool(const toolformer_annotation* annotation, size_t index,
                                                 toolformer_outcome* out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(annotation, "annotation"));
    TF_RETURN_IF_ERROR(CheckResult(out));
    TF_RETURN_IF_ERROR(CheckIndex(index, annotation->document.tools.size()));
    const toolformer::ToolOutcome& own = annotation->document.tools[index];
    toolformer_outcome outcome = {};
    outcome.tool = View(own.tool);
    outcome.sampling = ViewCounts(own.sampling);
    outcome.positions = std::ssize(own.positions);
    outcome.calls = std::ssize(own.calls);
    outcome.accepted = own.document_accepted ? 1 : 0;
    WriteResult(outcome, out);
    return absl::OkStatus();
  });
}

toolformer_status toolformer_annotation_to_json(const toolformer_annotation* annotation, toolformer_bytes** out,
                                                toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(annotation, "annotation"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_bytes>(toolformer::FormatAnnotation(annotation->document));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_annotation_from_json(toolformer_string json, toolformer_annotation** out,
                                                  toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckText(json, "json"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    auto annotation = toolformer::ParseAnnotation(ToView(json));
    if (!annotation.ok()) return Corrupt(annotation.status());
    *out = New<toolformer_annotation>(*std::move(annotation));
    return absl::OkStatus();
  });
}

void toolformer_annotation_free(toolformer_annotation* annotation) noexcept { delete LiveOrNull(annotation); }

}  // extern "C"
