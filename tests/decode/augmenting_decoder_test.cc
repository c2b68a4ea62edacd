// Decoding with tools, on models that follow a script.
#include "toolformer/augmenting_decoder.h"

#include <chrono>
#include <cmath>
#include <thread>

#include "tests/check.h"
#include "tests/toy_model.h"

namespace toolformer::augmenting_decoder_test {
namespace {

using testing::Peak;
using testing::ToyModel;
using testing::ToyTokenizer;

// Byte-pair vocabularies hold tokens that join the parenthesis with the arrow or the bracket.
const std::vector<std::string> kMerged = {" [", " ->", ")->", ")]", "->"};

// Writes `script` (prompt included), whatever part of it the sequence already holds; ends when the sequence leaves it.
// With `runner_up`, the opening is always the second most likely token.
ToyModel Scripted(const std::string& script, bool runner_up = false) {
  return ToyModel(kMerged, [=](const std::vector<int32_t>& sequence) {
    static const ToyTokenizer tokenizer(kMerged);
    const int32_t opening = runner_up ? tokenizer.Encode(" [")[0] : -1;
    const std::string text = tokenizer.Decode(sequence);
    if (!script.starts_with(text) || text.size() == script.size()) {
      return Peak(tokenizer.vocab_size(), ToyTokenizer::kEnd, opening);
    }
    return Peak(tokenizer.vocab_size(), tokenizer.Encode(std::string_view(script).substr(text.size()))[0], opening);
  });
}

Tool Counting(const std::string& name, std::vector<std::string>* inputs, const std::string& answer) {
  Tool tool;
  tool.name = name;
  tool.instruction = "Calls help.";
  tool.returns_at_once = true;
  tool.cacheable = false;
  tool.call = [=](std::string_view input, const ToolContext&) -> absl::StatusOr<std::string> {
    inputs->push_back(std::string(input));
    return answer;
  };
  return tool;
}

struct Host {
  ToolRegistry registry;
  ToolExecutor executor{registry};
  std::vector<std::string> inputs;

  explicit Host(const std::string& answer = "7") { REQUIRE(registry.Register(Counting("Tool", &inputs, answer)).ok()); }

