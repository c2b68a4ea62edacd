// HTTP and HTTPS for tools: requests whose address, redirects, size and time are bounded, whoever chose the URL.
#ifndef TOOLFORMER_SRC_NET_HTTP_CLIENT_H_
#define TOOLFORMER_SRC_NET_HTTP_CLIENT_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/interrupt.h"

namespace toolformer {

struct HttpClientOptions {
  // Networks that may be connected to although their addresses are not public: "127.0.0.0/8", "10.1.0.0/16", "::1".
  // Everything else that is not of the public internet is refused, whatever name or redirect leads there.
  std::vector<std::string> allowed_networks;
  std::chrono::milliseconds deadline{10000};  // of a request with all its redirects, from name lookup to last byte
  size_t max_response_bytes = 1 << 20;        // of a body, after decompression
  int max_redirects = 3;
  std::string ca_file;  // certificates to trust in place of the system's; empty: the system's
  // Addresses of a host name, in place of the system's resolver; checked like any others. Null: the system's.
  std::function<std::vector<std::string>(const std::string& host)> resolve;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http or https, without user and password
  HttpHeaders headers;
  std::string body;  // sent with any method but GET and HEAD
  // Where set, is given the body of a 2xx answer piece by piece, in place of HttpResponse::body. False: enough was
  // read.
  std::function<bool(std::string_view piece)> on_body;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  // of the last answer; names in lower case, values without the blanks around them
  std::string body;
  std::string url;  // of the last redirect

  // The value of the first header of that name, which is in lower case; empty where there is none.
  std::string_view Header(std::string_view name) const;
};

// Safe to use from several threads at once. Connections are kept and used again.
class HttpClient {
 public:
  // kInvalidArgument where the options are not as they should be.
  static absl::StatusOr<std::unique_ptr<HttpClient>> Create(HttpClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // The answer, whatever its status. kInvalidArgument (a URL or header that is none, other schemes, a user in the URL),
  // kPermissionDenied (an address that is not allowed; a redirect from https to http), kResourceExhausted (too large,
  // too many redirects), kDeadlineExceeded, kUnavailable (name lookup, connection, TLS, broken answers), kCancelled.
  // Redirects are followed hop by hop, each checked like the first URL; another origin is sent none of the request's
  // headers. Proxies, cookies and passwords of the environment are not used.
  absl::StatusOr<HttpResponse> Fetch(const HttpRequest& request, const Interrupt& interrupt) const;

 private:
  class Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// `url` without query, fragment and all that may be secret, at most 200 bytes: for messages.
std::string PrintableUrl(const std::string& url);

// `text` with all but unreserved characters (RFC 3986: letters, digits, "-._~") percent-encoded.
std::string PercentEncode(std::string_view text);

// kInvalidArgument where Fetch would refuse the URL whatever answers.
absl::Status CheckHttpUrl(const std::string& url);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_NET_HTTP_CLIENT_H_
