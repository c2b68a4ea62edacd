// HTTP services as tools.
#ifndef TOOLFORMER_HTTP_TOOL_H_
#define TOOLFORMER_HTTP_TOOL_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/export.h"
#include "toolformer/tool.h"
#include "toolformer/tool_arguments.h"

namespace toolformer {

// What every request over the network is held to, whoever chose the address.
struct TOOLFORMER_API NetworkOptions {
  // Networks that may be connected to although their addresses are not of the public internet: "127.0.0.0/8", "::1",
  // "10.1.0.0/16". Everything else on private, loopback, link-local and other special addresses is refused, whatever
  // name or redirect leads there.
  std::vector<std::string> allowed_networks;
  std::chrono::milliseconds deadline{10000};  // of a request with all its redirects
  size_t max_response_bytes = 1 << 20;        // after decompression
  int max_redirects = 3;
  std::string ca_file;  // certificates to trust in place of the system's; empty: the system's
};

struct TOOLFORMER_API HttpToolOptions {
  std::string method = "GET";  // or POST, PUT, ...
  // "https://example.com/search?q={input}": http or https; what is filled in is percent-encoded, and stands behind the
  // host.
  std::string url;
  std::map<std::string, std::string> headers;  // as they are; nothing is filled in
  // Of requests other than GET: "{\"query\": \"{input}\"}". By content_type what is filled in is escaped: within a JSON
  // string as its text, elsewhere in JSON as a value; percent-encoded in a form; as it is in any other type.
  std::string body;
  std::string content_type = "application/json";
  // Where in the JSON answer the result stands: a JSON pointer ("/a/0/b") or a path ("$.a[0].b", with [-1], [*]).
  // Empty: the whole answer, as text.
  std::string result;
  // Null: "{input}" is the input. Else "{NAME}" is the argument of that name (nothing where it was left out), and
  // "{input}" all of them as JSON.
  std::shared_ptr<const ToolArguments> arguments;
  NetworkOptions network;
};

// A function for Tool::call. Errors: kNotFound (status 404, or nothing at `result`), kUnavailable (no connection;
// status 408, 425, 429, 5xx), kFailedPrecondition (any other status but 2xx), kPermissionDenied (an address that is not
// allowed), kResourceExhausted (size, redirects), kDeadlineExceeded, kCancelled, kInvalidArgument (arguments that the
// schema does not accept, an answer that is not JSON). Of MakeHttpFunction itself: kInvalidArgument, naming the field.
TOOLFORMER_API absl::StatusOr<ToolFunction> MakeHttpFunction(HttpToolOptions options);

}  // namespace toolformer

#endif  // TOOLFORMER_HTTP_TOOL_H_
