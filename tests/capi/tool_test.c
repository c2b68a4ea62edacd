// The registry and running calls.
#include "check.h"

#define ADD_FAILS(code, text, change)                            \
  {                                                              \
    Converter converter = {.calls = 0};                          \
    toolformer_tool tool;                                        \
    converter_tool(&converter, &tool);                           \
    change;                                                      \
    FAILS(code, text, toolformer_registry_add, registry, &tool); \
    CHECK(converter.destroyed == 1);                             \
  }

static void test_adding(void) {
  static char version[257];
  memset(version, '1', sizeof(version));
  toolformer_registry *registry = NULL;
  CALL(toolformer_registry_new, &registry);
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "name", tool.name = toolformer_str("No name"))
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "name", tool.name = toolformer_str(""))
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "call is NULL", tool.call = NULL)
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "examples[0]", tool.name = toolformer_str("Other"))
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "tool.examples is NULL", tool.examples = NULL)
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "flags", tool.flags = 16)
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "version is NULL", tool.version.size = 1)
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "more than 256", tool.version = ((toolformer_string){version, sizeof(version)}))
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "deadline_ms", tool.deadline_ms = UINT64_MAX)
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "max_concurrent_calls", tool.max_concurrent_calls = -2)
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "max_concurrent_calls", tool.max_concurrent_calls = 1001)
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "max_retries", tool.max_retries = -2)
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "max_retries", tool.max_retries = 101)
  toolformer_parameters parameters;
  toolformer_parameters_init(&parameters, sizeof(parameters));
  parameters.k = 0;
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "k is 0", tool.parameters = &parameters)
  parameters.struct_size = 3;
  ADD_FAILS(TOOLFORMER_ERROR_INVALID, "struct_size is 3", tool.parameters = &parameters)
  CHECK(toolformer_registry_count(registry) == 0);

  // Fields that came later may be missing.
  Converter early = {.calls = 0};
  toolformer_tool shorter;
  converter_tool(&early, &shorter);
  shorter.name = toolformer_str("Shorter");
  shorter.example_count = 0;
  shorter.struct_size = offsetof(toolformer_tool, version);
  shorter.max_retries = -2;
  toolformer_registry *old = NULL;
  CALL(toolformer_registry_new, &old);
  CALL(toolformer_registry_add, old, &shorter);
  toolformer_registry_free(old);

  Converter converter = {.calls = 0};
  Converter second = {.calls = 0};
  toolformer_tool tool;
  converter_tool(&converter, &tool);
  CALL(toolformer_registry_add, registry, &tool);
  tool.user_data = &second;
  FAILS(TOOLFORMER_ERROR_INVALID, "already", toolformer_registry_add, registry, &tool);
  CHECK(second.destroyed == 1 && converter.destroyed == 0);
  tool.user_data = &converter;
  CALL(toolformer_registry_add_builtin, registry, toolformer_str("Calculator"), NULL);
  toolformer_tool changes;
  toolformer_tool_init(&changes, sizeof(changes));
  changes.today = (toolformer_date){2023, 1, 30};
  changes.user_data = &second;
  changes.destroy = tool.destroy;
  changes.instruction = toolformer_str("Ask for the day.");
  CALL(toolformer_registry_add_builtin, registry, toolformer_str("Calendar"), &changes);
  CHECK(second.destroyed == 2);  // there is nothing that it is needed for
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, "Calculator, Calendar", toolformer_registry_add_builtin, registry,
        toolformer_str("Oracle"), NULL);
  changes.today = (toolformer_date){2023, 13, 30};
  FAILS(TOOLFORMER_ERROR_INVALID, "2023-13-30", toolformer_registry_add_builtin, registry, toolformer_str("Calendar"),
        &changes);
  CHECK(toolformer_registry_count(registry) == 3);
  CHECK(equal(toolformer_registry_name(registry, 0), "Convert"));
  CHECK(equal(toolformer_registry_name(registry, 2), "Calendar"));
  CHECK(toolformer_registry_name(registry, 3).size == 0);

  toolformer_bytes *prompt = NULL;
  CALL(toolformer_registry_prompt, registry, toolformer_str("Calendar"), toolformer_str("A text."), &prompt);
  CHECK(contains(toolformer_bytes_view(prompt), "Ask for the day."));
  CHECK(contains(toolformer_bytes_view(prompt), "Input: A text.\nOutput:"));
  toolformer_bytes_free(prompt);
  prompt = NULL;
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, "Convert", toolformer_registry_prompt, registry, toolformer_str("Oracle"),
        toolformer_str(""), &prompt);
  toolformer_registry_free(registry);
  CHECK(converter.destroyed == 1);
}

