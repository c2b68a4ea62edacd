#include "work.h"

#include <ATen/ops/argmax.h>

#include <array>
#include <fstream>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace toolformer::bench {
namespace {

constexpr double kTauF = 0.5;

Json Summary(const AnnotatedDocument& document) {
  Json summary = {{"tokens", document.token_ids.size()}, {"skip", SkipName(document.skip)}};
  for (const ToolOutcome& outcome : document.tools) {
    summary["positions"] = outcome.positions.size();
    summary["samples"] = outcome.sampling.samples;
    summary["candidates"] = outcome.sampling.candidates;
    summary["kept"] = document.kept();
    Json calls = Json::array();
    for (const JudgedCall& call : outcome.calls) {
      if (!call.losses.has_value()) continue;
      calls.push_back({{"position", call.position},
                       {"call", PrintCallBody(call.call)},
                       {"result", *call.result},
                       {"empty", call.losses->empty},
                       {"with_result", call.losses->result}});
    }
    summary["calls"] = std::move(calls);
  }
  return summary;
}

// The most likely token of each row that does not end a text.
std::vector<int32_t> Greedy(at::Tensor logits, const std::vector<int32_t>& end_ids) {
  const int64_t width = logits.size(1);
  for (int64_t r = 0; r < logits.size(0); ++r) {
    float* row = logits.data_ptr<float>() + r * width;
    for (const int32_t id : end_ids) row[id] = -std::numeric_limits<float>::infinity();
  }
  const at::Tensor best = at::argmax(logits, 1);
  const int64_t* ids = best.const_data_ptr<int64_t>();
  return {ids, ids + best.numel()};
}

// CRC-32 as in zlib, so that a peer can compute the same with what it has.
class Crc32 {
 public:
  Crc32() {
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
      table_[i] = value;
    }
  }

  uint32_t operator()(std::span<const int32_t> ids) const {
    uint32_t crc = 0xffffffffu;
    for (const int32_t id : ids) {
      for (int shift = 0; shift < 32; shift += 8) {
        const auto byte = static_cast<uint32_t>(id) >> shift;
        crc = (crc >> 8) ^ table_[(crc ^ byte) & 0xff];
      }
    }
    return ~crc;
  }

 private:
  std::array<uint32_t, 256> table_;
};

}  // namespace

Tool BenchCalculator() {
  Tool calculator = MakeCalculator();
  calculator.accepts = nullptr;
  return calculator;
}

absl::StatusOr<Json> Annotate(const LanguageModel& model, const Json& command) {
  ToolRegistry registry;
  if (absl::Status status = registry.Register(BenchCalculator()); !status.ok()) return status;
  AnnotatorOptions options;
  options.sampler.max_call_tokens = kMaxCallTokens;
  options.sampler.constrain_syntax = command.at("constrain_syntax").get<bool>();
  options.parameters["Calculator"] = {
      .tau_s = 0.0, .k = command.at("k").get<int64_t>(), .m = command.at("m").get<int64_t>(), .tau_f = kTauF};
  absl::StatusOr<std::unique_ptr<Annotator>> annotator = Annotator::Create(model, registry, options);
  if (!annotator.ok()) return annotator.status();
  std::vector<Document> documents;
  for (const Json& text : command.at("texts")) {
    documents.emplace_back();
    documents.back().text = text.get<std::string>();
  }

  const Stopwatch stopwatch;
  const absl::StatusOr<std::vector<AnnotatedDocument>> annotated = (*annotator)->AnnotateBatch(documents, Interrupt());
  const double seconds = stopwatch.seconds();
  if (!annotated.ok()) return annotated.status();
  Json texts = Json::array();
  for (const AnnotatedDocument& document : *annotated) texts.push_back(Summary(document));
  return Json{{"seconds", seconds}, {"texts", std::move(texts)}};
}

absl::StatusOr<Json> Score(const LanguageModel& model, const Json& command) {
  const auto ids = command.at("ids").get<std::vector<int32_t>>();
  PerplexityOptions options;
  options.window = command.at("window").get<int64_t>();
  const Stopwatch stopwatch;
  const absl::StatusOr<Perplexity> measured = MeasurePerplexity(model, ids, options);
  const double seconds = stopwatch.seconds();
  if (!measured.ok()) return measured.status();
  return Json{{"seconds", seconds}, {"tokens", measured->total.all.tokens}, {"nats", measured->total.all.nats}};
}

