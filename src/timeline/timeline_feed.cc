#include "timeline/timeline_feed.h"

namespace varve {
namespace {

// How soon it is noticed that an upload has made room.
constexpr Duration kLookEvery = std::chrono::milliseconds(50);

uint64_t bytes_to_upload(const LocalManifest& state) {
  uint64_t bytes = 0;
  for (const LayerEntry& layer : state.manifest.layers) {
    if (!layer.stored.is_remote()) bytes += layer.size;
  }
  return bytes;
}

}  // namespace

TimelineFeed::TimelineFeed(std::shared_ptr<KeptTimeline> kept, std::shared_ptr<Timeline> timeline,
                           Clock& clock, Random& random, Options options)
    : kept_(std::move(kept)),
      timeline_(std::move(timeline)),
      reader_(timeline_->open_feed_reader()),
      clock_(clock),
      options_(std::move(options)),
      attendance_(*timeline_),
      maintenance_(*timeline_, clock, random, options_.maintenance) {}

Result<> TimelineFeed::ingest(const Timeline::RecordEnd& last, std::span<const Version> versions,
                              const CallOptions& call) {
  VARVE_TRY(timeline_->wait_for_room(call));
  VARVE_TRY(wait_for_uploads(call));
  return timeline_->ingest(last, versions);
}

Result<> TimelineFeed::wait_for_uploads(const CallOptions& call) {
  if (options_.upload_lag_limit == UINT64_MAX) return {};
  for (;;) {
    auto state = kept_->get();
    if (state != seen_) {
      bytes_to_upload_ = bytes_to_upload(*state);
      seen_ = std::move(state);
    }
    if (bytes_to_upload_ < options_.upload_lag_limit) return {};
    VARVE_TRY(call.check("wait for uploads", clock_));
    clock_.sleep(std::min(kLookEvery, call.deadline.remaining(clock_)), call.stop);
  }
}

}  // namespace varve
