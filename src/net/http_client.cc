#include "src/net/http_client.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "src/base/status.h"
#include "src/net/address.h"

namespace toolformer {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kMaxHeaderBytes = 64 << 10;  // of all headers of an answer
constexpr int kPollMilliseconds = 20;         // how often a wait looks at the caller's interrupt
constexpr size_t kMaxIdleHandles = 16;
constexpr std::string_view kUserAgent = "toolformer";

template <typename... Args>
absl::Status PermissionDenied(fmt::format_string<Args...> format, Args&&... args) {
  return absl::PermissionDeniedError(fmt::format(format, std::forward<Args>(args)...));
}

// libcurl's own state is never torn down: threads that outlive a call may still be in it.
absl::Status InitialiseCurl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) return Internal("libcurl could not be initialised: {}", curl_easy_strerror(code));
  return absl::OkStatus();
}

// A transfer's machinery, with the connections that it has open.
struct Handle {
  CURLM* multi = curl_multi_init();
  CURL* easy = curl_easy_init();
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
  }
};

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// What the callbacks of one transfer work on.
struct Transfer {
  const std::vector<Network>* allowed = nullptr;
  size_t max_bytes = 0;
  const std::function<bool(std::string_view)>* on_body = nullptr;
  HttpResponse* response = nullptr;

  size_t header_bytes = 0;
  size_t body_bytes = 0;
  std::string refused;      // the address that was not allowed
  bool too_large = false;   // headers or body
  bool has_enough = false;  // on_body said so
  bool out_of_memory = false;
};

curl_socket_t OpenSocket(void* user, curlsocktype purpose, curl_sockaddr* address) {
  auto* transfer = static_cast<Transfer*>(user);
  if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
  try {
    const absl::StatusOr<IpAddress> ip = AddressOf(address->addr, address->addrlen);
    if (!ip.ok()) return CURL_SOCKET_BAD;
    const bool allowed = IsPublicAddress(*ip) || std::any_of(transfer->allowed->begin(), transfer->allowed->end(),
                                                             [&](const Network& n) { return n.Contains(*ip); });
    if (!allowed) {
      transfer->refused = PrintAddress(*ip);
      return CURL_SOCKET_BAD;
    }
  } catch (const std::bad_alloc&) {
    return CURL_SOCKET_BAD;
  }
  // This very address is connected to: there is no second look-up that could say something else.
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::string_view TrimBlanks(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  const size_t bytes = size * count;
  transfer->header_bytes += bytes;
  if (transfer->header_bytes > kMaxHeaderBytes) {
    transfer->too_large = true;
    return 0;
  }
  try {
    const std::string_view line(data, bytes);
    if (line.substr(0, 5) == "HTTP/") transfer->response->headers.clear();  // of an interim answer
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return bytes;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    transfer->response->headers.emplace_back(std::move(name), TrimBlanks(line.substr(colon + 1)));
  } catch (const std::bad_alloc&) {
    transfer->out_of_memory = true;
    return 0;
  }
  return bytes;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  const size_t bytes = size * count;
  transfer->body_bytes += bytes;
  if (transfer->body_bytes > transfer->max_bytes) {
    transfer->too_large = true;
    return 0;
  }
  try {
    if (*transfer->on_body) {
      if ((*transfer->on_body)({data, bytes})) return bytes;
      transfer->has_enough = true;
      return 0;
    }
    transfer->response->body.append(data, bytes);
  } catch (const std::bad_alloc&) {
    transfer->out_of_memory = true;
    return 0;
  }
  return bytes;
}

// Compressed bytes count too: an endless stream may decompress to nothing.
int OnProgress(void* user, curl_off_t /*total*/, curl_off_t received, curl_off_t /*to_send*/, curl_off_t /*sent*/) {
  auto* transfer = static_cast<Transfer*>(user);
  if (received <= 0 || static_cast<uint64_t>(received) <= transfer->max_bytes) return 0;
  transfer->too_large = true;
  return 1;
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

absl::Status CheckRequest(const HttpRequest& request) {
  if (!IsToken(request.method)) return InvalidArgument("'{}' is not an HTTP method", request.method.substr(0, 32));
  for (const auto& [name, value] : request.headers) {
    if (!IsToken(name)) return InvalidArgument("'{}' is not the name of a header", name.substr(0, 64));
    const bool has_control = std::any_of(value.begin(), value.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
    if (has_control) return InvalidArgument("header '{}': its value has control characters", name);
  }
  return absl::OkStatus();
}

absl::StatusOr<HeaderList> MakeHeaders(const HttpHeaders& headers) {
  HeaderList list;
  const auto append = [&list](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) return false;
    (void)list.release();
    list.reset(longer);
    return true;
  };
  bool complete = append("Expect:");  // no waiting for a 100
  for (const auto& [name, value] : headers) {
    complete = complete && append(value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value));
  }
  if (!complete) return ResourceExhausted("no memory for headers");
  return list;
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string Scheme(const std::string& url) {
  std::string scheme = url.substr(0, url.find(':'));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](char c) { return static_cast<char>(c | 0x20); });
  return scheme;
}

