// The JSON object in the body of a request.
#pragma once

#include <set>

#include "server/http/message.h"
#include "server/timeline_point.h"

namespace varve::http {

class JsonBody {
 public:
  // InvalidArgument when it is not one JSON object, or has other keys: a misspelt key must not pass
  // for one that was left out. An empty body is an empty object.
  static Result<JsonBody> parse(const std::string& body, const std::set<std::string>& known_keys);

  // Those that are absent or null are none. InvalidArgument for a value of another type.
  Result<std::optional<std::string>> text(const std::string& key) const;
  Result<std::optional<double>> number(const std::string& key) const;
  Result<std::optional<bool>> flag(const std::string& key) const;
  // And InvalidArgument when it is absent.
  Result<std::string> required_text(const std::string& key) const;
  Result<uint64_t> required_count(const std::string& key) const;
  // Its "lsn" or its "time"; InvalidArgument when it has both.
  Result<TimelinePoint> point() const;

 private:
  explicit JsonBody(Json json) : json_(std::move(json)) {}
  const Json* find(const std::string& key) const;

  Json json_;
};

}  // namespace varve::http
