// A request of the HTTP API and the answer to it, apart from how they are transferred.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "server/json.h"

namespace varve::http {

inline constexpr char kJsonType[] = "application/json";

struct Request {
  std::string method;  // In capitals.
  std::string path;    // Percent-decoded, without the query.
  // Of those given several times, one.
  std::map<std::string, std::string> query = {};
  // What stands in the path for the names in braces; filled by the router.
  std::map<std::string, std::string> parameters = {};
  std::string body = {};
  // Requested when the server is being stopped: what only waits then gives up.
  std::stop_token stop = {};
};

struct Answer {
  int status = 200;
  std::string content_type = kJsonType;
  std::string body = {};
  std::map<std::string, std::string> headers = {};

  // Bytes that are not UTF-8 are replaced: they come from requests.
  static Answer json(const Json& document, int status = 200) {
    return {.status = status,
            .body = document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
  }
};

}  // namespace varve::http
