// A host in C that knows nothing but the installed header.
#include <stdio.h>
#include <toolformer_c.h>

int main(void) {
  toolformer_error *error = NULL;
  toolformer_bytes *bytes = NULL;
  if (toolformer_check_abi(TOOLFORMER_ABI_VERSION, &error) != TOOLFORMER_OK ||
      toolformer_calculate(toolformer_str("6 * 7"), &bytes, &error) != TOOLFORMER_OK) {
    const toolformer_string message = toolformer_error_message(error);
    printf("%.*s\n", (int)message.size, message.data);
    toolformer_error_free(error);
    return 1;
  }
  printf("%s\n", toolformer_bytes_view(bytes).data);
  toolformer_bytes_free(bytes);
  return 0;
}
