// A real server, a timeline that has what its cluster had before it was started, and a follower.
#pragma once

#include <gmock/gmock.h>

#include <atomic>

#include "follow/follower.h"
#include "ingest/import.h"
#include "postgres/key_space.h"
#include "replication/test_support/postgres_server.h"
#include "timeline/timeline_draft.h"

namespace varve::test_support {

inline CallOptions within_a_minute() {
  return {.deadline = Deadline::after(std::chrono::minutes(1))};
}

// Polls what another process or thread brings about.
template <typename Condition>
[[nodiscard]] bool within_a_minute_is(Condition&& condition) {
  const Deadline deadline = Deadline::after(std::chrono::minutes(1));
  while (!condition()) {
    if (deadline.passed()) return false;
    system_clock().sleep(std::chrono::milliseconds(5), {});
  }
  return true;
}

class FollowerTest : public testing::Test {
 protected:
  static constexpr char kSlot[] = "varve_test";
  static inline const TenantTimelineId kId{TenantId{{1}}, TimelineId{{2}}};

  void SetUp() override {
    std::filesystem::copy(imported_cluster().path() / kId.timeline.to_string(),
                          timeline_directory(), std::filesystem::copy_options::recursive);
    kept_ = std::make_shared<KeptTimeline>(timeline_directory(),
                                           *LocalManifest::read(timeline_directory()));
    auto opened = Timeline::open(kept_, {});
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    timeline_ = *std::move(opened);
    confirmed_ = timeline_->last_record_lsn().value;
  }

  // What the tests change before follow().
  void start_server() {
    server_.start();
    auto connection =
        ReplicationConnection::connect(server_.connection_string(), within_a_minute());
    ASSERT_TRUE(connection.ok()) << connection.error().message();
    const auto made = connection->create_slot(kSlot, {}, within_a_minute());
    ASSERT_TRUE(made.ok()) << made.error().message();
  }
  // Confirms what confirm() was told.
  Follower::Options options() {
    return {.primary = {.timeline = kId,
                        .connection_string = server_.connection_string() + " connect_timeout=10",
                        .slot = kSlot},
            .confirmed = [this] { return Lsn{confirmed_}; },
            .feedback_interval = std::chrono::milliseconds(20),
            .backoff = {.initial = std::chrono::milliseconds(5),
                        .maximum = std::chrono::milliseconds(50)}};
  }
  void follow(Follower::Options options, uint64_t upload_lag_limit = UINT64_MAX) {
    follower_ = std::make_unique<Follower>(
        std::make_unique<TimelineFeed>(
            kept_, timeline_, system_clock(), system_random(),
            TimelineFeed::Options{.maintenance = {.checkpoint_interval = std::chrono::hours(1)},
                                  .upload_lag_limit = upload_lag_limit}),
        std::move(options));
  }
  void follow() { follow(options()); }
  void stop_following() { follower_.reset(); }

  void confirm(Lsn lsn) { confirmed_ = lsn.value; }
  // So that the server can be shut down.
  static std::function<Lsn()> whatever_is_ingested(std::shared_ptr<Timeline> timeline) {
    return [timeline = std::move(timeline)] { return timeline->last_record_lsn(); };
  }

  FollowStatus status() const { return follower_->status(); }
  // As gtest shows it.
  std::string failure() const {
    const FollowStatus now = status();
    return now.failure ? now.failure->message() : "";
  }
  void expect_state(FollowState state) {
    EXPECT_TRUE(within_a_minute_is([&] { return status().state == state; }))
        << name(status().state) << ": " << failure();
  }
  // Gives what ended it.
  Error expect_stopped() {
    expect_state(FollowState::kStopped);
    const FollowStatus now = status();
    if (!now.failure) return {ErrorCode::kInternal, "no failure"};
    EXPECT_TRUE(now.failed_at);
    EXPECT_THAT(now.failure->message(), testing::HasSubstr("varve unprotect"));
    return *now.failure;
  }

  Lsn written() { return *Lsn::parse(server_.sql().run("SELECT pg_current_wal_flush_lsn()")); }
  // Everything that is committed arrives.
  void write_and_follow(int rows = 1000) {
    write(rows);
    expect_ingested(written());
  }
  void write(int rows = 1000) {
    server_.sql().run(
        fmt::format("CREATE TABLE IF NOT EXISTS filler (text text);"
                    "INSERT INTO filler SELECT repeat('varve', 100) FROM generate_series(1, {})",
                    rows));
  }
  void expect_ingested(Lsn lsn) {
    EXPECT_TRUE(within_a_minute_is([&] { return lsn <= status().ingested; }))
        << name(status().state) << " at " << status().ingested.to_string() << " instead of "
        << lsn.to_string() << ": " << failure();
    EXPECT_EQ(status().ingested, timeline_->last_record_lsn());
  }
  std::string of_stream(const std::string& column) {
    return server_.sql().run(
        fmt::format("SELECT {} FROM pg_stat_replication WHERE application_name = 'varve'", column));
  }
  std::string of_slot(const std::string& column) {
    return server_.sql().run(fmt::format("SELECT {} FROM pg_replication_slots", column));
  }

  std::filesystem::path timeline_directory() const { return folder_ / kId.timeline.to_string(); }

  PostgresServer server_;
  const TemporaryDirectory folder_ = *TemporaryDirectory::create("varve-test-");
  std::shared_ptr<KeptTimeline> kept_;
  std::shared_ptr<Timeline> timeline_;
  std::atomic<uint64_t> confirmed_ = 0;
  std::unique_ptr<Follower> follower_;

 private:
  // All servers are copies of one cluster, which is imported once.
  static const TemporaryDirectory& imported_cluster() {
    static const TemporaryDirectory folder = [] {
      auto made = *TemporaryDirectory::create("varve-test-");
      const PostgresServer never_started;
      import(never_started.data(), made.path());
      return made;
    }();
    return folder;
  }
  static void import(const std::filesystem::path& data, const std::filesystem::path& timelines) {
    const auto source = DataDirectory::open(data);
    ASSERT_TRUE(source.ok()) << source.error().message();
    auto draft = TimelineDraft::create(
        {.id = kId, .timelines_directory = timelines, .image_lsn = source->start_lsn()});
    ASSERT_TRUE(draft.ok()) << draft.error().message();
    const auto summary = import_data_directory(*source, *draft);
    ASSERT_TRUE(summary.ok()) << summary.error().message();
    const auto finished = draft->finish({.disk_consistent_lsn = summary->last_record_lsn,
                                         .gc_cutoff_lsn = summary->last_record_lsn,
                                         .postgres_version = 15,
                                         .system_identifier = summary->system_identifier});
    ASSERT_TRUE(finished.ok()) << finished.error().message();
    const auto published = draft->publish();
    ASSERT_TRUE(published.ok()) << published.error().message();
  }
};

}  // namespace varve::test_support
