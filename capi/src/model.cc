// Models: loading, what they are, running them.
#include <numeric>

#include "capi/src/host_model.h"
#include "capi/src/objects.h"
#include "toolformer/perplexity.h"

namespace toolformer::capi {
namespace {

struct CacheState {
  explicit CacheState(std::unique_ptr<KvCache> c) : cache(std::move(c)) {}
  Exclusive exclusive;
  const std::unique_ptr<KvCache> cache;
};

}  // namespace

absl::StatusOr<WeightType> ReadWeights(int32_t weights, WeightType by_default) {
  switch (weights) {
    case TOOLFORMER_WEIGHTS_DEFAULT:
      return by_default;
    case TOOLFORMER_WEIGHTS_F32:
      return WeightType::kFloat32;
    case TOOLFORMER_WEIGHTS_BF16:
      return WeightType::kBFloat16;
    case TOOLFORMER_WEIGHTS_INT8:
      return WeightType::kInt8;
    default:
      return InvalidArgument("options.weights is {}, not one of TOOLFORMER_WEIGHTS_...", weights);
  }
}

}  // namespace toolformer::capi

using namespace toolformer::capi;  // NOLINT(google-build-using-namespace)

struct toolformer_cache : Handle<toolformer_cache> {
  static constexpr const char* kName = "toolformer_cache";
  toolformer_cache(std::shared_ptr<const toolformer::LanguageModel> m, std::shared_ptr<CacheState> s)
      : model(std::move(m)), state(std::move(s)) {}
  const std::shared_ptr<const toolformer::LanguageModel> model;
  const std::shared_ptr<CacheState> state;
};

namespace toolformer::capi {
namespace {

toolformer_model_options DefaultModelOptions() {
  toolformer_model_options options = {};
  options.struct_size = sizeof(options);
  options.device = {"cpu", 3};
  return options;
}

// The caller's mistake, apart from what may be wrong with the file.
absl::Status CheckDevice(std::string_view device) {
  const bool is_cuda = device.starts_with("cuda:") && device.size() > 5 && device.size() < 10 &&
                       device.find_first_not_of("0123456789", 5) == std::string_view::npos;
  return device == "cpu" || is_cuda
             ? absl::OkStatus()
             : InvalidArgument("options.device is '{}'; devices are cpu and cuda:N", device.substr(0, 64));
}

absl::StatusOr<ModelOptions> ReadModelOptions(const toolformer_model_options* given) {
  TF_ASSIGN_OR_RETURN(const toolformer_model_options read, ReadOptions(given, "options", DefaultModelOptions()));
  TF_RETURN_IF_ERROR(CheckText(read.device, "options.device"));
  TF_RETURN_IF_ERROR(CheckText(read.adapter, "options.adapter"));
  TF_RETURN_IF_ERROR(CheckFlag(read.plain_kernels, "options.plain_kernels"));
  if (read.context_length < 0) return InvalidArgument("options.context_length {} is negative", read.context_length);
  ModelOptions options;
  if (read.device.size > 0) options.device = ToString(read.device);
  TF_RETURN_IF_ERROR(CheckDevice(options.device));
  options.adapter = ToString(read.adapter);
  options.context_length = read.context_length;
  if (read.weights != TOOLFORMER_WEIGHTS_DEFAULT) {
    TF_ASSIGN_OR_RETURN(options.type, ReadWeights(read.weights, WeightType::kFloat32));
  }
  options.kernels = read.plain_kernels == 1 ? Kernels::kLibtorch : Kernels::kOwn;
  if (read.progress != nullptr) {
    options.progress = [read](uint64_t done, uint64_t total) {
      CallHost("progress", [&] { read.progress(read.progress_data, done, total); });
    };
  }
  return options;
}

int32_t WeightsOf(WeightType type) {
  switch (type) {
    case WeightType::kFloat32:
      return TOOLFORMER_WEIGHTS_F32;
    case WeightType::kBFloat16:
      return TOOLFORMER_WEIGHTS_BF16;
    default:
      return TOOLFORMER_WEIGHTS_INT8;
  }
}

// Whose turn it is on each of the caches of a batch.
class Turns {
 public:
  absl::Status Take(toolformer_cache* cache) {
    turns_.push_back(std::make_unique<Turn>(cache->state->exclusive));
    kept_.push_back(cache->state);
    return turns_.back()->status("a cache");
  }

