// RemoteStorage: a flat, durable map from keys to immutable byte strings.
//
// It knows nothing of layers or PostgreSQL. An implementation makes single attempts and says what
// became of them; retrying, counting and fault injection are decorators around it (retrying.h,
// metered.h, faulty.h). Every method is thread-safe, takes a deadline and a stop token, and blocks
// its caller only.
//
// What holds for every implementation is tested by conformance_test.cc; where a storage can do
// less, its StorageTraits say so.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "runtime/call_options.h"

namespace varve {

// Differences between storages, as data.
struct StorageTraits {
  // Shown to people: "file", "memory", "s3".
  std::string kind;
  // put() with PutCondition::kIfAbsent is atomic against every other writer; without, it is refused
  // as InvalidArgument.
  bool conditional_put = true;
  // Whether what answers keeps that condition depends on a server that is not known: to be probed
  // before anything relies on it.
  bool conditions_need_proof = false;
  // list_uploads() shows uploads that are still being sent, too, and abort_upload() ends them;
  // otherwise only those whose sender is gone.
  bool shows_running_uploads = true;
  // Keys are paths of a file system: while "a" is an object no key can start with "a/", nor the
  // other way round, and a component has at most 255 bytes. What does not fit is InvalidArgument.
  bool keys_are_paths = false;
  // A page of a listing may end early although more objects follow.
  bool pages_may_be_short = false;
  // Largest body of one put(), bytes.
  uint64_t maximum_put_size = 5ULL << 30;
  // Most keys of one remove().
  size_t maximum_remove_keys = 1000;
  // Bounds of a multipart upload's parts; all but the last have the size that was announced.
  uint64_t minimum_part_size = 1;
  uint64_t maximum_part_size = 5ULL << 30;
  uint32_t maximum_parts = 10'000;
};

struct ObjectInfo {
  std::string key;
  uint64_t size = 0;
  // By the storage's clock.
  Timestamp last_modified = {};
};

struct ListPage {
  // In ascending order of keys, as unsigned bytes.
  std::vector<ObjectInfo> objects = {};
  // What the next page comes after; empty on the last page.
  std::string continuation = {};
  // The storage's clock when it answered.
  Timestamp storage_time = {};
};

// An upload in parts that was neither completed nor aborted. Its parts take up space, and no
// listing of objects shows them.
struct UnfinishedUpload {
  std::string key;
  // Tells it from other uploads of the same key; any text that the storage chose.
  std::string upload_id = {};
  // By the storage's clock.
  Timestamp started_at = {};
};

struct UploadPage {
  // In ascending order of keys.
  std::vector<UnfinishedUpload> uploads = {};
  // Pass it to the next call; empty on the last page.
  std::string continuation = {};
  // The storage's clock when it answered.
  Timestamp storage_time = {};
};

// Which bytes of an object to read.
struct ByteRange {
  uint64_t start = 0;
  // Exclusive; none = to the end of the object. An end beyond the object's reads to its end; an end
  // equal to start reads nothing, one before it is InvalidArgument.
  std::optional<uint64_t> end = {};
  // Set: the last so many bytes, or all of a shorter object; start and end are then ignored.
  std::optional<uint64_t> last = {};

  static ByteRange whole() { return {}; }
  static ByteRange between(uint64_t start, uint64_t end) { return {.start = start, .end = end}; }
  static ByteRange from(uint64_t start) { return {.start = start}; }
  static ByteRange suffix(uint64_t size) { return {.last = size}; }
};

// Receives a download: once what is being read, then its bytes in order. An error stops the
// download and becomes its result. Any callable that takes bytes is one.
class ByteSink {
 public:
  using Start = std::function<Result<>(const ObjectInfo&)>;
  using Write = std::function<Result<>(ByteView)>;

  template <typename Callable>
    requires std::is_invocable_r_v<Result<>, Callable&, ByteView>
  ByteSink(Callable write) : write_(std::move(write)) {}  // NOLINT: a callable is a sink.
  ByteSink(Start start, Write write) : start_(std::move(start)), write_(std::move(write)) {}

