// A service that tells what it was asked for.
#pragma once

#include "server/page_service.h"

namespace varve::http {

class FakePageService : public PageService {
 public:
  // Of every call from now on.
  std::optional<Error> failure;

  Result<Json> tenants() override { return answer("tenants", Json::array()); }
  Result<Json> timelines(const std::string& tenant) override { return answer("timelines", tenant); }
  Result<Json> tenant(const std::string& tenant) override { return answer("tenant", tenant); }
  Result<Json> timeline(const std::string& timeline) override {
    return answer("timeline", timeline);
  }
  Result<Json> create_tenant(const NewTenant& tenant) override {
    return answer("create",
                  {{"id", tenant.id ? tenant.id->to_string() : ""}, {"name", tenant.name}});
  }
  Result<Json> attach_tenant(const std::string& tenant) override {
    return answer("attach", tenant);
  }
  Result<Json> delete_timeline(const std::string& timeline) override {
    return answer("delete", timeline);
  }
  Result<Json> status(const std::optional<std::string>& timeline) override {
    return answer("status", timeline ? Json(*timeline) : Json());
  }
  Result<Json> wait(const WaitRequest& request, const CallOptions& call,
                    const ByteProgress& /*progress*/) override {
    // Until somebody stops it.
    if (request.lsn == Lsn{}) {
      system_clock().sleep(call.deadline.remaining(), call.stop);
      VARVE_TRY(call.check("wait"));
    }
    return answer("wait", {{"timeline", request.timeline},
                           {"lsn", request.lsn.to_string()},
                           {"for", name(request.goal)}});
  }

 private:
  Result<Json> answer(const char* call, Json with) {
    if (failure) return *failure;
    return Json{{"call", call}, {"with", std::move(with)}, {"tenant_id", "made"}};
  }
};

}  // namespace varve::http
