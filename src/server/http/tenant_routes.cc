#include "server/http/json_body.h"
#include "server/http/routes.h"

namespace varve::http {
namespace {

Result<Answer> create(PageService& service, const Request& request) {
  VARVE_ASSIGN(const JsonBody body, JsonBody::parse(request.body, {"tenant_id", "name"}));
  VARVE_ASSIGN(const auto id, body.text("tenant_id"));
  VARVE_ASSIGN(const auto name, body.text("name"));
  NewTenant wanted{.name = name.value_or("")};
  if (id) {
    VARVE_ASSIGN(wanted.id, TenantId::parse(*id));
  }
  VARVE_ASSIGN(const Json made, service.create_tenant(wanted));
  Answer answer = Answer::json(made, 201);
  answer.headers["Location"] = "/v1/tenants/" + made.at("tenant_id").get<std::string>();
  return answer;
}

// What goes on behind the answer. A tenant that is not there is told at once.
using LongCall = std::function<Result<Json>(const std::string& tenant, const CallOptions&)>;
void add_operation(Routes& routes, PageService& service, ApiState& state, const std::string& method,
                   const std::string& path, LongCall call) {
  routes.push_back(
      {method, path,
       [&service, &state, call = std::move(call)](const Request& request) -> Result<Answer> {
         if (request.method == "POST") VARVE_TRY(JsonBody::parse(request.body, {}));
         const std::string& tenant = request.parameters.at("tenant");
         VARVE_TRY(service.tenant(tenant));
         return state.operations.start(
             [call, tenant](const CallOptions& options, const ByteProgress&) {
               return call(tenant, options);
             });
       }});
}

}  // namespace

void add_tenant_routes(Routes& routes, PageService& service, ApiState& state) {
  routes.push_back({"GET", "/v1/tenants", [&service](const Request&) -> Result<Answer> {
                      VARVE_ASSIGN(const Json tenants, service.tenants());
                      return Answer::json(tenants);
                    }});
  routes.push_back({"POST", "/v1/tenants",
                    [&service](const Request& request) { return create(service, request); }});
  routes.push_back(
      {"GET", "/v1/tenants/{tenant}", [&service](const Request& request) -> Result<Answer> {
         VARVE_ASSIGN(const Json tenant, service.tenant(request.parameters.at("tenant")));
         return Answer::json(tenant);
       }});
  routes.push_back(
      {"POST", "/v1/tenants/{tenant}/attach", [&service](const Request& request) -> Result<Answer> {
         VARVE_TRY(JsonBody::parse(request.body, {}));
         VARVE_ASSIGN(const Json tenant, service.attach_tenant(request.parameters.at("tenant")));
         return Answer::json(tenant);
       }});
  add_operation(routes, service, state, "POST", "/v1/tenants/{tenant}/detach",
                [&service](const std::string& tenant, const CallOptions& call) {
                  return service.detach_tenant(tenant, call);
                });
  add_operation(routes, service, state, "DELETE", "/v1/tenants/{tenant}",
                [&service](const std::string& tenant, const CallOptions& call) {
                  return service.delete_tenant(tenant, call);
                });
}

}  // namespace varve::http