  // The object that is read, before its first byte. So a reader whose stream breaks off knows which
  // object it has the beginning of.
  Result<> start(const ObjectInfo& info) const {
    if (!start_) return {};
    return start_(info);
  }
  // The view is valid until it returns.
  Result<> operator()(ByteView bytes) const { return write_(bytes); }

 private:
  Start start_;
  Write write_;
};

enum class PutCondition {
  kIfAbsent,  // Conflict when the key exists. The one in use for everything that must not be lost.
  kNone,      // Replaces what is there, in one step.
};

struct FailedRemoval {
  std::string key;
  Error error;
};

// An object that is sent in parts and appears, whole, at complete(). Parts may be sent by several
// threads at once and in any order; destroying an upload that was neither completed nor aborted
// aborts it.
class MultipartUpload {
 public:
  virtual ~MultipartUpload() = default;

  // `number` counts from 0. Every part but the last must have the announced part size. The same
  // part may be sent again after a failure.
  virtual Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) = 0;

  // `parts` is how many were sent: 0 to parts-1, all of them successfully. A failure may have
  // completed all the same: ask with head().
  virtual Result<> complete(uint32_t parts, const CallOptions& options) = 0;

  virtual Result<> abort(const CallOptions& options) = 0;
};

// Keys: 1 to 1024 bytes of UTF-8 without NUL, components separated by '/'. A component is neither
// empty nor "." nor ".."; so an absolute path is no key. Anything else is InvalidArgument.
class RemoteStorage {
 public:
  virtual ~RemoteStorage() = default;

  virtual const StorageTraits& traits() const = 0;
  // The URL of the storage without credentials, for messages.
  virtual std::string url() const = 0;

  // A page of the objects whose keys start with `prefix` (a byte prefix, not a directory) and come
  // after `after` (any text; empty for the first page), at most 1,000. An object that exists during
  // the whole listing is listed exactly once; unfinished writes never are.
  virtual Result<ListPage> list(std::string_view prefix, std::string_view after,
                                const CallOptions& options) = 0;

  // Stores an object in one step: readers see all of it or nothing, and it is durable on return.
  // After any error but Conflict, InvalidArgument and Denied it may have been stored all the same.
  virtual Result<> put(std::string_view key, ByteView body, PutCondition condition,
                       const CallOptions& options) = 0;

  // Starts an upload in parts of `part_size` bytes. complete() replaces what has the key.
  virtual Result<std::unique_ptr<MultipartUpload>> start_multipart(std::string_view key,
                                                                   uint64_t part_size,
                                                                   const CallOptions& options) = 0;

  // A page of the unfinished uploads whose keys start with `prefix`, as list() has those of
  // objects. One that ends while they are listed may be shown or not.
  virtual Result<UploadPage> list_uploads(std::string_view prefix, std::string_view continuation,
                                          const CallOptions& options) = 0;

  // Ends an unfinished upload and frees what it takes; one that is gone counts as aborted.
  // Conflict, and nothing is done, when it is still being sent and the storage does not show such
  // uploads.
  virtual Result<> abort_upload(std::string_view key, std::string_view upload_id,
                                const CallOptions& options) = 0;

  // Streams a range of an object into `sink`; returns the whole object's size and time. NotFound
  // only when the object is definitely absent; InvalidArgument when the range starts beyond the
  // object's end (one that starts at the end is empty); Unavailable when the answer was cut short,
  // in which case `sink` has received a prefix.
  virtual Result<ObjectInfo> get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                                 const CallOptions& options) = 0;

  // Size and time of an object; NotFound as in get().
  virtual Result<ObjectInfo> head(std::string_view key, const CallOptions& options) = 0;

  // Removes objects, at most traits().maximum_remove_keys; an absent one counts as removed. Returns
  // those that could not be removed; fails only when the request as a whole did.
  virtual Result<std::vector<FailedRemoval>> remove(const std::vector<std::string>& keys,
                                                    const CallOptions& options) = 0;
};

// InvalidArgument unless `key` is one as described above.
Result<> check_object_key(std::string_view key);

}  // namespace varve
