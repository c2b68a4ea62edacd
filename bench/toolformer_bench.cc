// The worker that the benchmarks time: loads a model once, then reads one JSON command a line and answers each with one
// JSON line. Its peers in bench/peers/ speak the same protocol, so that a driver can send the same work to each.
//
//     toolformer_bench --model PATH [--threads N] [--dtype float32|int8] [--kernels own|libtorch] [--tokenizer-only]
//
// The first line says that the model is ready. An answer is {"ok": true, ...} or {"ok": false, "error": "..."}.
#include <ATen/Parallel.h>
#include <toolformer/toolformer.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "naive.h"
#include "training.h"
#include "work.h"

namespace {

using toolformer::bench::Json;

struct Flags {
  std::string model;
  int threads = 0;
  bool tokenizer_only = false;
  toolformer::ModelOptions options;
};

// What is wrong with the arguments, or nothing.
std::optional<std::string> ReadFlags(int argc, char** argv, Flags* flags) {
  for (int a = 1; a < argc; ++a) {
    const std::string flag = argv[a];
    if (flag == "--tokenizer-only") {
      flags->tokenizer_only = true;
      continue;
    }
    if (a + 1 == argc) return flag + " has no value, or is not a flag";
    const std::string value = argv[++a];
    if (flag == "--model") {
      flags->model = value;
    } else if (flag == "--threads") {
      flags->threads = std::atoi(value.c_str());
      if (flags->threads < 1) return "--threads " + value + " is not a number of threads";
    } else if (flag == "--dtype" && value == "int8") {
      flags->options.type = toolformer::WeightType::kInt8;
    } else if (flag == "--dtype" && value == "bfloat16") {
      flags->options.type = toolformer::WeightType::kBFloat16;
    } else if (flag == "--kernels" && value == "libtorch") {
      flags->options.kernels = toolformer::Kernels::kLibtorch;
    } else if ((flag != "--dtype" || value != "float32") && (flag != "--kernels" || value != "own")) {
      return flag + " " + value + " is not known";
    }
  }
  if (flags->model.empty()) return "--model is missing";
  return std::nullopt;
}

// What the worker has loaded.
struct Loaded {
  std::string path;
  std::unique_ptr<toolformer::Model> model;  // null: the tokenizer only
  std::shared_ptr<const toolformer::Tokenizer> own_tokenizer;

  const toolformer::Tokenizer& tokenizer() const { return model ? model->tokenizer() : *own_tokenizer; }
};

absl::StatusOr<Json> Load(const Flags& flags, Loaded* loaded) {
  loaded->path = flags.model;
  const toolformer::bench::Stopwatch stopwatch;
  if (flags.tokenizer_only) {
    absl::StatusOr<std::shared_ptr<const toolformer::Tokenizer>> tokenizer = toolformer::LoadTokenizer(flags.model);
    if (!tokenizer.ok()) return tokenizer.status();
    loaded->own_tokenizer = *std::move(tokenizer);
    return Json{{"load_seconds", stopwatch.seconds()}};
  }
  absl::StatusOr<std::unique_ptr<toolformer::Model>> model = toolformer::Model::Load(flags.model, flags.options);
  if (!model.ok()) return model.status();
  loaded->model = *std::move(model);
  return Json{{"load_seconds", stopwatch.seconds()},
              {"parameters", loaded->model->info().parameters},
              {"layers", loaded->model->info().layers},
              {"context_length", loaded->model->context_length()}};
}

// The sampling prompt around a text, so that peers read the same one.
Json Prompt() {
  const toolformer::Tool tool = toolformer::bench::BenchCalculator();
  const std::string head = toolformer::SamplingPromptHead(tool);
  return {{"before", head}, {"after", toolformer::SamplingPrompt(tool, "").substr(head.size())}};
}

absl::StatusOr<Json> Do(const Loaded& loaded, const Json& command) {
  using toolformer::bench::Annotate;
  const auto what = command.at("do").get<std::string>();
  if (what == "prompt") return Prompt();
  if (what == "memory") return toolformer::bench::PeakMemory();
  if (what == "arithmetic") return toolformer::bench::Arithmetic(loaded.path);
  if (what == "encode") return toolformer::bench::Encode(loaded.tokenizer(), command);
  if (what == "encode_file") return toolformer::bench::EncodeFile(loaded.tokenizer(), command);
  if (what == "cut") return toolformer::bench::Cut(loaded.tokenizer(), command);
  if (what == "train") return toolformer::bench::Train(loaded.path, command);
  if (loaded.model == nullptr) return absl::FailedPreconditionError(what + " needs the model, not its tokenizer only");
  if (what == "annotate") return Annotate(*loaded.model, command);
  if (what == "score") return toolformer::bench::Score(*loaded.model, command);
  if (what == "decode") return toolformer::bench::Decode(*loaded.model, command);
  if (what == "naive") return toolformer::bench::Naive(*loaded.model, command);
  return absl::InvalidArgumentError("unknown command '" + what + "'");
}

void Answer(absl::StatusOr<Json> answer) {
  Json line = answer.ok() ? *std::move(answer) : Json{{"error", std::string(answer.status().message())}};
  line["ok"] = !line.contains("error");
  std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (const std::optional<std::string> wrong = ReadFlags(argc, argv, &flags)) {
    std::cerr << "toolformer_bench: " << *wrong << "; bench/bench.py runs it\n";
    return 2;
  }
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  Loaded loaded;
  absl::StatusOr<Json> ready = Load(flags, &loaded);
  const bool failed = !ready.ok();
  Answer(std::move(ready));
  if (failed) return 1;
  for (std::string line; std::getline(std::cin, line);) {
    absl::StatusOr<Json> answer = Json();
    try {
      answer = Do(loaded, Json::parse(line));
    } catch (const std::exception& error) {  // of the command's JSON
      answer = absl::InvalidArgumentError(error.what());
    }
    Answer(std::move(answer));
  }
  return 0;
}
