// A model that is a callback of the host.
#ifndef TOOLFORMER_CAPI_SRC_HOST_MODEL_H_
#define TOOLFORMER_CAPI_SRC_HOST_MODEL_H_

#include <memory>

#include "capi/src/host.h"
#include "toolformer/model.h"

namespace toolformer::capi {

// Keeps the tokenizer and the user data. kInvalidArgument: a field of `host` that cannot be.
absl::StatusOr<std::shared_ptr<const LanguageModel>> MakeHostModel(const toolformer_host_model& host,
                                                                   std::shared_ptr<const Tokenizer> tokenizer,
                                                                   UserData user_data);

}  // namespace toolformer::capi

#endif  // TOOLFORMER_CAPI_SRC_HOST_MODEL_H_