absl::StatusOr<Json> Decode(const LanguageModel& model, const Json& command) {
  const auto prefix = command.at("prefix").get<std::vector<int32_t>>();
  const auto rows = command.at("rows").get<int64_t>();
  const auto tokens = command.at("tokens").get<int64_t>();
  const std::vector<int32_t>& end_ids = model.tokenizer().end_ids();

  const Stopwatch stopwatch;
  const std::unique_ptr<KvCache> shared = model.NewCache();
  const std::vector<int64_t> last = {std::ssize(prefix) - 1};
  const ForwardRow whole{prefix, shared.get(), last};
  absl::StatusOr<at::Tensor> logits = model.Forward({&whole, 1});
  if (!logits.ok()) return logits.status();
  std::vector<int32_t> next(rows, Greedy(*logits, end_ids)[0]);
  const double prefill_seconds = stopwatch.seconds();

  std::vector<std::unique_ptr<KvCache>> caches;
  for (int64_t r = 0; r < rows; ++r) caches.push_back(shared->Fork());
  std::vector<std::vector<int32_t>> written(rows);
  const std::vector<int64_t> only = {0};
  for (int64_t t = 0;; ++t) {
    for (int64_t r = 0; r < rows; ++r) written[r].push_back(next[r]);
    if (t + 1 == tokens) break;
    std::vector<ForwardRow> batch;
    for (int64_t r = 0; r < rows; ++r) batch.push_back({{&next[r], 1}, caches[r].get(), only});
    logits = model.Forward(batch);
    if (!logits.ok()) return logits.status();
    next = Greedy(*logits, end_ids);
  }
  const double seconds = stopwatch.seconds();
  bool equal = true;
  for (const std::vector<int32_t>& row : written) equal = equal && row == written[0];
  return Json{
      {"seconds", seconds}, {"prefill_seconds", prefill_seconds}, {"ids", written[0]}, {"rows_are_equal", equal}};
}

absl::StatusOr<Json> EncodeFile(const Tokenizer& tokenizer, const Json& command) {
  const auto path = command.at("file").get<std::string>();
  std::ifstream file(path);
  if (!file) return absl::NotFoundError("cannot read " + path);
  std::vector<std::string> documents;
  size_t bytes = 0;
  for (std::string line; std::getline(file, line);) {
    documents.push_back(Json::parse(line).get<std::string>());
    bytes += documents.back().size();
  }
  std::vector<std::vector<int32_t>> ids;
  ids.reserve(documents.size());
  const Stopwatch stopwatch;
  for (const std::string& document : documents) ids.push_back(tokenizer.Encode(document));
  const double seconds = stopwatch.seconds();
  const Crc32 crc;
  Json sums = Json::array();
  size_t tokens = 0;
  for (const std::vector<int32_t>& document : ids) {
    sums.push_back(crc(document));
    tokens += document.size();
  }
  return Json{{"seconds", seconds}, {"bytes", bytes}, {"tokens", tokens}, {"crc32", std::move(sums)}};
}

absl::StatusOr<Json> Encode(const Tokenizer& tokenizer, const Json& command) {
  Json ids = Json::array();
  for (const Json& text : command.at("texts")) ids.push_back(tokenizer.Encode(text.get<std::string>()));
  return Json{{"ids", std::move(ids)}};
}

absl::StatusOr<Json> Cut(const Tokenizer& tokenizer, const Json& command) {
  std::vector<int32_t> ids = tokenizer.Encode(command.at("text").get<std::string>());
  const auto wanted = command.at("tokens").get<size_t>();
  if (ids.size() < wanted) return absl::OutOfRangeError("the text has " + std::to_string(ids.size()) + " tokens only");
  ids.resize(wanted);
  return Json{{"text", tokenizer.Decode(ids)}};
}

absl::StatusOr<Json> Arithmetic(const std::string& model_path) {
  const absl::StatusOr<std::unique_ptr<WeightFile>> file = WeightFile::Open(model_path);
  if (!file.ok()) return file.status();
  int64_t matrices = 0, embedding = 0, queries = 0;
  bool has_output = false;
  for (const TensorInfo& tensor : (*file)->tensors()) {
    if (tensor.shape.size() != 2) continue;
    const auto named = [&](std::string_view part) { return tensor.name.find(part) != std::string::npos; };
    matrices += tensor.elements;
    if (named("token_embd.") || named("embed_tokens.")) embedding = tensor.elements;
    if (tensor.name == "output.weight" || named("lm_head.")) has_output = true;
    if (named("attn_q.") || named("q_proj.")) queries += tensor.shape[0];
  }
  if (has_output) matrices -= embedding;
  return Json{{"matrix_weights", matrices}, {"query_width", queries}};
}

absl::StatusOr<Json> PeakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return Json{{"peak_bytes", std::stoll(line.substr(6)) * 1024}};
  }
  return absl::UnavailableError("/proc/self/status has no VmHWM");
}

}  // namespace toolformer::bench
