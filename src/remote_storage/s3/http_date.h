// Dates as HTTP has them in Date, Last-Modified and Retry-After.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace varve::s3 {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7: the form that senders must use); none
// for anything else.
std::optional<Timestamp> parse_http_date(std::string_view text);

}  // namespace varve::s3
