#include "toolformer/dataset_merger.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/check.h"
#include "tests/paths.h"
#include "toolformer/call_syntax.h"
#include "toolformer/tokenizer.h"

namespace toolformer::dataset_merger_test {
namespace {

using testing::Fixture;

std::shared_ptr<const Tokenizer> LoadSmallTokenizer() {
  absl::StatusOr<std::shared_ptr<const Tokenizer>> tokenizer = LoadTokenizer(Fixture("models/llama_tied"));
  REQUIRE(tokenizer.ok());
  return *std::move(tokenizer);
}

AnnotatedDocument Annotated(const Tokenizer& tokenizer, const std::string& text) {
  AnnotatedDocument annotated;
  annotated.document.text = text;
  annotated.token_ids = tokenizer.Encode(text);
  annotated.augmented_text = text;
  annotated.augmented_ids = annotated.token_ids;
  return annotated;
}

// A call at a token, of the gain given; kept from 1.0 on.
void AddCall(const Tokenizer& tokenizer, const std::string& tool, int64_t position, double gain,
             AnnotatedDocument* annotated) {
  auto outcome = std::find_if(annotated->tools.begin(), annotated->tools.end(),
                              [&](const ToolOutcome& other) { return other.tool == tool; });
  if (outcome == annotated->tools.end()) {
    annotated->tools.emplace_back().tool = tool;
    outcome = annotated->tools.end() - 1;
  }
  JudgedCall& call = outcome->calls.emplace_back();
  call.position = position;
  for (int64_t i = 0; i < position; ++i) call.byte_offset += std::ssize(tokenizer.TokenBytes(annotated->token_ids[i]));
  call.call = {tool, std::to_string(position) + " + 1"};
  call.result = "r" + std::to_string(position);
  call.losses = CallLosses{5.0, 5.0, 5.0 - gain};
  call.verdict = gain >= 1.0 ? Verdict::kKept : Verdict::kBelowThreshold;
}

Dataset Merge(const Tokenizer& tokenizer, const std::vector<AnnotatedDocument>& texts, const DatasetOptions& options) {
  absl::StatusOr<DatasetMerger> merger = DatasetMerger::Create(tokenizer, options);
  REQUIRE(merger.ok());
  for (const AnnotatedDocument& text : texts) {
    const absl::Status added = merger->Add(text);
    REQUIRE_MESSAGE(added.ok(), std::string(added.message()));
  }
  absl::StatusOr<Dataset> dataset = merger->Merge();
  REQUIRE_MESSAGE(dataset.ok(), std::string(dataset.status().message()));
  return *std::move(dataset);
}

DatasetOptions NothingHeldOut() {
  DatasetOptions options;
  options.development = 0;
  return options;
}

std::string TextOf(const Tokenizer& tokenizer, const TrainingSequence& sequence) {
  return tokenizer.Decode(std::span(sequence.ids).subspan(1));
}

std::set<std::string> TextsOf(const Tokenizer& tokenizer, const std::vector<TrainingSequence>& sequences) {
  std::set<std::string> texts;
  for (const TrainingSequence& sequence : sequences) texts.insert(TextOf(tokenizer, sequence));
  return texts;
}

TEST_CASE("a sequence is the start token and the pieces of the decoder") {
  const auto tokenizer = LoadSmallTokenizer();
  AnnotatedDocument text = Annotated(*tokenizer, "one two three");
  AddCall(*tokenizer, "Sum", 4, 2.0, &text);
  AddCall(*tokenizer, "Sum", 6, 0.5, &text);
  const Dataset dataset = Merge(*tokenizer, {text}, NothingHeldOut());
  REQUIRE(dataset.training.size() == 1);
  const CallPieces pieces(*tokenizer);
  std::vector<int32_t> wanted = {tokenizer->start_id()};
  wanted.insert(wanted.end(), text.token_ids.begin(), text.token_ids.begin() + 4);
  const std::vector<int32_t> call = pieces.InText(4, {"Sum", "4 + 1"}, "r4");
  wanted.insert(wanted.end(), call.begin(), call.end());
  wanted.insert(wanted.end(), text.token_ids.begin() + 4, text.token_ids.end());
  CHECK(dataset.training[0].ids == wanted);
  CHECK(dataset.training[0].weights.empty());
  CHECK(dataset.counts.tools.at("Sum").texts == 1);
  CHECK(dataset.counts.tools.at("Sum").calls == 1);
  CHECK(dataset.counts.tools.at("Sum").texts_at == std::array<int64_t, 4>{1, 1, 1, 1});
}

TEST_CASE("results may be masked, calls left out, thresholds changed") {
  const auto tokenizer = LoadSmallTokenizer();
  AnnotatedDocument text = Annotated(*tokenizer, "one two three");
  AddCall(*tokenizer, "Sum", 4, 0.6, &text);
  AddCall(*tokenizer, "Sum", 0, 0.3, &text);
  DatasetOptions options = NothingHeldOut();
  options.tau_f["Sum"] = 0.5;
  options.mask_results = true;
  const TrainingSequence masked = Merge(*tokenizer, {text}, options).training.at(0);
  REQUIRE(masked.weights.size() == masked.ids.size() - 1);
  std::vector<int32_t> unlearned;
  for (size_t i = 0; i < masked.weights.size(); ++i) {
    if (masked.weights[i] == 0) unlearned.push_back(masked.ids[i + 1]);
  }
  CHECK(tokenizer->Decode(unlearned) == " r4");
  options.tau_f["Sum"] = 0.25;
  CHECK(TextOf(*tokenizer, Merge(*tokenizer, {text}, options).training.at(0)).find("[Sum(0 + 1) -> r0]") == 0);
  options.without_calls = true;
  const TrainingSequence plain = Merge(*tokenizer, {text}, options).training.at(0);
  CHECK(TextOf(*tokenizer, plain) == "one two three");
  CHECK(plain.weights.empty());
}

TEST_CASE("calls of several runs are joined, the better known gain counts") {
  const auto tokenizer = LoadSmallTokenizer();
  AnnotatedDocument first = Annotated(*tokenizer, "one two three"), second = first;
  AddCall(*tokenizer, "Sum", 4, 2.0, &first);
  AddCall(*tokenizer, "Clock", 4, 3.0, &second);
  AddCall(*tokenizer, "Sum", 4, 2.0, &second);
  AddCall(*tokenizer, "Sum", 2, 1.5, &second);
  const Dataset dataset = Merge(*tokenizer, {first, second}, NothingHeldOut());
  REQUIRE(dataset.training.size() == 1);
  const std::string text = TextOf(*tokenizer, dataset.training[0]);
  CHECK(text.find("[Clock(4 + 1) -> r4]") != std::string::npos);  // gains more than Sum at the same place
  CHECK(text.find("[Sum(4 + 1)") == std::string::npos);
  CHECK(text.find("[Sum(2 + 1) -> r2]") != std::string::npos);
  CHECK(dataset.counts.texts == 1);
}

std::vector<AnnotatedDocument> Many(const Tokenizer& tokenizer, int count) {
  std::vector<AnnotatedDocument> texts;
  for (int i = 0; i < count; ++i) {
    texts.push_back(Annotated(tokenizer, "text number " + std::to_string(i)));
    if (i % 2 == 0) AddCall(tokenizer, i % 4 == 0 ? "Sum" : "Clock", 3, 2.0, &texts.back());
  }
  return texts;
}

TEST_CASE("caps, originals and held-out texts are drawn by the seed alone") {
  const auto tokenizer = LoadSmallTokenizer();
  std::vector<AnnotatedDocument> texts = Many(*tokenizer, 400);
  DatasetOptions options;
  options.max_texts_per_tool = 60;
  options.originals = 0.5;
  options.development = 0.2;
  const Dataset dataset = Merge(*tokenizer, texts, options);
  CHECK(dataset.counts.texts == 400);
  CHECK(dataset.counts.texts_with_calls == 200);
  CHECK(dataset.counts.dropped == 80);
  CHECK(dataset.counts.tools.at("Sum").texts == 60);
  CHECK(dataset.counts.tools.at("Clock").texts == 60);
  CHECK(dataset.counts.originals == 60);
  CHECK(dataset.training.size() + dataset.development.size() == 180);
  CHECK(dataset.development.size() > 18);
  CHECK(dataset.development.size() < 60);
  std::reverse(texts.begin(), texts.end());
  const Dataset reversed = Merge(*tokenizer, texts, options);
  CHECK(TextsOf(*tokenizer, reversed.training) == TextsOf(*tokenizer, dataset.training));
  CHECK(reversed.training[0].ids == dataset.training[0].ids);
  options.seed = 1;
  CHECK(TextsOf(*tokenizer, Merge(*tokenizer, texts, options).training) != TextsOf(*tokenizer, dataset.training));
}

TEST_CASE("what cannot be is refused and changes nothing") {
  const auto tokenizer = LoadSmallTokenizer();
  absl::StatusOr<DatasetMerger> merger = DatasetMerger::Create(*tokenizer, NothingHeldOut());
  AnnotatedDocument text = Annotated(*tokenizer, "one two three");
  CHECK(merger->Add(text).ok());
  const absl::Status none = merger->Merge().status();
  CHECK(absl::IsFailedPrecondition(none));
  CHECK(std::string(none.message()).find("0 of 0 calls in 1 texts") != std::string::npos);

  const auto refused = [&](const auto& spoil) {
    AnnotatedDocument spoiled = Annotated(*tokenizer, "one two three");
    AddCall(*tokenizer, "Sum", 4, 2.0, &spoiled);
    AddCall(*tokenizer, "Sum", 6, 2.0, &spoiled);
    spoil(&spoiled);
    const absl::Status added = merger->Add(spoiled);
    CHECK(absl::IsInvalidArgument(added));
    CHECK(!merger->Merge().ok());  // still nothing kept
  };
  refused([](AnnotatedDocument* d) { d->token_ids[0] += 1; });
  refused([](AnnotatedDocument* d) { d->tools[0].calls[0].position = 1000; });
  refused([](AnnotatedDocument* d) { d->tools[0].calls[0].position = -1; });
  refused([](AnnotatedDocument* d) { d->tools[0].calls[0].byte_offset = 1000; });
  refused([](AnnotatedDocument* d) { d->tools[0].calls[1].byte_offset = 0; });
  refused([](AnnotatedDocument* d) { d->tools[0].calls[0].result.reset(); });
  refused([](AnnotatedDocument* d) { d->tools[0].calls[0].losses.reset(); });

  DatasetOptions options;
  options.development = 1.5;
  CHECK(!DatasetMerger::Create(*tokenizer, options).ok());
  options = {};
  options.max_texts_per_tool = 0;
  CHECK(!DatasetMerger::Create(*tokenizer, options).ok());
}

}  // namespace
}  // namespace toolformer::dataset_merger_test
