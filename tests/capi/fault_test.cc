// Memory that runs out: the N-th allocation of a host's work fails, for N = 1, 2, 3 ... until nothing fails any more,
// once and from then on. Each call succeeds or says so; nothing ends the process, and the same work succeeds
// afterwards.
#include <doctest/doctest.h>
#include <toolformer_c.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

namespace {

// Allocations until one fails; negative: none does. Only those of the thread that counts, and of those that it starts.
std::atomic<int64_t> until_failure{-1};
std::atomic<bool> keeps_failing{false};
std::atomic<bool> failed{false};

void* Allocate(size_t size) {
  if (until_failure.load() >= 0 && until_failure.fetch_sub(1) == 0) {
    if (keeps_failing.load()) until_failure = 0;
    failed = true;
    throw std::bad_alloc();
  }
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace {

toolformer_status Encode(void*, toolformer_string text, int32_t, toolformer_reply* reply) {
  for (size_t i = 0; i < text.size; ++i) {
    const int32_t id = 2 + static_cast<unsigned char>(text.data[i]) % 126;
    if (const toolformer_status status = toolformer_reply_ids(reply, {&id, 1}); status != TOOLFORMER_OK) return status;
  }
  return TOOLFORMER_OK;
}

toolformer_status TokenBytes(void*, int32_t id, toolformer_reply* reply) {
  const char byte = static_cast<char>(id - 2);
  return id < 2 ? TOOLFORMER_OK : toolformer_reply_write(reply, {&byte, 1});
}

// "[T(1)->" after the prompt, then "y" for ever.
toolformer_status Forward(void*, const toolformer_host_row* rows, size_t count, toolformer_reply* reply) {
  static constexpr char kCall[] = "[T(1) ->";
  static float logits[512 * 128];
  size_t row = 0;
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < rows[i].wanted_count; ++j, ++row) {
      if (row >= 512) return TOOLFORMER_ERROR_LIMIT;
      const int32_t last = rows[i].ids.data[rows[i].wanted[j]];
      char next = last == 2 + '!' ? '[' : 'y';
      for (size_t k = 0; k + 1 < sizeof(kCall) - 1; ++k) {
        if (last == 2 + kCall[k]) next = kCall[k + 1];
      }
      for (int k = 0; k < 128; ++k) logits[row * 128 + static_cast<size_t>(k)] = k == 2 + next ? 20.0f : 0.0f;
    }
  }
  const int64_t shape[] = {static_cast<int64_t>(row), 128};
  return toolformer_reply_logits(reply, {logits, shape, 2, TOOLFORMER_TYPE_F32});
}

toolformer_status Answer(void*, const toolformer_invocation*, toolformer_reply* reply) {
  return toolformer_reply_write(reply, toolformer_str("an answer that is too long for a small string"));
}

int destroyed = 0;
void CountDestroyed(void*) { ++destroyed; }

// What a host does from end to end; the first status that is not OK.
toolformer_status Work(std::string* text) {
  toolformer_tokenizer* tokenizer = nullptr;
  toolformer_model* model = nullptr;
  toolformer_registry* registry = nullptr;
  toolformer_executor* executor = nullptr;
  toolformer_decoder* decoder = nullptr;
  toolformer_generation* generation = nullptr;
  toolformer_error* error = nullptr;
  toolformer_host_tokenizer words;
  toolformer_host_tokenizer_init(&words, sizeof(words));
  words.encode = Encode;
  words.token_bytes = TokenBytes;
  words.vocab_size = 128;
  words.destroy = CountDestroyed;
  toolformer_host_model host;
  toolformer_host_model_init(&host, sizeof(host));
  host.forward = Forward;
  host.vocab_size = 128;
  host.context_length = 256;
  host.destroy = CountDestroyed;
  toolformer_tool tool;
  toolformer_tool_init(&tool, sizeof(tool));
  tool.name = toolformer_str("T");
  tool.call = Answer;
  tool.flags = TOOLFORMER_TOOL_RETURNS_AT_ONCE;
  tool.destroy = CountDestroyed;
  toolformer_decode_options options;
  toolformer_decode_options_init(&options, sizeof(options));
  options.max_new_tokens = 12;
  options.opening_top_k = 1;

  destroyed = 0;
  int given = 1;  // user data that the library was given, to be destroyed once each
  toolformer_status status = toolformer_tokenizer_from_host(&words, &tokenizer, &error);
  host.tokenizer = tokenizer;
  if (status == TOOLFORMER_OK) {
    ++given;
    status = toolformer_model_from_host(&host, &model, &error);
  }
  if (status == TOOLFORMER_OK) status = toolformer_registry_new(&registry, &error);
  if (status == TOOLFORMER_OK) {
    ++given;
    status = toolformer_registry_add(registry, &tool, &error);
  }
  if (status == TOOLFORMER_OK) status = toolformer_executor_new(registry, nullptr, &executor, &error);
  if (status == TOOLFORMER_OK) status = toolformer_decoder_new(model, executor, &decoder, &error);
  if (status == TOOLFORMER_OK) {
    status = toolformer_decoder_decode(decoder, toolformer_str("x!"), &options, &generation, &error);
  }
  if (status == TOOLFORMER_OK) {
    const toolformer_string view = toolformer_generation_text(generation);
    const int64_t left = until_failure.exchange(-1);  // the test's own string
    text->assign(view.data, view.size);
    until_failure = left;
  }
  CHECK(toolformer_error_status(error) == status);
  toolformer_error_free(error);
  toolformer_generation_free(generation);
  toolformer_decoder_free(decoder);
  toolformer_executor_free(executor);
  toolformer_registry_free(registry);
  toolformer_model_free(model);
  toolformer_tokenizer_free(tokenizer);
  CHECK(destroyed == given);
  return status;
}

TEST_CASE("every allocation may fail") {
  std::string expected;
  REQUIRE(Work(&expected) == TOOLFORMER_OK);
  CHECK(expected.find("[T(1) -> an answer that is too long for a small string]") != std::string::npos);
  for (const bool from_then_on : {false, true}) {
    int64_t count = 0;
    for (bool reached = true; reached; ++count) {
      std::string text;
      keeps_failing = from_then_on;
      failed = false;
      until_failure = count;
      const toolformer_status status = Work(&text);
      until_failure = -1;
      reached = failed;
      INFO("allocation ", count, ", ", toolformer_status_name(status));
      // A tool that has no memory fails as tools do; a text that came through is whole.
      if (status == TOOLFORMER_OK) {
        CHECK((text == expected || text.find("[T(1) ->]") != std::string::npos));
      } else {
        CHECK((status == TOOLFORMER_ERROR_NO_MEMORY || status == TOOLFORMER_ERROR_CALLBACK));
      }
    }
    CHECK(count > 100);
  }
  std::string again;
  CHECK(Work(&again) == TOOLFORMER_OK);
  CHECK(again == expected);
}

}  // namespace
