// The ways in which work is shared, each against the same without it.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "src/base/random.h"
#include "tests/check.h"
#include "tests/paths.h"
#include "tests/toy_model.h"
#include "toolformer/annotation_report.h"
#include "toolformer/annotator.h"

namespace toolformer::batch_test {
namespace {

using testing::ToyModel;
using testing::ToyTokenizer;

// " t" joins the end of a prompt's head with the start of some texts.
const std::vector<std::string> kMerged = {" [", ")]", " ->", " t"};

// Noise that depends on the whole sequence, in which openings and the ends of calls are likely.
std::vector<float> Noise(const std::vector<int32_t>& sequence) {
  static const ToyTokenizer tokenizer(kMerged);
  uint64_t hash = 1;
  for (const int32_t id : sequence) hash = CombineSeeds({hash, static_cast<uint64_t>(id)});
  RandomStream random(hash);
  std::vector<float> logits(tokenizer.vocab_size());
  for (float& logit : logits) logit = static_cast<float>(3.0 * random.Uniform());
  logits[tokenizer.Encode(" [")[0]] += static_cast<float>(6.0 * random.Uniform());
  for (const char* piece : {")]", ")", "]", "1", "2", "7"}) {
    logits[tokenizer.Encode(piece)[0]] += static_cast<float>(5.0 * random.Uniform());
  }
  return logits;
}

struct Toy {
  ToyModel model{kMerged, Noise};
  ToolRegistry registry;