 private:
  std::vector<std::shared_ptr<CacheState>> kept_;  // outlive the turns
  std::vector<std::unique_ptr<Turn>> turns_;
};

// `model` may lose its handle on the way, by a callback of the host's or on another thread: it is kept.
// NOLINTNEXTLINE(performance-unnecessary-value-param): the copy is what keeps it
absl::Status Forward(const std::shared_ptr<const LanguageModel> model, std::span<const toolformer_row> rows,
                     toolformer_tensor** out) {
  Turns turns;
  std::vector<toolformer::ForwardRow> batch;
  for (size_t i = 0; i < rows.size(); ++i) {
    const toolformer_row& row = rows[i];
    TF_RETURN_IF_ERROR(CheckArray(row.ids.data, row.ids.size, "rows.ids"));
    TF_RETURN_IF_ERROR(CheckArray(row.wanted, row.wanted_count, "rows.wanted"));
    if (row.cache != nullptr) {
      TF_RETURN_IF_ERROR(CheckHandle(row.cache, "rows.cache"));
      if (row.cache->model != model) return InvalidArgument("row {}: a cache of another model", i);
      for (size_t j = 0; j < i; ++j) {
        if (rows[j].cache == row.cache) return InvalidArgument("rows {} and {} have the same cache", j, i);
      }
      TF_RETURN_IF_ERROR(turns.Take(row.cache));
    }
    batch.push_back({ToSpan(row.ids), row.cache == nullptr ? nullptr : row.cache->state->cache.get(),
                     std::span(row.wanted, row.wanted_count)});
  }
  TF_ASSIGN_OR_RETURN(const at::Tensor logits, model->Forward(batch));
  *out = NewTensor(logits);
  return absl::OkStatus();
}

}  // namespace
}  // namespace toolformer::capi

extern "C" {

void toolformer_model_options_init(toolformer_model_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, DefaultModelOptions());
}

toolformer_status toolformer_model_load(toolformer_string path, const toolformer_model_options* options,
                                        toolformer_model** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckText(path, "path"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    TF_ASSIGN_OR_RETURN(const toolformer::ModelOptions read, ReadModelOptions(options));
    auto loaded = toolformer::Model::Load(ToString(path), read);
    if (!loaded.ok()) return Corrupt(loaded.status());
    const std::shared_ptr<const toolformer::Model> model = *std::move(loaded);
    *out = New<toolformer_model>(model, model.get());
    return absl::OkStatus();
  });
}

void toolformer_host_model_init(toolformer_host_model* model, size_t struct_size) noexcept {
  Initialise(model, struct_size, toolformer_host_model{});
}

toolformer_status toolformer_model_from_host(const toolformer_host_model* host, toolformer_model** out,
                                             toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_ASSIGN_OR_RETURN(const toolformer_host_model read, ReadStruct(host, "host", toolformer_host_model{}));
    UserData user_data(read.user_data, read.destroy);
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    TF_RETURN_IF_ERROR(CheckHandle(read.tokenizer, "host.tokenizer"));
    TF_ASSIGN_OR_RETURN(auto model, MakeHostModel(read, read.tokenizer->tokenizer, std::move(user_data)));
    *out = New<toolformer_model>(std::move(model), nullptr);
    return absl::OkStatus();
  });
}

void toolformer_model_free(toolformer_model* model) noexcept { delete LiveOrNull(model); }

toolformer_status toolformer_model_get_info(const toolformer_model* model, toolformer_model_info* out,
                                            toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_RETURN_IF_ERROR(CheckResult(out));
    toolformer_model_info info = {};
    info.path = info.family = info.fingerprint = View("");
    info.weights = TOOLFORMER_WEIGHTS_F32;
    if (model->loaded != nullptr) {
      const toolformer::ModelInfo& own = model->loaded->info();
      info.path = View(own.path);
      info.family = View(own.family);
      info.fingerprint = View(own.fingerprint);
      info.layers = own.layers;
      info.hidden = own.hidden;
      info.parameters = own.parameters;
      info.weights = WeightsOf(own.type);
    }
    info.vocab_size = model->model->vocab_size();
    info.context_length = model->model->context_length();
    info.approximate = model->model->approximate() ? 1 : 0;
    WriteResult(info, out);
    return absl::OkStatus();
  });
}