typedef struct Answers {
  const char *text;
  size_t times;
  toolformer_status status;
} Answers;

static toolformer_status answer(void *user_data, const toolformer_invocation *call, toolformer_reply *reply) {
  const Answers *answers = user_data;
  (void)call;
  for (size_t i = 0; i < answers->times; ++i) {
    const toolformer_status status = toolformer_reply_write(reply, toolformer_str(answers->text));
    if (status != TOOLFORMER_OK) return status;
  }
  return answers->status;
}

static toolformer_status ask_date(void *user_data, const toolformer_invocation *call, toolformer_reply *reply) {
  (void)user_data;
  char text[32];
  const toolformer_date date = toolformer_invocation_date(call);
  snprintf(text, sizeof(text), "%d/%d/%d", date.year, date.month, date.day);
  return toolformer_reply_write(reply, toolformer_str(text));
}

static void add(toolformer_registry *registry, const char *name, toolformer_tool_fn call, void *user_data) {
  toolformer_tool tool;
  toolformer_tool_init(&tool, sizeof(tool));
  tool.name = toolformer_str(name);
  tool.call = call;
  tool.user_data = user_data;
  CALL(toolformer_registry_add, registry, &tool);
}

static void test_executing(void) {
  Converter converter = {.calls = 0};
  toolformer_registry *registry = converter_registry(&converter);
  Answers brackets = {"[Convert(1)] -> \x1b]", 1, TOOLFORMER_OK};
  Answers silence = {"", 0, TOOLFORMER_ERROR_IO};
  Answers much = {"0123456789", 10, TOOLFORMER_OK};
  add(registry, "Brackets", answer, &brackets);
  add(registry, "Silence", answer, &silence);
  add(registry, "Much", answer, &much);
  add(registry, "Day", ask_date, NULL);
  toolformer_executor_options options;
  toolformer_executor_options_init(&options, sizeof(options));
  CHECK(options.deadline_ms == 30000 && options.max_result_bytes == 50000);
  CHECK(options.max_concurrent_calls == 32 && options.breaker_failures == 5 && options.answers_file.size == 0);
  options.deadline_ms = 100;
  options.max_result_bytes = 40;
  toolformer_executor *executor = NULL;
  CALL(toolformer_executor_new, registry, &options, &executor);
  add(registry, "Late", answer, &much);  // not of the executor's tools
  toolformer_registry_free(registry);
  CHECK(converter.destroyed == 0);

  toolformer_request request;
  toolformer_request_init(&request, sizeof(request));
  request.tool = toolformer_str("Convert");
  request.input = toolformer_str("10 km");
  toolformer_bytes *result = NULL;
  for (int i = 0; i < 3; ++i) {
    CALL(toolformer_executor_execute, executor, &request, &result);
    CHECK(equal(toolformer_bytes_view(result), "6.21"));
    toolformer_bytes_free(result);
  }
  CHECK(converter.calls == 1);
  result = NULL;
  request.input = toolformer_str("a furlong");
  FAILS(TOOLFORMER_ERROR_TOOL, "not a length", toolformer_executor_execute, executor, &request, &result);
  request.tool = toolformer_str("Late");
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, "Convert, Brackets", toolformer_executor_execute, executor, &request, &result);
  request.tool = toolformer_str("Silence");
  FAILS(TOOLFORMER_ERROR_TOOL, "returned -9 (io)", toolformer_executor_execute, executor, &request, &result);
  request.tool = toolformer_str("Brackets");
  CALL(toolformer_executor_execute, executor, &request, &result);
  CHECK(equal(toolformer_bytes_view(result), "(Convert(1)) =>  )"));
  toolformer_bytes_free(result);
  request.tool = toolformer_str("Much");
  CALL(toolformer_executor_execute, executor, &request, &result);
  CHECK(toolformer_bytes_view(result).size == 40 && contains(toolformer_bytes_view(result), "..."));
  toolformer_bytes_free(result);
  request.tool = toolformer_str("Day");
  request.date = (toolformer_date){2024, 2, 29};
  CALL(toolformer_executor_execute, executor, &request, &result);
  CHECK(equal(toolformer_bytes_view(result), "2024/2/29"));
  toolformer_bytes_free(result);
  result = NULL;
  request.date.day = 30;
  FAILS(TOOLFORMER_ERROR_INVALID, "2024-2-30", toolformer_executor_execute, executor, &request, &result);
  request.date = (toolformer_date){0, 0, 0};

  // A tool that is late: the deadline of the executor, then that of the call, then a cancellation.
  converter.slow_ms = 300;
  request.tool = toolformer_str("Convert");
  request.input = toolformer_str("10 km again");
  FAILS(TOOLFORMER_ERROR_TIMEOUT, "100 ms", toolformer_executor_execute, executor, &request, &result);
  request.input = toolformer_str("10 km once more");
  request.interrupt.timeout_ms = 20;
  FAILS(TOOLFORMER_ERROR_TIMEOUT, NULL, toolformer_executor_execute, executor, &request, &result);
  CALL(toolformer_cancel_token_new, (toolformer_cancel_token **)&request.interrupt.cancel);
  request.interrupt.timeout_ms = 0;
  toolformer_cancel_token_cancel(request.interrupt.cancel);
  FAILS(TOOLFORMER_ERROR_CANCELLED, NULL, toolformer_executor_execute, executor, &request, &result);
  toolformer_cancel_token_free((toolformer_cancel_token *)request.interrupt.cancel);
  request.interrupt.cancel = NULL;
  static char input[5000];
  memset(input, '1', sizeof(input));
  request.input = (toolformer_string){input, sizeof(input)};
  FAILS(TOOLFORMER_ERROR_LIMIT, "4096", toolformer_executor_execute, executor, &request, &result);
  CHECK(result == NULL);

  toolformer_bytes *statistics = NULL;
  CALL(toolformer_executor_statistics, executor, &statistics);
  CHECK(contains(toolformer_bytes_view(statistics), "[{\"tool\":\"Convert\""));
  CHECK(contains(toolformer_bytes_view(statistics), "\"from_memory\":2"));
  CHECK(contains(toolformer_bytes_view(statistics), "\"deadline_exceeded\":2"));
  toolformer_bytes_free(statistics);

  options.deadline_ms = 0;
  registry = NULL;
  CALL(toolformer_registry_new, &registry);
  toolformer_executor *none = NULL;
  FAILS(TOOLFORMER_ERROR_INVALID, "deadline_ms", toolformer_executor_new, registry, &options, &none);
  options.deadline_ms = UINT64_MAX;
  options.max_abandoned = -1;
  FAILS(TOOLFORMER_ERROR_INVALID, "max_abandoned", toolformer_executor_new, registry, &options, &none);
  options.max_abandoned = 1;
  CALL(toolformer_executor_new, registry, &options, &none);
  toolformer_executor_free(none);
  toolformer_registry_free(registry);
  toolformer_executor_free(executor);
  CHECK(becomes(&converter.destroyed, 1));
}

