#include "storage_sync/verify.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "runtime/parallel.h"
#include "storage_sync/verify/data_checks.h"
#include "storage_sync/verify/listing_checks.h"

namespace varve {
namespace {

// First every object is asked what it is; then it is known what the newest states need, and the
// data is checked.
class Verification {
 public:
  Verification(RemoteStorage& storage, const VerifyOptions& verify, const RemoteListing& listing,
               const VerifyProgressCallback& progress, const CallOptions& options)
      : storage_(storage),
        verify_(verify),
        options_(options),
        listing_(listing),
        counter_(progress, count_objects(), count_bytes()) {}

  Result<VerifyReport> run() {
    VARVE_TRY(examine_objects());
    collect_logs();
    VARVE_TRY(complete_heads());
    check_logs();
    VARVE_TRY(check_data());

    VerifyReport report{.objects = listing_.object_count,
                        .bytes_stored = listing_.total_size,
                        .bytes_read = raw_bytes_};
    check_listing(listing_, findings_);
    VARVE_TRY(find_unfinished_uploads(storage_, verify_.grace_period, options_, findings_));
    for (ExaminedObject& object : objects_) {
      std::ranges::move(object.findings, std::back_inserter(findings_));
    }
    sort_findings();
    report.findings = std::move(findings_);
    return report;
  }

 private:
  template <typename Visit>
  void for_each_object(Visit visit) const {
    for (const auto& [name, log] : listing_.logs) {
      for (const ListedObject& pack : log.packs) visit(name, pack, false);
      for (const ListedObject& archive : log.archives) {
        visit(name, archive, &archive == &log.archives.back());
      }
    }
  }
  uint64_t count_objects() const {
    uint64_t count = 0;
    for_each_object([&](const LogName&, const ListedObject&, bool) { ++count; });
    return count;
  }
  uint64_t count_bytes() const {
    uint64_t bytes = 0;
    for_each_object(
        [&](const LogName&, const ListedObject& object, bool) { bytes += object.size; });
    return bytes;
  }

  Result<> examine_objects() {
    for_each_object([&](const LogName&, const ListedObject& listed, bool is_newest) {
      objects_.push_back({.listed = listed, .is_newest = is_newest});
      progress_.emplace_back(counter_, listed.size);
    });
    return run_parallel(
        objects_.size(), verify_.jobs, options_,
        [&](size_t index, const CallOptions& options) -> Result<> {
          ExaminedObject& object = objects_[index];
          VARVE_ASSIGN(object, examine_object(storage_, object.listed, object.is_newest, options));
          if (object.readable) {
            progress_[index].advance(object.listed.size - object.manifest_offset);
          }
          return {};
        });
  }

  void collect_logs() {
    for (ExaminedObject& object : objects_) {
      const ObjectName& name = object.listed.name;
      ExaminedLog& log = logs_[name.log];
      log.name = name.log;
      (name.kind == ObjectKind::kPack ? log.packs : log.archives).push_back(&object);
    }
  }

  Result<> complete_heads() {
    std::vector<ExaminedLog*> unfinished;
    for (auto& [name, log] : logs_) {
      if (!log.archives.empty() && log.archives.back()->delta) unfinished.push_back(&log);
    }
    return run_parallel(unfinished.size(), verify_.jobs, options_,
                        [&](size_t index, const CallOptions& options) {
                          return complete_head(storage_, *unfinished[index], options);
                        });
  }

  void check_logs() {
    for (const auto& [name, log] : logs_) {
      check_succession(log, findings_);
      check_references(log, findings_);
    }
    check_registrations(logs_, findings_);
  }

  Result<> check_data() {
    std::vector<DataCheck> checks;
    for (const auto& [name, log] : logs_) {
      std::ranges::move(plan_data_checks(log, verify_.depth), std::back_inserter(checks));
    }
    std::map<const ExaminedObject*, size_t> pieces;
    for (const DataCheck& check : checks) ++pieces[check.object];
    std::map<const ExaminedObject*, ObjectProgress*> progress;
    for (size_t i = 0; i < objects_.size(); ++i) {
      const auto found = pieces.find(&objects_[i]);
      if (found == pieces.end()) {
        progress_[i].finish_piece();
        continue;
      }
      progress_[i].expect_pieces(found->second);
      progress[&objects_[i]] = &progress_[i];
    }

    std::vector<DataCheckResult> results(checks.size());
    VARVE_TRY(run_parallel(
        checks.size(), verify_.jobs, options_,
        [&](size_t index, const CallOptions& options) -> Result<> {
          ObjectProgress& of_object = *progress.at(checks[index].object);
          VARVE_ASSIGN(
              results[index],
              run_data_check(
                  storage_, checks[index], verify_.depth,
                  [&](uint64_t stored_bytes) { of_object.advance(stored_bytes); }, options));
          of_object.finish_piece();
          return {};
        }));
    for (DataCheckResult& result : results) {
      raw_bytes_ += result.raw_bytes;
      std::ranges::move(result.findings, std::back_inserter(findings_));
    }
    return {};
  }

  // A header that came with the manifest and was then read for its members is found twice; the
  // worse of the two stays.
  void sort_findings() {
    std::ranges::sort(findings_);
    std::set<std::tuple<std::string, std::string, std::string>> seen;
    std::erase_if(findings_, [&](const Finding& finding) {
      return !finding.frames &&
             !seen.emplace(finding.object, finding.member, finding.detail).second;
    });
  }

  RemoteStorage& storage_;
  const VerifyOptions& verify_;
  const CallOptions& options_;
  const RemoteListing& listing_;
  ProgressCounter counter_;
  // Deques: what refers to their elements stays valid.
  std::deque<ExaminedObject> objects_;
  std::deque<ObjectProgress> progress_;  // Of the object with the same number.
  std::map<LogName, ExaminedLog> logs_;
  std::vector<Finding> findings_;
  uint64_t raw_bytes_ = 0;
};

}  // namespace

bool VerifyReport::damaged() const {
  return std::ranges::any_of(findings, [](const Finding& f) { return is_damage(f.kind); });
}

Result<VerifyReport> verify_remote(RemoteStorage& storage, const VerifyOptions& verify,
                                   const VerifyProgressCallback& progress,
                                   const CallOptions& options) {
  VARVE_ASSIGN(const RemoteListing listing, list_remote(storage, kTenantsPrefix, options));
  return Verification(storage, verify, listing, progress, options).run();
}

}  // namespace varve
