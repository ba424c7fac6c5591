// The way into a timeline for whoever feeds it.
#pragma once

#include "timeline/timeline_maintenance.h"

namespace varve {

// One thread ingests.
class TimelineFeed {
 public:
  struct Options {
    TimelineMaintenance::Options maintenance = {};
    // Of layer files that are not remote yet, from which on ingest() waits, bytes. Without a remote
    // storage there is no such limit.
    uint64_t upload_lag_limit = UINT64_MAX;
  };
  // They outlive it.
  TimelineFeed(std::shared_ptr<KeptTimeline> kept, std::shared_ptr<Timeline> timeline, Clock& clock,
               Random& random, Options options);

  // From where on it has to be fed.
  Lsn last_record_lsn() const { return timeline_->last_record_lsn(); }
  Timeline& timeline() { return *timeline_; }
  // What was ingested, and what was there before, at any LSN at which nothing was collected.
  VersionSource& source() { return *reader_; }

  // As Timeline::ingest(), once there is room: in memory, and behind the remote storage. Cancelled
  // when the call is to end before.
  Result<> ingest(const Timeline::RecordEnd& last, std::span<const Version> versions,
                  const CallOptions& call);

 private:
  // The timeline is fed until its maintenance has ended.
  class Attendance {
   public:
    explicit Attendance(Timeline& timeline) : timeline_(timeline) { ++timeline_.feeds_; }
    ~Attendance() { --timeline_.feeds_; }
    Attendance(const Attendance&) = delete;
    Attendance& operator=(const Attendance&) = delete;

   private:
    Timeline& timeline_;
  };

  Result<> wait_for_uploads(const CallOptions& call);

  const std::shared_ptr<KeptTimeline> kept_;
  const std::shared_ptr<Timeline> timeline_;
  const std::shared_ptr<TimelineReader> reader_;
  Clock& clock_;
  const Options options_;
  // The state that was looked at last, and what of it is not remote.
  std::shared_ptr<const LocalManifest> seen_;
  uint64_t bytes_to_upload_ = 0;
  const Attendance attendance_;
  TimelineMaintenance maintenance_;
};

}  // namespace varve
