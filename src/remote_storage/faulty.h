// Makes a storage fail on purpose, for tests of everything above it.
#pragma once

#include <map>
#include <mutex>

#include "remote_storage/operation.h"
#include "remote_storage/remote_storage.h"

namespace varve {

struct Fault {
  enum class Kind {
    kFailBefore,       // Fails without having done anything.
    kFailAfter,        // Does it, then fails: the acknowledgement is lost.
    kTearStream,       // A get() breaks off after `bytes` bytes; other calls are not affected.
    kFlipByte,         // A get() gives the byte number `bytes` of its answer inverted.
    kIgnoreCondition,  // A put() with kIfAbsent replaces what is there, as some servers do.
    kDelay,            // Waits by the clock, honouring stop and deadline, then goes on.
  };
  Kind kind = Kind::kFailBefore;
  ErrorCode code = ErrorCode::kUnavailable;
  uint64_t bytes = 0;
  Duration delay = {};

  static Fault fail_before(ErrorCode code = ErrorCode::kUnavailable) {
    return {.kind = Kind::kFailBefore, .code = code};
  }
  static Fault fail_after(ErrorCode code = ErrorCode::kUnavailable) {
    return {.kind = Kind::kFailAfter, .code = code};
  }
  static Fault tear_stream(uint64_t after) { return {.kind = Kind::kTearStream, .bytes = after}; }
  static Fault flip_byte(uint64_t at) { return {.kind = Kind::kFlipByte, .bytes = at}; }
  static Fault ignore_condition() { return {.kind = Kind::kIgnoreCondition}; }
  static Fault delay_by(Duration delay) { return {.kind = Kind::kDelay, .delay = delay}; }
};

struct FaultyCall {
  Operation operation;
  // The prefix of a list, the first key of a removal.
  std::string_view key;
  // How many calls of this operation with this key came before.
  uint64_t number;
};

// Decides what becomes of a call; none = it goes through. Called by one thread at a time.
using FaultScript = std::function<std::optional<Fault>(const FaultyCall&)>;

// Applies to the calls number `skip` to `skip` + `times` - 1 of those that it matches.
struct FaultRule {
  Operation operation;
  Fault fault;
  uint64_t skip = 0;
  uint64_t times = 1;
  // Part of the key; empty matches every key.
  std::string key = {};
};
// The first rule that applies decides.
FaultScript fault_rules(std::vector<FaultRule> rules);

// Each call fails with this probability in one of `faults`. What becomes of a call depends on the
// seed and the call alone, so that threads do not change it by their order.
FaultScript random_faults(uint64_t seed, double probability, std::vector<Fault> faults);

// Thread-safe. Destroy it after every upload that it started.
class Faulty : public RemoteStorage {
 public:
  // `clock` must outlive it and is what delays wait by.
  Faulty(std::unique_ptr<RemoteStorage> inner, FaultScript script, Clock& clock = system_clock());

  // From the next call on. Without a script nothing fails.
  void set_script(FaultScript script);

  const StorageTraits& traits() const override { return inner_->traits(); }
  std::string url() const override { return inner_->url(); }

  Result<ListPage> list(std::string_view prefix, std::string_view after,
                        const CallOptions& options) override;
  Result<> put(std::string_view key, ByteView body, PutCondition condition,
               const CallOptions& options) override;
  Result<std::unique_ptr<MultipartUpload>> start_multipart(std::string_view key, uint64_t part_size,
                                                           const CallOptions& options) override;
  Result<UploadPage> list_uploads(std::string_view prefix, std::string_view continuation,
                                  const CallOptions& options) override;
  Result<> abort_upload(std::string_view key, std::string_view upload_id,
                        const CallOptions& options) override;
  Result<ObjectInfo> get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                         const CallOptions& options) override;
  Result<ObjectInfo> head(std::string_view key, const CallOptions& options) override;
  Result<std::vector<FailedRemoval>> remove(const std::vector<std::string>& keys,
                                            const CallOptions& options) override;

 private:
  class Upload;

  std::optional<Fault> next_fault(Operation operation, std::string_view key);
  // Waits if the fault is a delay, fails if it is one to fail before.
  Result<> before(const std::optional<Fault>& fault, Operation operation, std::string_view key,
                  const CallOptions& options);
  // Makes the call with that fault.
  template <typename Call>
  auto make(const std::optional<Fault>& fault, Operation operation, std::string_view key,
            const CallOptions& options, Call call) -> decltype(call());
  template <typename Call>
  auto disturb(Operation operation, std::string_view key, const CallOptions& options, Call call)
      -> decltype(call());

  const std::unique_ptr<RemoteStorage> inner_;
  Clock& clock_;
  std::mutex mutex_;
  FaultScript script_;
  std::map<std::pair<Operation, std::string>, uint64_t> calls_;
};

}  // namespace varve
