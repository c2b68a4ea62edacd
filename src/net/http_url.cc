#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "src/base/status.h"
#include "src/net/http_client.h"

namespace toolformer {
namespace {

constexpr size_t kMaxUrlBytes = 8192;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string UrlPart(CURLU* url, CURLUPart part, unsigned int flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

absl::Status CheckHttpUrl(const std::string& url) {
  if (url.size() > kMaxUrlBytes) return InvalidArgument("a URL of {} bytes; at most {}", url.size(), kMaxUrlBytes);
  if (std::any_of(url.begin(), url.end(), IsControl)) return InvalidArgument("a URL with control characters");
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  if (parsed == nullptr) return ResourceExhausted("no memory for a URL");
  switch (const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER)) {
    case CURLUE_OK:
      break;
    case CURLUE_UNSUPPORTED_SCHEME:
    case CURLUE_BAD_SCHEME:
      return InvalidArgument("{}: not an http or https URL", PrintableUrl(url));
    case CURLUE_USER_NOT_ALLOWED:
      return InvalidArgument("a URL with a user name or password is refused");
    default:
      return InvalidArgument("{}: not a URL ({})", PrintableUrl(url), curl_url_strerror(code));
  }
  const std::string scheme = UrlPart(parsed.get(), CURLUPART_SCHEME, 0);
  if (scheme != "http" && scheme != "https") {
    return InvalidArgument("scheme '{}' is refused; there are http and https", scheme.substr(0, 32));
  }
  return absl::OkStatus();
}

std::string PrintableUrl(const std::string& url) {
  constexpr size_t kMost = 200;
  std::string text = url.substr(0, url.find_first_of("?#"));
  // What stands before an '@' may be a password.
  const size_t slashes = text.find("//");
  const size_t host = slashes == std::string::npos ? 0 : slashes + 2;
  const size_t at = text.substr(0, text.find('/', host)).rfind('@');
  if (at != std::string::npos && at >= host) text.erase(host, at + 1 - host);
  if (text.size() > kMost) text = text.substr(0, kMost - 3) + "...";
  std::replace_if(text.begin(), text.end(), IsControl, ' ');
  return text;
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool unreserved = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                            c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

std::string_view HttpResponse::Header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& h) { return h.first == name; });
  return found == headers.end() ? std::string_view() : found->second;
}

}  // namespace toolformer