// Scheme, host and port as written; a difference in spelling is another origin.
std::string_view Origin(std::string_view url) {
  const size_t host = url.find("//");
  return host == std::string_view::npos ? url : url.substr(0, url.find_first_of("/?#", host + 2));
}

// Where to go on after an answer: the next request.
absl::StatusOr<HttpRequest> Redirected(HttpRequest request, const HttpResponse& response, std::string target) {
  TF_RETURN_IF_ERROR(CheckHttpUrl(target));
  if (Scheme(request.url) == "https" && Scheme(target) != "https") {
    return PermissionDenied("a redirect from https to http ({}) is refused", PrintableUrl(target));
  }
  const bool becomes_get = response.status == 303 || (response.status < 303 && request.method == "POST");
  if (becomes_get && request.method != "HEAD") {
    request.method = "GET";
    request.body.clear();
  }
  // Headers may carry what only the first host is to know.
  if (Origin(request.url) != Origin(target)) request.headers.clear();
  request.url = std::move(target);
  return request;
}

}  // namespace

class HttpClient::Impl {
 public:
  Impl(HttpClientOptions options, std::vector<Network> allowed)
      : options_(std::move(options)), allowed_(std::move(allowed)) {}

  absl::StatusOr<HttpResponse> Fetch(HttpRequest request, const Interrupt& interrupt) {
    const auto now = steady_clock::now();
    const auto deadline = interrupt.deadline - now < options_.deadline ? interrupt.deadline : now + options_.deadline;
    std::unique_ptr<Handle> handle = TakeHandle();
    if (handle->easy == nullptr || handle->multi == nullptr) return ResourceExhausted("no memory for a transfer");
    for (int hop = 0;; ++hop) {
      TF_RETURN_IF_ERROR(CheckHttpUrl(request.url));
      std::string target;
      TF_ASSIGN_OR_RETURN(HttpResponse response,
                          FetchOnce(handle.get(), request, {interrupt.cancel, deadline}, &target));
      if (!IsRedirect(response.status) || target.empty()) {
        response.url = request.url;
        ReturnHandle(std::move(handle));
        return response;
      }
      if (hop >= options_.max_redirects) {
        return ResourceExhausted("{}: more than {} redirects", PrintableUrl(request.url), options_.max_redirects);
      }
      TF_ASSIGN_OR_RETURN(request, Redirected(std::move(request), response, std::move(target)));
    }
  }

