// The way of one server to the storage: where requests fail, arrive late, or see the server die.
#pragma once

#include "remote_storage/streams.h"
#include "storage_sync/test_support/simulation_world.h"

namespace varve::simulation {

// The storage itself, with the ledger beside it, and the mutations that are the storage's.
class WatchedStorage : public RemoteStorage {
 public:
  WatchedStorage(World& world, uint32_t server) : world_(world), server_(server) {}

  const StorageTraits& traits() const override { return world_.storage.traits(); }
  std::string url() const override { return world_.storage.url(); }

  Result<ListPage> list(std::string_view prefix, std::string_view after,
                        const CallOptions& options) override {
    auto page = world_.storage.list(prefix, after, options);
    if (page.ok() && page->objects.size() > 3 && world_.strikes(Mutation::kListingIsStale)) {
      page->objects.pop_back();
    }
    return page;
  }
  Result<> put(std::string_view key, ByteView body, PutCondition condition,
               const CallOptions& options) override {
    return deliver({std::string(key), Bytes(body.begin(), body.end()), condition, sender()},
                   options);
  }
  Result<std::unique_ptr<MultipartUpload>> start_multipart(std::string_view key, uint64_t part_size,
                                                           const CallOptions& options) override {
    VARVE_ASSIGN(auto upload, world_.storage.start_multipart(key, part_size, options));
    return std::make_unique<Upload>(*this, std::string(key), std::move(upload));
  }
  Result<ObjectInfo> get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                         const CallOptions& options) override {
    return world_.storage.get(key, range, sink, options);
  }
  Result<ObjectInfo> head(std::string_view key, const CallOptions& options) override {
    return world_.storage.head(key, options);
  }
  Result<std::vector<FailedRemoval>> remove(const std::vector<std::string>& keys,
                                            const CallOptions& options) override {
    return world_.storage.remove(keys, options);
  }
  Result<UploadPage> list_uploads(std::string_view prefix, std::string_view continuation,
                                  const CallOptions& options) override {
    return world_.storage.list_uploads(prefix, continuation, options);
  }
  Result<> abort_upload(std::string_view key, std::string_view upload_id,
                        const CallOptions& options) override {
    return world_.storage.abort_upload(key, upload_id, options);
  }

  // Also what arrives late.
  static Result<> deliver(World& world, StrayPut put, const CallOptions& options = {}) {
    if (world.strikes(Mutation::kPutIsLost)) return {};
    if (world.strikes(Mutation::kPutReplaces)) put.condition = PutCondition::kNone;
    if (world.strikes(Mutation::kPutIsDamaged)) world.choices.pick(put.body) ^= 1;
    VARVE_TRY(world.storage.put(put.key, put.body, put.condition, options));
    world.ledger.landed(put.key, put.sender);
    if (world.strikes(Mutation::kObjectVanishes, 0.05)) {
      VARVE_TRY(world.storage.remove({put.key}, options));
    }
    return {};
  }

 private:
  class Upload : public MultipartUpload {
   public:
    Upload(WatchedStorage& storage, std::string key, std::unique_ptr<MultipartUpload> inner)
        : storage_(storage), key_(std::move(key)), inner_(std::move(inner)) {}
    Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) override {
      return inner_->upload_part(number, body, options);
    }
    Result<> complete(uint32_t parts, const CallOptions& options) override {
      VARVE_TRY(inner_->complete(parts, options));
      storage_.world_.ledger.landed(key_, storage_.sender());
      return {};
    }
    Result<> abort(const CallOptions& options) override { return inner_->abort(options); }

   private:
    WatchedStorage& storage_;
    const std::string key_;
    const std::unique_ptr<MultipartUpload> inner_;
  };

  Sender sender() const { return {server_, world_.story.events()}; }
  Result<> deliver(StrayPut put, const CallOptions& options) {
    return deliver(world_, std::move(put), options);
  }

  World& world_;
  const uint32_t server_;
};

class SimulatedStorage : public RemoteStorage {
 public:
  // `gone`: the server has crashed. `before_put` sees each put before it is sent.
  SimulatedStorage(World& world, Server& self, uint32_t server, const std::atomic<bool>& gone,
                   const std::function<void(const std::string& key)>& before_put)
      : world_(world),
        self_(self),
        server_(server),
        gone_(gone),
        before_put_(before_put),
        part_seed_(world.choices.next()),
        faulty_(
            std::make_unique<WatchedStorage>(world, server),
            [this](const FaultyCall& call) { return fault(call); }, world.clock) {}

