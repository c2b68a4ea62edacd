#include "src/net/http_client.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <thread>

#include "tests/gzip.h"
#include "tests/net/stand_in_server.h"

namespace toolformer::http_client_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Exchange;
using testing::Gzip;
using testing::StandInServer;

std::unique_ptr<HttpClient> Client(HttpClientOptions options = {}) { return HttpClient::Create(options).value(); }

// May connect to this machine.
HttpClientOptions Local() {
  HttpClientOptions options;
  options.allowed_networks = {"127.0.0.1"};
  return options;
}

absl::StatusOr<HttpResponse> Get(const HttpClient& client, const std::string& url) {
  HttpRequest request;
  request.url = url;
  return client.Fetch(request, {});
}

absl::StatusCode Code(const absl::StatusOr<HttpResponse>& response) { return response.status().code(); }

TEST_CASE("what is sent and what comes back") {
  std::string seen_head, seen_body;
  StandInServer server([&](const Exchange& exchange) {
    seen_head = exchange.head;
    seen_body = exchange.body;
    exchange.Answer("201 Created", "{\"a\":1}", "Content-Type: application/json\r\nX-Empty:\r\n");
  });
  const auto client = Client(Local());
  HttpRequest request;
  request.method = "POST";
  request.url = server.Url("/path?q=1");
  request.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
  request.body = std::string("body with \0 in it", 17);
  const auto response = client->Fetch(request, {});
  REQUIRE(response.ok());
  CHECK(response->status == 201);
  CHECK(response->body == "{\"a\":1}");
  CHECK(response->Header("content-type") == "application/json");
  CHECK(response->Header("missing").empty());
  CHECK(response->url == request.url);
  server.Settle();
  CHECK(seen_body == request.body);
  CHECK(seen_head.find("POST /path?q=1 HTTP/1.1\r\n") == 0);
  CHECK(seen_head.find("\r\nContent-Type: application/json\r\n") != std::string::npos);
  CHECK(seen_head.find("\r\nX-Empty:\r\n") != std::string::npos);
  CHECK(seen_head.find("Expect") == std::string::npos);

  CHECK(Get(*client, server.Url("/2"))->status == 201);
  server.Settle();
  CHECK(seen_head.find("GET /2 ") == 0);
  CHECK(seen_head.find("Content-Type") == std::string::npos);
}

TEST_CASE("a compressed answer is decompressed") {
  const std::string compressed = Gzip(std::string(100000, 'x'));
  StandInServer server([&](const Exchange& e) { e.Answer("200 OK", compressed, "Content-Encoding: gzip\r\n"); });
  CHECK(Get(*Client(Local()), server.Url())->body == std::string(100000, 'x'));
}

