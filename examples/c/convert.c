// A host in C: registers a tool of its own, a converter of units, annotates three texts and continues a prompt in which
// the model calls it. The same program is in examples/cpp and in the folders of bindings/; all print the same.
//
//     build/release/bin/convert_c MODEL.gguf
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <toolformer_c.h>

typedef struct Unit {
  const char *name;
  double factor;  // in metres, or in grams
  char kind;
} Unit;

static const Unit kUnits[] = {
    {"km", 1000.0, 'm'},        {"kilometers", 1000.0, 'm'}, {"m", 1.0, 'm'},     {"meters", 1.0, 'm'},
    {"miles", 1609.344, 'm'},   {"feet", 0.3048, 'm'},       {"kg", 1000.0, 'g'}, {"kilograms", 1000.0, 'g'},
    {"pounds", 453.59237, 'g'}, {"lbs", 453.59237, 'g'},
};

static const Unit *find_unit(const char *name) {
  for (size_t i = 0; i < sizeof(kUnits) / sizeof(kUnits[0]); ++i) {
    if (strcmp(kUnits[i].name, name) == 0) return &kUnits[i];
  }
  return NULL;
}

// Digits with at most one point.
static bool is_number(const char *text) {
  size_t digits = 0, points = 0;
  for (; *text != '\0'; ++text) {
    if (*text == '.') {
      ++points;
    } else if (*text >= '0' && *text <= '9') {
      ++digits;
    } else {
      return false;
    }
  }
  return digits > 0 && points <= 1;
}

// "26.2 miles to km" -> "42.16". The input is whatever the model wrote.
static toolformer_status convert(void *user_data, const toolformer_invocation *call, toolformer_reply *reply) {
  (void)user_data;
  const toolformer_string input = toolformer_invocation_input(call);
  char text[64] = "", number[64], from[64], to[64], target_name[64], rest[2];
  if (input.size < sizeof(text)) memcpy(text, input.data, input.size);
  const int words = sscanf(text, "%63s %63s %63s %63s %1s", number, from, to, target_name, rest);
  if (words != 4 || strcmp(to, "to") != 0 || !is_number(number)) {
    toolformer_reply_fail(reply, toolformer_str("write it like this: 5 km to miles"));
    return TOOLFORMER_ERROR_TOOL;
  }
  const Unit *source = find_unit(from), *target = find_unit(target_name);
  if (source == NULL || target == NULL || source->kind != target->kind) {
    toolformer_reply_fail(reply, toolformer_str("not units of one kind"));
    return TOOLFORMER_ERROR_TOOL;
  }
  const double value = strtod(number, NULL);
  char result[64];
  snprintf(result, sizeof(result), "%.2f", value * source->factor / target->factor);
  return toolformer_reply_write(reply, toolformer_str(result));
}

static const toolformer_example kExamples[] = {
    {{"The race is 5 miles long, that is 8.05 km.", 42},
     {"The race is 5 miles long, that is [Convert(5 miles to km) -> 8.05] 8.05 km.", 75}},
    {{"The bag weighs 20 kg, or 44.09 pounds.", 38},
     {"The bag weighs 20 kg, or [Convert(20 kg to pounds) -> 44.09] 44.09 pounds.", 74}},
    {{"At 300 m, that is 984.25 feet, the tower is tall.", 49},
     {"At 300 m, that is [Convert(300 m to feet) -> 984.25] 984.25 feet, the tower is tall.", 84}},
};

static const char *const kTexts[] = {
    "A marathon is 26.2 miles long, that is 42.16 km.",
    "The suitcase weighs 23 kg, or 50.71 pounds, and is too heavy.",
    "The weather was fine and nobody wanted to go home.",
};

static const char kPrompt[] = "The lake is 12 miles long, that is";

// One line that says what went wrong, and out.
static void check(toolformer_status status, toolformer_error *error) {
  if (status == TOOLFORMER_OK) return;
  const toolformer_string message = toolformer_error_message(error);
  fprintf(stderr, "%s: %.*s\n", toolformer_status_name(status), (int)message.size, message.data);
  exit(1);
}

static void print(const char *label, toolformer_string text) { printf("%s%.*s\n", label, (int)text.size, text.data); }

