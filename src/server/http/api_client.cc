#include "server/http/api_client.h"

#include "base/logging.h"
#include "layer/pipelined_sink.h"
#include "server/http/image_batch.h"

namespace varve::http {
namespace {

// Of a single request; whoever waits longer sends another.
constexpr Duration kWaitAtOnce = std::chrono::seconds(20);
// When the server has no room for one more that waits.
constexpr Duration kPauseWhenThrottled = std::chrono::seconds(1);

// As the bodies of requests say it.
Json json_of(const TimelinePoint& point) {
  Json body = Json::object();
  if (const auto* lsn = std::get_if<Lsn>(&point)) body["lsn"] = lsn->to_string();
  if (const auto* time = std::get_if<Timestamp>(&point)) body["time"] = time->to_string();
  return body;
}

// A timeline in the making at the server.
class RemoteImport : public TimelineImport {
 public:
  RemoteImport(std::shared_ptr<ApiConnection> connection, std::string path)
      : connection_(std::move(connection)), path_(std::move(path)) {}
  ~RemoteImport() override {
    // Otherwise the server finds out by itself, later.
    if (!committed_) std::ignore = connection_->send("DELETE", path_);
  }
  RemoteImport(const RemoteImport&) = delete;
  RemoteImport& operator=(const RemoteImport&) = delete;

  Result<> put_image(const Key& key, ByteView image) override {
    const size_t image_size = Key::kSize + sizeof(uint32_t) + image.size();
    if (batch_.size() + image_size > kLargestImageBatch) {
      if (!batch_.empty()) VARVE_TRY(send_batch());
      if (batch_.size() + image_size > kLargestImageBatch) {
        return make_error(ErrorCode::kInvalidArgument,
                          "the value of key {} has {} bytes, which the API of a server does not "
                          "take: stop the server, and import without it",
                          key, image.size());
      }
    }
    batch_.put(key, image);
    if (batch_.is_full()) VARVE_TRY(send_batch());
    return {};
  }

  Result<Json> commit(const ImportedCluster& cluster, const CallOptions& call,
                      const ByteProgress& uploaded) override {
    if (!batch_.empty()) VARVE_TRY(send_batch());
    const Json body{{"batches", batches_},
                    {"last_record_lsn", cluster.last_record_lsn.to_string()},
                    {"system_identifier", std::to_string(cluster.system_identifier)}};
    VARVE_ASSIGN(const Json operation, connection_->send("POST", path_ + "/commit", body));
    committed_ = true;
    return connection_->result_of(operation, call, uploaded);
  }

 private:
  Result<> send_batch() {
    VARVE_TRY(connection_->send_raw("POST", fmt::format("{}/images?batch={}", path_, batches_),
                                    {.type = kImageBatchType, .content = batch_.take()}));
    ++batches_;
    return {};
  }

  const std::shared_ptr<ApiConnection> connection_;
  const std::string path_;
  ImageBatchWriter batch_;
  uint64_t batches_ = 0;
  bool committed_ = false;
};

// A snapshot that the server holds. While one batch is read the next one is under way.
class RemoteSnapshot : public TimelineSnapshot {
 public:
  RemoteSnapshot(std::shared_ptr<ApiConnection> connection, std::string path, Json timeline,
                 Lsn lsn)
      : connection_(std::move(connection)),
        path_(std::move(path)),
        timeline_(std::move(timeline)),
        lsn_(lsn) {}
  ~RemoteSnapshot() override { std::ignore = connection_->send("DELETE", path_); }
  RemoteSnapshot(const RemoteSnapshot&) = delete;
  RemoteSnapshot& operator=(const RemoteSnapshot&) = delete;

  const Json& timeline() const override { return timeline_; }
  Lsn lsn() const override { return lsn_; }
  Result<LayerCache::Fetched> fetched() override {
    VARVE_ASSIGN(const Json now, connection_->send("GET", path_));
    return LayerCache::Fetched{.layers = now.at("layers_fetched").get<uint64_t>(),
                               .bytes = now.at("layer_bytes_fetched").get<uint64_t>()};
  }

  Result<> scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) override {
    VARVE_TRY(check(lsn));
    BoundedQueue<Result<Answer>> batches(1);
    const std::jthread fetcher([&] { fetch(range, batches); });
    auto read = read_all(batches, sink);
    batches.close();
    return read;
  }

