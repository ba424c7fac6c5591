#include "server/http/json_body.h"

namespace varve::http {

Result<JsonBody> JsonBody::parse(const std::string& body, const std::set<std::string>& known_keys) {
  if (body.empty()) return JsonBody(Json::object());
  Json json;
  try {
    json = Json::parse(body);
  } catch (const Json::parse_error& error) {
    return make_error(ErrorCode::kInvalidArgument, "the body is not JSON, at byte {}", error.byte);
  }
  if (!json.is_object()) {
    return make_error(ErrorCode::kInvalidArgument, "the body is not a JSON object");
  }
  for (const auto& [key, value] : json.items()) {
    if (!known_keys.contains(key)) {
      return make_error(ErrorCode::kInvalidArgument, "the body has the unknown key '{}'", key);
    }
  }
  return JsonBody(std::move(json));
}

const Json* JsonBody::find(const std::string& key) const {
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

Result<std::optional<std::string>> JsonBody::text(const std::string& key) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not a string", key);
  }
  return std::optional(value->get<std::string>());
}

Result<std::optional<double>> JsonBody::number(const std::string& key) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::optional<double>();
  if (!value->is_number()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not a number", key);
  }
  return std::optional(value->get<double>());
}

Result<std::optional<bool>> JsonBody::flag(const std::string& key) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::optional<bool>();
  if (!value->is_boolean()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is neither true nor false", key);
  }
  return std::optional(value->get<bool>());
}

Result<std::string> JsonBody::required_text(const std::string& key) const {
  VARVE_ASSIGN(auto value, text(key));
  if (!value) return make_error(ErrorCode::kInvalidArgument, "the body lacks '{}'", key);
  return *std::move(value);
}

Result<uint64_t> JsonBody::required_count(const std::string& key) const {
  const Json* const value = find(key);
  if (value != nullptr && value->is_number_unsigned()) return value->get<uint64_t>();
  return make_error(ErrorCode::kInvalidArgument, "the body lacks '{}', a number from 0 on", key);
}

Result<TimelinePoint> JsonBody::point() const {
  VARVE_ASSIGN(const auto lsn_text, text("lsn"));
  VARVE_ASSIGN(const auto time_text, text("time"));
  if (lsn_text && time_text) {
    return make_error(ErrorCode::kInvalidArgument, "the body has both 'lsn' and 'time'");
  }
  TimelinePoint point;
  if (lsn_text) {
    VARVE_ASSIGN(point, Lsn::parse(*lsn_text));
  }
  if (time_text) {
    VARVE_ASSIGN(point, Timestamp::parse(*time_text));
  }
  return point;
}

}  // namespace varve::http
