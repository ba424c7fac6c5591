// The timeline that the path of a request names.
#pragma once

#include <string>

#include "server/http/message.h"

namespace varve::http {

// TENANT/TIMELINE, as PageService takes it.
inline std::string timeline_address(const Request& request) {
  return request.parameters.at("tenant") + "/" + request.parameters.at("timeline");
}

}  // namespace varve::http
