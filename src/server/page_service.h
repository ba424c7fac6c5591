// What commands ask of the server of a work directory, wherever that runs: in this process
// (local_page_service.h) or behind its HTTP API (http/api_client.h). Results are documents of
// json.h, the same from either. Files other than those of the work directory are read and written
// by whoever asks: a server needs no access to them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "layer/version_sink.h"
#include "layer/version_source.h"
#include "server/json.h"
#include "server/timeline_point.h"
#include "server/wait_goal.h"

namespace varve {

struct NewTenant {
  // Drawn at random when it is not given.
  std::optional<TenantId> id;
  // Empty: none.
  std::string name;
};

struct NewTimeline {
  std::string tenant;
  // Empty: none.
  std::string name;
  // At which all images are put.
  Lsn image_lsn;
};

// What is known of a cluster once all of it was read.
struct ImportedCluster {
  Lsn last_record_lsn;
  uint64_t system_identifier = 0;
};

// A timeline in the making. Destroyed before commit(), it was never there.
class TimelineImport : public VersionSink {
 public:
  // Once, after the last image. Gives the timeline once it is remote.
  virtual Result<Json> commit(const ImportedCluster& cluster, const CallOptions& call,
                              const ByteProgress& uploaded) = 0;
};

struct NewBranch {
  std::string parent;  // TENANT/TIMELINE.
  // Where it begins.
  TimelinePoint at = {};
  // Empty: none.
  std::string name;
};

struct PinRequest {
  std::string timeline;  // TENANT/TIMELINE.
  TimelinePoint at = {};
};

struct SnapshotRequest {
  std::string timeline;  // TENANT/TIMELINE.
  TimelinePoint at = {};
  // Where what is fetched in this process is kept while it is needed.
  std::filesystem::path scratch_parent;
  // How what is not local is fetched.
  ReadPattern pattern = ReadPattern::kEverything;
};

// A timeline at one LSN, which stays readable for as long as this exists.
class TimelineSnapshot : public VersionSource {
 public:
  virtual const Json& timeline() const = 0;
  virtual Lsn lsn() const = 0;
  // From the remote storage, so far.
  virtual Result<LayerCache::Fetched> fetched() = 0;
};

struct NewProtection {
  std::string tenant;
  // Of the timeline; empty: none.
  std::string name;
  // How to reach the primary, as libpq has it.
  std::string primary;
};

struct RestoredPrimary {
  // TENANT/TIMELINE: what it was restored from.
  std::string timeline;
  // How to reach it, as libpq has it.
  std::string primary;
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
  // Gives up what is here of it; gives the tenant as it then is.
  virtual Result<Json> detach_tenant(const std::string& tenant, const CallOptions& call) = 0;
  // Tells which one it was.
  virtual Result<Json> delete_tenant(const std::string& tenant, const CallOptions& call) = 0;

  virtual Result<std::unique_ptr<TimelineImport>> start_import(const NewTimeline& timeline) = 0;
  virtual Result<Json> branch(const NewBranch& branch) = 0;
  virtual Result<std::unique_ptr<TimelineSnapshot>> open_snapshot(
      const SnapshotRequest& request) = 0;
  // Keeps a place in the history readable for good; gives the pin.
  virtual Result<Json> pin(const PinRequest& pin) = 0;
  virtual Result<Json> pins(const std::string& timeline) = 0;
  // Tells which one it was.
  virtual Result<Json> unpin(const std::string& timeline, Lsn lsn) = 0;
  // The last LSN at or before a time, and when that was. NotFound when the time lies before what is
  // known.
  virtual Result<Json> lsn_at(const std::string& timeline, Timestamp time) = 0;
  // Bring what is only local into the remote storage, and the other way round.
  virtual Result<Json> checkpoint(const std::string& timeline, const CallOptions& call,
                                  const ByteProgress& progress) = 0;
  virtual Result<Json> prefetch(const std::string& timeline, const CallOptions& call,
                                const ByteProgress& progress) = 0;
  // Tell what was freed: here, and of what is not to be kept any longer, everywhere.
  virtual Result<Json> drop_local(const std::string& timeline) = 0;
  virtual Result<Json> collect_garbage(const std::string& timeline, const CallOptions& call) = 0;
  // Tells which one it was.
  virtual Result<Json> delete_timeline(const std::string& timeline) = 0;

  // Makes a timeline of a base backup of a primary, and has the server follow it from there on.
  // Gives the timeline once it is remote, readable, and streaming.
  virtual Result<Json> protect(const NewProtection& protection, const CallOptions& call,
                               const ByteProgress& progress) = 0;
  // Has the server follow, with a timeline that is there, the primary that was restored from its
  // end. Gives the timeline once that streams, and its first WAL is remote.
  virtual Result<Json> protect_restored(const RestoredPrimary& restored,
                                        const CallOptions& call) = 0;
  // Ends that; gives the timeline as it stays. The slot at the primary is dropped, unless it is to
  // be kept.
  virtual Result<Json> unprotect(const std::string& timeline, bool keep_slot,
                                 const CallOptions& call) = 0;

  // Of everything, or of one timeline.
  virtual Result<Json> status(const std::optional<std::string>& timeline) = 0;

  // Gives the timeline once the LSN is reached. Cancelled when the deadline of `call` passes
  // before; Conflict when nothing that could be done brings the timeline there. `progress` may hear
  // nothing.
  virtual Result<Json> wait(const WaitRequest& request, const CallOptions& call,
                            const ByteProgress& progress) = 0;
};

}  // namespace varve
