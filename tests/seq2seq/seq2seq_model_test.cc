#include "toolformer/seq2seq_model.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "src/base/file.h"
#include "tests/check.h"
#include "tests/paths.h"

namespace toolformer::seq2seq_model_test {
namespace {

using nlohmann::json;
using testing::Fixture;
using Ids = std::vector<int32_t>;

const char* const kModels[] = {"t5_relu", "t5_gated", "nllb", "nllb_hub", "m2m100", "marian", "marian_apart"};

std::string Folder(const std::string& name) { return Fixture("seq2seq/" + name); }

json Expected(const std::string& name) {
  return json::parse(ReadFile(Folder(name) + "/expected.json", 1 << 24).value());
}

std::unique_ptr<Seq2SeqModel> Load(const std::string& name, const Seq2SeqOptions& options = {}) {
  absl::StatusOr<std::unique_ptr<Seq2SeqModel>> model = Seq2SeqModel::Load(Folder(name), options);
  REQUIRE_MESSAGE(model.ok(), model.status().ToString());
  return *std::move(model);
}

GenerationOptions OptionsOf(const json& options) {
  GenerationOptions out;
  for (const auto& [name, value] : options.items()) {
    if (name == "num_beams") out.beams = value.get<int64_t>();
    if (name == "max_new_tokens") out.max_new_tokens = value.get<int64_t>();
    if (name == "min_new_tokens") out.min_new_tokens = value.get<int64_t>();
    if (name == "length_penalty") out.length_penalty = value.get<double>();
    if (name == "no_repeat_ngram_size") out.no_repeat_ngram_size = value.get<int64_t>();
    if (name == "repetition_penalty") out.repetition_penalty = value.get<double>();
    if (name == "forced_bos_token_id") out.forced_first_id = value.get<int32_t>();
    if (name == "early_stopping") {
      out.early_stopping = value == "never" ? EarlyStopping::kNever
                           : value == true  ? EarlyStopping::kFirstComplete
                                            : EarlyStopping::kHeuristic;
    }
  }
  return out;
}

double LargestDifference(const at::Tensor& logits, const json& values) {
  const at::Tensor dense = logits.contiguous();
  REQUIRE(dense.numel() == std::ssize(values));
  double most = 0.0;
  for (int64_t i = 0; i < dense.numel(); ++i) {
    most = std::max(most, std::abs(dense.const_data_ptr<float>()[i] - values[i].get<double>()));
  }
  return most;
}

void CheckRun(const Seq2SeqModel& model, const json& run, const std::string& what) {
  const auto sources = run["sources"].get<std::vector<Ids>>();
  const std::vector<EncodedText> encoded = model.Encode(sources, {}).value();
  const auto results = model.Generate(encoded, OptionsOf(run["options"]));
  REQUIRE_MESSAGE(results.ok(), results.status().ToString());
  for (size_t i = 0; i < sources.size(); ++i) {
    CAPTURE(what);
    CAPTURE(run["options"].dump());
    CAPTURE(i);
    CHECK((*results)[i].ids == run["outputs"][i].get<Ids>());
    if (run["scores"].is_array())
      CHECK((*results)[i].score == doctest::Approx(run["scores"][i].get<double>()).epsilon(1e-3));
    CHECK(model.tokenizer().DecodeTarget((*results)[i].ids) == run["texts"][i].get<std::string>());
  }
}

TEST_CASE("logits and sequences are those of transformers") {
  for (const char* name : kModels) {
    for (const Kernels kernels : {Kernels::kOwn, Kernels::kLibtorch}) {
      CAPTURE(name);
      const std::unique_ptr<Seq2SeqModel> model = Load(name, {.kernels = kernels});
      const json expected = Expected(name);
      const json& logits = expected["logits"];
      const std::vector<Ids> source = {logits["source"].get<Ids>()};
      const EncodedText encoded = model->Encode(source, {}).value().front();
      const at::Tensor got = model->Logits(encoded, logits["decoder"].get<Ids>()).value();
      CHECK(LargestDifference(got, logits["values"]) < 1e-4);
      for (size_t r = 0; r < expected["runs"].size(); ++r) {
        if (kernels == Kernels::kOwn || r < 3) CheckRun(*model, expected["runs"][r], name);
      }
    }
  }
}

TEST_CASE("tokenizers give the ids of transformers and SentencePiece") {
  for (const char* name : kModels) {
    CAPTURE(name);
    const std::shared_ptr<const Seq2SeqTokenizer> tokenizer = LoadSeq2SeqTokenizer(Folder(name)).value();
    const json expected = Expected(name);
    for (const json& text : expected["texts"]) {
      std::string plain = text["text"].get<std::string>();
      // The other tokenizers take the spelling of a control token for the token.
      for (const std::string spelling : {"<pad>", "</s>", "__en__"}) {
        if (spelling == "__en__" && std::string(name) != "m2m100") continue;
        if (const size_t at = plain.find(spelling); at != std::string::npos) plain.erase(at, spelling.size());
      }
      if (std::string(name) == "t5_relu" || std::string(name) == "nllb_hub") plain = text["text"].get<std::string>();
      CAPTURE(plain);
      CHECK(tokenizer->EncodeSource(plain, text["language"].get<std::string>()).value() == text["ids"].get<Ids>());
    }
  }
}

TEST_CASE("the spelling of a control token is text") {
  const std::shared_ptr<const Seq2SeqTokenizer> tokenizer = LoadSeq2SeqTokenizer(Folder("nllb")).value();
  const Ids ids = tokenizer->Encode("</s> eng_Latn <pad>");
  for (const char* spelling : {"</s>", "<pad>", "eng_Latn"}) {
    const std::optional<int32_t> id = tokenizer->ControlId(spelling);
    REQUIRE(id.has_value());
    CHECK(std::find(ids.begin(), ids.end(), *id) == ids.end());
  }
}

TEST_CASE("languages are those of the files") {
  const auto nllb = LoadSeq2SeqTokenizer(Folder("nllb_hub")).value();
  CHECK(nllb->languages().size() == 202);
  CHECK(nllb->languages().front() == "ace_Arab");
  CHECK(nllb->LanguageId("eng_Latn") == LoadSeq2SeqTokenizer(Folder("nllb")).value()->LanguageId("eng_Latn"));
  const auto unknown = nllb->EncodeSource("x", "klingon");
  CHECK(unknown.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(unknown.status().message().find("deu_Latn") != std::string::npos);
  CHECK(!nllb->EncodeSource("x", "").ok());
  CHECK(LoadSeq2SeqTokenizer(Folder("m2m100")).value()->languages().size() == 100);
  CHECK(LoadSeq2SeqTokenizer(Folder("marian")).value()->languages() == std::vector<std::string>{">>eng<<", ">>fra<<"});
  const auto t5 = LoadSeq2SeqTokenizer(Folder("t5_gated")).value();
  CHECK(t5->languages().empty());
  CHECK(!t5->EncodeSource("x", "de").ok());
  const auto plain = LoadSeq2SeqTokenizer(Folder("t5_relu")).value();
  REQUIRE(t5->ControlId("<extra_id_0>").has_value());
  CHECK(*t5->ControlId("<extra_id_0>") == *t5->ControlId("<extra_id_1>") + 1);
  CHECK(*plain->ControlId("<extra_id_0>") == *plain->ControlId("<extra_id_99>") + 99);
}

TEST_CASE("a decoder reads passages that were encoded apart") {
  for (const char* name : {"t5_relu", "t5_gated"}) {
    const std::unique_ptr<Seq2SeqModel> model = Load(name);
    const json expected = Expected(name);
    const auto sources = expected["joined"]["sources"].get<std::vector<Ids>>();
    const EncodedText joined = JoinEncodedTexts(model->Encode(sources, {}).value()).value();
    const EncodedText texts[] = {joined};
    const auto results = model->Generate(texts, {.beams = 3, .max_new_tokens = 16}).value();
    CHECK(results[0].ids == expected["joined"]["output"].get<Ids>());
  }
  CHECK(!JoinEncodedTexts({}).ok());
}

TEST_CASE("a text comes out the same alone and in company, in large batches and small") {
  const std::unique_ptr<Seq2SeqModel> model = Load("m2m100"), small = Load("m2m100", {.max_batch_tokens = 1});
  const json run = Expected("m2m100")["runs"][2];
  CheckRun(*small, run, "one at a time");
  const auto sources = run["sources"].get<std::vector<Ids>>();
  for (size_t i = 0; i < sources.size(); ++i) {
    const std::vector<EncodedText> alone = model->Encode({&sources[i], 1}, {}).value();
    CHECK(model->Generate(alone, OptionsOf(run["options"])).value()[0].ids == run["outputs"][i].get<Ids>());
  }
}

TEST_CASE("int8 and bfloat16 weights are close to float32") {
  for (const char* name : {"nllb", "t5_gated", "marian_apart"}) {
    for (const WeightType type : {WeightType::kInt8, WeightType::kBFloat16}) {
      const std::unique_ptr<Seq2SeqModel> model = Load(name, {.type = type});
      CHECK(model->info().type == type);
      const json logits = Expected(name)["logits"];
      const std::vector<Ids> source = {logits["source"].get<Ids>()};
      const EncodedText encoded = model->Encode(source, {}).value().front();
      const double difference =
          LargestDifference(model->Logits(encoded, logits["decoder"].get<Ids>()).value(), logits["values"]);
      CAPTURE(name);
      CHECK(difference < 3.0);  // of logits of up to 30
      CHECK(difference > 1e-6);
    }
  }
}

TEST_CASE("what does not fit is refused with a reason") {
  const std::unique_ptr<Seq2SeqModel> model = Load("marian");
  const auto code_of = [&](const Ids& ids) { return model->Encode({&ids, 1}, {}).status().code(); };
  CHECK(code_of({}) == absl::StatusCode::kInvalidArgument);
  CHECK(code_of({1 << 20}) == absl::StatusCode::kInvalidArgument);
  CHECK(code_of({-1}) == absl::StatusCode::kInvalidArgument);
  CHECK(code_of(Ids(65, 2)) == absl::StatusCode::kOutOfRange);
  const Ids ids = {2, 3, 0};
  const std::vector<EncodedText> encoded = model->Encode({&ids, 1}, {}).value();
  for (const GenerationOptions& options :
       {GenerationOptions{.beams = 0}, GenerationOptions{.beams = 1000}, GenerationOptions{.max_new_tokens = 0},
        GenerationOptions{.length_penalty = NAN}, GenerationOptions{.repetition_penalty = 0.0},
        GenerationOptions{.forced_first_id = 1 << 20}}) {
    CHECK(model->Generate(encoded, options).status().code() == absl::StatusCode::kInvalidArgument);
  }
  const EncodedText foreign[] = {Load("t5_gated")->Encode(std::vector<Ids>{{1}}, {}).value().front(), EncodedText{}};
  CHECK(!model->Generate({&foreign[1], 1}, {}).ok());
  CHECK(!model->Logits(encoded[0], Ids{}).ok());
  CHECK(Seq2SeqModel::Load("/nowhere", {}).status().code() == absl::StatusCode::kNotFound);
  CHECK(Seq2SeqModel::Load(Folder("marian"), {.kernels = Kernels::kLibtorch, .type = WeightType::kInt8})
            .status()
            .code() == absl::StatusCode::kUnimplemented);
}

TEST_CASE("a deadline and a cancel token end decoding") {
  const std::unique_ptr<Seq2SeqModel> model = Load("nllb");
  const Ids ids = {5, 6, 2};
  const std::vector<EncodedText> encoded = model->Encode({&ids, 1}, {}).value();
  CancelToken token;
  token.Cancel();
  CHECK(model->Generate(encoded, {.interrupt = {&token}}).status().code() == absl::StatusCode::kCancelled);
  const Interrupt late{nullptr, std::chrono::steady_clock::now() - std::chrono::seconds(1)};
  CHECK(model->Encode({&ids, 1}, late).status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(model->Generate(encoded, {.interrupt = late}).status().code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("threads may share a model") {
  const std::unique_ptr<Seq2SeqModel> model = Load("marian");
  const json run = Expected("marian")["runs"][2];
  const auto sources = run["sources"].get<std::vector<Ids>>();
  std::vector<std::vector<GeneratedSequence>> results(3);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back(
        [&] { result = model->Generate(model->Encode(sources, {}).value(), OptionsOf(run["options"])).value(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) CHECK(result[0].ids == run["outputs"][0].get<Ids>());
}

// A folder with one file changed.
std::string LoadError(const std::string& name, const std::string& file, const std::function<void(json*)>& change) {
  testing::TemporaryFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(Folder(name))) {
    std::filesystem::copy(entry.path(), folder.path());
  }
  json value = json::parse(ReadFile(Folder(name) + "/" + file, 1 << 24).value());
  change(&value);
  std::ofstream(folder.file(file)) << value.dump();
  const auto model = Seq2SeqModel::Load(folder.path(), {});
  return model.ok() ? "loaded" : std::string(model.status().message());
}

TEST_CASE("hostile configurations are refused by name") {
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  const auto set = [](const char* name, const json& value) { return [=](json* config) { (*config)[name] = value; }; };
  CHECK(has(LoadError("nllb", "config.json", set("model_type", "bart")), "m2m_100"));
  CHECK(has(LoadError("nllb", "config.json", set("d_model", 1 << 30)), "hidden units"));
  CHECK(has(LoadError("nllb", "config.json", set("d_model", 0)), "d_model"));
  CHECK(has(LoadError("nllb", "config.json", set("encoder_layers", 100000)), "encoder layers"));
  CHECK(has(LoadError("nllb", "config.json", set("encoder_layers", 3)), "is missing"));
  CHECK(has(LoadError("nllb", "config.json", set("vocab_size", 5000)), "has shape"));
  CHECK(has(LoadError("nllb", "config.json", set("activation_function", "mish")), "supported are"));
  CHECK(has(LoadError("nllb", "config.json", set("encoder_attention_heads", 0)), "attention heads"));
  CHECK(has(LoadError("marian", "config.json", set("normalize_embedding", true)), "normalize_embedding"));
  CHECK(has(LoadError("t5_relu", "config.json", set("relative_attention_num_buckets", 0)), "buckets"));
  CHECK(has(LoadError("t5_relu", "config.json", set("d_kv", -4)), "units of a head"));
  CHECK(has(LoadError("marian", "generation_config.json", set("bad_words_ids", "no")), "bad_words_ids"));
  CHECK(has(LoadError("marian", "generation_config.json", set("eos_token_id", 1 << 29)), "eos_token_id"));
  CHECK(has(LoadError("marian", "generation_config.json", set("num_beams", 1 << 29)), "num_beams"));
  CHECK(has(LoadError("marian", "vocab.json", set("x", 1 << 30)), "vocab.json"));
  CHECK(has(LoadError("marian", "vocab.json", [](json* v) { v->erase("</s>"); }), "</s>"));
  CHECK(has(LoadError("m2m100", "tokenizer_config.json", set("language_codes", "mars")), "wmt21"));
}

}  // namespace
}  // namespace toolformer::seq2seq_model_test
