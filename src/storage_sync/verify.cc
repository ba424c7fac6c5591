#include "storage_sync/verify.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/logging.h"
#include "remote_storage/streams.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/remote_listing.h"
#include "storage_sync/remote_log.h"

namespace varve {
namespace {

class Verifier {
 public:
  Verifier(const SyncContext& context, VerifyDepth depth, const ByteProgress& progress,
           const CallOptions& options)
      : context_(context), depth_(depth), progress_(progress), options_(options) {}

  Result<VerifyReport> run() {
    VARVE_ASSIGN(listing_, list_remote(context_.storage, kTenantsPrefix, options_));
    report_.objects = listing_.object_count;
    report_.bytes_stored = listing_.total_size;
    for (const auto& key : listing_.foreign_keys) {
      find(FindingKind::kForeign, key, {}, "the key is not one that varve writes");
    }
    for (const auto& [log, listed] : listing_.logs) {
      if (log.is_tenant_log()) {
        VARVE_TRY(check_tenant_log(log, listed));
      } else {
        VARVE_TRY(check_timeline_log(log, listed));
      }
    }
    check_registrations();
    VARVE_TRY(find_unfinished_uploads());
    return std::move(report_);
  }

 private:
  // Where a member lies according to the object that holds it.
  using Members = std::map<LayerName, LayerEntry>;

  void find(FindingKind kind, std::string object, std::string member, std::string detail) {
    report_.findings.push_back({kind, std::move(object), std::move(member), std::move(detail)});
  }

  // Turns what an object's check says into a finding; only errors that say nothing about the object
  // itself, such as an unreachable storage, are passed on.
  template <typename T>
  Result<std::optional<T>> examine(Result<T> result, const ObjectName& object,
                                   const std::string& member = {}) {
    if (result.ok()) return std::optional<T>(*std::move(result));
    if (result.failed_with(ErrorCode::kCorrupted) ||
        result.failed_with(ErrorCode::kInvalidArgument)) {
      find(FindingKind::kCorrupt, object.key(), member, result.error().message());
    } else if (result.failed_with(ErrorCode::kNotFound)) {
      find(FindingKind::kMissing, object.key(), member,
           "it was listed, and vanished while it was read");
    } else {
      return result.error();
    }
    return std::optional<T>();
  }

  struct Nothing {};
  static Result<Nothing> as_value(Result<> result) {
    if (!result.ok()) return result.error();
    return Nothing{};
  }

  void advance(const ListedObject& object) {
    stored_done_ += object.size;
    if (progress_) progress_(stored_done_, report_.bytes_stored);
  }

  // The same for a commit or pack: the object as a whole is readable only with its header.
  template <typename Read>
  Result<std::optional<Read>> examine_object(Result<Read> read, const ObjectName& object) {
    if (read.ok()) {
      auto header = check_object_header(context_.storage, object, options_);
      if (!header.ok()) read = header.error();
    }
    return examine(std::move(read), object);
  }

  // Each commit names the checksum of the one before it.
  void check_succession(const ObjectName& object, const CommitStamp& stamp,
                        const ObjectTrailer& trailer) {
    if (previous_ && previous_->sequence + 1 == object.sequence &&
        previous_->checksum != stamp.predecessor_checksum) {
      find(FindingKind::kCorrupt, object.key(), {},
           "it does not follow the commit before it: the log was changed behind its owner's back");
    }
    previous_ = LogHead{object.sequence, trailer.checksum()};
  }

  // What was stored under a number that another archive has already.
  void find_rivals(const ListedLog& listed) {
    for (const ListedObject& rival : listed.rivals) {
      find(FindingKind::kOrphan, rival.name.key(), {},
           fmt::format("its number is that of {}, which was stored earlier",
                       listed.find(rival.name.sequence)->name.file_name()));
    }
  }

