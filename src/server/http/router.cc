#include "server/http/router.h"

#include "server/http/problem.h"

namespace varve::http {
namespace {

std::string_view next_segment(std::string_view& path) {
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return segment;
}

bool matches(std::string_view pattern, std::string_view path,
             std::map<std::string, std::string>& parameters) {
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return false;
  while (!pattern.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view segment = next_segment(path);
    if (wanted.starts_with('{')) {
      if (segment.empty()) return false;
      parameters.emplace(wanted.substr(1, wanted.size() - 2), segment);
    } else if (wanted != segment) {
      return false;
    }
  }
  return path.empty();
}

}  // namespace

std::variant<const Route*, Answer> Router::find(Request& request) const {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::string allowed;
  for (const Route& route : routes_) {
    std::map<std::string, std::string> parameters;
    if (!matches(route.path, request.path, parameters)) continue;
    if (route.method == method) {
      request.parameters = std::move(parameters);
      return &route;
    }
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  if (allowed.empty()) {
    return problem(make_error(ErrorCode::kNotFound,
                              "there is no '{}': /v1/openapi.json describes what there is",
                              request.path));
  }
  Answer refused = problem(405, make_error(ErrorCode::kInvalidArgument, "{} takes only {}, not {}",
                                           request.path, allowed, request.method));
  refused.headers["Allow"] = allowed;
  return refused;
}

}  // namespace varve::http
