// Checks, and the main program: runs the groups that are named, or all.
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <time.h>
#include <unistd.h>

atomic_int check_failures;
atomic_int check_count;

static _Thread_local toolformer_error *last_error;
static char temporary_folder[64];

bool check(bool holds, const char *file, int line, const char *what) {
  atomic_fetch_add(&check_count, 1);
  if (!holds) {
    atomic_fetch_add(&check_failures, 1);
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
  }
  return holds;
}

bool check_ok(toolformer_status status, toolformer_error *error, const char *file, int line, const char *what) {
  const bool holds = check(status == TOOLFORMER_OK && error == NULL, file, line, what);
  if (!holds) {
    const toolformer_string message = toolformer_error_message(error);
    fprintf(stderr, "  %s: %.*s\n", toolformer_status_name(status), (int)message.size, message.data);
  }
  toolformer_error_free(error);
  return holds;
}

bool check_fails(Failure expected, toolformer_status status, toolformer_error *error, const char *file, int line) {
  const toolformer_string message = toolformer_error_message(error);
  bool holds = check(status == expected.status, file, line, "the status that is expected");
  holds = check(toolformer_error_status(error) == status, file, line, "an error with the same status") && holds;
  holds = check(message.size > 0 && memchr(message.data, '\n', message.size) == NULL, file, line, "one line") && holds;
  if (expected.text != NULL) holds = check(contains(message, expected.text), file, line, expected.text) && holds;
  if (!holds) {
    fprintf(stderr, "  %s, not %s: %.*s\n", toolformer_status_name(status), toolformer_status_name(expected.status),
            (int)message.size, message.data);
  }
  toolformer_error_free(error);
  return holds;
}

toolformer_error **fresh_error_(void) {
  last_error = NULL;
  return &last_error;
}

toolformer_error *take_error_(void) {
  toolformer_error *error = last_error;
  last_error = NULL;  // a callback of the next call may use it too
  return error;
}

bool call_ok_(toolformer_status status, const char *file, int line, const char *what) {
  return check_ok(status, take_error_(), file, line, what);
}

bool call_fails_(Failure expected, toolformer_status status, const char *file, int line) {
  return check_fails(expected, status, take_error_(), file, line);
}

bool equal(toolformer_string text, const char *expected) {
  const bool same = text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
  if (!same) fprintf(stderr, "  '%.*s' is not '%s'\n", (int)text.size, text.data, expected);
  return same;
}

bool contains(toolformer_string text, const char *part) {
  const size_t size = strlen(part);
  for (size_t i = 0; i + size <= text.size; ++i) {
    if (memcmp(text.data + i, part, size) == 0) return true;
  }
  return false;
}

toolformer_ids ids_of(const int32_t *data, size_t size) { return (toolformer_ids){data, size}; }

static toolformer_string path_of(const char *folder, const char *name) {
  static _Thread_local char buffers[4][512];
  static _Thread_local int next;
  char *buffer = buffers[next++ % 4];
  snprintf(buffer, sizeof(buffers[0]), "%s/%s", folder, name);
  return toolformer_str(buffer);
}

toolformer_string fixture(const char *name) { return path_of(TOOLFORMER_SOURCE_DIR "/tests/fixtures", name); }
toolformer_string temporary(const char *name) { return path_of(temporary_folder, name); }

void sleep_ms(int milliseconds) {
  const struct timespec time = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

bool becomes(atomic_int *count, int value) {
  for (int i = 0; i < 1000 && *count != value; ++i) sleep_ms(10);
  return *count == value;
}

typedef struct Group {
  const char *name;
  void (*run)(void);
} Group;

static const Group kGroups[] = {
    {"base", test_base},         {"models", test_models},         {"host", test_host},
    {"tools", test_tools},       {"annotation", test_annotation}, {"decoding", test_decoding},
    {"training", test_training}, {"misuse", test_misuse},         {"structs", test_structs},
    {"null", test_null},         {"threads", test_threads},       {"memory", test_memory},
};

int main(int argc, char **argv) {
  snprintf(temporary_folder, sizeof(temporary_folder), "/tmp/toolformer-capi-XXXXXX");
  if (mkdtemp(temporary_folder) == NULL) {
    perror("mkdtemp");
    return 1;
  }
  for (size_t i = 0; i < sizeof(kGroups) / sizeof(kGroups[0]); ++i) {
    bool wanted = argc == 1;
    for (int j = 1; j < argc; ++j) wanted = wanted || strcmp(argv[j], kGroups[i].name) == 0;
    if (!wanted) continue;
    const int before = check_failures;
    kGroups[i].run();
    printf("%-10s %s\n", kGroups[i].name, check_failures == before ? "passed" : "FAILED");
  }
  char command[128];
  snprintf(command, sizeof(command), "rm -rf '%s'", temporary_folder);
  if (system(command) != 0) return 1;
  printf("%d checks, %d failed\n", check_count, check_failures);
  return check_failures == 0 ? 0 : 1;
}
