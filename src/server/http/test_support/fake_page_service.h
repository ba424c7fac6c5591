// A service that tells what it was asked for.
#pragma once

#include "server/page_service.h"

namespace varve::http {

class FakePageService : public PageService {
 public:
  // Of every call from now on.
  std::optional<Error> failure;
  // What snapshots hold, and what imports put.
  std::map<Key, std::string> images;
  // A scan that comes to it fails.
  std::optional<Key> damaged;
  size_t open_imports = 0;
  size_t open_snapshots = 0;
  // Of the snapshot that was opened last.
  ReadPattern last_pattern = ReadPattern::kEverything;

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
  Result<Json> detach_tenant(const std::string& tenant, const CallOptions&) override {
    return answer("detach", tenant);
  }
  Result<Json> delete_tenant(const std::string& tenant, const CallOptions&) override {
    return answer("delete tenant", tenant);
  }
  Result<Json> delete_timeline(const std::string& timeline) override {
    return answer("delete", timeline);
  }
  Result<std::unique_ptr<TimelineImport>> start_import(const NewTimeline& timeline) override {
    VARVE_TRY(answer("import", {}));
    return std::unique_ptr<TimelineImport>(std::make_unique<FakeImport>(*this, timeline));
  }
  Result<Json> branch(const NewBranch& branch) override {
    return answer("branch",
                  {{"parent", branch.parent}, {"at", describe(branch.at)}, {"name", branch.name}});
  }
  Result<std::unique_ptr<TimelineSnapshot>> open_snapshot(const SnapshotRequest& request) override {
    VARVE_TRY(answer("snapshot", {}));
    return std::unique_ptr<TimelineSnapshot>(std::make_unique<FakeSnapshot>(*this, request));
  }
  Result<Json> lsn_at(const std::string& timeline, Timestamp time) override {
    return answer("lsn_at", {{"timeline", timeline}, {"time", time.to_string()}});
  }
  Result<Json> checkpoint(const std::string& timeline, const CallOptions&,
                          const ByteProgress& progress) override {
    progress(1, 2);
    return answer("checkpoint", timeline);
  }
  Result<Json> prefetch(const std::string& timeline, const CallOptions&,
                        const ByteProgress&) override {
    return answer("prefetch", timeline);
  }
  Result<Json> drop_local(const std::string& timeline) override {
    return answer("drop_local", timeline);
  }
  Result<Json> pin(const PinRequest& pin) override {
    return answer("pin", {{"timeline", pin.timeline}, {"at", describe(pin.at)}});
  }
  Result<Json> pins(const std::string& timeline) override { return answer("pins", timeline); }
  Result<Json> unpin(const std::string& timeline, Lsn lsn) override {
    return answer("unpin", {{"timeline", timeline}, {"lsn", lsn.to_string()}});
  }
  Result<Json> collect_garbage(const std::string& timeline, const CallOptions&) override {
    return answer("gc", timeline);
  }
  Result<Json> protect(const NewProtection& protection, const CallOptions&,
                       const ByteProgress&) override {
    return answer("protect", {{"tenant", protection.tenant},
                              {"name", protection.name},
                              {"primary", protection.primary}});
  }
  Result<Json> protect_restored(const RestoredPrimary& restored, const CallOptions&) override {
    return answer("protect_restored",
                  {{"timeline", restored.timeline}, {"primary", restored.primary}});
  }
  Result<Json> unprotect(const std::string& timeline, bool keep_slot, const CallOptions&) override {
    return answer("unprotect", {{"timeline", timeline}, {"keep_slot", keep_slot}});
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
  static std::string describe(const TimelinePoint& point) {
    if (const auto* lsn = std::get_if<Lsn>(&point)) return lsn->to_string();
    const auto* time = std::get_if<Timestamp>(&point);
    return time == nullptr ? "last" : time->to_string();
  }

  class FakeImport : public TimelineImport {
   public:
    FakeImport(FakePageService& service, NewTimeline timeline)
        : service_(service), timeline_(std::move(timeline)) {
      ++service_.open_imports;
    }
    ~FakeImport() override { --service_.open_imports; }

    Result<> put_image(const Key& key, ByteView image) override {
      if (service_.failure) return *service_.failure;
      service_.images[key] = as_text(image);
      return {};
    }
    Result<Json> commit(const ImportedCluster& cluster, const CallOptions&,
                        const ByteProgress&) override {
      return service_.answer("commit", {{"tenant", timeline_.tenant},
                                        {"name", timeline_.name},
                                        {"image_lsn", timeline_.image_lsn.to_string()},
                                        {"last_record_lsn", cluster.last_record_lsn.to_string()},
                                        {"system_identifier", cluster.system_identifier}});
    }

   private:
    FakePageService& service_;
    const NewTimeline timeline_;
  };

  class FakeSnapshot : public TimelineSnapshot {
   public:
    FakeSnapshot(FakePageService& service, const SnapshotRequest& request)
        : service_(service),
          timeline_{{"timeline", request.timeline}},
          lsn_(std::holds_alternative<Lsn>(request.at) ? std::get<Lsn>(request.at) : Lsn{0x10}) {
      ++service_.open_snapshots;
      service_.last_pattern = request.pattern;
    }
    ~FakeSnapshot() override { --service_.open_snapshots; }

    const Json& timeline() const override { return timeline_; }
    Lsn lsn() const override { return lsn_; }
    Result<LayerCache::Fetched> fetched() override {
      return LayerCache::Fetched{.layers = 1, .bytes = 2};
    }
    Result<> scan(const KeyRange& range, Lsn, const ImageSink& sink) override {
      if (service_.failure) return *service_.failure;
      for (const auto& [key, image] : service_.images) {
        if (!range.contains(key)) continue;
        if (service_.damaged == key) {
          return make_error(ErrorCode::kCorrupted, "a layer is damaged");
        }
        VARVE_TRY(sink(key, as_bytes(image)));
      }
      return {};
    }
    Result<Bytes> get(const Key&, Lsn) override { return Bytes(); }

   private:
    FakePageService& service_;
    const Json timeline_;
    const Lsn lsn_;
  };

  Result<Json> answer(const char* call, Json with) {
    if (failure) return *failure;
    return Json{
        {"call", call}, {"with", std::move(with)}, {"tenant_id", "made"}, {"timeline_id", "made"}};
  }
};

}  // namespace varve::http