  Decoded Decode(const LanguageModel& model, std::string_view prompt, DecodeOptions options = {}) {
    const auto decoded = AugmentingDecoder(model, registry, executor).Decode(prompt, options);
    REQUIRE_MESSAGE(decoded.ok(), std::string(decoded.status().message()));
    return *decoded;
  }
};

DecodeOptions Greedy() {
  DecodeOptions options;
  options.opening_top_k = 1;
  return options;
}

TEST_CASE("a model that counts upward goes on counting") {
  const ToyModel successor(kMerged, [](const std::vector<int32_t>& sequence) {
    const ToyTokenizer tokenizer(kMerged);
    return Peak(tokenizer.vocab_size(), sequence.back() + 1);
  });
  Host host;
  DecodeOptions options = Greedy();
  options.max_new_tokens = 3;
  const Decoded decoded = host.Decode(successor, "567", options);
  CHECK(decoded.text == "89:");
  CHECK(decoded.stop_reason == StopReason::kMaxTokens);
}

TEST_CASE("the tool runs at the arrow, its result is spliced in, and the text goes on") {
  // Canonical pieces, and tokens that run past the parenthesis: the same text, whatever the model's own tokens.
  Host host;
  const ToyModel model = Scripted("It is [Tool(3 + 4) -> 7] 7.");
  const Decoded decoded = host.Decode(model, "It is", Greedy());
  CHECK(decoded.text == " [Tool(3 + 4) -> 7] 7.");
  CHECK(decoded.plain_text == " 7.");
  CHECK(host.inputs == std::vector<std::string>{"3 + 4"});
  REQUIRE(decoded.calls.size() == 1);
  CHECK((decoded.calls[0].call == Call{"Tool", "3 + 4"}));
  CHECK(decoded.calls[0].result == "7");
  CHECK(decoded.text[decoded.calls[0].byte_offset] == '[');
  CHECK(decoded.stop_reason == StopReason::kEndToken);
}

TEST_CASE("a token that runs past the parenthesis is replaced by the canonical pieces") {
  // The model writes ")->" and ")]" as single tokens; the sequence must nevertheless hold ")", " ->", " 7", "]".
  for (const std::string tail : {")->", ")]", ") ->", ")  ->"}) {
    CAPTURE(tail);
    std::vector<std::string> seen;
    const ToyModel model(kMerged, [&](const std::vector<int32_t>& sequence) {
      static const ToyTokenizer tokenizer(kMerged);
      const std::string text = tokenizer.Decode(sequence);
      seen.push_back(text);
      const std::string draft = "x [Tool(1" + tail;
      if (text == "x [Tool(1) -> 7]") return Peak(tokenizer.vocab_size(), tokenizer.Encode("!")[0]);
      if (!draft.starts_with(text)) return Peak(tokenizer.vocab_size(), ToyTokenizer::kEnd);
      return Peak(tokenizer.vocab_size(), tokenizer.Encode(std::string_view(draft).substr(text.size()))[0]);
    });
    Host host;
    const Decoded decoded = host.Decode(model, "x", Greedy());
    CHECK(decoded.text == " [Tool(1) -> 7]!");
    CHECK(host.inputs == std::vector<std::string>{"1"});
  }
}

TEST_CASE("two calls run each with its own input") {
  Host host;
  const ToyModel model = Scripted("a [Tool(1) -> 7] b [Tool((2+3)*4) -> 7] c");
  DecodeOptions options = Greedy();
  options.max_calls = 2;
  CHECK(host.Decode(model, "a", options).text == " [Tool(1) -> 7] b [Tool((2+3)*4) -> 7] c");
  CHECK((host.inputs == std::vector<std::string>{"1", "(2+3)*4"}));
}

TEST_CASE("after N calls the opening has no probability") {
  Host host;
  const ToyModel model = Scripted("a [Tool(1) -> 7] b [Tool(2) -> 7] c");
  const Decoded decoded = host.Decode(model, "a", Greedy());
  CHECK(decoded.calls.size() == 1);
  CHECK(decoded.text.starts_with(" [Tool(1) -> 7] b"));  // then the model cannot write " ["
  CHECK(decoded.text.rfind('[') == 1);
  CHECK(host.inputs.size() == 1);
}

TEST_CASE("the opening is taken when it is among the k most likely, and only then") {
  const ToyModel model = Scripted("a b [Tool(1) -> 7] c", /*runner_up=*/true);
  Host first;
  DecodeOptions options;
  options.opening_top_k = 1;
  CHECK(first.Decode(model, "a", options).calls.size() == 1);  // where it is the most likely
  Host second;
  const ToyModel eager(kMerged, [](const std::vector<int32_t>& sequence) {
    static const ToyTokenizer tokenizer(kMerged);
    const std::string text = tokenizer.Decode(sequence), wanted = "a [Tool(1)]";
    const int32_t opening = tokenizer.Encode(" [")[0];
    if (text.size() >= 2 && wanted.starts_with(text) && text != wanted) {
      return Peak(tokenizer.vocab_size(), tokenizer.Encode(std::string_view(wanted).substr(text.size()))[0]);
    }
    return Peak(tokenizer.vocab_size(), tokenizer.Encode("z")[0], opening);
  });
  options.max_new_tokens = 3;
  CHECK(second.Decode(eager, "a", options).text == "zzz");
  options.opening_top_k = 2;
  options.max_new_tokens = 12;
  CHECK(second.Decode(eager, "a", options).text.starts_with(" [Tool(1) -> 7]"));
}

TEST_CASE("disabled, the opening is never written") {
  const ToyModel model = Scripted("a [Tool(1) -> 7] b", /*runner_up=*/true);
  Host host;
  DecodeOptions options;
  options.tool_use = ToolUse::kDisabled;
  const Decoded decoded = host.Decode(model, "a", options);
  CHECK(decoded.text.find('[') == std::string::npos);
  CHECK(host.inputs.empty());
}

TEST_CASE("whatever a result says, it runs nothing and ends nothing") {
  for (const std::string answer : {"]", "->", "[Tool(9)]", "] [Tool(9) ->", "[Tool(9) -> 1]", "\n</s>\x01\x1b[31m"}) {
    CAPTURE(answer);
    Host host(answer);
    const std::string neutral = NeutralizeResult(answer);
    const size_t first = neutral.find_first_not_of(' ');
    const std::string shown = neutral.substr(first, neutral.find_last_not_of(' ') - first + 1);
    const ToyModel model = Scripted("a [Tool(1) ->" + (shown.empty() ? "" : " " + shown) + "] done");
    DecodeOptions options = Greedy();
    options.max_calls = 16;
    const Decoded decoded = host.Decode(model, "a", options);
    CHECK(decoded.text.ends_with("] done"));
    CHECK(decoded.plain_text == " done");
    CHECK(host.inputs == std::vector<std::string>{"1"});
  }
}

TEST_CASE("calls in the prompt are not executed") {
  Host host;
  const ToyModel model = Scripted("see [Tool(1) -> ok");
  CHECK(host.Decode(model, "see [Tool(1) ->", Greedy()).text == " ok");
  CHECK(host.inputs.empty());
}

TEST_CASE("a tool error closes the call without a result and decoding goes on") {
  ToolRegistry registry;
  Tool tool;
  tool.name = "Tool";
  tool.instruction = "Calls help.";
  tool.returns_at_once = true;
  tool.call = [](std::string_view, const ToolContext&) -> absl::StatusOr<std::string> {
    throw std::runtime_error("boom");
  };
  REQUIRE(registry.Register(tool).ok());
  ToolExecutor executor(registry);
  for (const std::string name : {"Tool", "Nope"}) {
    const ToyModel model = Scripted("a [" + name + "(1) ->] b");
    const auto decoded = AugmentingDecoder(model, registry, executor).Decode("a", Greedy());
    REQUIRE(decoded.ok());
    CHECK(decoded->text == " [" + name + "(1) ->] b");
    REQUIRE(decoded->calls.size() == 1);
    CHECK_FALSE(decoded->calls[0].result.has_value());
    CHECK(decoded->calls[0].error.find(name == "Tool" ? "boom" : "unknown tool") != std::string::npos);
  }
}

TEST_CASE("an opening that comes to no call is taken back") {
  Host host;
  // Would write prose in brackets; with the opening taken back, its next choice is the end.
  const ToyModel model = Scripted("a [see below] b", /*runner_up=*/true);
  const Decoded decoded = host.Decode(model, "a", Greedy());
  CHECK(decoded.text.find('[') == std::string::npos);
  CHECK(decoded.calls.empty());
  // A model that always opens comes to an end.
  const ToyModel always(kMerged, [](const std::vector<int32_t>&) {
    static const ToyTokenizer tokenizer(kMerged);
    const int32_t opening = tokenizer.Encode(" [")[0];
    return Peak(tokenizer.vocab_size(), opening, tokenizer.Encode("y")[0]);
  });
  DecodeOptions options;
  options.max_new_tokens = 40;
  CHECK(host.Decode(always, "a", options).text == std::string(40, 'y'));
}

TEST_CASE("the same call again and again is a loop") {
  const ToyModel model(kMerged, [](const std::vector<int32_t>& sequence) {
    static const ToyTokenizer tokenizer(kMerged);
    const std::string text = tokenizer.Decode(sequence), call = " [Tool(1) -> 7]";
    for (size_t n = std::min(call.size() - 1, text.size());; --n) {
      if (text.ends_with(call.substr(0, n))) {
        return Peak(tokenizer.vocab_size(), tokenizer.Encode(std::string_view(call).substr(n))[0],
                    tokenizer.Encode("z")[0]);
      }
    }
  });
  Host host;
  DecodeOptions options = Greedy();
  options.max_calls = 16;
  options.max_new_tokens = 60;
  const Decoded decoded = host.Decode(model, "a", options);
  CHECK(decoded.calls.size() == 3);
  CHECK(decoded.text.ends_with("zzz"));
}

TEST_CASE("events give the text in order and hold back what may be a stop") {
  Host host;
  const ToyModel model = Scripted("a b\n [Tool(1) -> 7] c\n\nrest");
  DecodeOptions options = Greedy();
  options.stop = {"\n\n"};
  std::string log;
  options.on_event = [&](const DecodeEvent& event) {
    log += "TCRE"[static_cast<int>(event.kind)];
    log += std::string("<") + std::string(event.text) + ">";
  };
  const Decoded decoded = host.Decode(model, "a", options);
  CHECK(decoded.text == " b\n [Tool(1) -> 7] c");
  CHECK(decoded.stop_reason == StopReason::kStopText);
  CHECK(log == "T< >T<b>T<\n>C<Tool(1)>R<7>T< >T<c>");
}

TEST_CASE("a long result is cut to its limit and to the context") {
  Host host(std::string(1000, 'r'));
  const ToyModel model = Scripted("a [Tool(1) ->");
  DecodeOptions options = Greedy();
  options.max_result_tokens = 10;
  CHECK(host.Decode(model, "a", options).text == " [Tool(1) -> " + std::string(9, 'r') + "]");
  ToyModel narrow = Scripted("a [Tool(1) ->");
  narrow.context = 20;
  options.max_result_tokens = 256;
  const Decoded decoded = host.Decode(narrow, "a", options);
  CHECK(decoded.text.starts_with(" [Tool(1) -> r"));
  CHECK(decoded.text.ends_with("]"));
}

TEST_CASE("cancelling and deadlines end the generation; bad options are refused") {
  Host host;
  const ToyModel model = Scripted("a" + std::string(200, 'b'));
  const AugmentingDecoder decoder(model, host.registry, host.executor);
  CancelToken cancel;
  DecodeOptions options = Greedy();
  options.interrupt.cancel = &cancel;
  int events = 0;
  options.on_event = [&](const DecodeEvent&) {
    if (++events == 3) cancel.Cancel();
  };
  CHECK(absl::IsCancelled(decoder.Decode("a", options).status()));
  CHECK(events == 3);
  options = Greedy();
  options.interrupt.deadline = std::chrono::steady_clock::now();
  CHECK(absl::IsDeadlineExceeded(decoder.Decode("a", options).status()));
  const auto refused = [&](auto change) {
    DecodeOptions bad = Greedy();
    change(bad);
    return absl::IsInvalidArgument(decoder.Decode("a", bad).status());
  };
  CHECK(refused([](DecodeOptions& o) { o.temperature = NAN; }));
  CHECK(refused([](DecodeOptions& o) { o.temperature = -1.0; }));
  CHECK(refused([](DecodeOptions& o) { o.opening_top_k = 0; }));
  CHECK(refused([](DecodeOptions& o) { o.max_calls = 17; }));
  CHECK(refused([](DecodeOptions& o) { o.max_new_tokens = -1; }));
  ToyModel narrow = Scripted("abc");
  narrow.context = 3;
  CHECK(absl::IsOutOfRange(AugmentingDecoder(narrow, host.registry, host.executor).Decode("abc", Greedy()).status()));
  narrow.context = 10;
  CHECK(AugmentingDecoder(narrow, host.registry, host.executor).Decode("abc", Greedy())->stop_reason ==
        StopReason::kEndToken);
}

TEST_CASE("sampling is reproducible and follows the temperature") {
  const ToyModel model(kMerged, [](const std::vector<int32_t>&) {
    const ToyTokenizer tokenizer(kMerged);
    std::vector<float> logits(tokenizer.vocab_size(), -30.0f);
    logits[tokenizer.Encode("a")[0]] = 0.0f;
    logits[tokenizer.Encode("b")[0]] = 1.0f;
    return logits;
  });
  Host host;
  DecodeOptions options = Greedy();
  options.temperature = 1.0;
  options.max_new_tokens = 400;
  options.seed = 5;
  const std::string text = host.Decode(model, "", options).text;
  CHECK(text == host.Decode(model, "", options).text);
  // p(b) = e / (1 + e) = 0.731; 400 draws have a standard deviation of 8.9.
  CHECK(std::abs(static_cast<double>(std::count(text.begin(), text.end(), 'b')) - 292.4) < 45);
  options.seed = 6;
  CHECK(text != host.Decode(model, "", options).text);
}

// p of an id with this logit, where the next token has 20 and, with a runner-up, the opening 10.
double Probability(double logit, const bool& runner_up) {
  const double others = static_cast<double>(ToyTokenizer(kMerged).vocab_size()) - (runner_up ? 2.0 : 1.0);
  return std::exp(logit) / (std::exp(20.0) + (runner_up ? std::exp(10.0) : 0.0) + others);
}

TEST_CASE("the probability of calling is that of both openings, where the first call was opened") {
  Host host;
  const Decoded decoded = host.Decode(Scripted("It is [Tool(3 + 4) -> 7] 7."), "It is", Greedy());
  REQUIRE(decoded.calls.size() == 1);
  const double expected = Probability(20.0, false) + Probability(0.0, false);
  CHECK(decoded.calls[0].opening_probability == doctest::Approx(expected).epsilon(1e-9));
  CHECK(decoded.opening_probability == decoded.calls[0].opening_probability);
}

TEST_CASE("without a call the probability of calling is the largest of all places") {
  Host host;
  // The opening is the runner-up at the second place only.
  const ToyTokenizer tokenizer(kMerged);
  const ToyModel model(kMerged, [&](const std::vector<int32_t>& sequence) {
    const int32_t opening = sequence.size() == 3 ? tokenizer.Encode(" [")[0] : -1;
    return Peak(tokenizer.vocab_size(), tokenizer.Encode("a")[0], opening);
  });
  DecodeOptions options = Greedy();
  options.max_new_tokens = 5;
  const Decoded decoded = host.Decode(model, "x", options);
  CHECK(decoded.text == "aaaaa");
  const double expected = Probability(10.0, true) + Probability(0.0, true);
  CHECK(decoded.opening_probability == doctest::Approx(expected).epsilon(1e-6));
  options.tool_use = ToolUse::kDisabled;
  CHECK(host.Decode(model, "x", options).opening_probability == 0.0);
  options.tool_use = ToolUse::kEnabled;
  options.max_calls = 0;
  CHECK(host.Decode(model, "x", options).opening_probability == 0.0);
}

TEST_CASE("a call that is opened where that is less likely than before has its own probability") {
  Host host;
  const ToyTokenizer tokenizer(kMerged);
  const auto vocab = static_cast<double>(tokenizer.vocab_size());
  const ToyModel model(kMerged, [&](const std::vector<int32_t>& sequence) {
    const std::string script = "a [Tool(1) -> 7]", text = tokenizer.Decode(sequence);
    std::vector<float> logits(tokenizer.vocab_size(), 0.0f);
    const int32_t opening = tokenizer.Encode(" [")[0];
    if (text == "x") {
      // A third, but not among the two most likely.
      logits = Peak(tokenizer.vocab_size(), tokenizer.Encode("a")[0]);
      logits[tokenizer.Encode("b")[0]] = 19.995f;
      logits[opening] = 19.99f;
    } else if (text == "xa") {
      logits[tokenizer.Encode("z")[0]] = 5.0f;
      logits[opening] = 2.0f;
    } else if (std::string_view("x" + script).starts_with(text) && text.size() <= script.size()) {
      logits[tokenizer.Encode(std::string_view(script).substr(text.size() - 1))[0]] = 20.0f;
    } else {
      logits[ToyTokenizer::kEnd] = 20.0f;
    }
    return logits;
  });
  DecodeOptions options;
  options.opening_top_k = 2;
  const Decoded decoded = host.Decode(model, "x", options);
  CHECK(decoded.text == "a [Tool(1) -> 7]");
  REQUIRE(decoded.calls.size() == 1);
  const double expected = (std::exp(2.0) + 1.0) / (std::exp(2.0) + std::exp(5.0) + vocab - 2.0);
  CHECK(decoded.calls[0].opening_probability == doctest::Approx(expected).epsilon(1e-6));
  CHECK(decoded.opening_probability == decoded.calls[0].opening_probability);
}

TEST_CASE("each call has its own probability, and the first one's is that of calling") {
  Host host;
  const ToyTokenizer tokenizer(kMerged);
  const std::string script = "a [Tool(1) -> 7] b [Tool(2) -> 7] c";
  // The second opening is merely the runner-up.
  const ToyModel model(kMerged, [&](const std::vector<int32_t>& sequence) {
    const std::string text = tokenizer.Decode(sequence);
    const int32_t opening = tokenizer.Encode(" [")[0];
    if (text == "a [Tool(1) -> 7] b") return Peak(tokenizer.vocab_size(), tokenizer.Encode("z")[0], opening);
    if (!script.starts_with(text) || text.size() == script.size()) {
      return Peak(tokenizer.vocab_size(), ToyTokenizer::kEnd);
    }
    return Peak(tokenizer.vocab_size(), tokenizer.Encode(std::string_view(script).substr(text.size()))[0]);
  });
  DecodeOptions options;
  options.opening_top_k = 2;
  options.max_calls = 2;
  const Decoded decoded = host.Decode(model, "a", options);
  CHECK(decoded.text == " [Tool(1) -> 7] b [Tool(2) -> 7] c");
  REQUIRE(decoded.calls.size() == 2);
  CHECK(decoded.calls[0].opening_probability == doctest::Approx(1.0).epsilon(1e-6));
  CHECK(decoded.calls[1].opening_probability ==
        doctest::Approx(Probability(10.0, true) + Probability(0.0, true)).epsilon(1e-6));
  CHECK(decoded.opening_probability == decoded.calls[0].opening_probability);
}

}  // namespace
}  // namespace toolformer::augmenting_decoder_test