  Result<> check_tenant_log(const LogName& log, const ListedLog& listed) {
    previous_.reset();
    find_rivals(listed);
    for (const ListedObject& object : listed.archives) {
      VARVE_ASSIGN(
          auto commit,
          examine_object(read_tenant_commit(context_.storage, object.name, options_), object.name));
      advance(object);
      if (!commit) continue;
      check_succession(object.name, commit->manifest.stamp, commit->tail.trailer);
      if (&object == &listed.archives.back()) tenants_[log.tenant] = std::move(commit->manifest);
    }
    return {};
  }

  Result<> check_timeline_log(const LogName& log, const ListedLog& listed) {
    previous_.reset();
    find_rivals(listed);
    std::map<std::string, Members> objects;
    std::set<std::string> unreadable;
    std::optional<ReadTimelineCommit> head;

    for (const ListedObject& object : listed.packs) {
      VARVE_ASSIGN(auto pack,
                   examine_object(read_pack(context_.storage, object.name, options_), object.name));
      if (pack) {
        VARVE_TRY(
            check_members(object.name, pack->manifest.members, objects[object.name.file_name()]));
      } else {
        unreadable.insert(object.name.file_name());
      }
      advance(object);
    }
    for (const ListedObject& object : listed.archives) {
      VARVE_ASSIGN(auto archive,
                   examine_object(read_timeline_archive(context_.storage, object.name, options_),
                                  object.name));
      if (archive) {
        check_succession(object.name, archive->stamp(), archive->tail.trailer);
        VARVE_TRY(check_members(object.name, archive->layers(), objects[object.name.file_name()]));
        if (&object == &listed.archives.back()) {
          VARVE_ASSIGN(head, complete_head(object.name, *std::move(archive), objects, unreadable));
        }
      } else {
        unreadable.insert(object.name.file_name());
      }
      advance(object);
    }
    if (head) {
      check_references(log, head->manifest, objects, unreadable);
      find_orphans(listed, head->manifest);
    } else if (listed.archives.empty()) {
      for (const ListedObject& pack : listed.packs) {
        find(FindingKind::kOrphan, pack.name.key(), {},
             "its commit was never made: a large upload was interrupted");
      }
    }
    return {};
  }

  // The newest state whole; none, and a finding, when what its manifest is a delta of can't be had.
  // Earlier commits may well outlive their base: nobody reads their state any more.
  Result<std::optional<ReadTimelineCommit>> complete_head(
      const ObjectName& object, ReadTimelineArchive archive,
      const std::map<std::string, Members>& objects, const std::set<std::string>& unreadable) {
    if (const TimelineManifestDelta* delta = archive.delta()) {
      const std::string& base = delta->base.object;
      // What is unreadable as a whole was reported as such.
      if (unreadable.contains(base)) return std::optional<ReadTimelineCommit>();
      if (!objects.contains(base)) {
        find(FindingKind::kMissing, object.log.prefix() + base, {},
             fmt::format("the newest manifest, {}, is a delta of this object", object.file_name()));
        return std::optional<ReadTimelineCommit>();
      }
    }
    return examine(complete_timeline_commit(context_.storage, object, std::move(archive), options_),
                   object);
  }

  // Checks the members that lie in the object itself, and collects where they are.
  Result<> check_members(const ObjectName& object, const std::vector<LayerEntry>& layers,
                         Members& members) {
    for (const LayerEntry& layer : layers) {
      if (layer.stored.object != object.file_name()) continue;
      members.emplace(layer.name, layer);
      VARVE_TRY(check_member(object, layer));
    }
    return {};
  }

  Result<> check_member(const ObjectName& object, const LayerEntry& layer) {
    const std::string member = layer.name.to_string();
    if (depth_ == VerifyDepth::kReferences) {
      auto table =
          examine(read_frame_table(context_.storage, object.log, layer, options_), object, member);
      if (!table.ok()) return table.error();
      return {};
    }
    const ByteSink count = [&](ByteView bytes) -> Result<> {
      report_.bytes_read += bytes.size();
      return {};
    };
    auto read = examine(as_value(read_member(context_, object.log, layer, count, options_)), object,
                        member);
    if (!read.ok()) return read.error();
    return {};
  }

