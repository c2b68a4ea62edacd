// Several prompts continued as one batch.
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "tests/check.h"
#include "tests/paths.h"
#include "tests/toy_model.h"
#include "toolformer/augmenting_decoder.h"

namespace toolformer::batch_test {
namespace {

using testing::Fixture;
using testing::Peak;
using testing::ToyModel;
using testing::ToyTokenizer;

const std::vector<std::string> kMerged = {" [", " ->", ")->", ")]", "->"};

// Writes whichever of the scripts the sequence is the start of; ends where it is of none.
ToyModel Scripted(const std::vector<std::string>& scripts) {
  return ToyModel(kMerged, [=](const std::vector<int32_t>& sequence) {
    static const ToyTokenizer tokenizer(kMerged);
    const std::string text = tokenizer.Decode(sequence);
    for (const std::string& script : scripts) {
      if (!script.starts_with(text) || text.size() == script.size()) continue;
      return Peak(tokenizer.vocab_size(), tokenizer.Encode(std::string_view(script).substr(text.size()))[0], -1);
    }
    return Peak(tokenizer.vocab_size(), ToyTokenizer::kEnd, -1);
  });
}

const std::vector<std::string> kScripts = {
    "a: nothing to call here.",    "b: one [Slow(1) -> s1] and then",    "c: [Fast(2) -> f2] [Slow(3) -> s3] chained",
    "d: broken [Slow(4 and so on", "e: [Slow(5) -> s5] [Slow(6) -> s6]", "f: [Nobody(7) ->] goes on",
};

struct Host {
  ToolRegistry registry;
  ToolExecutor executor{registry};
  std::atomic<int> running{0}, most_running{0};