  Toy() {
    Tool sum;
    sum.name = "Sum";
    sum.instruction = "Add calls.";
    sum.examples = {{"One and one.", "One and one [Sum(1 1) -> 2]."}};
    sum.input_characters = "1234567 ";
    sum.parameters = {0.01, 6, 5, 0.2};
    sum.free_of_side_effects = true;
    sum.call = [](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
      if (input.find('7') != std::string_view::npos) return absl::InvalidArgumentError("seven");
      return std::to_string(input.size());
    };
    Tool today;
    today.name = "Today";
    today.instruction = "Add dates.";
    today.takes_input = false;
    today.returns_at_once = true;
    today.free_of_side_effects = true;
    today.parameters = {0.01, 3, 2, 1.0};
    today.call = [](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> { return "Monday"; };
    today.accepts = [](const Document& document, uint64_t) { return document.text.size() % 3 != 0; };
    REQUIRE(registry.Register(std::move(sum)).ok());
    REQUIRE(registry.Register(std::move(today)).ok());
  }
};

std::vector<Document> Documents() {
  std::vector<Document> documents;
  RandomStream random(3);
  for (int i = 0; i < 12; ++i) {
    Document& document = documents.emplace_back();
    document.id = std::to_string(i);
    const auto length = 1 + random.Next() % 40;
    for (uint64_t c = 0; c < length; ++c) document.text += "tab c4d"[random.Next() % 7];
  }
  documents[4].text = "";
  documents[6].text = "see [Sum(1 1) -> 2]";
  documents[8] = documents[2];
  return documents;
}

std::unique_ptr<Annotator> MakeAnnotator(const Toy& toy, const AnnotatorOptions& options) {
  auto annotator = Annotator::Create(toy.model, toy.registry, options);
  REQUIRE_MESSAGE(annotator.ok(), std::string(annotator.status().message()));
  return *std::move(annotator);
}

std::string OneByOne(const Toy& toy, const AnnotatorOptions& options) {
  const auto annotator = MakeAnnotator(toy, options);
  std::string lines;
  for (const Document& document : Documents()) {
    const auto annotated = annotator->Annotate(document, {});
    REQUIRE_MESSAGE(annotated.ok(), std::string(annotated.status().message()));
    lines += FormatAnnotation(*annotated) + "\n";
  }
  return lines;
}

std::vector<AnnotatedDocument> Together(const Toy& toy, const AnnotatorOptions& options) {
  auto annotated = MakeAnnotator(toy, options)->AnnotateBatch(Documents(), {});
  REQUIRE_MESSAGE(annotated.ok(), std::string(annotated.status().message()));
  return *std::move(annotated);
}

std::string Lines(const std::vector<AnnotatedDocument>& batch) {
  std::string lines;
  for (const AnnotatedDocument& annotated : batch) lines += FormatAnnotation(annotated) + "\n";
  return lines;
}

// Everything shared as little as can be.
AnnotatorOptions NothingShared() {
  AnnotatorOptions options;
  options.sampler.max_batch_rows = 1;
  options.sampler.max_open_texts = 1;
  options.sampler.max_kept_prompts = 0;
  options.sampler.share_equal_rows = false;
  options.sampler.project_allowed_only = false;
  options.filter.max_batch_tokens = 1;
  options.executor.max_cached_results = 0;
  return options;
}

TEST_CASE("texts together come out as each does alone with nothing shared") {
  const Toy toy;
  const std::string alone = OneByOne(toy, NothingShared());
  const std::vector<AnnotatedDocument> together = Together(toy, {});
  CHECK(Lines(together) == alone);
  CHECK(OneByOne(toy, {}) == alone);
  CHECK(Lines(Together(toy, NothingShared())) == alone);
  // The texts are worth the comparison.
  const AnnotationCounts counts = CountAnnotations(together);
  const ToolCounts& sum = counts.tools.at("Sum");
  CHECK(sum.positions > 40);
  CHECK(sum.sampling.candidates > 40);
  CHECK(sum.sampling.duplicates > 10);
  CHECK(sum.sampling.not_closed + sum.sampling.not_a_call > 0);
  CHECK(sum.verdicts.at(Verdict::kToolError) > 0);
  CHECK(sum.verdicts.at(Verdict::kKept) > 3);
  CHECK(sum.gains.size() > 10);
  CHECK(sum.gain_bounds.size() > 10);
  CHECK(counts.skipped.at(Skip::kEmpty) == 1);
  CHECK(counts.skipped.at(Skip::kContainsCalls) == 1);
}

TEST_CASE("every way of sharing is exact, and so is every bound on memory") {
  const Toy toy;
  const std::string expected = OneByOne(toy, NothingShared());
  const auto with = [&](const auto& change) {
    AnnotatorOptions options;
    change(&options);
    return Lines(Together(toy, options)) == expected;
  };
  for (const int64_t rows : {1, 2, 7, 1000}) {
    CAPTURE(rows);
    CHECK(with([&](AnnotatorOptions* o) { o->sampler.max_batch_rows = rows; }));
  }
  CHECK(with([](AnnotatorOptions* o) { o->sampler.share_equal_rows = false; }));
  CHECK(with([](AnnotatorOptions* o) { o->sampler.project_allowed_only = false; }));
  CHECK(with([](AnnotatorOptions* o) { o->sampler.max_kept_prompts = 0; }));
  CHECK(with([](AnnotatorOptions* o) { o->sampler.max_kept_prompts = 1; }));
  CHECK(with([](AnnotatorOptions* o) { o->sampler.max_open_texts = 1; }));
  CHECK(with([](AnnotatorOptions* o) { o->sampler.max_open_tokens = 1; }));
  CHECK(with([](AnnotatorOptions* o) { o->sampler.max_open_tokens = 100; }));
  CHECK(with([](AnnotatorOptions* o) { o->sampler.max_read_tokens = 3; }));
  CHECK(with([](AnnotatorOptions* o) { o->sampler.max_logits_bytes = 5000; }));
  CHECK(with([](AnnotatorOptions* o) { o->filter.max_batch_tokens = 1; }));
  CHECK(with([](AnnotatorOptions* o) { o->filter.max_logits_bytes = 1; }));
  CHECK(with([](AnnotatorOptions* o) { o->filter.max_logits_bytes = 5000; }));
  CHECK(with([](AnnotatorOptions* o) { o->executor.max_cached_results = 0; }));
}

TEST_CASE("free sampling, too, is the same together and alone") {
  const Toy toy;
  AnnotatorOptions options, alone = NothingShared();
  options.sampler.constrain_syntax = alone.sampler.constrain_syntax = false;
  options.sampler.max_call_tokens = alone.sampler.max_call_tokens = 12;
  const std::vector<AnnotatedDocument> together = Together(toy, options);
  CHECK(Lines(together) == OneByOne(toy, alone));
  CHECK(CountAnnotations(together).tools.at("Today").sampling.not_a_call > 0);
}

TEST_CASE("bounds of gains change no verdict and no count; exact gains are to be had") {
  const Toy toy;
  AnnotatorOptions options;
  options.exact_gains = true;
  const std::vector<AnnotatedDocument> exact = Together(toy, options), bounded = Together(toy, {});
  size_t bounds = 0;
  REQUIRE(exact.size() == bounded.size());
  for (size_t d = 0; d < exact.size(); ++d) {
    CHECK(exact[d].augmented_ids == bounded[d].augmented_ids);
    for (size_t t = 0; t < exact[d].tools.size(); ++t) {
      for (size_t c = 0; c < exact[d].tools[t].calls.size(); ++c) {
        const JudgedCall &a = exact[d].tools[t].calls[c], &b = bounded[d].tools[t].calls[c];
        CHECK(a.verdict == b.verdict);
        if (!a.losses) continue;
        CHECK_FALSE(a.losses->gain_is_bound());
        if (b.losses->gain_is_bound()) {
          ++bounds;
          CHECK(a.losses->gain() <= b.losses->gain());
          CHECK(b.losses->gain() < 0.25);
        } else {
          CHECK(a.losses->gain() == b.losses->gain());
        }
      }
    }
  }
  CHECK(bounds > 10);
  const AnnotationCounts a = CountAnnotations(exact), b = CountAnnotations(bounded);
  for (const auto& [tool, counts] : a.tools) {
    const ToolCounts& others = b.tools.at(tool);
    const bool same_verdicts = counts.verdicts == others.verdicts;
    CHECK(same_verdicts);
    CHECK(counts.yields.size() == others.yields.size());
    for (const auto& [source, yield] : counts.yields) CHECK(yield.at == others.yields.at(source).at);
  }
}

TEST_CASE("a text that turns out too long leaves the others alone") {
  Toy toy;
  const std::vector<AnnotatedDocument> roomy = Together(toy, {});
  // From "no text fits" to "only some result does not".
  int64_t skipped_before = std::ssize(roomy);
  std::set<int64_t> numbers;
  for (int64_t context = 70; context < 240; context += 2) {
    CAPTURE(context);
    toy.model.context = context;
    const std::vector<AnnotatedDocument> narrow = Together(toy, {});
    CHECK(Lines(narrow) == OneByOne(toy, NothingShared()));
    int64_t skipped = 0;
    for (size_t d = 0; d < narrow.size(); ++d) {
      if (narrow[d].skip == Skip::kTooLong) {
        ++skipped;
        CHECK(narrow[d].tools.empty());
      } else {
        CHECK(FormatAnnotation(narrow[d]) == FormatAnnotation(roomy[d]));
      }
    }
    CHECK(skipped <= skipped_before);
    skipped_before = skipped;
    numbers.insert(skipped);
  }
  CHECK(skipped_before == 0);
  CHECK(numbers.size() > 4);
}

// Counts the caches there are, and what stands in a batch.
class WatchedModel : public ToyModel {
 public:
  WatchedModel() : ToyModel(kMerged, Noise) {}

