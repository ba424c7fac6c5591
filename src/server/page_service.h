// What commands ask of the server of a work directory, wherever that runs: in this process
// (local_page_service.h) or behind its HTTP API (http/api_client.h). Results are documents of
// json.h, the same from either.
#pragma once

#include <optional>
#include <string>

#include "server/json.h"
#include "server/wait_goal.h"

namespace varve {

struct NewTenant {
  // Drawn at random when it is not given.
  std::optional<TenantId> id;
  // Empty: none.
  std::string name;
};

struct WaitRequest {
  std::string timeline;  // TENANT/TIMELINE.
  Lsn lsn;
  WaitGoal goal = WaitGoal::kRemote;
};

// Tenants and timelines are named by ID or name, a timeline as TENANT/TIMELINE. Errors are those of
// PageServer and TenantManager, and Unavailable when the server cannot be reached.
class PageService {
 public:
  virtual ~PageService() = default;

  // Arrays.
  virtual Result<Json> tenants() = 0;
  virtual Result<Json> timelines(const std::string& tenant) = 0;
  // Single ones.
  virtual Result<Json> tenant(const std::string& tenant) = 0;
  virtual Result<Json> timeline(const std::string& timeline) = 0;

  virtual Result<Json> create_tenant(const NewTenant& tenant) = 0;
  virtual Result<Json> attach_tenant(const std::string& tenant) = 0;
  // Tells which one it was.
  virtual Result<Json> delete_timeline(const std::string& timeline) = 0;

  // Of everything, or of one timeline.
  virtual Result<Json> status(const std::optional<std::string>& timeline) = 0;

  // Gives the timeline once the LSN is reached. Cancelled when the deadline of `call` passes
  // before; Conflict when nothing that could be done brings the timeline there. `progress` may hear
  // nothing.
  virtual Result<Json> wait(const WaitRequest& request, const CallOptions& call,
                            const ByteProgress& progress) = 0;
};

}  // namespace varve
