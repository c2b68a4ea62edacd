// In place of the thin library where all is linked into one program: there is nothing to load.
#include "toolformer_c.h"

extern "C" toolformer_status toolformer_prepare(toolformer_error**) noexcept { return TOOLFORMER_OK; }
