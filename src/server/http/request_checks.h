// What a request must be like before its body is read and a handler sees it.
#pragma once

#include <optional>
#include <string>

#include "server/http/router.h"

namespace varve::http {

// What of a request the checks go by.
struct RequestHead {
  std::string authorization;
  std::string host;
  std::string content_type;
  std::string content_encoding;
};

struct Security {
  // Empty: whoever reaches the server may use it.
  std::string token;
  // Who connects has checked by the certificate whom it talks to.
  bool is_tls = false;
};

// The refusal; none when it may be handled.
//
// A server on loopback without a token is within reach of every page that a browser on the machine
// shows. A page of another origin cannot send such types without being asked about it, and
// one that has had the name of its host resolve to a loopback address is known by that name.
std::optional<Answer> refuse(const Route& route, const RequestHead& head, const Security& security);

}  // namespace varve::http