  std::unique_ptr<KvCache> NewCache() const override { return std::make_unique<Cache>(this); }
  absl::StatusOr<at::Tensor> Forward(std::span<const ForwardRow> rows) const override {
    int64_t batch_tokens = 0, wanted = 0;
    for (const ForwardRow& row : rows) {
      batch_tokens += std::ssize(row.ids);
      wanted += std::ssize(row.wanted);
    }
    most_rows = std::max(most_rows, std::ssize(rows));
    most_tokens = std::max(most_tokens, batch_tokens);
    most_wanted = std::max(most_wanted, wanted);
    return ToyModel::Forward(rows);
  }

  mutable int64_t caches = 0, most_caches = 0;
  mutable int64_t most_rows = 0, most_tokens = 0, most_wanted = 0;

 private:
  class Cache : public testing::ToyCache {
   public:
    explicit Cache(const WatchedModel* model) : model_(model) { Count(); }
    Cache(const Cache& other) : ToyCache(other), model_(other.model_) { Count(); }
    ~Cache() override { --model_->caches; }
    std::unique_ptr<KvCache> Fork() override { return std::make_unique<Cache>(*this); }

   private:
    void Count() const { model_->most_caches = std::max(model_->most_caches, ++model_->caches); }
    const WatchedModel* model_;
  };
};

TEST_CASE("rows, tokens, logits and open texts stay within their bounds") {
  const Toy toy;
  const Tool& tool = *toy.registry.Find("Sum");
  const std::vector<Document> documents = Documents();
  std::vector<std::vector<int32_t>> ids;
  for (const Document& document : documents) ids.push_back(toy.model.tokenizer().Encode(document.text));
  std::vector<SamplingText> texts;
  for (size_t d = 0; d < documents.size(); ++d) texts.push_back({documents[d].text, ids[d], d});
  AnnotationParameters parameters = {0.01, 6, 4, 0.0};
  const auto watch = [&](const CallSamplerOptions& options, WatchedModel* model) {
    const CallSampler sampler(*model, options);
    REQUIRE(sampler.Sample(tool, parameters, texts, {}).ok());
    CHECK(model->caches == (options.max_kept_prompts > 0 ? 1 : 0));
  };
  CallSamplerOptions options;
  options.max_kept_prompts = 0;
  options.max_batch_rows = 9;
  options.max_read_tokens = 30;
  WatchedModel few_at_once, little_at_once;
  watch(options, &few_at_once);
  CHECK(few_at_once.most_rows == 9);
  CHECK(few_at_once.most_tokens <= 30);
  CHECK(few_at_once.most_tokens > 15);
  options.max_read_tokens = 100000;
  options.max_logits_bytes = 12 * 4 * toy.model.vocab_size();
  watch(options, &little_at_once);
  CHECK(little_at_once.most_wanted == 12);
  CHECK(little_at_once.most_tokens > 30);
  parameters.m = 20;
  options = {};
  WatchedModel free, one_text, few_tokens;
  watch(options, &free);
  options.max_batch_rows = 1000;
  options.share_equal_rows = false;
  options.max_open_texts = 1;
  watch(options, &one_text);
  // The prompt, the text, and a row for each of its 6 times 20 samples.
  CHECK(one_text.most_caches <= 2 + 6 * 20);
  options.max_open_texts = 1000;
  options.max_open_tokens = 1;
  watch(options, &few_tokens);
  CHECK(few_tokens.most_caches <= 3 + 6 * 20);  // and the text that waits
  options.max_open_tokens = 100000;
  WatchedModel everything;
  watch(options, &everything);
  CHECK(everything.most_caches > 3 + 6 * 20);
}

TEST_CASE("the work shrinks by what is shared") {
  const Toy toy;
  const auto tokens = [&](const AnnotatorOptions& options) {
    toy.model.tokens = 0;
    toy.model.forwards = 0;
    Together(toy, options);
    return toy.model.tokens.load();
  };
  const int64_t shared = tokens({});
  const int64_t batches = toy.model.forwards;
  AnnotatorOptions options;
  options.sampler.max_kept_prompts = 0;
  // The prompts are read once, not with each of the ten texts.
  const int64_t head = std::ssize(toy.model.tokenizer().Encode(SamplingPromptHead(*toy.registry.Find("Sum"))));
  CHECK(tokens(options) - shared > 8 * head);
  options = {};
  options.sampler.share_equal_rows = false;
  CHECK(tokens(options) > shared);
  options = {};
  options.exact_gains = true;
  CHECK(tokens(options) > shared);
  toy.model.forwards = 0;
  OneByOne(toy, {});
  CHECK(toy.model.forwards > 3 * batches);
}

TEST_CASE("prompts that are kept are bounded in number, and concurrent calls share them") {
  const Toy toy;
  const CallSampler sampler(toy.model, {});
  const std::vector<int32_t> x = toy.model.tokenizer().Encode("tab cd tab");
  const Tool& tool = *toy.registry.Find("Sum");
  REQUIRE(sampler.OpeningProbabilities(tool, "tab cd tab", x).ok());
  const int64_t first = toy.model.tokens;
  REQUIRE(sampler.OpeningProbabilities(tool, "tab cd tab", x).ok());
  const int64_t again = toy.model.tokens - first;
  CHECK(again < first / 2);
  for (int i = 0; i < 4; ++i) {
    Tool other = tool;
    other.instruction += std::to_string(i);
    REQUIRE(sampler.OpeningProbabilities(other, "tab cd tab", x).ok());
  }
  const int64_t before = toy.model.tokens;
  REQUIRE(sampler.OpeningProbabilities(tool, "tab cd tab", x).ok());
  CHECK(toy.model.tokens - before == first);  // it had given way

  const std::string expected = Lines(Together(toy, {}));
  const auto annotator = MakeAnnotator(toy, {});
  std::array<std::string, 4> lines;
  std::vector<std::thread> threads;
  for (std::string& mine : lines) {
    threads.emplace_back([&] {
      const auto annotated = annotator->AnnotateBatch(Documents(), {});
      if (annotated.ok()) mine = Lines(*annotated);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& each : lines) CHECK(each == expected);
}

TEST_CASE("cancelling a batch") {
  const Toy toy;
  CancelToken cancel;
  cancel.Cancel();
  CHECK(absl::IsCancelled(MakeAnnotator(toy, {})->AnnotateBatch(Documents(), {&cancel}).status()));
  CHECK(MakeAnnotator(toy, {})->AnnotateBatch({}, {})->empty());
}

// A real transformer gives a row the same numbers to the last bit whatever else is in the batch.
TEST_CASE("a small Llama annotates texts together as alone") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("model");
  std::filesystem::copy(testing::Fixture("models/llama_gqa"), path);
  nlohmann::json config = nlohmann::json::parse(std::ifstream(path + "/config.json"));
  config["max_position_embeddings"] = 4096;
  std::ofstream(path + "/config.json") << config;
  const auto model = Model::Load(path, {});
  REQUIRE_MESSAGE(model.ok(), std::string(model.status().message()));
  ToolRegistry registry;
  REQUIRE(registry.Register(MakeCalculator()).ok());
  std::vector<Document> documents;
  for (int i = 0; i < 7; ++i) {
    documents.emplace_back().text =
        fmt::format("No. {} sold {} + {} = {} rolls of 1{}5 today, which is 30% more than in 1987.", i, i + 3, i,
                    2 * i + 3, std::string(i, '0'));
  }
  AnnotatorOptions options;
  options.parameters["Calculator"] = {0.0, 6, 5, 0.001};
  options.sampler.max_call_tokens = 12;
  const auto annotate = [&](const AnnotatorOptions& these, size_t group) {
    const auto annotator = Annotator::Create(**model, registry, these);
    REQUIRE(annotator.ok());
    std::string lines;
    for (size_t first = 0; first < documents.size(); first += group) {
      const auto batch =
          (*annotator)
              ->AnnotateBatch(std::span(documents).subspan(first, std::min(group, documents.size() - first)), {});
      REQUIRE_MESSAGE(batch.ok(), std::string(batch.status().message()));
      lines += Lines(*batch);
    }
    return lines;
  };
  const std::string expected = annotate(options, 7);
  CHECK(annotate(options, 1) == expected);
  CHECK(annotate(options, 3) == expected);
  options.sampler.max_batch_rows = 5;
  options.filter.max_batch_tokens = 100;
  CHECK(annotate(options, 7) == expected);
}

}  // namespace
}  // namespace toolformer::batch_test