  Result<Bytes> get(const Key& key, Lsn lsn) override {
    std::optional<Bytes> found;
    VARVE_TRY(scan({key, key.next()}, lsn, [&](const Key&, ByteView image) -> Result<> {
      found = Bytes(image.begin(), image.end());
      return {};
    }));
    if (found) return *std::move(found);
    return make_error(ErrorCode::kNotFound, "there is no key {} at {}", key, lsn);
  }

 private:
  Result<> check(Lsn lsn) const {
    if (lsn == lsn_) return {};
    return make_error(ErrorCode::kInvalidArgument, "a snapshot at {} cannot be read at {}", lsn_,
                      lsn);
  }

  // Until everything was asked for, something failed, or nobody takes it.
  void fetch(KeyRange range, BoundedQueue<Result<Answer>>& batches) {
    for (bool more = true; more;) {
      auto answer = connection_->send_raw(
          "GET", fmt::format("{}/images?from={}&to={}", path_, range.start, range.end));
      more = answer.ok() && answer->headers.contains(kNextKeyHeader);
      if (more) {
        auto next = Key::parse(answer->headers.at(kNextKeyHeader));
        if (next.ok() && range.start < *next) {
          range.start = *next;
        } else {
          answer = make_error(ErrorCode::kCorrupted, "the server does not say how to go on");
          more = false;
        }
      }
      if (!batches.push(std::move(answer))) return;
    }
    batches.close();
  }

  static Result<> read_all(BoundedQueue<Result<Answer>>& batches, const ImageSink& sink) {
    while (auto batch = batches.pop()) {
      VARVE_TRY(*batch);
      VARVE_TRY(read_image_batch(as_bytes((*batch)->body), sink));
    }
    return {};
  }

  const std::shared_ptr<ApiConnection> connection_;
  const std::string path_;
  const Json timeline_;
  const Lsn lsn_;
};

}  // namespace

Result<Json> ApiClient::tenants() {
  return connection_->send("GET", "/v1/tenants");
}

Result<Json> ApiClient::timelines(const std::string& tenant) {
  return connection_->send("GET", tenant_path(tenant) + "/timelines");
}

Result<Json> ApiClient::tenant(const std::string& tenant) {
  return connection_->send("GET", tenant_path(tenant));
}

Result<Json> ApiClient::timeline(const std::string& timeline) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  return connection_->send("GET", path);
}

Result<Json> ApiClient::create_tenant(const NewTenant& tenant) {
  Json body = Json::object();
  if (tenant.id) body["tenant_id"] = tenant.id->to_string();
  if (!tenant.name.empty()) body["name"] = tenant.name;
  return connection_->send("POST", "/v1/tenants", body);
}

Result<Json> ApiClient::attach_tenant(const std::string& tenant) {
  return connection_->send("POST", tenant_path(tenant) + "/attach");
}

Result<Json> ApiClient::detach_tenant(const std::string& tenant, const CallOptions& call) {
  VARVE_ASSIGN(const Json begun, connection_->send("POST", tenant_path(tenant) + "/detach"));
  return connection_->result_of(begun, call, {});
}

Result<Json> ApiClient::delete_tenant(const std::string& tenant, const CallOptions& call) {
  VARVE_ASSIGN(const Json begun, connection_->send("DELETE", tenant_path(tenant)));
  return connection_->result_of(begun, call, {});
}

Result<std::unique_ptr<TimelineImport>> ApiClient::start_import(const NewTimeline& timeline) {
  Json body{{"image_lsn", timeline.image_lsn.to_string()}};
  if (!timeline.name.empty()) body["name"] = timeline.name;
  VARVE_ASSIGN(const Json started,
               connection_->send("POST", tenant_path(timeline.tenant) + "/imports", body));
  return std::unique_ptr<TimelineImport>(std::make_unique<RemoteImport>(
      connection_, "/v1/imports/" + started.at("import_id").get<std::string>()));
}

Result<Json> ApiClient::branch(const NewBranch& branch) {
  VARVE_ASSIGN(const std::string path, timeline_path(branch.parent));
  Json body = json_of(branch.at);
  if (!branch.name.empty()) body["name"] = branch.name;
  return connection_->send("POST", path + "/branches", body);
}

Result<std::unique_ptr<TimelineSnapshot>> ApiClient::open_snapshot(const SnapshotRequest& request) {
  VARVE_ASSIGN(const std::string path, timeline_path(request.timeline));
  Json body = json_of(request.at);
  if (request.pattern == ReadPattern::kPart) body["on_demand"] = true;
  VARVE_ASSIGN(const Json opened, connection_->send("POST", path + "/snapshots", body));
  VARVE_ASSIGN(const Lsn lsn, Lsn::parse(opened.at("lsn").get<std::string>()));
  return std::unique_ptr<TimelineSnapshot>(std::make_unique<RemoteSnapshot>(
      connection_, "/v1/snapshots/" + opened.at("snapshot_id").get<std::string>(),
      opened.at("timeline"), lsn));
}

