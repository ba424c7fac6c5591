// A server that says what no real one does: a script on a Unix socket.
//
// Messages: https://www.postgresql.org/docs/15/protocol-message-formats.html
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "fs/temporary_directory.h"
#include "runtime/descriptor.h"

namespace varve {

namespace made_up {

template <std::unsigned_integral T>
std::string big(T value) {
  std::string bytes(sizeof value, '\0');
  store_big(reinterpret_cast<uint8_t*>(bytes.data()), value);
  return bytes;
}
inline std::string message(char type, const std::string& content) {
  return type + big(static_cast<uint32_t>(content.size() + 4)) + content;
}
inline std::string zero_ended(const std::string& text) {
  return text + '\0';
}

inline std::string ready() {
  return message('Z', "I");
}
inline std::string complete() {
  return message('C', zero_ended("DONE"));
}
// What follows the startup message.
inline std::string greeting(const std::string& version = "15.4") {
  return message('R', big(uint32_t{0})) +
         message('S', zero_ended("server_version") + zero_ended(version)) + ready();
}
// Rows of text, without the end of the command.
inline std::string rows(const std::vector<std::vector<std::string>>& values, size_t columns) {
  std::string description = big(static_cast<uint16_t>(columns));
  for (size_t i = 0; i < columns; ++i) {
    description += zero_ended("c") + big(uint32_t{0}) + big(uint16_t{0}) + big(uint32_t{25}) +
                   big(uint16_t{0xFFFF}) + big(uint32_t{0xFFFFFFFF}) + big(uint16_t{0});
  }
  std::string text = message('T', description);
  for (const auto& row : values) {
    std::string data = big(static_cast<uint16_t>(row.size()));
    for (const std::string& value : row) data += big(static_cast<uint32_t>(value.size())) + value;
    text += message('D', data);
  }
  return text;
}
inline std::string copy_both() {
  return message('W', std::string(3, '\0'));
}
inline std::string copy_out() {
  return message('H', std::string(3, '\0'));
}
inline std::string copied(const std::string& content) {
  return message('d', content);
}

}  // namespace made_up

// Takes one connection. Each entry of the script is sent after a message of the client came, the
// first after its startup message; then the server hangs up, or stays silent.
class MadeUpServer {
 public:
  enum class End { kHangsUp, kStaysSilent };

  explicit MadeUpServer(std::vector<std::string> script, End end = End::kHangsUp)
      : script_(std::move(script)), end_(end) {
    sockaddr_un address{.sun_family = AF_UNIX};
    const std::string path = folder_ / ".s.PGSQL.5432";
    EXPECT_LT(path.size(), sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    listener_ = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::jthread([this] { serve(); });
  }
  ~MadeUpServer() {
    // Ends a wait for a connection that never came, and one for a client that is still there.
    ::shutdown(listener_.get(), SHUT_RDWR);
  }

  std::string connection_string() const {
    return fmt::format("host={} port=5432 user=postgres", folder_.path().string());
  }

 private:
  void serve() {
    const Descriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() < 0) return;
    for (const std::string& reply : script_) {
      if (!read_message(client.get())) return;
      ::send(client.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
    }
    while (end_ == End::kStaysSilent && read_message(client.get())) {
    }
    // What was not read would make the kernel drop what was sent.
    ::shutdown(client.get(), SHUT_WR);
    while (read_message(client.get())) {
    }
  }
  // Whatever comes at once: clients wait for the answer of each message.
  static bool read_message(int socket) {
    std::array<char, 8192> buffer{};
    return ::recv(socket, buffer.data(), buffer.size(), 0) > 0;
  }

  TemporaryDirectory folder_ = *TemporaryDirectory::create("varve-test-");
  const std::vector<std::string> script_;
  const End end_;
  Descriptor listener_;
  std::jthread thread_;
};

}  // namespace varve
