// Connecting, and what else is not streaming: who the server is, its settings, slots.

#include <gmock/gmock.h>

#include "replication/replication_connection.h"
#include "replication/test_support/postgres_server.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kSecret = "s3cret-of-the-role";

CallOptions within_a_minute() {
  return {.deadline = Deadline::after(std::chrono::minutes(1))};
}

// One server for all of them, which leave it as they found it.
class ConnectTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<PostgresServer>();
    server_->set_access(
        "local replication secretive scram-sha-256\n"
        "local replication outsider reject\n"
        "local replication plain,nobody trust");
    server_->start();
    SqlConnection sql = server_->sql();
    sql.run(fmt::format("CREATE ROLE secretive LOGIN REPLICATION PASSWORD '{}'", kSecret));
    sql.run("CREATE ROLE outsider LOGIN REPLICATION");
    sql.run("CREATE ROLE plain LOGIN");
  }
  static void TearDownTestSuite() { server_.reset(); }

  static std::string string_for(std::string_view user) { return server_->connection_string(user); }

  static Error refusal(const std::string& connection_string) {
    const auto connection = ReplicationConnection::connect(connection_string, within_a_minute());
    EXPECT_FALSE(connection.ok());
    if (connection.ok()) return {ErrorCode::kInternal, "connected"};
    EXPECT_THAT(connection.error().message(), Not(HasSubstr(kSecret)));
    EXPECT_THAT(connection.error().message(), Not(HasSubstr("\n")));
    return connection.error();
  }

  static ReplicationConnection connect(const std::string& connection_string) {
    auto connection = ReplicationConnection::connect(connection_string, within_a_minute());
    EXPECT_TRUE(connection.ok()) << connection.error().message();
    return std::move(*connection);
  }
  static ReplicationConnection connect() { return connect(string_for("postgres")); }

  static std::unique_ptr<PostgresServer> server_;
};
std::unique_ptr<PostgresServer> ConnectTest::server_;

