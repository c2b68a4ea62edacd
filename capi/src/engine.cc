// The one symbol of the engine library.
#include "capi/src/engine.h"

extern "C" TOOLFORMER_C_API const toolformer::capi::Engine* toolformer_engine() {
  static const toolformer::capi::Engine engine = {
      TOOLFORMER_VERSION,
      sizeof(toolformer::capi::Engine),
#define F(name) &::name,
#include "capi/src/engine_functions.inc"
#undef F
  };
  return &engine;
}
