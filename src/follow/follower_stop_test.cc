// What ends the following for good.

#include "follow/test_support/follower_fixture.h"

namespace varve {
namespace {

using test_support::FollowerTest;
using test_support::within_a_minute;
using test_support::within_a_minute_is;
using testing::AllOf;
using testing::HasSubstr;

class StoppedFollowing : public FollowerTest {
 protected:
  // The server becomes what it was when `keep` was called; it must not run.
  void keep() {
    std::filesystem::copy(server_.data(), kept_data(), std::filesystem::copy_options::recursive);
  }
  void set_back() {
    std::filesystem::remove_all(server_.data());
    std::filesystem::copy(kept_data(), server_.data(), std::filesystem::copy_options::recursive);
    std::filesystem::permissions(server_.data(), std::filesystem::perms::owner_all);
    give_to_postgres(server_.data());
  }
  std::filesystem::path kept_data() const { return server_.folder() / "kept"; }

  // As one is, whose own primary is gone.
  void start_standby() {
    start_server();
    server_.end(SIGINT);
    std::ofstream(server_.data() / "standby.signal") << "";
    server_.start();
  }
  void promote() { server_.sql().run("SELECT pg_promote()"); }
  // What came before is served.
  void expect_ends_at(Lsn lsn) {
    EXPECT_EQ(status().ingested, lsn);
    EXPECT_EQ(timeline_->last_record_lsn(), lsn);
    EXPECT_TRUE(timeline_->get(make_key(ControlFileKey{}), lsn).ok());
  }
};

TEST_F(StoppedFollowing, AnotherClusterIsRefused) {
  const TemporaryDirectory folder = *TemporaryDirectory::create("varve-test-");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  const std::string data = folder / "data";
  std::filesystem::create_directory(data);
  give_to_postgres(data);
  PostgresProgram initdb("initdb", {"-D", data, "-U", "postgres", "-A", "trust", "-N",
                                    "--wal-segsize=1", "--no-instructions"});
  ASSERT_EQ(initdb.end(), "ended with exit code 0") << initdb.printed();
  PostgresServer other(data);
  other.configure("listen_addresses = ''");
  other.start();
  Follower::Options options = this->options();
  options.primary.connection_string = other.connection_string();
  const Lsn before = timeline_->last_record_lsn();
  follow(std::move(options));
  const Error error = expect_stopped();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("another cluster"),
                    HasSubstr(other.sql().run("SELECT system_identifier FROM pg_control_system()")),
                    HasSubstr(kId.to_string())));
  EXPECT_EQ(other.sql().run("SELECT count(*) FROM pg_replication_slots"), "0");
  expect_ends_at(before);
}

TEST_F(StoppedFollowing, AStandbyThatIsPromotedEndsTheStream) {
  start_standby();
  follow();
  expect_state(FollowState::kStreaming);
  const Lsn before = status().ingested;
  promote();
  const Error error = expect_stopped();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(), AllOf(HasSubstr("promoted"), HasSubstr("2 goes on")));
  EXPECT_GE(status().ingested, before);
}

TEST_F(StoppedFollowing, APrimaryThatWasPromotedMeanwhileIsRefused) {
  start_standby();
  promote();
  const Lsn before = timeline_->last_record_lsn();
  follow();
  const Error error = expect_stopped();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr("on timeline 2 of PostgreSQL instead of 1"));
  expect_ends_at(before);
}

TEST_F(StoppedFollowing, APrimaryThatHasLostWalIsRefused) {
  start_server();
  server_.end(SIGINT);
  keep();
  server_.start();
  follow();
  write_and_follow();
  stop_following();
  server_.end(SIGINT);
  set_back();
  server_.start();
  const Lsn before = timeline_->last_record_lsn();
  follow();
  const Error error = expect_stopped();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("lost WAL, or was set back"), HasSubstr(before.to_string())));
  expect_ends_at(before);
}

// Its WAL goes beyond what was followed, and is another one.
TEST_F(StoppedFollowing, APrimaryThatWasSetBackAndWentOnIsNoticed) {
  start_server();
  server_.end(SIGINT);
  keep();
  server_.start();
  follow();
  write_and_follow(300);
  stop_following();
  server_.end(SIGINT);
  set_back();
  server_.start();
  write(3000);
  const Lsn before = timeline_->last_record_lsn();
  ASSERT_LT(before, written());
  follow();
  const Error error = expect_stopped();
  EXPECT_EQ(error.code(), ErrorCode::kCorrupted);
  EXPECT_THAT(error.message(), HasSubstr(before.to_string()));
  expect_ends_at(before);
}

TEST_F(StoppedFollowing, ASlotThatIsGoneIsNamed) {
  start_server();
  server_.sql().run(fmt::format("SELECT pg_drop_replication_slot('{}')", kSlot));
  follow();
  const Error error = expect_stopped();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr(kSlot));
}

// A slot keeps only so much for one who does not come.
TEST_F(StoppedFollowing, WalThatAnInvalidatedSlotHasLostIsMissed) {
  server_.configure(
      "wal_keep_size = 0\nmax_slot_wal_keep_size = 1\nmin_wal_size = 2\nmax_wal_size = 2");
  start_server();
  const Lsn before = timeline_->last_record_lsn();
  for (int segment = 0; segment < 6; ++segment) {
    write(10);
    server_.sql().run("SELECT pg_switch_wal()");
  }
  server_.sql().run("CHECKPOINT");
  ASSERT_EQ(of_slot("wal_status"), "lost");
  follow();
  const Error error = expect_stopped();
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("already been removed"), HasSubstr("new base backup")));
  expect_ends_at(before);
}

// As above, but this side is there, and only does not confirm: it has lost nothing.
TEST_F(StoppedFollowing, ASlotThatIsInvalidatedWhileItStreamsIsNoLoss) {
  server_.configure(
      "wal_keep_size = 0\nmax_slot_wal_keep_size = 1\nmin_wal_size = 2\nmax_wal_size = 2");
  start_server();
  follow();
  for (int segment = 0; segment < 6; ++segment) {
    server_.sql().run("SELECT pg_switch_wal()");
    write_and_follow(10);
  }
  server_.sql().run("CHECKPOINT");
  // The server ends the stream when it gives up the slot.
  EXPECT_TRUE(within_a_minute_is([&] { return status().failure.has_value(); }));
  write_and_follow();
  EXPECT_EQ(status().state, FollowState::kStreaming) << failure();
}

TEST_F(StoppedFollowing, NothingIsTriedAnyMore) {
  start_server();
  server_.sql().run(fmt::format("SELECT pg_drop_replication_slot('{}')", kSlot));
  follow();
  (void)expect_stopped();
  const Timestamp failed_at = *status().failed_at;
  server_.sql().run(fmt::format("SELECT pg_create_physical_replication_slot('{}', true)", kSlot));
  write();
  EXPECT_EQ(of_slot("active"), "f");
  EXPECT_EQ(status().failed_at, failed_at);
  EXPECT_EQ(status().state, FollowState::kStopped);
}

}  // namespace
}  // namespace varve