  void check_references(const LogName& log, const TimelineManifest& head,
                        const std::map<std::string, Members>& objects,
                        const std::set<std::string>& unreadable) {
    for (const LayerEntry& layer : head.layers) {
      const std::string key = log.prefix() + layer.stored.object;
      const std::string member = layer.name.to_string();
      // What is unreadable as a whole was reported as such.
      if (unreadable.contains(layer.stored.object)) continue;
      const auto object = objects.find(layer.stored.object);
      if (object == objects.end()) {
        find(FindingKind::kMissing, key, member, "the newest manifest refers to this object");
        continue;
      }
      const auto found = object->second.find(layer.name);
      if (found == object->second.end() || found->second != layer) {
        find(FindingKind::kMissing, key, member,
             "the newest manifest refers to a member that the object does not hold");
      }
    }
  }

  void find_orphans(const ListedLog& listed, const TimelineManifest& head) {
    std::set<std::string> accounted;
    for (const LayerEntry& layer : head.layers) accounted.insert(layer.stored.object);
    for (const RetiredObject& object : head.retired) accounted.insert(object.object);
    for (const ListedObject& pack : listed.packs) {
      if (!accounted.contains(pack.name.file_name())) {
        find(FindingKind::kOrphan, pack.name.key(), {}, "no commit refers to it");
      }
    }
  }

  void check_registrations() {
    for (const auto& [log, listed] : listing_.logs) {
      const auto tenant = tenants_.find(log.tenant);
      if (log.is_tenant_log() || tenant == tenants_.end()) continue;
      if (tenant->second.find(log.timeline) == nullptr && !listed.archives.empty()) {
        find(FindingKind::kOrphan, log.prefix(), {},
             "the tenant's log does not list this timeline");
      }
    }
    for (const TenantId& tenant : listing_.tenants()) {
      if (listing_.find({tenant, {}}) == nullptr) {
        find(FindingKind::kMissing, LogName{tenant, {}}.prefix(), {},
             "there are timelines, and the tenant's log is gone");
      }
    }
  }

  // One that is younger than the grace period may still be under way.
  Result<> find_unfinished_uploads() {
    const auto uploads = list_uploads_older_than(context_.storage, kTenantsPrefix,
                                                 context_.options.grace_period, options_);
    if (uploads.failed_with(ErrorCode::kDenied)) {
      log_error("unfinished uploads are not looked for", uploads.error());
      return {};
    }
    if (!uploads.ok()) return uploads.error();
    for (const UnfinishedUpload& upload : *uploads) {
      find(FindingKind::kUnfinished, upload.key, {},
           fmt::format("an upload in parts that was begun at {} and never ended",
                       upload.started_at.to_string()));
    }
    return {};
  }

  const SyncContext& context_;
  const VerifyDepth depth_;
  const ByteProgress& progress_;
  const CallOptions& options_;
  RemoteListing listing_;
  VerifyReport report_;
  std::map<TenantId, TenantManifest> tenants_;
  std::optional<LogHead> previous_;
  uint64_t stored_done_ = 0;
};

}  // namespace

std::string_view name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kCorrupt:
      return "corrupt";
    case FindingKind::kMissing:
      return "missing";
    case FindingKind::kOrphan:
      return "orphan";
    case FindingKind::kForeign:
      return "foreign";
    case FindingKind::kUnfinished:
      return "unfinished";
  }
  return "unknown";
}

bool is_damage(FindingKind kind) {
  return kind == FindingKind::kCorrupt || kind == FindingKind::kMissing;
}

bool VerifyReport::damaged() const {
  return std::ranges::any_of(findings, [](const Finding& f) { return is_damage(f.kind); });
}

Result<VerifyReport> verify_remote(const SyncContext& context, VerifyDepth depth,
                                   const ByteProgress& progress, const CallOptions& options) {
  return Verifier(context, depth, progress, options).run();
}

}  // namespace varve
