// An HTTP server that says what a test tells it to, byte for byte.
#ifndef TOOLFORMER_TESTS_NET_STAND_IN_SERVER_H_
#define TOOLFORMER_TESTS_NET_STAND_IN_SERVER_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace toolformer::testing {

// A connection of the server, with one request read from it.
class Exchange {
 public:
  Exchange(int fd, const std::atomic<bool>& stopping) : fd_(fd), stopping_(stopping) {}

  std::string method, target, head, body;

  // False once the other side, or the server, has had enough.
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      if (stopping_) return false;
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        pollfd wait{fd_, POLLOUT, 0};
        poll(&wait, 1, 20);
      } else {
        return false;
      }
    }
    return true;
  }

  bool Answer(const std::string& status, std::string_view content, const std::string& headers = "") const {
    return Send("HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(content.size()) +
                "\r\nConnection: close\r\n" + headers + "\r\n") &&
           Send(content);
  }
  bool Redirect(const std::string& status, const std::string& target_url) const {
    return Answer(status, "", "Location: " + target_url + "\r\n");
  }

  // False where the server was stopped before.
  bool Sleep(std::chrono::milliseconds time) const {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      if (stopping_) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  void Hang() const { Sleep(std::chrono::minutes(10)); }

  // Head and body of one request; false where the connection ended before.
  bool Read() {
    std::string bytes;
    while (bytes.find("\r\n\r\n") == std::string::npos) {
      if (!ReadSome(&bytes) || bytes[0] == '\x16') return false;  // 0x16: TLS, which is not spoken here
    }
    const size_t end = bytes.find("\r\n\r\n") + 4;
    head = bytes.substr(0, end);
    method = head.substr(0, head.find(' '));
    target = head.substr(method.size() + 1, head.find(' ', method.size() + 1) - method.size() - 1);
    body = bytes.substr(end);
    const size_t length = head.find("Content-Length: ");
    const size_t size = length == std::string::npos ? 0 : std::stoul(head.substr(length + 16));
    while (body.size() < size) {
      if (!ReadSome(&body)) return false;
    }
    return true;
  }

 private:
  bool ReadSome(std::string* out) const {
    while (!stopping_) {
      pollfd wait{fd_, POLLIN, 0};
      if (poll(&wait, 1, 20) <= 0) continue;
      char buffer[4096];
      const ssize_t count = recv(fd_, buffer, sizeof(buffer), 0);
      if (count <= 0) return false;
      out->append(buffer, static_cast<size_t>(count));
      return true;
    }
    return false;
  }

  int fd_;
  const std::atomic<bool>& stopping_;
};

class StandInServer {
 public:
  using Handler = std::function<void(const Exchange&)>;

  explicit StandInServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0) std::abort();
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~StandInServer() {
    stopping_ = true;
    acceptor_.join();
    for (std::thread& thread : connections_) thread.join();
    close(listener_);
  }
  StandInServer(const StandInServer&) = delete;
  StandInServer& operator=(const StandInServer&) = delete;

  // Runs `change` while no handler runs: what it and handlers touch needs no other lock.
  void Change(const std::function<void()>& change) {
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (active_ == 0) return change();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  // Waits for the handlers: what they have written may be read then.
  void Settle() {
    Change([] {});
  }

  int port() const { return port_; }
  int requests() const { return requests_; }
  std::string Url(const std::string& target = "/", const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port_) + target;
  }

 private:
  void Accept() {
    while (!stopping_) {
      pollfd wait{listener_, POLLIN, 0};
      if (poll(&wait, 1, 20) <= 0) continue;
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      connections_.emplace_back([this, fd] {
        Exchange exchange(fd, stopping_);
        while (exchange.Read()) {
          ++requests_;
          {
            const std::lock_guard lock(mutex_);
            ++active_;
          }
          handler_(exchange);
          {
            const std::lock_guard lock(mutex_);
            --active_;
          }
          if (exchange.head.find("keep") == std::string::npos) break;
        }
        shutdown(fd, SHUT_RDWR);
        close(fd);
      });
    }
  }

  Handler handler_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> requests_ = 0;
  std::mutex mutex_;
  int active_ = 0;
  std::vector<std::thread> connections_;  // of the acceptor's thread until it ends
  std::thread acceptor_;
};

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_NET_STAND_IN_SERVER_H_