Result<Json> ApiClient::lsn_at(const std::string& timeline, Timestamp time) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  return connection_->send("GET", path + "/lsn?time=" + escape(time.to_string()));
}

Result<Json> ApiClient::operate(const std::string& timeline, const std::string& operation,
                                const CallOptions& call, const ByteProgress& progress) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  VARVE_ASSIGN(const Json begun, connection_->send("POST", path + "/" + operation));
  return connection_->result_of(begun, call, progress);
}

Result<Json> ApiClient::checkpoint(const std::string& timeline, const CallOptions& call,
                                   const ByteProgress& progress) {
  return operate(timeline, "checkpoint", call, progress);
}

Result<Json> ApiClient::prefetch(const std::string& timeline, const CallOptions& call,
                                 const ByteProgress& progress) {
  return operate(timeline, "prefetch", call, progress);
}

Result<Json> ApiClient::collect_garbage(const std::string& timeline, const CallOptions& call) {
  return operate(timeline, "gc", call, {});
}

Result<Json> ApiClient::pin(const PinRequest& pin) {
  VARVE_ASSIGN(const std::string path, timeline_path(pin.timeline));
  return connection_->send("POST", path + "/pins", json_of(pin.at));
}

Result<Json> ApiClient::pins(const std::string& timeline) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  return connection_->send("GET", path + "/pins");
}

Result<Json> ApiClient::unpin(const std::string& timeline, Lsn lsn) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  return connection_->send("DELETE", path + "/pins?lsn=" + escape(lsn.to_string()));
}

Result<Json> ApiClient::drop_local(const std::string& timeline) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  return connection_->send("POST", path + "/drop_local");
}

Result<Json> ApiClient::delete_timeline(const std::string& timeline) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  return connection_->send("DELETE", path);
}

Result<Json> ApiClient::protect(const NewProtection& protection, const CallOptions& call,
                                const ByteProgress& progress) {
  Json body{{"primary", protection.primary}};
  if (!protection.name.empty()) body["name"] = protection.name;
  VARVE_ASSIGN(const Json begun,
               connection_->send("POST", tenant_path(protection.tenant) + "/protect", body));
  return connection_->result_of(begun, call, progress);
}

Result<Json> ApiClient::protect_restored(const RestoredPrimary& restored, const CallOptions& call) {
  VARVE_ASSIGN(const std::string path, timeline_path(restored.timeline));
  VARVE_ASSIGN(const Json begun,
               connection_->send("POST", path + "/protect", {{"primary", restored.primary}}));
  return connection_->result_of(begun, call, {});
}

Result<Json> ApiClient::unprotect(const std::string& timeline, bool keep_slot,
                                  const CallOptions& call) {
  VARVE_ASSIGN(const std::string path, timeline_path(timeline));
  VARVE_ASSIGN(const Json begun,
               connection_->send("POST", path + "/unprotect", {{"keep_slot", keep_slot}}));
  return connection_->result_of(begun, call, {});
}

Result<Json> ApiClient::status(const std::optional<std::string>& timeline) {
  return connection_->send("GET",
                           timeline ? "/v1/status?timeline=" + escape(*timeline) : "/v1/status");
}

Result<Json> ApiClient::wait(const WaitRequest& request, const CallOptions& call,
                             const ByteProgress& /*progress*/) {
  VARVE_ASSIGN(const std::string path, timeline_path(request.timeline));
  for (;;) {
    const Duration at_once = std::min(kWaitAtOnce, call.deadline.remaining());
    const Json body{{"lsn", request.lsn.to_string()},
                    {"for", name(request.goal)},
                    {"timeout_seconds", std::chrono::duration<double>(at_once).count()}};
    auto reached = connection_->send("POST", path + "/wait", body);
    const bool may_wait_on =
        reached.failed_with(ErrorCode::kCancelled) || reached.failed_with(ErrorCode::kThrottled);
    const std::stop_token& stop = connection_->stop_requests();
    if (!may_wait_on || call.deadline.passed() || stop.stop_requested()) return reached;
    if (reached.failed_with(ErrorCode::kThrottled)) {
      system_clock().sleep(std::min(kPauseWhenThrottled, call.deadline.remaining()), stop);
    }
  }
}

}  // namespace varve::http
