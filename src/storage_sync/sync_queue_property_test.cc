#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "storage_sync/test_support/sync_queue_model.h"

namespace varve {
namespace {

// What may happen to a queue; `which` and `value` choose among what there is.
struct Event {
  enum class Kind {
    kUpload,
    kDownload,
    kDownloadOnDemand,
    kTake,
    kSucceed,
    kFail,
    kWait,
    kAttach,
    kRemove
  };
  Kind kind = Kind::kTake;
  uint8_t which = 0;
  uint8_t value = 0;
};

void showValue(const Event& event, std::ostream& out) {  // NOLINT: rapidcheck looks for this name.
  constexpr std::array<const char*, 9> kNames{"upload", "download", "on demand", "take",  "succeed",
                                              "fail",   "wait",     "attach",    "remove"};
  out << kNames[static_cast<size_t>(event.kind)] << "(" << int{event.which} << ", "
      << int{event.value} << ")";
}

rc::Gen<Event> any_event() {
  using Kind = Event::Kind;
  return rc::gen::build<Event>(
      rc::gen::set(&Event::kind, rc::gen::weightedElement<Kind>({{6, Kind::kUpload},
                                                                 {2, Kind::kDownload},
                                                                 {2, Kind::kDownloadOnDemand},
                                                                 {6, Kind::kTake},
                                                                 {4, Kind::kSucceed},
                                                                 {4, Kind::kFail},
                                                                 {4, Kind::kWait},
                                                                 {1, Kind::kAttach},
                                                                 {1, Kind::kRemove}})),
      rc::gen::set(&Event::which, rc::gen::inRange<uint8_t>(0, 12)),
      rc::gen::set(&Event::value, rc::gen::inRange<uint8_t>(0, 8)));
}

void apply(const Event& event, test_support::SyncQueueModel& model) {
  constexpr std::array kCodes{ErrorCode::kInternal,  ErrorCode::kCorrupted,   ErrorCode::kNotFound,
                              ErrorCode::kExhausted, ErrorCode::kUnavailable, ErrorCode::kThrottled,
                              ErrorCode::kDenied,    ErrorCode::kConflict};
  const TenantTimelineId id{TenantId{{static_cast<uint8_t>(event.which % 3)}},
                            TimelineId{{event.which}}};
  const size_t running = model.running().size();
  switch (event.kind) {
    case Event::Kind::kUpload:
      // Eight checkpoints: four LSNs, each with two sets of layers.
      return model.submit(SyncTask::upload(
          id, {Lsn{event.value / 2u + 1}, static_cast<uint64_t>(event.value % 2)}));
    case Event::Kind::kDownload:
      return model.submit(SyncTask::download(id, event.value));
    case Event::Kind::kDownloadOnDemand:
      return model.submit(SyncTask::download(id, event.value, SyncLane::kDownloadOnDemand));
    case Event::Kind::kTake:
      return model.take();
    case Event::Kind::kSucceed:
      if (running > 0) model.succeed(event.which % running);
      return;
    case Event::Kind::kFail:
      if (running > 0) model.fail(event.which % running, kCodes[event.value]);
      return;
    case Event::Kind::kWait:
      return model.advance(std::chrono::milliseconds(500) * event.value);
    case Event::Kind::kAttach:
      return model.attach(id.tenant);
    case Event::Kind::kRemove:
      return model.remove(id);
  }
}

TEST(SyncQueueProperty, S10_S11_S12_S15_TheRulesHoldWhateverHappensAndNothingAcceptedIsLost) {
  EXPECT_TRUE(rc::check([] {
    const SyncQueueOptions options{.concurrent_uploads = 2,
                                   .concurrent_downloads = 1,
                                   .concurrent_downloads_on_demand = 1,
                                   .max_sync_errors = 3,
                                   .backoff = {.jitter = 0}};
    SeededRandom random(1);
    SyncQueue queue(options, random);
    test_support::SyncQueueModel model(options, queue);
    const auto events = *rc::gen::scale(4, rc::gen::container<std::vector<Event>>(any_event()));
    for (const Event& event : events) apply(event, model);
    model.drain();
  }));
}

}  // namespace
}  // namespace varve