static void write_file(toolformer_string path, const char *text) {
  FILE *file = fopen(path.data, "w");
  CHECK(file != NULL);
  if (file == NULL) return;
  fputs(text, file);
  fclose(file);
}

static void test_files(void) {
  toolformer_registry *registry = NULL;
  CALL(toolformer_registry_new, &registry);
  CALL(toolformer_registry_add_file, registry, fixture("../../examples/tools/tools.json"));
  CHECK(toolformer_registry_count(registry) == 4);
  CHECK(equal(toolformer_registry_name(registry, 3), "Roman"));
  FAILS(TOOLFORMER_ERROR_INVALID, "already registered", toolformer_registry_add_file, registry,
        fixture("../../examples/tools/tools.json"));
  const toolformer_string file = temporary("tools.json");
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, "tools.json", toolformer_registry_add_file, registry, file);
  write_file(file, "{\"tools\": [{\"kind\": \"calendar\", \"name\": \"Day\"}, {\"kind\": \"oracle\"}]}");
  FAILS(TOOLFORMER_ERROR_CORRUPT, "tools[1] (oracle): field 'kind'", toolformer_registry_add_file, registry, file);
  CHECK(toolformer_registry_count(registry) == 4);  // all or none
  write_file(file, "{\"tools\": [{\"kind\": \"http\", \"name\": \"Web\", \"url\": \"http://127.0.0.1/{input}\"}]}");
  CALL(toolformer_registry_add_file, registry, file);
  write_file(file, "{\"tools\": [");
  FAILS(TOOLFORMER_ERROR_CORRUPT, "not valid JSON", toolformer_registry_add_file, registry, file);

  toolformer_executor *executor = NULL;
  CALL(toolformer_executor_new, registry, NULL, &executor);
  toolformer_registry_free(registry);
  toolformer_request request;
  toolformer_request_init(&request, sizeof(request));
  request.tool = toolformer_str("Roman");
  request.input = toolformer_str("1944");
  toolformer_bytes *result = NULL;
  CALL(toolformer_executor_execute, executor, &request, &result);
  CHECK(equal(toolformer_bytes_view(result), "MCMXLIV"));
  toolformer_bytes_free(result);
  request.tool = toolformer_str("Sort");
  request.input = toolformer_str("fig cherry apple");
  CALL(toolformer_executor_execute, executor, &request, &result);
  CHECK(equal(toolformer_bytes_view(result), "apple cherry fig"));
  toolformer_bytes_free(result);
  result = NULL;
  request.tool = toolformer_str("Roman");
  request.input = toolformer_str("4000");
  FAILS(TOOLFORMER_ERROR_TOOL, "not a whole number from 1 to 3999", toolformer_executor_execute, executor, &request,
        &result);
  request.tool = toolformer_str("Web");
  FAILS(TOOLFORMER_ERROR_TOOL, "not of the public internet", toolformer_executor_execute, executor, &request, &result);
  toolformer_executor_free(executor);
}