TEST_F(ConnectTest, KnowsWhichClusterItIs) {
  ReplicationConnection connection = connect();
  const auto identity = connection.identify_system(within_a_minute());
  ASSERT_TRUE(identity.ok()) << identity.error().message();
  SqlConnection sql = server_->sql();
  EXPECT_EQ(std::to_string(identity->system_identifier),
            sql.run("SELECT system_identifier FROM pg_control_system()"));
  EXPECT_EQ(identity->timeline, 1);
  EXPECT_EQ(identity->flushed.to_string(), sql.run("SELECT pg_current_wal_flush_lsn()"));
  EXPECT_EQ(*connection.show("wal_segment_size", within_a_minute()), "1MB");
  EXPECT_TRUE(connection.show("no_such_setting", within_a_minute())
                  .failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(
      connection.show("x; DROP", within_a_minute()).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(connection.peer(), AllOf(HasSubstr("5432"), HasSubstr("role postgres")));
}

TEST_F(ConnectTest, TakesUrisAndPasswordsInAnyForm) {
  connect(fmt::format("{} password={}", string_for("secretive"), kSecret));
  connect(fmt::format("postgresql://secretive:{}@/any?host={}&port=5432", kSecret,
                      server_->sockets().string()));
  // The line for the database "replication", as for PostgreSQL's own clients.
  const std::string file = server_->folder() / "passwords";
  std::ofstream(file) << fmt::format("*:5432:replication:secretive:{}\n", kSecret);
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  connect(fmt::format("{} passfile={}", string_for("secretive"), file));
  const std::string services = server_->folder() / "services";
  std::ofstream(services) << fmt::format("[main]\nhost={}\nuser=postgres\ndbname=other\n",
                                         server_->sockets().string());
  ASSERT_EQ(::setenv("PGSERVICEFILE", services.c_str(), 1), 0);
  connect("service=main");
  ASSERT_EQ(::unsetenv("PGSERVICEFILE"), 0);
}

TEST_F(ConnectTest, IsCalledVarveUnlessItIsToldOtherwise) {
  const auto name = [&] {
    return server_->sql().run("SELECT string_agg(application_name, ' ') FROM pg_stat_replication");
  };
  const ReplicationConnection one = connect();
  const ReplicationConnection other = connect(string_for("postgres") + " application_name=second");
  EXPECT_THAT(name(), AllOf(HasSubstr("varve"), HasSubstr("second")));
}

TEST_F(ConnectTest, AWrongPasswordIsDenied) {
  const Error wrong = refusal(string_for("secretive") + " password=wrong-one");
  EXPECT_EQ(wrong.code(), ErrorCode::kDenied);
  EXPECT_THAT(wrong.message(), AllOf(HasSubstr("password authentication failed"),
                                     HasSubstr("PGPASSFILE"), Not(HasSubstr("wrong-one"))));
  const Error none = refusal(string_for("secretive") + " passfile=/nowhere");
  EXPECT_EQ(none.code(), ErrorCode::kDenied);
  EXPECT_THAT(none.message(), HasSubstr("no password supplied"));
}

TEST_F(ConnectTest, ARoleThatMayNotReplicateIsDeniedWithTheRemedy) {
  const Error plain = refusal(string_for("plain"));
  EXPECT_EQ(plain.code(), ErrorCode::kDenied);
  EXPECT_THAT(plain.message(), HasSubstr("ALTER ROLE ... REPLICATION"));
  const Error rejected = refusal(string_for("outsider"));
  EXPECT_EQ(rejected.code(), ErrorCode::kDenied);
  EXPECT_THAT(rejected.message(), HasSubstr("pg_hba.conf of the primary needs a line"));
  EXPECT_EQ(refusal(string_for("nobody")).code(), ErrorCode::kDenied);
}

TEST_F(ConnectTest, NobodyThereIsUnavailable) {
  const Error down = refusal("host=/nowhere user=postgres");
  EXPECT_EQ(down.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(down.message(), HasSubstr("/nowhere/.s.PGSQL.5432"));
  // Port 1 of loopback.
  EXPECT_EQ(refusal("host=127.0.0.1 port=1 user=postgres").code(), ErrorCode::kUnavailable);
}

TEST_F(ConnectTest, AStringThatIsWrongIsInvalidAndNotRepeated) {
  const std::string secret(kSecret);
  for (const std::string& text : std::vector<std::string>{
           "host", "no_such_keyword=" + secret, "password=a " + secret, "password='" + secret,
           "password=a\" " + secret + "\"b", "sslmode=" + secret.substr(1),
           "postgresql://user:" + secret + "@[::1/db", "postgresql://user:" + secret + "@h/?x",
           "postgresql://user:" + secret + "%zz@h/d", "service=no_such port=1",
           std::string("host=a\0b", 8)}) {
    const Error error = refusal(text);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.message();
  }
}

TEST_F(ConnectTest, AServerWithoutWalSendersIsNothingToWaitFor) {
  PostgresServer minimal;
  minimal.configure("wal_level = minimal\nmax_wal_senders = 0");
  minimal.start();
  const Error error = refusal(minimal.connection_string());
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr("wal_level = replica"));
}

TEST_F(ConnectTest, EndsOnAStop) {
  std::stop_source stop;
  stop.request_stop();
  const auto stopped =
      ReplicationConnection::connect(string_for("postgres"), {.stop = stop.get_token()});
  EXPECT_TRUE(stopped.failed_with(ErrorCode::kCancelled));
}

TEST_F(ConnectTest, ASlotsLife) {
  ReplicationConnection connection = connect();
  EXPECT_TRUE(connection.read_slot("first", within_a_minute()).failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(connection.drop_slot("first", within_a_minute()).failed_with(ErrorCode::kNotFound));
  ASSERT_TRUE(connection.create_slot("first", {}, within_a_minute()).ok());
  const auto again = connection.create_slot("first", {}, within_a_minute());
  ASSERT_TRUE(again.failed_with(ErrorCode::kConflict)) << again.error().message();
  const auto state = connection.read_slot("first", within_a_minute());
  ASSERT_TRUE(state.ok()) << state.error().message();
  ASSERT_TRUE(state->restart_lsn);
  EXPECT_EQ(state->restart_lsn->to_string(),
            server_->sql().run("SELECT restart_lsn FROM pg_replication_slots"));
  EXPECT_EQ(state->restart_timeline, 1);
  ASSERT_TRUE(connection.drop_slot("first", within_a_minute()).ok());
  EXPECT_TRUE(connection.read_slot("first", within_a_minute()).failed_with(ErrorCode::kNotFound));
}

TEST_F(ConnectTest, ASlotReservesNothingWhenThatIsNotAskedFor) {
  ReplicationConnection connection = connect();
  ASSERT_TRUE(connection.create_slot("idle", {.reserve_wal = false}, within_a_minute()).ok());
  const auto state = connection.read_slot("idle", within_a_minute());
  ASSERT_TRUE(state.ok()) << state.error().message();
  EXPECT_FALSE(state->restart_lsn);
  ASSERT_TRUE(connection.drop_slot("idle", within_a_minute()).ok());
}

TEST_F(ConnectTest, NamesThatNoSlotCanHaveAreRefused) {
  ReplicationConnection connection = connect();
  for (const std::string& name :
       {std::string(), std::string("Upper"), std::string("a\"b"), std::string(64, 'a')}) {
    EXPECT_TRUE(connection.create_slot(name, {}, within_a_minute())
                    .failed_with(ErrorCode::kInvalidArgument))
        << name;
  }
}

}  // namespace
}  // namespace varve
