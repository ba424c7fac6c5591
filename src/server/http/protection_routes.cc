#include "server/http/json_body.h"
#include "server/http/parameters.h"
#include "server/http/routes.h"

namespace varve::http {
namespace {

Result<Answer> protect(PageService& service, ApiState& state, const Request& request) {
  VARVE_ASSIGN(const JsonBody body, JsonBody::parse(request.body, {"primary", "name"}));
  VARVE_ASSIGN(const auto name, body.text("name"));
  NewProtection wanted{.tenant = request.parameters.at("tenant"), .name = name.value_or("")};
  VARVE_ASSIGN(wanted.primary, body.required_text("primary"));
  VARVE_TRY(service.tenant(wanted.tenant));
  return state.operations.start(
      [&service, wanted](const CallOptions& call, const ByteProgress& progress) {
        return service.protect(wanted, call, progress);
      });
}

Result<Answer> protect_restored(PageService& service, ApiState& state, const Request& request) {
  VARVE_ASSIGN(const JsonBody body, JsonBody::parse(request.body, {"primary"}));
  RestoredPrimary restored{.timeline = timeline_address(request), .primary = {}};
  VARVE_ASSIGN(restored.primary, body.required_text("primary"));
  VARVE_TRY(service.timeline(restored.timeline));
  return state.operations.start([&service, restored](const CallOptions& call, const ByteProgress&) {
    return service.protect_restored(restored, call);
  });
}

Result<Answer> unprotect(PageService& service, ApiState& state, const Request& request) {
  VARVE_ASSIGN(const JsonBody body, JsonBody::parse(request.body, {"keep_slot"}));
  VARVE_ASSIGN(const auto keep_slot, body.flag("keep_slot"));
  const std::string timeline = timeline_address(request);
  VARVE_TRY(service.timeline(timeline));
  return state.operations.start([&service, timeline, keep = keep_slot.value_or(false)](
                                    const CallOptions& call, const ByteProgress&) {
    return service.unprotect(timeline, keep, call);
  });
}

}  // namespace

void add_protection_routes(Routes& routes, PageService& service, ApiState& state) {
  routes.push_back(
      {"POST", "/v1/tenants/{tenant}/protect",
       [&service, &state](const Request& request) { return protect(service, state, request); }});
  routes.push_back({"POST", "/v1/tenants/{tenant}/timelines/{timeline}/protect",
                    [&service, &state](const Request& request) {
                      return protect_restored(service, state, request);
                    }});
  routes.push_back(
      {"POST", "/v1/tenants/{tenant}/timelines/{timeline}/unprotect",
       [&service, &state](const Request& request) { return unprotect(service, state, request); }});
}

}  // namespace varve::http
