// Functions that C calls, in front of those of Go, which know no const.
#include "_cgo_export.h"

static toolformer_status answer(void *user_data, const toolformer_invocation *call, toolformer_reply *reply) {
  return toolformerGoAnswer((uintptr_t)user_data, (toolformer_invocation *)call, reply);
}

static void forget(void *user_data) { toolformerGoForget((uintptr_t)user_data); }

void toolformer_go_set_tool(toolformer_tool *tool, uintptr_t handle) {
  tool->call = answer;
  tool->destroy = forget;
  tool->user_data = (void *)handle;
}