// Row 93 of the hostile inputs: what leads to this machine or its network, however it is written.
TEST_CASE("addresses that are not public are refused") {
  StandInServer server([](const Exchange& exchange) { exchange.Answer("200 OK", "secret"); });
  const std::string port = ":" + std::to_string(server.port());
  const auto client = Client();
  for (const char* host :
       {"127.0.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.1", "localhost",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "[::]", "%31%32%37.0.0.1", "127.0.0.2"}) {
    CAPTURE(host);
    const auto response = Get(*client, "http://" + std::string(host) + port + "/");
    CHECK_FALSE(response.ok());
    // A machine without IPv6 cannot get as far as being refused.
    const bool is_refused = Code(response) == absl::StatusCode::kPermissionDenied ||
                            (host[0] == '[' && Code(response) == absl::StatusCode::kUnavailable);
    CHECK_MESSAGE(is_refused, response.status().ToString());
  }
  for (const char* host : {"169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "2852039166"}) {
    CAPTURE(host);
    const auto start = steady_clock::now();
    CHECK(Code(Get(*client, "http://" + std::string(host) + "/")) == absl::StatusCode::kPermissionDenied);
    CHECK(steady_clock::now() - start < milliseconds(1000));
  }
  CHECK(server.requests() == 0);
}

TEST_CASE("a public name with a private address is refused") {
  StandInServer server([](const Exchange& exchange) { exchange.Answer("200 OK", "secret"); });
  HttpClientOptions options;
  options.resolve = [](const std::string&) { return std::vector<std::string>{"127.0.0.1"}; };
  const auto response = Get(*Client(options), server.Url("/", "127.0.0.1.nip.io"));
  CHECK(Code(response) == absl::StatusCode::kPermissionDenied);
  CHECK(response.status().message().find("127.0.0.1 is not of the public internet") != std::string::npos);
  CHECK(server.requests() == 0);
}

// The name has an allowed address at first and another one when it is looked up again.
TEST_CASE("an address that changes between two hops is checked again") {
  StandInServer server([&](const Exchange& exchange) { exchange.Redirect("302 Found", "/again"); });
  int lookups = 0;
  HttpClientOptions options = Local();
  options.resolve = [&](const std::string&) {
    return std::vector<std::string>{++lookups == 1 ? "127.0.0.1" : "127.0.0.2"};
  };
  const auto response = Get(*Client(options), server.Url("/", "rebinding.example"));
  CHECK(Code(response) == absl::StatusCode::kPermissionDenied);
  CHECK(response.status().message().find("127.0.0.2") != std::string::npos);
  CHECK(lookups == 2);
  CHECK(server.requests() == 1);
}

TEST_CASE("of several addresses only allowed ones are connected to") {
  StandInServer server([](const Exchange& exchange) { exchange.Answer("200 OK", "yes"); });
  HttpClientOptions options = Local();
  options.resolve = [](const std::string&) { return std::vector<std::string>{"127.0.0.2", "127.0.0.1"}; };
  CHECK(Get(*Client(options), server.Url("/", "several.example"))->body == "yes");
}

TEST_CASE("URLs that are refused before anything is connected to") {
  HttpClientOptions everything;
  everything.allowed_networks = {"0.0.0.0/0", "::/0"};
  const auto client = Client(everything);
  for (const std::string url : {"file:///etc/passwd",
                                "gopher://127.0.0.1/",
                                "ftp://example.com/",
                                "dict://127.0.0.1:11211/",
                                "ldap://x/",
                                "data:text/plain,x",
                                "javascript:1",
                                "http:",
                                "http://",
                                "https:///",
                                "example.com",
                                "//example.com",
                                "",
                                "http://user@example.com/",
                                "http://user:password@example.com/",
                                "http://a@b@c/",
                                "http://exa mple.com/",
                                "http://example.com:99999/",
                                "http://example.com\r\nHost: x/",
                                "http://[::1/",
                                "http://127.0.0.1:x/"}) {
    CAPTURE(url);
    const auto response = Get(*client, url);
    CHECK_MESSAGE(Code(response) == absl::StatusCode::kInvalidArgument, response.status().ToString());
    CHECK(response.status().message().find("user:") == std::string::npos);
  }
  CHECK(Code(Get(*client, "http://example.com/" + std::string(9000, 'x'))) == absl::StatusCode::kInvalidArgument);
  CHECK(Code(Get(*client, std::string("http://example.com/\0x", 21))) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("headers cannot smuggle others in") {
  const auto client = Client(Local());
  HttpRequest request;
  request.url = "http://127.0.0.1:1/";
  for (const HttpHeaders& headers :
       {HttpHeaders{{"X", "a\r\nHost: b"}}, HttpHeaders{{"X", "a\nb"}}, HttpHeaders{{"X: y\r\nZ", "a"}},
        HttpHeaders{{"", "a"}}, HttpHeaders{{"X Y", "a"}}, HttpHeaders{{"X", std::string("a\0b", 3)}}}) {
    request.headers = headers;
    CHECK(Code(client->Fetch(request, {})) == absl::StatusCode::kInvalidArgument);
  }
  request.headers.clear();
  request.method = "GET / HTTP/1.1\r\nX: y";
  CHECK(Code(client->Fetch(request, {})) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("redirects are followed hop by hop") {
  StandInServer other([](const Exchange& exchange) {
    exchange.Answer("200 OK", exchange.head.find("X-Secret") == std::string::npos ? "without" : "with");
  });
  StandInServer server([&](const Exchange& exchange) {
    if (exchange.target == "/chain/0") {
      exchange.Answer("200 OK", exchange.method + exchange.body);
    } else if (exchange.target.substr(0, 7) == "/chain/") {
      exchange.Redirect("302 Found", "/chain/" + std::to_string(std::stoi(exchange.target.substr(7)) - 1));
    } else if (exchange.target == "/same") {
      exchange.Redirect("307 Temporary Redirect", "/chain/0");
    } else if (exchange.target == "/see") {
      exchange.Redirect("303 See Other", "/chain/0");
    } else if (exchange.target == "/other") {
      exchange.Redirect("302 Found", other.Url());
    } else if (exchange.target == "/private") {
      exchange.Redirect("302 Found", "http://169.254.169.254/latest/meta-data/");
    } else if (exchange.target == "/file") {
      exchange.Redirect("302 Found", "file:///etc/passwd");
    } else if (exchange.target == "/user") {
      exchange.Redirect("302 Found", "http://a:b@127.0.0.1/");
    } else {
      exchange.Redirect("301 Moved Permanently", exchange.target);
    }
  });
  const auto client = Client(Local());
  CHECK(Get(*client, server.Url("/chain/3"))->body == "GET");
  CHECK(Get(*client, server.Url("/chain/3"))->url == server.Url("/chain/0"));
  CHECK(Code(Get(*client, server.Url("/chain/4"))) == absl::StatusCode::kResourceExhausted);
  CHECK(Code(Get(*client, server.Url("/chain/30"))) == absl::StatusCode::kResourceExhausted);
  CHECK(Code(Get(*client, server.Url("/loop"))) == absl::StatusCode::kResourceExhausted);
  CHECK(Code(Get(*client, server.Url("/private"))) == absl::StatusCode::kPermissionDenied);
  CHECK(Code(Get(*client, server.Url("/file"))) == absl::StatusCode::kInvalidArgument);
  CHECK(Code(Get(*client, server.Url("/user"))) == absl::StatusCode::kInvalidArgument);

  HttpRequest post;
  post.method = "POST";
  post.body = "data";
  post.headers = {{"X-Secret", "1"}};
  post.url = server.Url("/same");
  CHECK(client->Fetch(post, {})->body == "POSTdata");
  post.url = server.Url("/see");
  CHECK(client->Fetch(post, {})->body == "GET");
  post.url = server.Url("/chain/1");
  CHECK(client->Fetch(post, {})->body == "GET");
  post.url = server.Url("/other");  // another port is another origin
  CHECK(client->Fetch(post, {})->body == "without");

  HttpClientOptions none = Local();
  none.max_redirects = 0;
  CHECK(Code(Get(*Client(none), server.Url("/chain/1"))) == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("size: stated, streamed, decompressed, and of headers") {
  const std::string bomb = Gzip(std::string(10 << 20, '\0'));
  CHECK(bomb.size() < 100000);
  StandInServer server([&](const Exchange& exchange) {
    if (exchange.target == "/at") {
      exchange.Answer("200 OK", std::string(1000, 'x'));
    } else if (exchange.target == "/above") {
      exchange.Answer("200 OK", std::string(1001, 'x'));
    } else if (exchange.target == "/stated") {
      exchange.Send("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nx");
      exchange.Send(std::string(2000, 'x'));
      exchange.Hang();
    } else if (exchange.target == "/endless") {
      exchange.Send("HTTP/1.1 200 OK\r\n\r\n");
      while (exchange.Send(std::string(4096, 'x'))) {
      }
    } else if (exchange.target == "/bomb") {
      exchange.Answer("200 OK", bomb, "Content-Encoding: gzip\r\n");
    } else if (exchange.target == "/nothing") {  // compressed blocks without content, for ever
      exchange.Send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
      exchange.Send(std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10));
      std::string blocks;
      for (int i = 0; i < 1000; ++i) blocks.append("\0\0\0\xff\xff", 5);
      while (exchange.Send(blocks)) {
      }
    } else {
      exchange.Send("HTTP/1.1 200 OK\r\n");
      while (exchange.Send("X-Header: " + std::string(1000, 'x') + "\r\n")) {
      }
    }
  });
  HttpClientOptions options = Local();
  options.max_response_bytes = 1000;
  options.deadline = milliseconds(5000);
  const auto client = Client(options);
  CHECK(Get(*client, server.Url("/at"))->body.size() == 1000);
  for (const char* target : {"/above", "/stated", "/endless", "/bomb", "/nothing", "/headers"}) {
    CAPTURE(target);
    const auto start = steady_clock::now();
    const auto response = Get(*client, server.Url(target));
    CHECK_MESSAGE(Code(response) == absl::StatusCode::kResourceExhausted, response.status().ToString());
    CHECK(steady_clock::now() - start < milliseconds(1000));
  }
}

TEST_CASE("time: no answer, one byte at a time, a redirect too late") {
  StandInServer server([](const Exchange& exchange) {
    if (exchange.target == "/loris") {
      exchange.Send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
      while (exchange.Send("x") && exchange.Sleep(milliseconds(10))) {
      }
    } else if (exchange.target == "/late") {
      if (exchange.Sleep(milliseconds(120))) exchange.Redirect("302 Found", "/late");
    } else {
      exchange.Hang();
    }
  });
  HttpClientOptions options = Local();
  options.deadline = milliseconds(200);
  options.max_redirects = 100;
  const auto client = Client(options);
  for (const char* target : {"/loris", "/hang", "/late"}) {
    CAPTURE(target);
    const auto start = steady_clock::now();
    CHECK(Code(Get(*client, server.Url(target))) == absl::StatusCode::kDeadlineExceeded);
    CHECK(steady_clock::now() - start < milliseconds(2000));
  }
  HttpRequest request;
  request.url = server.Url("/hang");
  const auto slow = Client(Local());
  CHECK(Code(slow->Fetch(request, {nullptr, steady_clock::now() + milliseconds(50)})) ==
        absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("cancelling ends a transfer") {
  StandInServer server([](const Exchange& exchange) { exchange.Hang(); });
  const auto client = Client(Local());
  CancelToken token;
  std::thread canceller([&] {
    std::this_thread::sleep_for(milliseconds(50));
    token.Cancel();
  });
  HttpRequest request;
  request.url = server.Url();
  const auto start = steady_clock::now();
  CHECK(Code(client->Fetch(request, {.cancel = &token})) == absl::StatusCode::kCancelled);
  CHECK(steady_clock::now() - start < milliseconds(2000));
  canceller.join();
  CHECK(Code(client->Fetch(request, {.cancel = &token})) == absl::StatusCode::kCancelled);
}

TEST_CASE("broken answers") {
  StandInServer server([](const Exchange& exchange) {
    if (exchange.target == "/nothing") return;
    if (exchange.target == "/garbage") exchange.Send("\x16\x03\x01 garbage\n\n\n");
    if (exchange.target == "/short") exchange.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
    if (exchange.target == "/gzip") exchange.Answer("200 OK", "not gzip", "Content-Encoding: gzip\r\n");
    if (exchange.target == "/chunks") {
      exchange.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx");
    }
  });
  const auto client = Client(Local());
  for (const char* target : {"/nothing", "/garbage", "/short", "/gzip", "/chunks"}) {
    CAPTURE(target);
    CHECK(Code(Get(*client, server.Url(target))) == absl::StatusCode::kUnavailable);
  }
  CHECK(Code(Get(*client, "http://127.0.0.1:1/")) == absl::StatusCode::kUnavailable);
  // A server that does not speak TLS.
  CHECK(Code(Get(*client, "https" + server.Url().substr(4))) == absl::StatusCode::kUnavailable);
}

TEST_CASE("the proxy of the environment is not used") {
  StandInServer proxy([](const Exchange& exchange) { exchange.Answer("200 OK", "proxy"); });
  StandInServer server([](const Exchange& exchange) { exchange.Answer("200 OK", "server"); });
  setenv("http_proxy", proxy.Url().c_str(), 1);
  CHECK(Get(*Client(Local()), server.Url())->body == "server");
  unsetenv("http_proxy");
  CHECK(proxy.requests() == 0);
}

TEST_CASE("an answer that is read piece by piece may be left") {
  StandInServer server([](const Exchange& exchange) {
    if (exchange.target == "/error") {
      exchange.Answer("500 Oops", "what went wrong");
      return;
    }
    exchange.Send("HTTP/1.1 200 OK\r\n\r\nfirst");
    exchange.Sleep(milliseconds(50));
    exchange.Send("second");
    exchange.Hang();
  });
  const auto client = Client(Local());
  HttpRequest request;
  request.url = server.Url();
  std::string seen;
  request.on_body = [&](std::string_view piece) {
    seen.append(piece);
    return seen.find("second") == std::string::npos;
  };
  const auto response = client->Fetch(request, {});
  REQUIRE(response.ok());
  CHECK(response->status == 200);
  CHECK(response->body.empty());
  CHECK(seen == "firstsecond");

  seen.clear();
  request.url = server.Url("/error");
  CHECK(client->Fetch(request, {})->body == "what went wrong");
  CHECK(seen.empty());
}

TEST_CASE("several threads use one client") {
  StandInServer server([](const Exchange& exchange) { exchange.Answer("200 OK", exchange.target); });
  const auto client = Client(Local());
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string target = "/" + std::to_string(t) + "/" + std::to_string(i);
        const auto response = Get(*client, server.Url(target));
        if (response.ok() && response->body == target) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 80);
}

TEST_CASE("options that are not as they should be") {
  const auto refuses = [](const std::function<void(HttpClientOptions*)>& change) {
    HttpClientOptions options;
    change(&options);
    return HttpClient::Create(options).status().code() == absl::StatusCode::kInvalidArgument;
  };
  CHECK(refuses([](auto* options) { options->allowed_networks = {"localhost"}; }));
  CHECK(refuses([](auto* options) { options->deadline = milliseconds(0); }));
  CHECK(refuses([](auto* options) { options->max_redirects = -1; }));
}

TEST_CASE("URLs in messages and pieces of URLs") {
  CHECK(PrintableUrl("https://host/path?key=secret#x") == "https://host/path");
  CHECK(PrintableUrl("https://user:secret@host/a@b") == "https://host/a@b");
  CHECK(PrintableUrl("http://x/" + std::string(1000, 'y')).size() == 200);
  CHECK(PercentEncode("a b&c=d/e?f#g%h\xc3\xa9\n~") == "a%20b%26c%3Dd%2Fe%3Ff%23g%25h%C3%A9%0A~");
}

}  // namespace
}  // namespace toolformer::http_client_test
