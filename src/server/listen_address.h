// Where a server listens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace varve {

struct ListenAddress {
  std::string host;   // An IP address, or localhost.
  uint16_t port = 0;  // 0: a free one.

  // "127.0.0.1:9898", "[::1]:9898", "localhost:9898"; InvalidArgument for anything else, names of
  // hosts too: who can reach a server should not hang on how a name is resolved.
  static Result<ListenAddress> parse(std::string_view text);

  // As parse() takes it.
  std::string to_string() const;
  // Nobody outside of this machine reaches it.
  bool is_loopback() const;
  // One at which a client on the same machine reaches it: another one only when it stands for all
  // addresses of the machine.
  ListenAddress for_clients() const;

  bool operator==(const ListenAddress&) const = default;
};

}  // namespace varve
