// The objects behind the handles of what runs models and tools.
#ifndef TOOLFORMER_CAPI_SRC_OBJECTS_H_
#define TOOLFORMER_CAPI_SRC_OBJECTS_H_

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "capi/src/entry.h"
#include "toolformer/annotator.h"
#include "toolformer/model.h"
#include "toolformer/tokenizer.h"
#include "toolformer/tool_executor.h"
#include "toolformer/tool_registry.h"
#include "toolformer/training_sequence.h"

struct toolformer_tensor : toolformer::capi::Handle<toolformer_tensor> {
  static constexpr const char* kName = "toolformer_tensor";
  explicit toolformer_tensor(at::Tensor t) : tensor(std::move(t)) {}
  const at::Tensor tensor;  // on the CPU, contiguous
};

struct toolformer_tokenizer : toolformer::capi::Handle<toolformer_tokenizer> {
  static constexpr const char* kName = "toolformer_tokenizer";
  explicit toolformer_tokenizer(std::shared_ptr<const toolformer::Tokenizer> t) : tokenizer(std::move(t)) {}
  const std::shared_ptr<const toolformer::Tokenizer> tokenizer;
};

struct toolformer_model : toolformer::capi::Handle<toolformer_model> {
  static constexpr const char* kName = "toolformer_model";
  toolformer_model(std::shared_ptr<const toolformer::LanguageModel> m, const toolformer::Model* l)
      : model(std::move(m)), loaded(l) {}
  const std::shared_ptr<const toolformer::LanguageModel> model;
  const toolformer::Model* const loaded;  // the same, where it was read from files
};

// What was made from a registry keeps the tools that it had then: adding to it changes nobody else's.
struct toolformer_registry : toolformer::capi::Handle<toolformer_registry> {
  static constexpr const char* kName = "toolformer_registry";

  std::shared_ptr<const toolformer::ToolRegistry> tools() const {
    const std::lock_guard lock(mutex_);
    return tools_;
  }
  absl::Status Add(toolformer::Tool tool) {
    const std::lock_guard lock(mutex_);
    auto grown = std::make_shared<toolformer::ToolRegistry>(*tools_);
    TF_RETURN_IF_ERROR(grown->Register(std::move(tool)));
    tools_ = std::move(grown);
    return absl::OkStatus();
  }

  // All or none.
  absl::Status AddAll(const toolformer::ToolRegistry& others) {
    const std::lock_guard lock(mutex_);
    auto grown = std::make_shared<toolformer::ToolRegistry>(*tools_);
    for (const std::shared_ptr<const toolformer::Tool>& tool : others.tools()) {
      TF_RETURN_IF_ERROR(grown->Register(*tool));
    }
    tools_ = std::move(grown);
    return absl::OkStatus();
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const toolformer::ToolRegistry> tools_ = std::make_shared<toolformer::ToolRegistry>();
};

namespace toolformer::capi {

struct ExecutorState {
  ExecutorState(std::shared_ptr<const ToolRegistry> t, const ToolExecutorOptions& options)
      : tools(std::move(t)), executor(*tools, options) {}
  const std::shared_ptr<const ToolRegistry> tools;
  ToolExecutor executor;
};

// Sequences, and whose turn it is.
struct TrainingState {
  Exclusive exclusive;
  std::vector<TrainingSequence> splits[2];
};

}  // namespace toolformer::capi

struct toolformer_executor : toolformer::capi::Handle<toolformer_executor> {
  static constexpr const char* kName = "toolformer_executor";
  explicit toolformer_executor(std::shared_ptr<toolformer::capi::ExecutorState> s) : state(std::move(s)) {}
  const std::shared_ptr<toolformer::capi::ExecutorState> state;
};

struct toolformer_annotation : toolformer::capi::Handle<toolformer_annotation> {
  static constexpr const char* kName = "toolformer_annotation";
  explicit toolformer_annotation(toolformer::AnnotatedDocument d) : document(std::move(d)) {}
  const toolformer::AnnotatedDocument document;
};

struct toolformer_training_data : toolformer::capi::Handle<toolformer_training_data> {
  static constexpr const char* kName = "toolformer_training_data";
  const std::shared_ptr<toolformer::capi::TrainingState> state = std::make_shared<toolformer::capi::TrainingState>();
};

namespace toolformer::capi {

// ---- Conversions that several files need ----

toolformer_tensor* NewTensor(const at::Tensor& tensor);  // in the host's memory, contiguous
toolformer_tensor* NewIds(std::span<const int32_t> ids);
toolformer_tensor* NewNumbers(std::span<const double> numbers);

toolformer_document ViewDocument(const Document& document);
absl::StatusOr<Document> ReadDocument(const toolformer_document* given, const char* name);
absl::StatusOr<std::optional<Date>> ReadDate(const toolformer_date& date, const char* name);
absl::StatusOr<AnnotationParameters> ReadParameters(const toolformer_parameters* given,
                                                    const AnnotationParameters& own);
absl::StatusOr<ToolExecutorOptions> ReadExecutorOptions(const toolformer_executor_options* given);
absl::StatusOr<WeightType> ReadWeights(int32_t weights, WeightType by_default);

}  // namespace toolformer::capi

#endif  // TOOLFORMER_CAPI_SRC_OBJECTS_H_
