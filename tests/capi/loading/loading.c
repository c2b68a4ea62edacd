// Opens the library that is named, as hosts of other languages do, and says what toolformer_prepare says. With
// "forked": a child does it too. With "twice": after the library was closed and opened again. With "both" and the path of a
// second copy: while that one is open and in use, and again after it was closed.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <toolformer_c.h>
#include <unistd.h>

typedef toolformer_status (*Prepare)(toolformer_error **);
typedef toolformer_string (*Message)(const toolformer_error *);
typedef toolformer_status (*Calculate)(toolformer_string, toolformer_bytes **, toolformer_error **);
typedef void (*Free)(toolformer_error *);
typedef void (*FreeBytes)(toolformer_bytes *);
typedef size_t (*Count)(const toolformer_registry *);

// ISO C has no cast from an object to a function.
static void find(void *library, const char *name, void *function, size_t size) {
  void *symbol = dlsym(library, name);
  memcpy(function, &symbol, size);
}
#define FIND(library, type, variable, name) \
  type variable;                            \
  find(library, name, &variable, sizeof(variable))

static int try_it(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    printf("dlopen: %s\n", dlerror());
    return 3;
  }
  FIND(library, Prepare, prepare, "toolformer_prepare");
  FIND(library, Message, message, "toolformer_error_message");
  FIND(library, Calculate, calculate, "toolformer_calculate");
  FIND(library, Free, free_error, "toolformer_error_free");
  FIND(library, FreeBytes, free_bytes, "toolformer_bytes_free");
  FIND(library, Count, count, "toolformer_registry_count");
  // What cannot load the engine, since it is given nothing, answers without it.
  if (count(NULL) != 0) return 4;
  toolformer_error *error = NULL;
  const toolformer_status status = prepare(&error);
  if (status != TOOLFORMER_OK) {
    const toolformer_string text = message(error);
    printf("%d %.*s\n", status, (int)text.size, text.data);
    free_error(error);
    toolformer_bytes *bytes = NULL;
    const toolformer_string sum = {"1 + 1", 5};
    if (calculate(sum, &bytes, NULL) != status || bytes != NULL) return 5;
    dlclose(library);
    return 1;
  }
  toolformer_bytes *bytes = NULL;
  const toolformer_string sum = {"1 + 1", 5};
  const int failed = calculate(sum, &bytes, NULL) != TOOLFORMER_OK;
  free_bytes(bytes);
  dlclose(library);
  return failed ? 6 : 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  const int result = try_it(argv[1]);
  if (argc > 2 && strcmp(argv[2], "twice") == 0) return result + try_it(argv[1]);
  if (argc > 3 && strcmp(argv[2], "both") == 0) {
    void *first = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    void *second = dlopen(argv[3], RTLD_NOW | RTLD_LOCAL);
    if (first == NULL || second == NULL || first == second) return 9;
    const int both = try_it(argv[3]) + try_it(argv[1]);
    dlclose(second);
    return result + both + try_it(argv[1]) + dlclose(first);
  }
  if (argc > 2 && strcmp(argv[2], "forked") == 0) {
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) _exit(try_it(argv[1]));
    int status = 0;
    if (waitpid(child, &status, 0) != child) return 7;
    return result + (WIFEXITED(status) ? WEXITSTATUS(status) : 8);
  }
  return result;
}
