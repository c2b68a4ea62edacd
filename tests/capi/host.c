// The model and the tool of the tests.
#include "check.h"

static toolformer_status encode_bytes(void *user_data, toolformer_string text, int32_t continuation,
                                      toolformer_reply *reply) {
  (void)user_data;
  (void)continuation;
  for (size_t i = 0; i < text.size; ++i) {
    const int32_t id = kFirstByte + (unsigned char)text.data[i];
    const toolformer_status status = toolformer_reply_ids(reply, ids_of(&id, 1));
    if (status != TOOLFORMER_OK) return status;
  }
  return TOOLFORMER_OK;
}

static toolformer_status bytes_of(void *user_data, int32_t id, toolformer_reply *reply) {
  (void)user_data;
  if (id < kFirstByte) return TOOLFORMER_OK;
  const char byte = (char)(id - kFirstByte);
  return toolformer_reply_write(reply, (toolformer_string){&byte, 1});
}

toolformer_tokenizer *byte_tokenizer(void) {
  static const int32_t end = kEnd;
  toolformer_host_tokenizer host;
  toolformer_host_tokenizer_init(&host, sizeof(host));
  host.encode = encode_bytes;
  host.token_bytes = bytes_of;
  host.vocab_size = kVocabulary;
  host.start_id = kStart;
  host.end_ids = ids_of(&end, 1);
  toolformer_tokenizer *tokenizer = NULL;
  CALL(toolformer_tokenizer_from_host, &host, &tokenizer);
  return tokenizer;
}

// Where `text`, of `size` bytes, ends with `after` and the first `written` bytes of `write`.
static bool ends_with(const char *text, size_t size, const Rule *rule, size_t written) {
  const size_t after = strlen(rule->after);
  return size >= after + written && memcmp(text + size - written, rule->write, written) == 0 &&
         memcmp(text + size - written - after, rule->after, after) == 0;
}

static int32_t next_id(const Script *script, const char *text, size_t size) {
  size_t best = 0;
  int32_t id = kFirstByte + 'x';
  for (size_t i = 0; i < script->count; ++i) {
    const Rule *rule = &script->rules[i];
    if (!contains((toolformer_string){text, size}, rule->given)) continue;
    for (size_t written = 0; rule->write[written] != '\0'; ++written) {
      const size_t match = strlen(rule->given) + strlen(rule->after) + written;
      if (match < best || !ends_with(text, size, rule, written)) continue;
      best = match;
      id = rule->write[written] == '\x01' ? kEnd : kFirstByte + (unsigned char)rule->write[written];
    }
  }
  return id;
}

static toolformer_status forward(void *user_data, const toolformer_host_row *rows, size_t row_count,
                                 toolformer_reply *reply) {
  Script *script = user_data;
  atomic_fetch_add(&script->forwards, 1);
  if (script->slow_ms > 0) sleep_ms(script->slow_ms);
  if (script->status != TOOLFORMER_OK) {
    toolformer_reply_fail(reply, toolformer_str("the script is torn"));
    return script->status;
  }
  size_t count = 0;
  for (size_t i = 0; i < row_count; ++i) count += rows[i].wanted_count;
  float *logits = calloc(count * kVocabulary + 1, sizeof(float));
  float *out = logits;
  for (size_t i = 0; i < row_count; ++i) {
    char *text = malloc(rows[i].ids.size + 1);
    size_t size = 0;
    size_t read = 0;
    for (size_t j = 0; j < rows[i].wanted_count; ++j) {
      for (; (int64_t)read <= rows[i].wanted[j]; ++read) {
        const int32_t id = rows[i].ids.data[read];
        if (id >= kFirstByte) text[size++] = (char)(id - kFirstByte);
      }
      out[kFirstByte + '['] = 10;  // a call is always the second thought
      out[next_id(script, text, size)] = 20;
      out += kVocabulary;
    }
    free(text);
  }
  const int64_t shape[] = {(int64_t)count, kVocabulary};
  const toolformer_status status =
      toolformer_reply_logits(reply, (toolformer_array){logits, shape, 2, TOOLFORMER_TYPE_F32});
  free(logits);
  return status;
}

static void script_destroyed(void *user_data) { atomic_fetch_add(&((Script *)user_data)->destroyed, 1); }

toolformer_model *script_model(Script *script) {
  toolformer_tokenizer *tokenizer = byte_tokenizer();
  toolformer_host_model host;
  toolformer_host_model_init(&host, sizeof(host));
  host.tokenizer = tokenizer;
  host.forward = forward;
  host.vocab_size = kVocabulary;
  host.context_length = 4096;
  host.user_data = script;
  host.destroy = script_destroyed;
  toolformer_model *model = NULL;
  CALL(toolformer_model_from_host, &host, &model);
  toolformer_tokenizer_free(tokenizer);
  return model;
}

const Rule kConvertRules[] = {
    {"", "Ten km is", "["},
    {"", "Ten km is [", "Convert(10 km) ->"},
    {"-> 6.21]", "Ten km is", " 6.21 miles."},
    {"", "-> 6.21]", " 6.21 miles.\x01"},
    {"", "Convert(", "10 km)]"},
};
const size_t kConvertRuleCount = sizeof(kConvertRules) / sizeof(kConvertRules[0]);

static toolformer_status convert(void *user_data, const toolformer_invocation *call, toolformer_reply *reply) {
  Converter *converter = user_data;
  atomic_fetch_add(&converter->calls, 1);
  if (converter->before != NULL) converter->before(converter->argument);
  if (converter->slow_ms > 0) sleep_ms(converter->slow_ms);
  if (!contains(toolformer_invocation_input(call), "10 km")) {
    toolformer_reply_fail(reply, toolformer_str("not a length"));
    return TOOLFORMER_ERROR_TOOL;
  }
  toolformer_status status = toolformer_reply_write(reply, toolformer_str("6."));
  if (status == TOOLFORMER_OK) status = toolformer_reply_write(reply, toolformer_str("21"));
  return status;
}

static void converter_destroyed(void *user_data) { atomic_fetch_add(&((Converter *)user_data)->destroyed, 1); }

void converter_tool(Converter *converter, toolformer_tool *tool) {
  static const toolformer_example example = {{"Four km is 2.49 miles.", 22},
                                             {"Four km is [Convert(4 km) -> 2.49] 2.49 miles.", 46}};
  toolformer_tool_init(tool, sizeof(*tool));
  tool->name = toolformer_str("Convert");
  tool->instruction = toolformer_str("You can convert a length by writing \"[Convert(length)]\".");
  tool->examples = &example;
  tool->example_count = 1;
  tool->call = convert;
  tool->flags = TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS;
  tool->user_data = converter;
  tool->destroy = converter_destroyed;
}

toolformer_registry *converter_registry(Converter *converter) {
  toolformer_tool tool;
  converter_tool(converter, &tool);
  toolformer_registry *registry = NULL;
  CALL(toolformer_registry_new, &registry);
  CALL(toolformer_registry_add, registry, &tool);
  return registry;
}