// Answers outlive the executor; errors that are the answer to the input, too.
static void test_keeping(void) {
  toolformer_executor_options options;
  toolformer_executor_options_init(&options, sizeof(options));
  options.answers_file = temporary("answers");
  for (int run = 0; run < 2; ++run) {
    Converter converter = {.calls = 0};
    toolformer_registry *registry = converter_registry(&converter);
    toolformer_executor *executor = NULL;
    CALL(toolformer_executor_new, registry, &options, &executor);
    toolformer_registry_free(registry);
    toolformer_request request;
    toolformer_request_init(&request, sizeof(request));
    request.tool = toolformer_str("Convert");
    request.input = toolformer_str("10 km");
    toolformer_bytes *result = NULL;
    CALL(toolformer_executor_execute, executor, &request, &result);
    CHECK(equal(toolformer_bytes_view(result), "6.21"));
    toolformer_bytes_free(result);
    result = NULL;
    request.input = toolformer_str("a furlong");
    FAILS(TOOLFORMER_ERROR_TOOL, "not a length", toolformer_executor_execute, executor, &request, &result);
    CHECK(converter.calls == (run == 0 ? 2 : 0));
    toolformer_bytes *statistics = NULL;
    CALL(toolformer_executor_statistics, executor, &statistics);
    CHECK(contains(toolformer_bytes_view(statistics), run == 0 ? "\"from_disk\":0" : "\"from_disk\":2"));
    toolformer_bytes_free(statistics);
    toolformer_executor_free(executor);
    CHECK(becomes(&converter.destroyed, 1));
  }
  toolformer_registry *registry = NULL;
  CALL(toolformer_registry_new, &registry);
  toolformer_executor *none = NULL;
  options.max_answers_bytes = 1;
  FAILS(TOOLFORMER_ERROR_INVALID, "max_bytes", toolformer_executor_new, registry, &options, &none);
  options.max_answers_bytes = 0;
  options.answers_file = fixture("models/llama_gqa/config.json");
  FAILS(TOOLFORMER_ERROR_INVALID, "not a store", toolformer_executor_new, registry, &options, &none);
  options.answers_file = temporary("none/answers");
  FAILS(TOOLFORMER_ERROR_NOT_FOUND, "answers", toolformer_executor_new, registry, &options, &none);
  options.answers_file = toolformer_str("");
  options.max_concurrent_calls = -1;
  FAILS(TOOLFORMER_ERROR_INVALID, "max_concurrent_calls", toolformer_executor_new, registry, &options, &none);
  options.max_concurrent_calls = 0;
  options.breaker_failures = -2;
  FAILS(TOOLFORMER_ERROR_INVALID, "breaker_failures", toolformer_executor_new, registry, &options, &none);
  options.breaker_failures = -1;
  CALL(toolformer_executor_new, registry, &options, &none);
  toolformer_executor_free(none);
  toolformer_registry_free(registry);
}

void test_tools(void) {
  test_adding();
  test_files();
  test_keeping();
  test_executing();
}