static void register_convert(toolformer_registry *registry) {
  toolformer_tool tool;
  toolformer_parameters parameters;
  toolformer_tool_init(&tool, sizeof(tool));
  toolformer_parameters_init(&parameters, sizeof(parameters));
  parameters.tau_s = 0.0;
  parameters.k = 3;
  parameters.m = 2;
  parameters.tau_f = 0.25;
  tool.name = toolformer_str("Convert");
  tool.instruction = toolformer_str(
      "You can convert lengths and weights by writing \"[Convert(number unit to unit)]\". The units are km, m, miles, "
      "feet, kg and pounds.");
  tool.examples = kExamples;
  tool.example_count = sizeof(kExamples) / sizeof(kExamples[0]);
  tool.input_characters = toolformer_str("0123456789. abcdefghijklmnopqrstuvwxyz");
  tool.parameters = &parameters;
  tool.call = convert;
  tool.flags = TOOLFORMER_TOOL_RETURNS_AT_ONCE | TOOLFORMER_TOOL_FREE_OF_SIDE_EFFECTS;
  toolformer_error *error = NULL;
  check(toolformer_registry_add(registry, &tool, &error), error);
}

static void annotate(const toolformer_model *model, const toolformer_registry *registry) {
  toolformer_error *error = NULL;
  toolformer_sampler_options sampler;
  toolformer_annotator_options options;
  toolformer_sampler_options_init(&sampler, sizeof(sampler));
  toolformer_annotator_options_init(&options, sizeof(options));
  sampler.seed = 1;
  sampler.max_call_tokens = 24;
  options.sampler = &sampler;
  options.exact_gains = 1;
  toolformer_annotator *annotator = NULL;
  check(toolformer_annotator_new(model, registry, &options, &annotator, &error), error);
  for (size_t i = 0; i < sizeof(kTexts) / sizeof(kTexts[0]); ++i) {
    toolformer_document document;
    toolformer_document_init(&document, sizeof(document));
    document.text = toolformer_str(kTexts[i]);
    toolformer_annotation *annotation = NULL;
    check(toolformer_annotator_annotate(annotator, &document, NULL, &annotation, &error), error);
    print("text: ", toolformer_annotation_augmented_text(annotation));
    for (size_t j = 0; j < toolformer_annotation_call_count(annotation); ++j) {
      toolformer_judged_call call = {.struct_size = sizeof(call)};
      check(toolformer_annotation_get_call(annotation, j, &call, &error), error);
      printf("  %.*s(%.*s) at %lld: ", (int)call.tool.size, call.tool.data, (int)call.input.size, call.input.data,
             (long long)call.byte_offset);
      if (call.verdict == TOOLFORMER_VERDICT_TOOL_ERROR) {
        print("error: ", call.error);
      } else {
        printf("%.*s, gain %.3f%s\n", (int)call.result.size, call.result.data, call.losses.gain,
               call.verdict == TOOLFORMER_VERDICT_KEPT ? ", kept" : "");
      }
    }
    toolformer_annotation_free(annotation);
  }
  toolformer_annotator_free(annotator);
}

static void complete(const toolformer_model *model, const toolformer_registry *registry) {
  toolformer_error *error = NULL;
  toolformer_executor *executor = NULL;
  toolformer_decoder *decoder = NULL;
  check(toolformer_executor_new(registry, NULL, &executor, &error), error);
  check(toolformer_decoder_new(model, executor, &decoder, &error), error);
  toolformer_decode_options options;
  toolformer_decode_options_init(&options, sizeof(options));
  options.tool_use = TOOLFORMER_TOOLS_IN_CONTEXT;
  options.max_new_tokens = 48;
  toolformer_generation *generation = NULL;
  check(toolformer_decoder_decode(decoder, toolformer_str(kPrompt), &options, &generation, &error), error);
  printf("prompt: %s\n", kPrompt);
  print("output:", toolformer_generation_text(generation));
  print("without calls:", toolformer_generation_plain_text(generation));
  for (size_t i = 0; i < toolformer_generation_call_count(generation); ++i) {
    toolformer_decoded_call call = {.struct_size = sizeof(call)};
    check(toolformer_generation_get_call(generation, i, &call, &error), error);
    printf("  %.*s(%.*s): ", (int)call.tool.size, call.tool.data, (int)call.input.size, call.input.data);
    print(call.failed ? "error: " : "", call.failed ? call.error : call.result);
  }
  toolformer_generation_free(generation);
  toolformer_decoder_free(decoder);
  toolformer_executor_free(executor);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: convert_c MODEL\n");
    return 2;
  }
  toolformer_error *error = NULL;
  toolformer_model *model = NULL;
  toolformer_registry *registry = NULL;
  check(toolformer_check_abi(TOOLFORMER_ABI_VERSION, &error), error);
  check(toolformer_model_load(toolformer_str(argv[1]), NULL, &model, &error), error);
  check(toolformer_registry_new(&registry, &error), error);
  register_convert(registry);
  printf("toolformer %s\n", toolformer_version());
  annotate(model, registry);
  complete(model, registry);
  toolformer_registry_free(registry);
  toolformer_model_free(model);
  return 0;
}