 private:
  absl::StatusOr<HttpResponse> FetchOnce(Handle* handle, const HttpRequest& request, const Interrupt& interrupt,
                                         std::string* redirect) {
    HttpResponse response;
    const std::function<bool(std::string_view)> no_function;
    Transfer transfer;
    transfer.allowed = &allowed_;
    transfer.max_bytes = options_.max_response_bytes;
    transfer.response = &response;
    transfer.on_body = &no_function;
    TF_ASSIGN_OR_RETURN(const HeaderList headers, MakeHeaders(request.headers));
    const HeaderList addresses = Addresses(request.url);
    // A body is handed over only where it is the answer, not a redirect's or an error's.
    const std::function<bool(std::string_view)> hand_over = [&](std::string_view piece) {
      long status = 0;  // NOLINT(google-runtime-int)
      curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status);
      if (status >= 200 && status < 300) return request.on_body(piece);
      response.body.append(piece);
      return true;
    };
    if (request.on_body) transfer.on_body = &hand_over;
    Prepare(handle->easy, request, &transfer);
    curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, headers.get());
    if (!options_.ca_file.empty()) curl_easy_setopt(handle->easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    if (addresses != nullptr) curl_easy_setopt(handle->easy, CURLOPT_RESOLVE, addresses.get());

    curl_multi_add_handle(handle->multi, handle->easy);
    const absl::StatusOr<CURLcode> code = Run(handle->multi, interrupt);
    curl_multi_remove_handle(handle->multi, handle->easy);
    char* target = nullptr;
    if (curl_easy_getinfo(handle->easy, CURLINFO_REDIRECT_URL, &target) == CURLE_OK && target != nullptr) {
      *redirect = target;
    }
    long status = 0;  // NOLINT(google-runtime-int)
    curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    curl_easy_reset(handle->easy);
    if (!code.ok()) return Annotate(code.status(), PrintableUrl(request.url));
    TF_RETURN_IF_ERROR(Judge(*code, transfer, request.url));
    return response;
  }

  static void Prepare(CURL* easy, const HttpRequest& request, Transfer* transfer) {
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");  // not the environment's: it would connect where it likes
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a name look-up that hangs is left behind, not waited for
#endif
    curl_easy_setopt(easy, CURLOPT_USERAGENT, kUserAgent.data());
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, OpenSocket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, OnProgress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
    if (request.method == "HEAD") {
      curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET") {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }

  // The code with which the one transfer of `multi` ended, or the interrupt's status.
  static absl::StatusOr<CURLcode> Run(CURLM* multi, const Interrupt& interrupt) {
    int running = 1;
    while (running > 0) {
      TF_RETURN_IF_ERROR(interrupt.Check());
      if (const CURLMcode code = curl_multi_perform(multi, &running); code != CURLM_OK) {
        return Internal("libcurl: {}", curl_multi_strerror(code));
      }
      if (running > 0) curl_multi_poll(multi, nullptr, 0, kPollMilliseconds, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    return Internal("libcurl did not say how a transfer ended");
  }

  absl::Status Judge(CURLcode code, const Transfer& transfer, const std::string& url) const {
    if (transfer.has_enough || code == CURLE_OK) return absl::OkStatus();
    const std::string where = PrintableUrl(url);
    if (transfer.out_of_memory || code == CURLE_OUT_OF_MEMORY) return ResourceExhausted("{}: out of memory", where);
    if (transfer.too_large) {
      return ResourceExhausted("{}: the answer exceeds {} bytes (or its headers {})", where,
                               options_.max_response_bytes, kMaxHeaderBytes);
    }
    if (!transfer.refused.empty()) {
      return PermissionDenied("{}: the address {} is not of the public internet and not in the allowed networks", where,
                              transfer.refused);
    }
    switch (code) {
      case CURLE_OPERATION_TIMEDOUT:
        return DeadlineExceeded("{}: timed out", where);
      case CURLE_URL_MALFORMAT:
        return InvalidArgument("{}: {}", where, curl_easy_strerror(code));
      default:
        return Unavailable("{}: {}", where, curl_easy_strerror(code));
    }
  }

  // What options_.resolve says of the URL's host, as libcurl wants it.
  HeaderList Addresses(const std::string& url) const {
    if (!options_.resolve) return nullptr;
    const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
    char *host = nullptr, *port = nullptr;
    curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
    curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0);
    curl_url_get(parsed.get(), CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    std::string line;
    if (host != nullptr && port != nullptr) {
      for (const std::string& address : options_.resolve(host)) line += (line.empty() ? "" : ",") + address;
      line = fmt::format("{}:{}:{}", host, port, line);
    }
    curl_free(host);
    curl_free(port);
    return HeaderList(line.empty() ? nullptr : curl_slist_append(nullptr, line.c_str()));
  }

  std::unique_ptr<Handle> TakeHandle() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Handle>();
    std::unique_ptr<Handle> handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
  }
  void ReturnHandle(std::unique_ptr<Handle> handle) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(handle));
  }

  const HttpClientOptions options_;
  const std::vector<Network> allowed_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_;
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Create(HttpClientOptions options) {
  TF_RETURN_IF_ERROR(InitialiseCurl());
  if (options.deadline < milliseconds(1)) return InvalidArgument("deadline is not at least 1 ms");
  if (options.max_redirects < 0) return InvalidArgument("max_redirects is {}, not at least 0", options.max_redirects);
  std::vector<Network> allowed;
  for (const std::string& network : options.allowed_networks) {
    absl::StatusOr<Network> parsed = ParseNetwork(network);
    if (!parsed.ok()) return Annotate(parsed.status(), "allowed_networks");
    allowed.push_back(*parsed);
  }
  return std::unique_ptr<HttpClient>(new HttpClient(std::make_unique<Impl>(std::move(options), std::move(allowed))));
}

absl::StatusOr<HttpResponse> HttpClient::Fetch(const HttpRequest& request, const Interrupt& interrupt) const {
  TF_RETURN_IF_ERROR(CheckRequest(request));
  TF_RETURN_IF_ERROR(interrupt.Check());
  return impl_->Fetch(request, interrupt);
}

}  // namespace toolformer