  Host() {
    REQUIRE(registry.Register(Make("Slow", "s", false)).ok());
    REQUIRE(registry.Register(Make("Fast", "f", true)).ok());
  }
  Tool Make(const std::string& name, const std::string& prefix, bool returns_at_once) {
    Tool tool;
    tool.name = name;
    tool.instruction = "Calls help.";
    tool.returns_at_once = returns_at_once;
    tool.cacheable = false;
    tool.call = [this, prefix, returns_at_once](std::string_view input,
                                                const ToolContext&) -> absl::StatusOr<std::string> {
      const int now = ++running;
      int most = most_running;
      while (now > most && !most_running.compare_exchange_weak(most, now)) {
      }
      if (!returns_at_once) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      --running;
      return prefix + std::string(input);
    };
    return tool;
  }
};

DecodeOptions Options() {
  DecodeOptions options;
  options.max_calls = 4;
  options.opening_top_k = 1;
  return options;
}

std::vector<std::string> Prompts() {
  std::vector<std::string> prompts;
  for (const std::string& script : kScripts) prompts.push_back(script.substr(0, 2));
  return prompts;
}

void CheckEqual(const Decoded& a, const Decoded& b) {
  CHECK(a.text == b.text);
  CHECK(a.plain_text == b.plain_text);
  CHECK(a.tokens == b.tokens);
  CHECK(a.stop_reason == b.stop_reason);
  REQUIRE(a.calls.size() == b.calls.size());
  for (size_t i = 0; i < a.calls.size(); ++i) {
    CHECK(a.calls[i].call == b.calls[i].call);
    CHECK(a.calls[i].result == b.calls[i].result);
    CHECK(a.calls[i].error == b.calls[i].error);
    CHECK(a.calls[i].byte_offset == b.calls[i].byte_offset);
  }
}

TEST_CASE("each prompt comes out as if it were alone, however many run at once") {
  Host host;
  const ToyModel model = Scripted(kScripts);
  const AugmentingDecoder decoder(model, host.registry, host.executor);
  const std::vector<std::string> prompts = Prompts();
  for (const int64_t rows : {1, 2, 32}) {
    for (const int64_t tokens : {1, 2048}) {
      CAPTURE(rows);
      CAPTURE(tokens);
      DecodeOptions options = Options();
      options.max_batch_rows = rows;
      options.max_read_tokens = tokens;
      const auto together = decoder.DecodeBatch(prompts, options);
      REQUIRE(together.ok());
      REQUIRE(together->size() == prompts.size());
      for (size_t i = 0; i < prompts.size(); ++i) {
        CAPTURE(i);
        const absl::StatusOr<Decoded> alone = decoder.Decode(prompts[i], options);
        REQUIRE(alone.ok());
        REQUIRE((*together)[i].ok());
        CheckEqual(*(*together)[i], *alone);
      }
      CHECK((*together)[2]->calls.size() == 2);
      CHECK((*together)[4]->calls.size() == 2);
      CHECK((*together)[5]->calls[0].error.find("Nobody") != std::string::npos);
    }
  }
}

TEST_CASE("tools that take their time run at once, and the others go on meanwhile") {
  Host host;
  const ToyModel model = Scripted(kScripts);
  const std::vector<std::string> prompts(8, "b:");
  const auto decoded = AugmentingDecoder(model, host.registry, host.executor).DecodeBatch(prompts, Options());
  REQUIRE(decoded.ok());
  CHECK(host.most_running > 1);
  for (const auto& one : *decoded) CHECK(one->calls.size() == 1);
}

TEST_CASE("events say which prompt they are of") {
  Host host;
  const ToyModel model = Scripted(kScripts);
  std::map<size_t, std::string> texts;
  DecodeOptions options = Options();
  options.on_event = [&](const DecodeEvent& event) {
    if (event.kind == DecodeEventKind::kText) texts[event.row] += event.text;
  };
  const auto decoded = AugmentingDecoder(model, host.registry, host.executor).DecodeBatch(Prompts(), options);
  REQUIRE(decoded.ok());
  for (size_t i = 0; i < decoded->size(); ++i) CHECK(texts[i] == (*decoded)[i]->plain_text);
}

TEST_CASE("a prompt that is too long fails alone") {
  Host host;
  const ToyModel model = Scripted(kScripts);
  std::vector<std::string> prompts = Prompts();
  prompts[1] = std::string(static_cast<size_t>(model.context_length()) + 10, 'x');
  const auto decoded = AugmentingDecoder(model, host.registry, host.executor).DecodeBatch(prompts, Options());
  REQUIRE(decoded.ok());
  CHECK(absl::IsOutOfRange((*decoded)[1].status()));
  CHECK((*decoded)[0].ok());
  CHECK((*decoded)[2].ok());
}

TEST_CASE("cancelling ends the whole batch, tools that wait included") {
  Host host;
  const ToyModel model = Scripted(kScripts);
  CancelToken cancel;
  DecodeOptions options = Options();
  options.interrupt.cancel = &cancel;
  options.on_event = [&](const DecodeEvent& event) {
    if (event.kind == DecodeEventKind::kCall) cancel.Cancel();
  };
  const auto decoded = AugmentingDecoder(model, host.registry, host.executor).DecodeBatch(Prompts(), options);
  CHECK(absl::IsCancelled(decoded.status()));
}

TEST_CASE("nothing to continue") {
  Host host;
  const ToyModel model = Scripted(kScripts);
  const auto decoded = AugmentingDecoder(model, host.registry, host.executor).DecodeBatch({}, Options());
  REQUIRE(decoded.ok());
  CHECK(decoded->empty());
}

TEST_CASE("a real model writes the same alone and in a batch") {
  const absl::StatusOr<std::unique_ptr<Model>> model = Model::Load(Fixture("models/llama_gqa"), {});
  REQUIRE(model.ok());
  Host host;
  const AugmentingDecoder decoder(**model, host.registry, host.executor);
  DecodeOptions options;
  options.max_new_tokens = 30;
  options.opening_top_k = 40;  // openings are tried, and taken back
  const std::vector<std::string> prompts = {"one", "two and a half", "", "At 7:45 the caf", "0 1 2 3 4 5"};
  const auto together = decoder.DecodeBatch(prompts, options);
  REQUIRE(together.ok());
  for (size_t i = 0; i < prompts.size(); ++i) {
    CAPTURE(i);
    const absl::StatusOr<Decoded> alone = decoder.Decode(prompts[i], options);
    REQUIRE(alone.ok());
    CheckEqual(*(*together)[i], *alone);
  }
}

}  // namespace
}  // namespace toolformer::batch_test
