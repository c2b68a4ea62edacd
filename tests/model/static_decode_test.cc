// Decoding in fixed shapes gives what the ordinary path gives, whatever happens to the rows between two steps.
#include "src/model/static_decode.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/max.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/twins.h"

namespace toolformer::static_decode_test {
namespace {

using testing::Forward;
using testing::MakeTransformer;
using testing::RunAtRandom;
using testing::Twins;

constexpr double kTolerance = 1e-4;
constexpr double kBFloat16Tolerance = 2e-2;

struct Recorder {
  int64_t recorded = 0, replayed = 0;

  // As RunAgain, counting.
  CaptureStep Capture() {
    return [this](const std::function<void()>& step) {
      ++recorded;
      return RunAgain([this, step] {
        ++replayed;
        step();
      });
    };
  }
};

std::unique_ptr<Transformer> Ordinary(const std::string& name, at::ScalarType type = at::kFloat) {
  return MakeTransformer(name, type, [](const TransformerSpec& spec, TransformerWeights weights) {
    return MakeTensorRunner(spec, std::move(weights), at::kCPU, std::nullopt);
  });
}

std::unique_ptr<Transformer> Static(const std::string& name, const StaticDecodeSettings& settings,
                                    at::ScalarType type = at::kFloat) {
  return MakeTransformer(name, type, [&](const TransformerSpec& spec, TransformerWeights weights) {
    return MakeTensorRunner(spec, std::move(weights), at::kCPU, settings);
  });
}

TEST_CASE("static decoding of every kind of model equals the ordinary path") {
  struct Case {
    const char* name;
    int64_t longest;
  };
  for (const auto& [name, longest] :
       {Case{"llama_gqa", 200},  {"llama_yarn", 120},     {"llama_tied", 120},       {"gemma3_small", 120},
        {"gemma3_pattern", 120}, {"gemma2_capped", 120},  {"gpt2_small", 120},       {"gpt2_options", 56},
        {"gpt_neo_mixed", 56},   {"gpt_neox_serial", 56}, {"gpt_neox_parallel", 56}, {"gptj_partial", 56},
        {"bloom_odd_heads", 96}, {"bloom_plain", 96},     {"mistral_window", 120},   {"olmo2_grouped", 120},
        {"opt_plain", 72},       {"opt_projected", 72},   {"phi3_window", 120},      {"qwen2_windows", 120},
        {"qwen3_biases", 120},   {"qwen3_plain", 120},    {"smollm3_nope", 120}}) {
    CAPTURE(name);
    Recorder recorder;
    StaticDecodeSettings settings;
    settings.capture = recorder.Capture();
    const std::unique_ptr<Transformer> ordinary = Ordinary(name), fixed = Static(name, settings);
    const int steps = RunAtRandom({*ordinary, *fixed, kTolerance}, 1, longest);
    // Every step of one token a row, and appending single tokens besides; of few shapes.
    CHECK(recorder.replayed >= steps - 2);
    CHECK(recorder.recorded > 0);
    CHECK(recorder.recorded < recorder.replayed);
  }
}

TEST_CASE("static decoding in bfloat16 equals the ordinary path but for rounding") {
  for (const std::string name : {"llama_llama3", "gemma3_pattern", "gpt2_hub", "qwen3_plain", "bloom_plain"}) {
    CAPTURE(name);
    Recorder recorder;
    StaticDecodeSettings settings;
    settings.capture = recorder.Capture();
    const std::unique_ptr<Transformer> ordinary = Ordinary(name, at::kBFloat16),
                                       fixed = Static(name, settings, at::kBFloat16);
    RunAtRandom({*ordinary, *fixed, kBFloat16Tolerance}, 2, 56);
    CHECK(recorder.replayed > 0);
  }
}

// Little memory: steps that do not fit take the ordinary path, and later ones come back.
TEST_CASE("what does not fit falls back, and comes back") {
  const std::unique_ptr<Transformer> ordinary = Ordinary("llama_gqa");
  struct Case {
    const char* what;
    StaticDecodeSettings settings;
  };
  StaticDecodeSettings few_slots, short_slots, short_prefixes, few_rows, few_graphs;
  few_slots.slots = 8;
  short_slots.slot_tokens = 32;  // tails become shared segments all the time
  short_prefixes.prefix_tokens = 128;
  few_rows.rows = 4;
  few_graphs.graphs = 1;
  for (const auto& [what, settings] : {Case{"few slots", few_slots},
                                       {"short slots", short_slots},
                                       {"short prefixes", short_prefixes},
                                       {"few rows", few_rows},
                                       {"few graphs", few_graphs}}) {
    const std::string limit = what;
    CAPTURE(limit);
    Recorder recorder;
    StaticDecodeSettings counted = settings;
    counted.capture = recorder.Capture();
    const std::unique_ptr<Transformer> fixed = Static("llama_gqa", counted);
    const int steps = RunAtRandom({*ordinary, *fixed, kTolerance}, 3, 200);
    CHECK(recorder.replayed > 0);
    if (limit == "few slots" || limit == "few rows" || limit == "short prefixes") CHECK(recorder.replayed < steps);
    if (limit == "few graphs") CHECK(recorder.recorded > 8);
  }
}

TEST_CASE("rows that found no slot get one when others leave") {
  Recorder recorder;
  StaticDecodeSettings settings;
  settings.slots = 3;  // two that rows can have
  settings.capture = recorder.Capture();
  const std::unique_ptr<Transformer> ordinary = Ordinary("llama_gqa"), fixed = Static("llama_gqa", settings);
  const Twins twins{*ordinary, *fixed, kTolerance};
  std::vector<Twins::Row> rows;
  for (int32_t r = 0; r < 3; ++r) {
    rows.push_back(twins.New());
    twins.Append({&rows.back()}, {std::vector<int32_t>(r == 2 ? 50 : 5, r)});
  }
  for (int i = 0; i < 3; ++i) twins.Step({&rows[0], &rows[1], &rows[2]});
  CHECK(recorder.replayed == 0);
  twins.Step({&rows[0], &rows[1]});
  CHECK(recorder.replayed == 1);
  rows.erase(rows.begin());
  for (int i = 0; i < 3; ++i) twins.Step({&rows[0], &rows[1]});
  CHECK(recorder.replayed == 4);
  // A fork copies the short tail; the row that it came from keeps its slot.
  const Twins::Row fork = Twins::Fork(rows[0]);
  twins.Step({&rows[0], &rows[1]});
  CHECK(recorder.replayed == 5);
}

TEST_CASE("a long sequence grows through all buckets") {
  Recorder recorder;
  StaticDecodeSettings settings;
  settings.slot_tokens = 32;
  settings.capture = recorder.Capture();
  const std::unique_ptr<Transformer> ordinary = Ordinary("llama_gqa"), fixed = Static("llama_gqa", settings);
  const Twins twins{*ordinary, *fixed, kTolerance};
  Twins::Row row = twins.New();
  twins.Append({&row}, {{1, 2, 3}});
  for (int i = 0; i < 240; ++i) twins.Step({&row});
  CHECK(recorder.replayed == 240);
  CHECK(recorder.recorded < 16);
}

TEST_CASE("a step that cannot be recorded turns static decoding off") {
  int tries = 0;
  StaticDecodeSettings settings;
  settings.capture = [&](const std::function<void()>&) -> std::unique_ptr<StepGraph> {
    ++tries;
    TORCH_CHECK(false, "no");
  };
  const std::unique_ptr<Transformer> ordinary = Ordinary("llama_gqa"), fixed = Static("llama_gqa", settings);
  RunAtRandom({*ordinary, *fixed, kTolerance}, 4, 120);
  CHECK(tries == 1);
}

TEST_CASE("static decoding gives the logits of some tokens") {
  Recorder recorder;
  StaticDecodeSettings settings;
  settings.capture = recorder.Capture();
  const std::unique_ptr<Transformer> ordinary = Ordinary("gemma3_small"), fixed = Static("gemma3_small", settings);
  const Twins twins{*ordinary, *fixed, kTolerance};
  Twins::Row row = twins.New();
  twins.Append({&row}, {{1, 2, 3}});
  const std::vector<int32_t> vocabulary = {3, 17, 80};
  twins.Append({&row}, {{5}}, vocabulary);
  twins.Append({&row}, {{6}});
  CHECK(recorder.replayed == 2);
  CHECK(recorder.recorded == 1);
}

// Lengths that the models' angles depend on: left to the ordinary path.
TEST_CASE("models whose rotary angles depend on the length are not decoded statically") {
  for (const std::string name : {"llama_dynamic", "phi3_longrope"}) {
    Recorder recorder;
    StaticDecodeSettings settings;
    settings.capture = recorder.Capture();
    const std::unique_ptr<Transformer> ordinary = Ordinary(name), fixed = Static(name, settings);
    RunAtRandom({*ordinary, *fixed, kTolerance}, 5, 100);
    CHECK(recorder.recorded == 0);
  }
}

TEST_CASE("threads may decode at the same time") {
  const std::unique_ptr<Transformer> ordinary = Ordinary("llama_gqa"), fixed = Static("llama_gqa", {});
  std::vector<std::vector<int32_t>> tokens(3);
  const auto decode = [&](const Transformer& model, size_t which) {
    SegmentedCache cache(model.cache_layout());
    std::vector<int32_t> ids = {static_cast<int32_t>(which) + 1, 2, 3}, out;
    for (int i = 0; i < 40; ++i) {
      const std::vector<int64_t> last = {static_cast<int64_t>(ids.size()) - 1};
      const ForwardRow row{ids, &cache, last};
      ids = {static_cast<int32_t>(Forward(model, {&row, 1}).argmax().item<int64_t>())};
      out.push_back(ids[0]);
    }
    return out;
  };
  std::vector<std::thread> threads;
  for (size_t t = 0; t < tokens.size(); ++t) threads.emplace_back([&, t] { tokens[t] = decode(*fixed, t); });
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < tokens.size(); ++t) CHECK(tokens[t] == decode(*ordinary, t));
}

CacheLayout SmallLayout() {
  CacheLayout layout;
  layout.layers = 2;
  layout.kv_heads = 3;
  layout.head_dim = 4;
  layout.options = at::TensorOptions(at::kFloat);
  return layout;
}

TEST_CASE("slots are the tails, and free themselves") {
  const auto arena = std::make_shared<TailArena>(SmallLayout(), TailArena::Size{3, 16});
  CHECK_FALSE(arena->Allocate(17).keys.defined());
  CacheSegment a = arena->Allocate(16);
  const CacheSegment b = arena->Allocate(1);
  REQUIRE(a.keys.defined());
  CHECK(a.keys.sizes() == at::IntArrayRef({2, 16, 3, 4}));
  CHECK(arena->SlotOf(a) == 1);
  CHECK(arena->SlotOf(b) == 2);
  CHECK(arena->free_slots() == 0);
  CHECK_FALSE(arena->Allocate(1).keys.defined());
  // Slots do not overlap, and a slot is found in the block by its number.
  a.keys.fill_(1);
  CHECK(b.keys.abs().max().item<float>() == 0);
  CHECK(arena->blocks().keys.select(1, 1).min().item<float>() == 1);
  CHECK(arena->SlotOf({at::empty({2, 16, 3, 4}), at::empty({2, 16, 3, 4})}) == -1);
  // Held by either tensor; zero for the next owner.
  a.values.reset();
  CHECK(arena->free_slots() == 0);
  a.keys.reset();
  CHECK(arena->free_slots() == 1);
  const CacheSegment again = arena->Allocate(8);
  CHECK(arena->SlotOf(again) == 1);
  CHECK(again.keys.abs().max().item<float>() == 0);
}

TEST_CASE("shared segments are copied once, and caches that share them are of one group") {
  const CacheLayout layout = SmallLayout();
  PrefixArena arena(layout, 256);
  const std::vector<int32_t> ids(40, 1);
  const auto shared = [&](float value) {
    SegmentedCache cache(layout);
    cache.Reserve(40);
    cache.tail().keys.fill_(value);
    cache.tail().values.fill_(-value);
    cache.Commit(ids);
    return cache;
  };
  const auto fork = [](SegmentedCache* cache, int64_t length) {
    std::unique_ptr<KvCache> copy = cache->Fork();
    CHECK(copy->Truncate(length).ok());
    return copy;
  };
  const auto of = [](const std::unique_ptr<KvCache>& cache) { return static_cast<const SegmentedCache*>(cache.get()); };
  SegmentedCache first = shared(1), second = shared(2);
  const auto a = fork(&first, 40), b = fork(&first, 7), c = fork(&second, 33), empty = fork(&first, 0);
  using Groups = std::vector<int64_t>;
  // The shorter one first: the rest is copied when it is needed.
  CHECK(arena.Place(std::vector{of(b), of(a), of(empty), of(c)}) == Groups{0, 0, -1, 1});
  CHECK(arena.tokens_copied() == 40 + 33);
  CHECK(arena.Place(std::vector{of(c), of(a)}) == Groups{1, 0});
  CHECK(arena.tokens_copied() == 40 + 33);
  CHECK(arena.blocks().keys.select(1, 0).narrow(2, 0, 40).eq(1).all().item<bool>());
  CHECK(arena.blocks().values.select(1, 1).narrow(2, 0, 33).eq(-2).all().item<bool>());

  // A cache that goes on behind a part of a segment is of another group than one that sees more of it.
  auto longer = fork(&first, 20);
  auto* tail = static_cast<SegmentedCache*>(longer.get());
  tail->Reserve(40);
  tail->tail().keys.fill_(3);
  tail->Commit(ids);
  const auto d = fork(tail, 60);
  CHECK(arena.Place(std::vector{of(a), of(d), of(b)}) == Groups{0, 2, 0});
  CHECK(arena.blocks().keys.select(1, 2).narrow(2, 0, 20).eq(1).all().item<bool>());
  CHECK(arena.blocks().keys.select(1, 2).narrow(2, 20, 40).eq(3).all().item<bool>());

  // Groups used longest ago make room; more than there is memory for do not fit.
  std::vector<SegmentedCache> many;
  for (int i = 0; i < 5; ++i) many.push_back(shared(10 + static_cast<float>(i)));
  std::vector<std::unique_ptr<KvCache>> forks;
  for (SegmentedCache& cache : many) forks.push_back(fork(&cache, 40));
  CHECK(arena.Place(std::vector{of(forks[0]), of(forks[1])}) == Groups{3, 1});
  CHECK(arena.Place(std::vector{of(forks[0]), of(forks[1]), of(forks[2]), of(forks[3])})->size() == 4);
  CHECK_FALSE(arena.Place(std::vector{of(forks[0]), of(forks[1]), of(forks[2]), of(forks[3]), of(forks[4])}));
}

TEST_CASE("static decoding takes no more memory than it is given") {
  TransformerSpec spec;
  spec.layers = 10;
  spec.kv_heads = 2;
  spec.head_dim = 50;
  const int64_t token = 2 * 10 * 2 * 50 * 2;
  const auto settings = StaticDecodeSettings::Within(token * 128 * 20, spec, 2);
  REQUIRE(settings);
  CHECK(settings->slots == 10);
  CHECK(settings->prefix_tokens == 1280);
  CHECK_FALSE(StaticDecodeSettings::Within(token * 128 * 3, spec, 2));
  CHECK_FALSE(StaticDecodeSettings::Within(-1, spec, 2));
  CHECK(StaticDecodeSettings::Within(int64_t{1} << 50, spec, 2)->slots == StaticDecodeSettings{}.slots);
}

}  // namespace
}  // namespace toolformer::static_decode_test
