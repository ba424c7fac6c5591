// What the HTTP API offers, by resource. docs/openapi.json describes all of it.
#pragma once

#include <functional>

#include "server/http/image_import.h"
#include "server/http/operations.h"
#include "server/http/router.h"
#include "server/page_service.h"

namespace varve::http {

using Routes = std::vector<Route>;

// Requests that wait for something, at most. Each has a thread; the others are for the rest.
struct WaitLimits {
  int concurrent = 24;
  // One request waits no longer; whoever wants to repeats it. Proxies end what takes longer.
  Duration longest = std::chrono::seconds(30);
};

// What requests leave behind for others to go on with.
struct ApiState {
  explicit ApiState(Clock& clock = system_clock())
      : imports("import", {}, clock), snapshots("snapshot", {}, clock) {}

  // To be called every now and then: a client that is gone takes back nothing of what it had begun,
  // such as the files of an import.
  void give_up_idle();

  Operations operations{{}};
  Sessions<ImageImport> imports;
  Sessions<TimelineSnapshot> snapshots;
};

void add_tenant_routes(Routes& routes, PageService& service, ApiState& state);
void add_timeline_routes(Routes& routes, PageService& service, ApiState& state);
void add_import_routes(Routes& routes, PageService& service, ApiState& state);
void add_protection_routes(Routes& routes, PageService& service, ApiState& state);
// `scratch` is a directory for what is fetched meanwhile.
void add_snapshot_routes(Routes& routes, PageService& service, ApiState& state,
                         const std::filesystem::path& scratch);
// Of a timeline that is to reach an LSN, and of an operation that is to finish.
void add_wait_routes(Routes& routes, PageService& service, ApiState& state,
                     const WaitLimits& limits = {});
// Status of the data, liveness of the process, metrics and the description of the API.
void add_status_routes(Routes& routes, PageService& service,
                       std::function<std::string()> metrics_text);

// All of the above.
Routes all_routes(PageService& service, ApiState& state, const std::filesystem::path& scratch,
                  std::function<std::string()> metrics_text);

// docs/openapi.json, as it was when this was built.
extern const char kOpenApiDocument[];

}  // namespace varve::http
