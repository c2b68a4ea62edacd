// HTTP as the tools of the host use it.
#ifndef TOOLFORMER_SRC_HOST_NETWORK_H_
#define TOOLFORMER_SRC_HOST_NETWORK_H_

#include <memory>

#include "src/net/http_client.h"
#include "toolformer/http_tool.h"

namespace toolformer {

absl::StatusOr<std::shared_ptr<const HttpClient>> MakeClient(const NetworkOptions& network);

// Ok for 2xx, else what MakeHttpFunction says of a status, with the beginning of the answer.
absl::Status CheckStatus(const HttpResponse& response);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_NETWORK_H_
