// C++ exceptions that leave callbacks of the host: none passes the interface, none ends the process.
#include <doctest/doctest.h>
#include <toolformer_c.h>

#include <stdexcept>
#include <string>

namespace {

std::string MessageOf(toolformer_error* error) {
  const toolformer_string message = toolformer_error_message(error);
  std::string text(message.data, message.size);
  toolformer_error_free(error);
  return text;
}

toolformer_status ThrowingTool(void*, const toolformer_invocation*, toolformer_reply*) {
  throw std::runtime_error("out of ink");
}
toolformer_status ThrowingNumber(void*, const toolformer_invocation*, toolformer_reply*) { throw 7; }
toolformer_status ThrowingEncode(void*, toolformer_string, int32_t, toolformer_reply*) {
  throw std::runtime_error("no words");
}
toolformer_status PlainEncode(void*, toolformer_string text, int32_t, toolformer_reply* reply) {
  for (size_t i = 0; i < text.size; ++i) {
    const int32_t id = static_cast<unsigned char>(text.data[i]) % 3;
    if (toolformer_reply_ids(reply, {&id, 1}) != TOOLFORMER_OK) return TOOLFORMER_ERROR_INTERNAL;
  }
  return TOOLFORMER_OK;
}
toolformer_status PlainBytes(void*, int32_t id, toolformer_reply* reply) {
  const std::string bytes(1, static_cast<char>('a' + id));
  return toolformer_reply_write(reply, {bytes.data(), bytes.size()});
}
toolformer_status ThrowingBytes(void*, int32_t, toolformer_reply*) { throw std::runtime_error("no bytes"); }
toolformer_status ThrowingForward(void*, const toolformer_host_row*, size_t, toolformer_reply*) {
  throw std::runtime_error("no sums");
}
void ThrowingDestroy(void* count) {
  ++*static_cast<int*>(count);
  throw std::runtime_error("cannot be destroyed");
}

TEST_CASE("an exception of a tool is a tool error") {
  int destroyed = 0;
  toolformer_registry* registry = nullptr;
  REQUIRE(toolformer_registry_new(&registry, nullptr) == TOOLFORMER_OK);
  for (const bool at_once : {true, false}) {
    toolformer_tool tool;
    toolformer_tool_init(&tool, sizeof(tool));
    tool.name = toolformer_str(at_once ? "AtOnce" : "Later");
    tool.call = at_once ? ThrowingTool : ThrowingNumber;
    tool.flags = at_once ? TOOLFORMER_TOOL_RETURNS_AT_ONCE : 0;
    tool.user_data = &destroyed;
    tool.destroy = ThrowingDestroy;
    REQUIRE(toolformer_registry_add(registry, &tool, nullptr) == TOOLFORMER_OK);
  }
  toolformer_executor* executor = nullptr;
  REQUIRE(toolformer_executor_new(registry, nullptr, &executor, nullptr) == TOOLFORMER_OK);
  toolformer_request request;
  toolformer_request_init(&request, sizeof(request));
  toolformer_bytes* result = nullptr;
  toolformer_error* error = nullptr;
  request.tool = toolformer_str("AtOnce");
  CHECK(toolformer_executor_execute(executor, &request, &result, &error) == TOOLFORMER_ERROR_TOOL);
  CHECK(MessageOf(error).find("out of ink") != std::string::npos);
  error = nullptr;
  request.tool = toolformer_str("Later");
  CHECK(toolformer_executor_execute(executor, &request, &result, &error) == TOOLFORMER_ERROR_TOOL);
  CHECK(MessageOf(error).find("not an exception") != std::string::npos);
  CHECK(result == nullptr);
  toolformer_executor_free(executor);
  toolformer_registry_free(registry);
  CHECK(destroyed == 2);
}

TEST_CASE("an exception of a host's tokenizer or model is the caller's error") {
  int destroyed = 0;
  toolformer_host_tokenizer host;
  toolformer_host_tokenizer_init(&host, sizeof(host));
  host.encode = ThrowingEncode;
  host.token_bytes = ThrowingBytes;
  host.vocab_size = 3;
  host.user_data = &destroyed;
  host.destroy = ThrowingDestroy;
  toolformer_tokenizer* tokenizer = nullptr;
  toolformer_error* error = nullptr;
  CHECK(toolformer_tokenizer_from_host(&host, &tokenizer, &error) == TOOLFORMER_ERROR_CALLBACK);
  CHECK(MessageOf(error).find("no bytes") != std::string::npos);
  CHECK(destroyed == 1);
  host.token_bytes = PlainBytes;
  REQUIRE(toolformer_tokenizer_from_host(&host, &tokenizer, nullptr) == TOOLFORMER_OK);
  toolformer_tensor* ids = nullptr;
  error = nullptr;
  CHECK(toolformer_tokenizer_encode(tokenizer, toolformer_str("x"), 0, &ids, &error) == TOOLFORMER_ERROR_CALLBACK);
  CHECK(MessageOf(error).find("no words") != std::string::npos);
  toolformer_tokenizer_free(tokenizer);
  host.encode = PlainEncode;
  REQUIRE(toolformer_tokenizer_from_host(&host, &tokenizer, nullptr) == TOOLFORMER_OK);

  toolformer_host_model model_of_host;
  toolformer_host_model_init(&model_of_host, sizeof(model_of_host));
  model_of_host.tokenizer = tokenizer;
  model_of_host.forward = ThrowingForward;
  model_of_host.vocab_size = 3;
  model_of_host.context_length = 100;
  toolformer_model* model = nullptr;
  REQUIRE(toolformer_model_from_host(&model_of_host, &model, nullptr) == TOOLFORMER_OK);
  toolformer_registry* registry = nullptr;
  toolformer_executor* executor = nullptr;
  toolformer_decoder* decoder = nullptr;
  REQUIRE(toolformer_registry_new(&registry, nullptr) == TOOLFORMER_OK);
  REQUIRE(toolformer_executor_new(registry, nullptr, &executor, nullptr) == TOOLFORMER_OK);
  REQUIRE(toolformer_decoder_new(model, executor, &decoder, nullptr) == TOOLFORMER_OK);
  toolformer_generation* generation = nullptr;
  error = nullptr;
  CHECK(toolformer_decoder_decode(decoder, toolformer_str("x"), nullptr, &generation, &error) ==
        TOOLFORMER_ERROR_CALLBACK);
  CHECK(MessageOf(error).find("no sums") != std::string::npos);
  CHECK(generation == nullptr);
  toolformer_decoder_free(decoder);
  toolformer_executor_free(executor);
  toolformer_registry_free(registry);
  toolformer_model_free(model);
  toolformer_tokenizer_free(tokenizer);
  CHECK(destroyed == 3);
}

TEST_CASE("an exception of a progress callback ends the call") {
  toolformer_model_options options;
  toolformer_model_options_init(&options, sizeof(options));
  options.progress = [](void*, uint64_t, uint64_t) { throw std::runtime_error("no patience"); };
  toolformer_model* model = nullptr;
  toolformer_error* error = nullptr;
  const toolformer_string path = toolformer_str(TOOLFORMER_SOURCE_DIR "/tests/fixtures/models/llama_gqa");
  CHECK(toolformer_model_load(path, &options, &model, &error) != TOOLFORMER_OK);
  CHECK(MessageOf(error).find("no patience") != std::string::npos);
  CHECK(model == nullptr);
}

}  // namespace
