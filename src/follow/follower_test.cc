// What a follower does while its primary is there, or comes back.

#include "follow/follower.h"

#include <set>

#include "follow/test_support/follower_fixture.h"
#include "postgres/layout.h"
#include "postgres/stored_values.h"

namespace varve {
namespace {

using test_support::FollowerTest;
using test_support::within_a_minute;
using test_support::within_a_minute_is;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using Following = FollowerTest;

uint32_t number_of(SqlConnection& sql, const std::string& query) {
  return static_cast<uint32_t>(std::stoul(sql.run(query)));
}

TEST_F(Following, WhatThePrimaryWritesIsIngested) {
  start_server();
  follow();
  write_and_follow();
  SqlConnection sql = server_.sql();
  const RelationForkTag filler{
      .relation = {
          .directory = {kDefaultTablespace,
                        number_of(sql, "SELECT oid FROM pg_database WHERE datname = 'postgres'")},
          .relation = number_of(sql, "SELECT pg_relation_filenode('filler')")}};
  const auto stored =
      timeline_->get(make_key(RelationSizeKey{filler}), timeline_->last_record_lsn());
  ASSERT_TRUE(stored.ok()) << stored.error().message();
  EXPECT_EQ(*decode_block_count(*stored),
            number_of(sql, "SELECT pg_relation_size('filler') / 8192"));

  const FollowStatus now = status();
  EXPECT_EQ(now.state, FollowState::kStreaming);
  EXPECT_THAT(now.peer, AllOf(HasSubstr("primary"), HasSubstr("role postgres")));
  EXPECT_EQ(now.slot, kSlot);
  EXPECT_GE(now.received, now.ingested);
  EXPECT_GE(now.server_end, now.ingested);
  EXPECT_FALSE(now.failure) << failure();
  EXPECT_FALSE(now.failed_at);
}

TEST_F(Following, ThePrimaryKeepsWhatIsNotConfirmed) {
  start_server();
  const Lsn first{confirmed_};
  follow();
  write_and_follow();
  const auto tells = [&](const std::string& flushed, const std::string& applied) {
    return within_a_minute_is(
        [&] { return of_stream("flush_lsn") == flushed && of_stream("replay_lsn") == applied; });
  };
  const Lsn second = status().ingested;
  EXPECT_TRUE(tells(first.to_string(), second.to_string())) << of_stream("flush_lsn");
  EXPECT_EQ(status().confirmed, first);
  EXPECT_EQ(of_slot("restart_lsn"), first.to_string());

  confirm(second);
  write_and_follow();
  EXPECT_TRUE(tells(second.to_string(), status().ingested.to_string())) << of_stream("flush_lsn");
  EXPECT_EQ(status().confirmed, second);
  EXPECT_EQ(of_slot("restart_lsn"), second.to_string());
}

// A slot that is moved back would ask for WAL that may be gone.
TEST_F(Following, NothingIsTakenBackThatWasConfirmed) {
  start_server();
  const Lsn first{confirmed_};
  follow();
  write_and_follow();
  const Lsn second = status().ingested;
  confirm(second);
  EXPECT_TRUE(within_a_minute_is([&] { return of_slot("restart_lsn") == second.to_string(); }));
  confirm(first);
  write_and_follow();
  const std::string applied = status().ingested.to_string();
  EXPECT_TRUE(within_a_minute_is([&] { return of_stream("replay_lsn") == applied; }));
  EXPECT_EQ(of_slot("restart_lsn"), second.to_string());
  EXPECT_EQ(status().confirmed, second);
  EXPECT_EQ(status().state, FollowState::kStreaming) << failure();
}

class AfterAnEnd : public FollowerTest, public testing::WithParamInterface<int> {};

TEST_P(AfterAnEnd, ItGoesOnOnceTheServerIsBack) {
  start_server();
  Follower::Options options = this->options();
  options.confirmed = whatever_is_ingested(timeline_);
  follow(std::move(options));
  write_and_follow();
  server_.end(GetParam());
  expect_state(FollowState::kConnecting);
  EXPECT_TRUE(status().failure);
  EXPECT_TRUE(status().failed_at);
  const Lsn before = status().ingested;
  server_.start();
  write_and_follow();
  EXPECT_GT(status().ingested, before);
  expect_state(FollowState::kStreaming);
  // It tells why there was no stream.
  EXPECT_TRUE(status().failure);
}

INSTANTIATE_TEST_SUITE_P(OfTheServer, AfterAnEnd, testing::Values(SIGINT, SIGQUIT, SIGKILL),
                         [](const auto& end) {
                           return end.param == SIGINT    ? "Fast"
                                  : end.param == SIGQUIT ? "Immediate"
                                                         : "Killed";
                         });

TEST_F(Following, APrimaryThatIsNotThereIsWaitedFor) {
  start_server();
  server_.end(SIGINT);
  follow();
  expect_state(FollowState::kConnecting);
  EXPECT_TRUE(within_a_minute_is([&] { return status().failure.has_value(); }));
  EXPECT_THAT(failure(), HasSubstr(server_.sockets().string()));
  EXPECT_EQ(status().peer, "");
  server_.start();
  write_and_follow();
}

// Somebody may be mending it.
TEST_F(Following, ARoleThatIsRefusedMayBeLetInLater) {
  start_server();
  server_.sql().run("CREATE ROLE later LOGIN");
  server_.set_access("local replication later trust");
  server_.sql().run("SELECT pg_reload_conf()");
  Follower::Options options = this->options();
  options.primary.connection_string = server_.connection_string("later") + " password=secret-word";
  follow(std::move(options));
  EXPECT_TRUE(within_a_minute_is([&] { return status().failure.has_value(); }));
  EXPECT_EQ(status().failure->code(), ErrorCode::kDenied);
  EXPECT_THAT(failure(), AllOf(HasSubstr("ALTER ROLE"), Not(HasSubstr("secret-word"))));
  EXPECT_EQ(status().state, FollowState::kConnecting);
  server_.sql().run("ALTER ROLE later REPLICATION");
  write_and_follow();
}

// Then the slot is in use until the server notices.
TEST_F(Following, ASilentPrimaryIsGivenUpAndAskedAnew) {
  start_server();
  Follower::Options options = this->options();
  options.connection.silence_timeout = std::chrono::milliseconds(200);
  follow(std::move(options));
  write_and_follow();
  const pid_t sender = std::stoi(of_stream("pid"));
  ASSERT_EQ(::kill(sender, SIGSTOP), 0);
  EXPECT_TRUE(within_a_minute_is([&] {
    return failure().find("is active for PID") != std::string::npos;
  })) << failure();
  EXPECT_EQ(status().state, FollowState::kConnecting);
  ASSERT_EQ(::kill(sender, SIGCONT), 0);
  write_and_follow();
}

// It waits until everything is safe, and this side would say so, and write it, in an hour.
TEST_F(Following, AServerThatIsStoppedIsAnsweredAtOnce) {
  server_.configure("wal_sender_timeout = 0");
  start_server();
  Follower::Options options = this->options();
  options.feedback_interval = std::chrono::hours(1);
  options.backoff = {.initial = std::chrono::hours(1), .maximum = std::chrono::hours(1)};
  options.confirmed = [timeline = timeline_] { return timeline->disk_consistent_lsn(); };
  follow(std::move(options));
  write_and_follow();
  EXPECT_LT(timeline_->disk_consistent_lsn(), status().ingested);
  server_.signal(SIGINT);
  EXPECT_TRUE(within_a_minute_is([&] { return status().failure.has_value(); }));
  EXPECT_THAT(failure(), HasSubstr("was shut down"));
  EXPECT_EQ(timeline_->disk_consistent_lsn(), status().ingested);
}

// As long as the remote storage cannot be reached, that may take hours.
TEST_F(Following, AServerThatWaitsForItsEndIsNotAnsweredWithoutPause) {
  server_.configure("wal_sender_timeout = 0");
  start_server();
  Follower::Options options = this->options();
  options.feedback_interval = std::chrono::hours(1);
  std::atomic<int> answers = 0;
  options.confirmed = [&answers, nothing = timeline_->last_record_lsn()] {
    ++answers;
    return nothing;
  };
  follow(std::move(options));
  write_and_follow();
  server_.signal(SIGINT);
  const int before = answers;
  const BootTime start = system_clock().boot_time();
  EXPECT_TRUE(within_a_minute_is([&] { return answers >= before + 20; }));
  EXPECT_GT(system_clock().boot_time() - start, std::chrono::milliseconds(100));
  stop_following();
}

// Else it would take this side for gone, and end the stream, when an upload takes long.
TEST_F(Following, ThePrimaryHearsOfItWhileUploadsAreWaitedFor) {
  start_server();
  const Lsn begin = timeline_->last_record_lsn();
  // There is no remote storage: what was imported waits for its upload for ever.
  follow(options(), 1);
  expect_state(FollowState::kStreaming);
  write();
  const std::string is_sent = "sent_lsn > '" + begin.to_string() + "'";
  EXPECT_TRUE(within_a_minute_is([&] { return of_stream(is_sent) == "t"; }));
  const std::string sender = of_stream("pid");
  std::set<std::string> replies;
  EXPECT_TRUE(within_a_minute_is([&] {
    replies.insert(of_stream("reply_time"));
    return replies.size() >= 5;
  }));
  EXPECT_EQ(timeline_->last_record_lsn(), begin);
  EXPECT_EQ(of_stream("pid"), sender);
  stop_following();
}

TEST_F(Following, ItEndsWhileItStreamsAndWhileItWaits) {
  start_server();
  follow();
  write_and_follow();
  stop_following();
  EXPECT_TRUE(within_a_minute_is([&] { return of_slot("active") == "f"; }));
  EXPECT_FALSE(timeline_->is_fed());
  // And another one goes on where that has ended.
  Follower::Options options = this->options();
  options.backoff = {.initial = std::chrono::hours(1), .maximum = std::chrono::hours(1)};
  follow(std::move(options));
  write_and_follow();
  server_.end(SIGQUIT);
  expect_state(FollowState::kConnecting);
  stop_following();
  EXPECT_FALSE(timeline_->is_fed());
}

TEST_F(Following, MetricsTellHowItGoesAndGoWithIt) {
  start_server();
  Metrics metrics;
  Follower::Options options = this->options();
  options.metrics = &metrics;
  follow(std::move(options));
  write_and_follow();
  const auto value = [&](const std::string& name) -> std::optional<double> {
    for (const MetricSample& sample : metrics.samples()) {
      if (sample.name != name) continue;
      EXPECT_EQ(sample.labels, (MetricLabels{{"tenant", kId.tenant.to_string()},
                                             {"timeline", kId.timeline.to_string()}}));
      return sample.value;
    }
    return {};
  };
  const Lsn confirmed{confirmed_};
  EXPECT_EQ(value("varve_follow_streaming"), 1);
  EXPECT_TRUE(within_a_minute_is([&] { return value("varve_follow_lag_bytes") == 0; }));
  EXPECT_GE(*value("varve_follow_unconfirmed_bytes"),
            static_cast<double>(status().ingested.value - confirmed.value));
  EXPECT_GE(*value("varve_follow_received_bytes_total"),
            static_cast<double>(status().ingested.value - confirmed.value));
  EXPECT_EQ(value("varve_follow_failures_total"), 0);
  server_.end(SIGQUIT);
  EXPECT_TRUE(within_a_minute_is([&] { return *value("varve_follow_failures_total") > 0; }));
  expect_state(FollowState::kConnecting);
  EXPECT_EQ(value("varve_follow_streaming"), 0);
  stop_following();
  for (const char* const name :
       {"varve_follow_streaming", "varve_follow_lag_bytes", "varve_follow_unconfirmed_bytes"}) {
    EXPECT_FALSE(value(name)) << name;
  }
}

}  // namespace
}  // namespace varve