toolformer_status toolformer_model_tokenizer(const toolformer_model* model, toolformer_tokenizer** out,
                                             toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_tokenizer>(
        std::shared_ptr<const toolformer::Tokenizer>(model->model, &model->model->tokenizer()));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_model_save(const toolformer_model* model, toolformer_string folder,
                                        toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_RETURN_IF_ERROR(CheckText(folder, "folder"));
    if (model->loaded == nullptr) return toolformer::Unimplemented("a model of the host's own cannot be saved");
    const std::shared_ptr<const toolformer::LanguageModel> kept = model->model;
    return model->loaded->Save(ToString(folder));
  });
}

toolformer_status toolformer_cache_new(const toolformer_model* model, toolformer_cache** out,
                                       toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    *out = New<toolformer_cache>(model->model, std::make_shared<CacheState>(model->model->NewCache()));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_cache_fork(toolformer_cache* cache, toolformer_cache** out,
                                        toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(cache, "cache"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    const std::shared_ptr<CacheState> state = cache->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("cache"));
    *out = New<toolformer_cache>(cache->model, std::make_shared<CacheState>(state->cache->Fork()));
    return absl::OkStatus();
  });
}

toolformer_status toolformer_cache_truncate(toolformer_cache* cache, int64_t length,
                                            toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(cache, "cache"));
    const std::shared_ptr<CacheState> state = cache->state;
    const Turn turn(state->exclusive);
    TF_RETURN_IF_ERROR(turn.status("cache"));
    return state->cache->Truncate(length);
  });
}

int64_t toolformer_cache_length(toolformer_cache* cache) noexcept {
  if (LiveOrNull(cache) == nullptr) return 0;
  const std::shared_ptr<CacheState> state = cache->state;
  const Turn turn(state->exclusive);
  return turn.status("cache").ok() ? state->cache->length() : 0;
}

void toolformer_cache_free(toolformer_cache* cache) noexcept { delete LiveOrNull(cache); }

toolformer_status toolformer_model_forward(const toolformer_model* model, const toolformer_row* rows, size_t row_count,
                                           toolformer_tensor** out, toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_RETURN_IF_ERROR(CheckArray(rows, row_count, "rows"));
    TF_RETURN_IF_ERROR(CheckNotNull(out, "out"));
    if (row_count == 0) return toolformer::InvalidArgument("rows has no elements");
    return Forward(model->model, {rows, row_count}, out);
  });
}

void toolformer_loss_options_init(toolformer_loss_options* options, size_t struct_size) noexcept {
  Initialise(options, struct_size, toolformer_loss_options{});
}

toolformer_status toolformer_model_loss(const toolformer_model* model, toolformer_ids ids,
                                        const toolformer_loss_options* options, toolformer_loss* out,
                                        toolformer_error** error) noexcept {
  return Guard(error, [&]() -> absl::Status {
    TF_RETURN_IF_ERROR(CheckHandle(model, "model"));
    TF_RETURN_IF_ERROR(CheckArray(ids.data, ids.size, "ids"));
    TF_ASSIGN_OR_RETURN(const toolformer_loss_options read, ReadOptions(options, "options", toolformer_loss_options{}));
    TF_RETURN_IF_ERROR(CheckResult(out));
    TF_ASSIGN_OR_RETURN(const HeldInterrupt interrupt, HeldInterrupt::Of(read.interrupt));
    const std::shared_ptr<const toolformer::LanguageModel> kept = model->model;
    toolformer::PerplexityOptions own;
    own.window = read.window == 0 ? std::min(own.window, kept->context_length()) : read.window;
    toolformer::TokenLosses so_far;
    if (read.progress != nullptr) {
      own.on_window = [&](const toolformer::TextLosses& window) {
        so_far.tokens += window.all.tokens;
        so_far.nats += window.all.nats;
        CallHost("progress", [&] { read.progress(read.progress_data, so_far.tokens, so_far.nats); });
        return absl::OkStatus();
      };
    }
    TF_ASSIGN_OR_RETURN(const toolformer::Perplexity measured,
                        toolformer::MeasurePerplexity(*kept, ToSpan(ids), own, interrupt.get()));
    const auto& [all, calls_disabled] = measured.total;
    WriteResult(toolformer_loss{0, all.tokens, all.nats, all.perplexity(), calls_disabled.tokens, calls_disabled.nats,
                                calls_disabled.perplexity()},
                out);
    return absl::OkStatus();
  });
}

}  // extern "C"
