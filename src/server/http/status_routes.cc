#include "base/logging.h"
#include "server/http/routes.h"

namespace varve::http {
namespace {

// https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info
constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

Result<Answer> status(PageService& service, const Request& request) {
  const auto timeline = request.query.find("timeline");
  VARVE_ASSIGN(const Json report,
               service.status(timeline == request.query.end() ? std::nullopt
                                                              : std::optional(timeline->second)));
  return Answer::json(report);
}

}  // namespace

void add_status_routes(Routes& routes, PageService& service,
                       std::function<std::string()> metrics_text) {
  routes.push_back({"GET", "/v1/status",
                    [&service](const Request& request) { return status(service, request); }});
  routes.push_back({"GET", "/v1/live",
                    [](const Request&) -> Result<Answer> { return Answer::json({{"live", true}}); },
                    Access::kAnybody});
  routes.push_back({"GET", "/v1/ready",
                    [](const Request& request) -> Result<Answer> {
                      if (request.stop.stop_requested()) {
                        return make_error(ErrorCode::kUnavailable, "the server is being stopped");
                      }
                      return Answer::json({{"ready", true}});
                    },
                    Access::kAnybody});
  routes.push_back(
      {"GET", "/v1/openapi.json",
       [](const Request&) -> Result<Answer> { return Answer{.body = kOpenApiDocument}; },
       Access::kAnybody});
  routes.push_back(
      {"GET", "/metrics", [metrics = std::move(metrics_text)](const Request&) -> Result<Answer> {
         return Answer{.content_type = kMetricsType, .body = metrics()};
       }});
}

void ApiState::give_up_idle() {
  const size_t left_imports = imports.give_up_idle();
  const size_t left_snapshots = snapshots.give_up_idle();
  if (left_imports + left_snapshots == 0) return;
  spdlog::info("gave up what clients have left alone imports={} snapshots={}", left_imports,
               left_snapshots);
}

Routes all_routes(PageService& service, ApiState& state, const std::filesystem::path& scratch,
                  std::function<std::string()> metrics_text) {
  Routes routes;
  add_tenant_routes(routes, service, state);
  add_timeline_routes(routes, service, state);
  add_import_routes(routes, service, state);
  add_protection_routes(routes, service, state);
  add_snapshot_routes(routes, service, state, scratch);
  add_wait_routes(routes, service, state);
  add_status_routes(routes, service, std::move(metrics_text));
  return routes;
}

}  // namespace varve::http