  const StorageTraits& traits() const override { return faulty_.traits(); }
  std::string url() const override { return faulty_.url(); }
  // Whether a read was given wrong bytes since the last time that this was asked.
  bool take_flipped() { return std::exchange(flipped_, false); }

  Result<ListPage> list(std::string_view prefix, std::string_view after,
                        const CallOptions& options) override {
    return request(prefix, [&] { return faulty_.list(prefix, after, options); });
  }
  Result<> put(std::string_view key, ByteView body, PutCondition condition,
               const CallOptions& options) override {
    const auto stray = [&] {
      world_.story.tell("S{}: put {} goes astray", server_, short_name(key));
      world_.stray_puts.push_back({std::string(key),
                                   Bytes(body.begin(), body.end()),
                                   condition,
                                   {server_, world_.story.events()}});
    };
    if (!is_gone()) before_put_(std::string(key));
    bool sent = false;
    died_here_ = false;
    auto result = request(key, [&]() -> Result<> {
      sent = true;
      if (world_.weather.faults > 0 && world_.choices.chance(world_.weather.faults / 3)) {
        stray();
        return make_error(ErrorCode::kUnavailable, "put {}: no answer came", key);
      }
      return faulty_.put(key, body, condition, options);
    });
    if (result.failed_with(ErrorCode::kConflict)) note_taken(key);
    // The server died just when the request had left it.
    if (!sent && !world_.story.ended() && died_here_ && world_.choices.chance(0.3)) stray();
    return result;
  }
  Result<std::unique_ptr<MultipartUpload>> start_multipart(std::string_view key, uint64_t part_size,
                                                           const CallOptions& options) override {
    VARVE_ASSIGN(auto upload,
                 request(key, [&] { return faulty_.start_multipart(key, part_size, options); }));
    return std::make_unique<Upload>(*this, std::string(key), std::move(upload));
  }
  Result<ObjectInfo> get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                         const CallOptions& options) override {
    return request(key, [&] { return faulty_.get(key, range, sink, options); });
  }
  Result<ObjectInfo> head(std::string_view key, const CallOptions& options) override {
    return request(key, [&] { return faulty_.head(key, options); });
  }
  Result<std::vector<FailedRemoval>> remove(const std::vector<std::string>& keys,
                                            const CallOptions& options) override {
    return request(keys.front(), [&] { return faulty_.remove(keys, options); });
  }
  Result<UploadPage> list_uploads(std::string_view prefix, std::string_view continuation,
                                  const CallOptions& options) override {
    return request(prefix, [&] { return faulty_.list_uploads(prefix, continuation, options); });
  }
  Result<> abort_upload(std::string_view key, std::string_view upload_id,
                        const CallOptions& options) override {
    return request(key, [&] { return faulty_.abort_upload(key, upload_id, options); });
  }

 private:
  class Upload : public MultipartUpload {
   public:
    Upload(SimulatedStorage& storage, std::string key, std::unique_ptr<MultipartUpload> inner)
        : storage_(storage), key_(std::move(key)), inner_(std::move(inner)) {}
    // On a thread of its own: nothing else happens meanwhile.
    Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) override {
      if (storage_.is_gone()) return storage_.cancelled();
      return inner_->upload_part(number, body, options);
    }
    Result<> complete(uint32_t parts, const CallOptions& options) override {
      return storage_.request(key_, [&] { return inner_->complete(parts, options); });
    }
    Result<> abort(const CallOptions& options) override { return inner_->abort(options); }

   private:
    SimulatedStorage& storage_;
    const std::string key_;
    const std::unique_ptr<MultipartUpload> inner_;
  };

  bool is_gone() const { return gone_ || world_.story.ended(); }
  static Error cancelled() { return make_error(ErrorCode::kCancelled, "the server is gone"); }

  void note_taken(std::string_view key) {
    const ObjectName object = ObjectName::parse(key).value();
    const LandedCommit* there = world_.ledger.find(object.log, object.sequence);
    const bool own = there != nullptr && there->sender.server == server_;
    world_.story.note(own ? "own attempt had landed" : "number was taken");
  }

  // Something else may happen before and after; a server that dies before has not sent the request,
  // one that dies after never gets the answer.
  template <typename Call>
  auto request(std::string_view key, Call call) -> decltype(call()) {
    if (is_gone()) return cancelled();
    // The start of a server reads on a pool and waits for it.
    if (!world_.on_main_thread()) return call();
    world_.calls.push_back({server_, log_of(key)});
    happen();
    died_here_ = gone_;
    if (is_gone()) {
      world_.calls.pop_back();
      return cancelled();
    }
    auto result = call();
    happen();
    world_.calls.pop_back();
    if (is_gone()) return cancelled();
    return result;
  }

  // Of a key, or of the prefix of a log.
  static std::optional<LogName> log_of(std::string_view key) {
    auto object = ObjectName::parse(key);
    if (!object.ok()) {
      object = ObjectName::parse(std::string(key) + ObjectName::archive({}, 1).file_name());
    }
    return object.ok() ? std::optional(object->log) : std::nullopt;
  }

  void happen() {
    if (world_.choices.chance(world_.weather.meanwhile)) world_.meanwhile(self_);
  }

  std::optional<Fault> fault(const FaultyCall& call) {
    if (call.operation == Operation::kMultipartAbort || world_.weather.faults == 0) {
      return std::nullopt;
    }
    if (call.operation == Operation::kMultipartPart) return part_fault(call);
    const Weather& weather = world_.weather;
    if (world_.clock.boot_time() < weather.outage_ends &&
        weather.cut_off.value_or(server_) == server_) {
      return Fault::fail_before();
    }
    if (!world_.choices.chance(world_.weather.faults)) return std::nullopt;
    const Fault fault = draw_fault(call.operation);
    const bool flips = fault.kind == Fault::Kind::kFlipByte && call.operation == Operation::kGet;
    flipped_ = flipped_ || flips;
    const std::string kind = describe(fault.kind);
    world_.story.tell("S{}: {} {} {}", server_, name(call.operation), short_name(call.key), kind);
    world_.story.note(kind);
    return fault;
  }

  static std::string describe(Fault::Kind kind) {
    switch (kind) {
      case Fault::Kind::kFailBefore:
        return "fails before";
      case Fault::Kind::kFailAfter:
        return "fails after";
      case Fault::Kind::kTearStream:
        return "breaks off";
      case Fault::Kind::kFlipByte:
        return "flips a byte";
      case Fault::Kind::kIgnoreCondition:
        return "ignores the condition";
      case Fault::Kind::kDelay:
        return "takes long";
    }
    return "?";
  }

  // Depends on the call alone, since parts are sent while other things go on.
  std::optional<Fault> part_fault(const FaultyCall& call) const {
    SeededRandom random(part_seed_ ^
                        checksum64(as_bytes(fmt::format("{} {}", call.number, call.key))));
    if (random.next_fraction() > world_.weather.faults / 2) return std::nullopt;
    return random.next() % 2 == 0 ? Fault::fail_before() : Fault::fail_after();
  }

  Fault draw_fault(Operation operation) {
    constexpr std::array kBefore{ErrorCode::kUnavailable, ErrorCode::kThrottled, ErrorCode::kDenied,
                                 ErrorCode::kInternal, ErrorCode::kCancelled};
    constexpr std::array kAfter{ErrorCode::kUnavailable, ErrorCode::kThrottled,
                                ErrorCode::kInternal, ErrorCode::kCancelled};
    const uint64_t kind = world_.choices.below(operation == Operation::kGet ? 6 : 5);
    if (kind < 2) return Fault::fail_before(world_.choices.pick(kBefore));
    if (kind < 4 && operation != Operation::kGet) {
      return Fault::fail_after(world_.choices.pick(kAfter));
    }
    if (kind == 2) return Fault::tear_stream(world_.choices.below(200));
    if (kind == 3) return Fault::flip_byte(world_.choices.below(400));
    return Fault::delay_by(std::chrono::seconds(1ULL << world_.choices.below(13)));
  }

  World& world_;
  Server& self_;
  const uint32_t server_;
  const std::atomic<bool>& gone_;
  const std::function<void(const std::string& key)>& before_put_;
  const uint64_t part_seed_;
  bool flipped_ = false;
  bool died_here_ = false;
  Faulty faulty_;
};

}  // namespace varve::simulation
