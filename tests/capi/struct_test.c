// Sizes and offsets of all structs equal the committed table, which the bindings are held to as well.
#define _POSIX_C_SOURCE 200809L  // open_memstream
#include "check.h"

static void write_layout(FILE *out) {
#define STRUCT(type) fprintf(out, #type " %zu\n", sizeof(type));
#define FIELD(type, field) \
  fprintf(out, #type ".%s %zu %zu\n", #field, offsetof(type, field), sizeof(((type *)NULL)->field));
#include "layout.inc"
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
  FILE *file = fopen(path, "r");
  char *committed = calloc(size + 2, 1);
  if (CHECK(file != NULL)) {
    CHECK(fread(committed, 1, size + 1, file) == size);
    fclose(file);
  }
  CHECK(memcmp(committed, written, size) == 0);
  free(committed);
  free(written);
}
