// Sizes and offsets of all structs equal the committed table, which the bindings are held to as well, and no field of a
// struct as it first appeared has moved.
#define _POSIX_C_SOURCE 200809L  // open_memstream
#include "check.h"

static void write_layout(FILE *out) {
#define STRUCT(type) fprintf(out, #type " %zu\n", sizeof(type));
#define FIELD(type, field) \
  fprintf(out, #type ".%s %zu %zu\n", #field, offsetof(type, field), sizeof(((type *)NULL)->field));
#include "layout.inc"
}

// The whole of a committed file, NUL-terminated; NULL where it is not there.
static char *read_committed(const char *path) {
  FILE *file = fopen(path, "r");
  if (!check(file != NULL, __FILE__, __LINE__, path)) return NULL;
  const size_t most = 1 << 20;
  char *text = calloc(most, 1);
  CHECK(fread(text, 1, most - 1, file) > 0);
  fclose(file);
  return text;
}

// "name number...\n" of `name` in a table, behind the name; NULL where there is none.
static const char *find_line(const char *table, const char *name) {
  const size_t size = strlen(name);
  for (const char *line = table; line != NULL && *line != '\0';) {
    if (strncmp(line, name, size) == 0 && line[size] == ' ') return line + size;
    line = strchr(line, '\n');
    if (line != NULL) ++line;
  }
  return NULL;
}

// Programs that were compiled when a struct was new have its fields where they were. What was added since lies behind
// all that they have, also behind what the compiler left free at the end.
static void check_first_layout(const char *first, const char *now) {
  char name[128];
  for (const char *line = now; line != NULL && *line != '\0';) {
    const size_t length = strcspn(line, " ");
    snprintf(name, sizeof(name), "%.*s", (int)length, line);
    char *dot = strchr(name, '.');
    const char *was = find_line(first, name);
    const size_t rest = strcspn(line + length, "\n");
    if (dot != NULL && was != NULL) {
      check(strncmp(was, line + length, rest + 1) == 0, __FILE__, __LINE__, name);
    } else if (dot != NULL) {
      *dot = '\0';
      was = find_line(first, name);
      check(was != NULL && atoi(line + length) >= atoi(was), __FILE__, __LINE__, name);
    }
    line = strchr(line, '\n');
    if (line != NULL) ++line;
  }
  for (const char *line = first; line != NULL && *line != '\0';) {
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, " "), line);
    check(find_line(now, name) != NULL, __FILE__, __LINE__, name);
    line = strchr(line, '\n');
    if (line != NULL) ++line;
  }
}

void test_structs(void) {
  const char *path = TOOLFORMER_SOURCE_DIR "/capi/abi/layout.txt";
  char *written = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&written, &size);
  write_layout(out);
  fclose(out);
  // To make a new one, after a change that is meant: TOOLFORMER_WRITE_LAYOUT=1 capi_test structs.
  if (getenv("TOOLFORMER_WRITE_LAYOUT") != NULL) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fwrite(written, 1, size, file) == size && fclose(file) == 0);
  }
  char *committed = read_committed(path);
  char *cpp = layout_of_cpp();
  char *first = read_committed(TOOLFORMER_SOURCE_DIR "/capi/abi/first_layout.txt");
  if (committed != NULL) CHECK(strcmp(committed, written) == 0);
  CHECK(strcmp(cpp, written) == 0);
  if (first != NULL) check_first_layout(first, written);
  free(first);
  free(cpp);
  free(committed);
  free(written);
}
