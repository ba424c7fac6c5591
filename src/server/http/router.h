// Which handler answers a request.
#pragma once

#include <functional>
#include <variant>
#include <vector>

#include "server/http/message.h"

namespace varve::http {

// Called on several threads at once. An error becomes a problem document.
using Handler = std::function<Result<Answer>(const Request&)>;

enum class Access {
  kAuthenticated,
  kAnybody,  // Tells nothing about the data.
};

struct Route {
  std::string method;
  // A segment in braces takes any text: /v1/tenants/{tenant}.
  std::string path;
  Handler handler;
  Access access = Access::kAuthenticated;
  // Of a POST.
  struct Body {
    std::string type = kJsonType;
    size_t size = 64U << 10;  // At most, bytes.
  };
  Body body = {};
};

class Router {
 public:
  explicit Router(std::vector<Route> routes) : routes_(std::move(routes)) {}

  const std::vector<Route>& routes() const { return routes_; }

  // Fills the parameters of the request. Null with the answer to give when there is no such path,
  // or it does not take the method. HEAD goes where GET does.
  std::variant<const Route*, Answer> find(Request& request) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace varve::http
