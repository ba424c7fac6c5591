// What the path and the query of a request say.
#pragma once

#include <charconv>
#include <string>

#include "layer/key.h"
#include "server/http/message.h"

namespace varve::http {

// TENANT/TIMELINE, as PageService takes it.
inline std::string timeline_address(const Request& request) {
  return request.parameters.at("tenant") + "/" + request.parameters.at("timeline");
}

// An unsigned decimal number; InvalidArgument, by `name`, for anything else.
Result<uint64_t> parse_count(std::string_view name, std::string_view text);

// Of the query. InvalidArgument when it is absent, or not what it should be.
Result<std::string> required_parameter(const Request& request, const std::string& name);
Result<uint64_t> required_count(const Request& request, const std::string& name);
Result<Key> key_parameter(const Request& request, const std::string& name, const Key& otherwise);
// Seconds, from 0 to `longest`, which it is when it is absent.
Result<Duration> seconds_parameter(const Request& request, const std::string& name,
                                   Duration longest);

}  // namespace varve::http
