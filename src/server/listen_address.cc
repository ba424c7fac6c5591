#include "server/listen_address.h"

#include <arpa/inet.h>

#include <charconv>
#include <optional>

namespace varve {
namespace {

constexpr char kLocalHost[] = "localhost";

std::optional<in_addr> parse_v4(const std::string& host) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

std::optional<in6_addr> parse_v6(const std::string& host) {
  in6_addr address{};
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

Result<ListenAddress> ListenAddress::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    std::string host(text.substr(0, colon));
    const auto port = parse_port(text.substr(colon + 1));
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const bool is_host =
        bracketed ? parse_v6(host).has_value() : host == kLocalHost || parse_v4(host).has_value();
    if (port && is_host) return ListenAddress{std::move(host), *port};
  }
  return make_error(ErrorCode::kInvalidArgument,
                    "'{}' is not an address to listen on: expected IP-ADDRESS:PORT, such as "
                    "127.0.0.1:9898 or [::1]:9898",
                    text);
}

std::string ListenAddress::to_string() const {
  return parse_v6(host) ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

bool ListenAddress::is_loopback() const {
  if (host == kLocalHost) return true;
  // RFC 1122, section 3.2.1.3: all of 127.0.0.0/8.
  if (const auto v4 = parse_v4(host)) return ntohl(v4->s_addr) >> 24 == 127;
  const auto v6 = parse_v6(host);
  return v6 && IN6_IS_ADDR_LOOPBACK(&*v6);
}

ListenAddress ListenAddress::for_clients() const {
  if (const auto v4 = parse_v4(host); v4 && v4->s_addr == htonl(INADDR_ANY)) {
    return {"127.0.0.1", port};
  }
  if (const auto v6 = parse_v6(host); v6 && IN6_IS_ADDR_UNSPECIFIED(&*v6)) return {"::1", port};
  return *this;
}

}  // namespace varve
