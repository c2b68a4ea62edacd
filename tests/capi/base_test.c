// Versions, errors, text, cancel tokens.
#include "check.h"

static void test_versions(void) {
  CHECK(toolformer_abi_version() == TOOLFORMER_ABI_VERSION);
  CHECK(strcmp(toolformer_version(), TOOLFORMER_PROJECT_VERSION) == 0);
  CALL(toolformer_check_abi, TOOLFORMER_ABI_VERSION);
  FAILS(TOOLFORMER_ERROR_ABI, "version 1000 of the interface, the library has version 1", toolformer_check_abi, 1000);
  FAILS(TOOLFORMER_ERROR_ABI, "version 0", toolformer_check_abi, 0);
  toolformer_error **error = fresh_error_();
  CHECK(toolformer_prepare(error) == TOOLFORMER_OK && *error == NULL);
}

static void test_errors(void) {
  CHECK(toolformer_error_status(NULL) == TOOLFORMER_OK);
  CHECK(toolformer_error_message(NULL).size == 0);
  CHECK(toolformer_error_offset(NULL) == -1);
  toolformer_error_free(NULL);
  for (toolformer_status status = TOOLFORMER_ERROR_INTERNAL; status <= TOOLFORMER_OK; ++status) {
    CHECK(strcmp(toolformer_status_name(status), "unknown") != 0);
    for (toolformer_status other = status + 1; other <= TOOLFORMER_OK; ++other) {
      CHECK(strcmp(toolformer_status_name(status), toolformer_status_name(other)) != 0);
    }
  }
  CHECK(strcmp(toolformer_status_name(1), "unknown") == 0);
  CHECK(strcmp(toolformer_status_name(TOOLFORMER_ERROR_INTERNAL - 1), "unknown") == 0);

  // A message is data: what it quotes formats nothing, and is cut.
  toolformer_model *model = NULL;
  toolformer_error *error = NULL;
  CHECK(toolformer_model_load(toolformer_str("/nowhere/%n%s%p\n\x1b[0m"), NULL, &model, &error) ==
        TOOLFORMER_ERROR_NOT_FOUND);
  CHECK(contains(toolformer_error_message(error), "%n%s%p  [0m"));
  CHECK(toolformer_error_offset(error) == -1);
  toolformer_error_free(error);
  const size_t size = 1 << 20;
  char *path = malloc(size);
  memset(path, 'a', size);
  error = NULL;
  CHECK(toolformer_model_load((toolformer_string){path, size}, NULL, &model, &error) != TOOLFORMER_OK);
  CHECK(toolformer_error_message(error).size <= 4096);
  CHECK(toolformer_error_message(error).data[toolformer_error_message(error).size] == '\0');
  toolformer_error_free(error);
  memset(path, 0xC3, size);  // nor is it anything but UTF-8
  error = NULL;
  CHECK(toolformer_model_load((toolformer_string){path, 3}, NULL, &model, &error) != TOOLFORMER_OK);
  CHECK(contains(toolformer_error_message(error), "\xEF\xBF\xBD"));
  CHECK(!contains(toolformer_error_message(error), "\xC3"));
  toolformer_error_free(error);
  free(path);
  CHECK(model == NULL);
  // Without an error object there is still the status.
  CHECK(toolformer_model_load(toolformer_str("/nowhere"), NULL, &model, NULL) == TOOLFORMER_ERROR_NOT_FOUND);
}

static void test_text(void) {
  CHECK(equal(toolformer_str("text"), "text"));
  CHECK(toolformer_str(NULL).size == 0);
  toolformer_bytes *bytes = NULL;
  CALL(toolformer_calculate, toolformer_str("27 + 4 * 2"), &bytes);
  CHECK(equal(toolformer_bytes_view(bytes), "35"));
  CHECK(toolformer_bytes_view(bytes).data[2] == '\0');
  toolformer_bytes_free(bytes);
  bytes = NULL;
  FAILS(TOOLFORMER_ERROR_TOOL, NULL, toolformer_calculate, toolformer_str("1 / 0"), &bytes);
  FAILS(TOOLFORMER_ERROR_TOOL, NULL, toolformer_calculate, toolformer_str("9 ** 9 ** 9 ** 9"), &bytes);
  FAILS(TOOLFORMER_ERROR_TOOL, NULL, toolformer_calculate, toolformer_str(""), &bytes);
  const toolformer_string with_nul = {"1\0+ 1", 6};
  FAILS(TOOLFORMER_ERROR_TOOL, NULL, toolformer_calculate, with_nul, &bytes);
  const toolformer_string huge = {"1", (size_t)-1};
  FAILS(TOOLFORMER_ERROR_INVALID, "which nothing has", toolformer_calculate, huge, &bytes);
  CHECK(bytes == NULL);
}

static void test_cancel_tokens(void) {
  toolformer_cancel_token *token = NULL;
  toolformer_cancel_token *second = NULL;
  CALL(toolformer_cancel_token_new, &token);
  CALL(toolformer_cancel_token_share, token, &second);
  CHECK(toolformer_cancel_token_cancelled(token) == 0);
  toolformer_cancel_token_cancel(token);
  toolformer_cancel_token_free(token);
  CHECK(toolformer_cancel_token_cancelled(second) == 1);
  toolformer_cancel_token_reset(second);
  CHECK(toolformer_cancel_token_cancelled(second) == 0);
  toolformer_cancel_token_free(second);
}

void test_base(void) {
  test_versions();
  test_errors();
  test_text();
  test_cancel_tokens();
}
