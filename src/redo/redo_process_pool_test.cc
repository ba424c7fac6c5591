#include "redo/redo_process_pool.h"

#include <sys/stat.h>

#include <fstream>
#include <random>

#include "base/logging.h"
#include "redo/test_support/redo_environment.h"
#include "redo/test_support/wal_record_builder.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RedoProcessPoolTest : public testing::Test {
 protected:
  // Failures that are repeated are warned of, and there are many here.
  static void SetUpTestSuite() { EXPECT_TRUE(set_log_level("error").ok()); }
  static void TearDownTestSuite() { EXPECT_TRUE(set_log_level("info").ok()); }

  RedoProcessPoolOptions options() {
    return {.process = test_process_options(), .clock = &clock_, .metrics = &metrics_};
  }
  std::unique_ptr<RedoProcessPool> open(RedoProcessPoolOptions options) {
    auto pool = std::make_unique<RedoProcessPool>(std::move(options));
    const auto started = pool->start();
    EXPECT_TRUE(started.ok()) << started.error().message();
    return pool;
  }

  double metric(const std::string& name, const MetricLabels& labels = {}) const {
    for (const MetricSample& sample : metrics_.samples()) {
      if (sample.name == name && sample.labels == labels) return sample.value;
    }
    return -1;
  }
  double starts() const { return metric("varve_redo_process_starts_total"); }
  double failures() const { return metric("varve_redo_process_failures_total"); }

  // The one process of a pool.
  static pid_t only_process() {
    const auto processes = child_processes();
    EXPECT_EQ(processes.size(), 1);
    return processes.empty() ? -1 : *processes.begin();
  }

  static void expect_works(RedoProcessPool& pool) {
    const auto page = known_case().apply(pool);
    ASSERT_TRUE(page.ok()) << page.error().message();
    EXPECT_EQ(*page, known_pages().second_page);
  }

  // A record that PostgreSQL panics at.
  static PageCase deadly_case() {
    const KnownPages known = known_pages();
    const auto key = std::get<RelationBlockKey>(*parse_key(known.key));
    const BlockReference block{
        .relation = key.fork.relation, .will_init = true, .data = known.first_page};
    const std::array<uint8_t, 3> insert{1, 0, 0};
    return PageCase(known.key, known.first_page)
        .add(known.second_end, make_record(kHeapManager, kHeapInsert, {&block, 1}, insert));
  }

  // A pause after a failure is over at once.
  ManualClock clock_;
  Metrics metrics_;
};

TEST_F(RedoProcessPoolTest, HasAProcessReadyBeforeTheFirstRequest) {
  const auto pool = open(options());
  EXPECT_EQ(child_processes().size(), 1);
  EXPECT_EQ(starts(), 1);
  expect_works(*pool);
  EXPECT_EQ(starts(), 1);
  EXPECT_EQ(metric("varve_redo_pages_total", {{"result", "ok"}}), 1);
  EXPECT_EQ(metric("varve_redo_records_total"), 1);
  EXPECT_EQ(metric("varve_redo_processes"), 1);
}

TEST_F(RedoProcessPoolTest, ManyPagesComeInTheOrderTheyWereAskedFor) {
  const auto pool = open(options());
  const KnownPages known = known_pages();
  const PageCase good = known_case();
  const PageCase bad = PageCase(known.key).add(known.second_end, known.second_record);
  PageCase whole(known.key);
  whole.add(known.first_end, known.first_record);
  const std::vector<RedoRequest> requests{good.request(), bad.request(), whole.request(),
                                          PageCase(known.key).request(), good.request()};
  const auto results = pool->apply_many(requests);
  ASSERT_EQ(results.size(), 5);
  EXPECT_EQ(*results[0], known.second_page);
  EXPECT_EQ(results[1].code(), ErrorCode::kCorrupted);
  EXPECT_EQ(*results[2], known.first_page);
  EXPECT_EQ(results[3].code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(*results[4], known.second_page);
  EXPECT_EQ(starts(), 1);
  EXPECT_EQ(failures(), 0);
}

TEST_F(RedoProcessPoolTest, RefusesRequestsThatAreNone) {
  const auto pool = open(options());
  const KnownPages known = known_pages();
  EXPECT_EQ(PageCase(make_key(ControlFileKey{}))
                .add(known.first_end, known.first_record)
                .apply(*pool)
                .code(),
            ErrorCode::kInvalidArgument);
  PageCase disordered(known.key);
  disordered.add(known.second_end, known.second_record);
  disordered.add(known.first_end, known.first_record);
  EXPECT_EQ(disordered.apply(*pool).code(), ErrorCode::kInvalidArgument);
  PageCase unknown_flags(known.key);
  Bytes value = StoredRecord{.bytes = known.first_record}.encode();
  value.front() = 0x40;
  unknown_flags.add_value(known.first_end, value);
  const auto refused = unknown_flags.apply(*pool);
  ASSERT_TRUE(refused.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(refused.error().message(),
              AllOf(HasSubstr(describe(known.key)), HasSubstr(known.first_end.to_string())));
  Bytes cut = known.first_record;
  cut.pop_back();
  EXPECT_EQ(PageCase(known.key).add(known.first_end, cut).apply(*pool).code(),
            ErrorCode::kCorrupted);
  EXPECT_EQ(
      PageCase(known.key, Bytes(100)).add(known.first_end, known.first_record).apply(*pool).code(),
      ErrorCode::kCorrupted);
  expect_works(*pool);
}

TEST_F(RedoProcessPoolTest, AProcessThatWasKilledIsReplacedAndTheRequestRepeated) {
  const auto pool = open(options());
  ASSERT_EQ(::kill(only_process(), SIGKILL), 0);
  const BootTime before = clock_.boot_time();
  expect_works(*pool);
  EXPECT_EQ(starts(), 2);
  EXPECT_EQ(failures(), 1);
  // Not at once, should it always fail.
  EXPECT_GT(clock_.boot_time(), before);
}

TEST_F(RedoProcessPoolTest, AProcessThatHangsIsReplacedAfterTheDeadline) {
  auto short_options = options();
  short_options.deadline = std::chrono::milliseconds(200);
  const auto pool = open(short_options);
  const pid_t stopped = only_process();
  ASSERT_EQ(::kill(stopped, SIGSTOP), 0);
  expect_works(*pool);
  EXPECT_EQ(starts(), 2);
  EXPECT_EQ(::kill(stopped, 0), -1);
}

TEST_F(RedoProcessPoolTest, ARequestThatEndsThreeProcessesFailsAndNamesThePage) {
  const auto pool = open(options());
  const auto result = deadly_case().apply(*pool);
  ASSERT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(result.error().message(),
              AllOf(HasSubstr("relation 1663/5/16384 main block 0 up to 0/1531B58"),
                    HasSubstr("WILL_INIT")));
  EXPECT_EQ(failures(), 3);
  EXPECT_EQ(metric("varve_redo_pages_total", {{"result", "lost"}}), 1);
  expect_works(*pool);
  EXPECT_EQ(starts(), 4);
}

TEST_F(RedoProcessPoolTest, OthersOfABatchAreMadeAroundTheOneThatEndsProcesses) {
  const auto pool = open(options());
  const PageCase good = known_case();
  const PageCase deadly = deadly_case();
  const std::vector<RedoRequest> requests{good.request(), deadly.request(), good.request(),
                                          deadly.request(), good.request()};
  const auto results = pool->apply_many(requests);
  ASSERT_EQ(results.size(), 5);
  for (const size_t i : {0, 2, 4}) EXPECT_EQ(*results[i], known_pages().second_page) << i;
  for (const size_t i : {1, 3}) EXPECT_EQ(results[i].code(), ErrorCode::kUnavailable) << i;
}

// A process that was killed at one request says nothing against the next.
TEST_F(RedoProcessPoolTest, EveryRequestHasAttemptsOfItsOwn) {
  const auto pool = open(options());
  ASSERT_EQ(::kill(only_process(), SIGKILL), 0);
  const PageCase good = known_case();
  const PageCase deadly = deadly_case();
  const std::vector<RedoRequest> requests{good.request(), deadly.request(), good.request()};
  const auto results = pool->apply_many(requests);
  EXPECT_TRUE(results[0].ok());
  EXPECT_FALSE(results[1].ok());
  EXPECT_TRUE(results[2].ok());
  EXPECT_EQ(starts(), 5);
}

// Sealed with a right checksum, so that PostgreSQL itself has to cope with it.
TEST_F(RedoProcessPoolTest, GarbageNeitherHangsItNorEndsItForGood) {
  auto short_options = options();
  short_options.deadline = std::chrono::seconds(2);
  const auto pool = open(short_options);
  const KnownPages known = known_pages();
  std::mt19937_64 random(15);
  std::vector<PageCase> cases;
  for (int i = 0; i < 80; ++i) {
    Bytes record = i % 2 == 0 ? known.second_record : known.first_record;
    for (uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
      record[4 + random() % (record.size() - 4)] ^= static_cast<uint8_t>(1U << random() % 8);
    }
    seal_record(record);
    cases.push_back(PageCase(known.key, known.first_page).add(known.second_end, record));
  }
  for (int i = 0; i < 80; ++i) {
    Bytes record(24 + random() % 400);
    std::ranges::generate(record, [&] { return static_cast<uint8_t>(random()); });
    record[17] = static_cast<uint8_t>(random() % 22);  // A resource manager that there is.
    // A header of the wanted block, so that the rest is looked at.
    constexpr std::array<uint8_t, 4> kBlock{0, 0x20, 40, 0};
    if (record.size() > 24 + 60) {
      std::ranges::copy(kBlock, record.begin() + 24);
      std::copy(known.second_record.begin() + 28, known.second_record.begin() + 44,
                record.begin() + 28);
      record[44] = 255;
      record[45] = static_cast<uint8_t>(record.size() - 46 - 40);
    }
    seal_record(record);
    cases.push_back(PageCase(known.key, known.first_page).add(known.second_end, record));
  }
  std::vector<RedoRequest> requests;
  for (const PageCase& page : cases) requests.push_back(page.request());
  const auto results = pool->apply_many(requests);
  EXPECT_EQ(results.size(), cases.size());
  expect_works(*pool);
}

TEST_F(RedoProcessPoolTest, RandomBytesForAPageDoNotEndItForGood) {
  auto short_options = options();
  short_options.deadline = std::chrono::seconds(2);
  const auto pool = open(short_options);
  const KnownPages known = known_pages();
  std::mt19937_64 random(16);
  for (int i = 0; i < 25; ++i) {
    Bytes page(kBlockSize);
    std::ranges::generate(page, [&] { return static_cast<uint8_t>(random()); });
    std::fill_n(page.begin(), 8, 0);  // Older than the record.
    (void)PageCase(known.key, page).add(known.second_end, known.second_record).apply(*pool);
  }
  expect_works(*pool);
}

TEST_F(RedoProcessPoolTest, SeveralThreadsShareFewProcesses) {
  const auto pool = open(options());
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 50; ++j) expect_works(*pool);
      });
    }
  }
  EXPECT_LE(starts(), 2);
  EXPECT_EQ(metric("varve_redo_pages_total", {{"result", "ok"}}), 200);
}

TEST_F(RedoProcessPoolTest, StoppingEndsACallThatWaitsForAProcess) {
  const auto pool = open(options());
  ASSERT_EQ(::kill(only_process(), SIGSTOP), 0);
  std::jthread caller([&] {
    const auto result = known_case().apply(*pool);
    EXPECT_TRUE(result.failed_with(ErrorCode::kCancelled));
  });
  pool->stop();
  caller.join();
  EXPECT_TRUE(known_case().apply(*pool).failed_with(ErrorCode::kCancelled));
  EXPECT_TRUE(child_processes().empty());
}

// The programs of a server that is killed so many times before it starts.
class DeadlyInstallation {
 public:
  DeadlyInstallation(const std::filesystem::path& installed, int deaths)
      : folder_(*TemporaryDirectory::create("varve-test-")) {
    // It runs as somebody else.
    EXPECT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
    const std::filesystem::path program = folder_ / "postgres";
    std::ofstream(program) << fmt::format(
        "#!/bin/sh\n"
        "for death in $(seq {}); do mkdir {}/$death 2>/dev/null && kill -9 $$; done\n"
        "exec {}/postgres \"$@\"\n",
        deaths, folder_.path().string(), installed.string());
    EXPECT_EQ(::chmod(program.c_str(), 0755), 0);
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  const TemporaryDirectory folder_;
};

TEST_F(RedoProcessPoolTest, AProcessThatIsKilledWhileItStartsIsReplacedAndTheRequestDone) {
  auto killed = options();
  const DeadlyInstallation installation(killed.process.postgres_directory, 1);
  killed.process.postgres_directory = installation.path();
  RedoProcessPool pool(killed);
  expect_works(pool);
  EXPECT_EQ(starts(), 1);
  EXPECT_EQ(failures(), 1);
}

TEST_F(RedoProcessPoolTest, WhoAlwaysEndsWhileItStartsIsNotStartedForever) {
  auto killed = options();
  const DeadlyInstallation installation(killed.process.postgres_directory, 1000);
  killed.process.postgres_directory = installation.path();
  RedoProcessPool pool(killed);
  const auto page = known_case().apply(pool);
  ASSERT_TRUE(page.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(page.error().message(), HasSubstr("Killed"));
  EXPECT_EQ(failures(), 3);
}

TEST_F(RedoProcessPoolTest, StartsNothingBeforeItIsAsked) {
  RedoProcessPool pool(options());
  EXPECT_TRUE(child_processes().empty());
  EXPECT_EQ(metric("varve_redo_processes"), 0);
  expect_works(pool);
  EXPECT_EQ(starts(), 1);
}

TEST_F(RedoProcessPoolTest, FailsToStartWithTheReason) {
  auto wrong = options();
  wrong.process.postgres_directory = "/nowhere/bin";
  RedoProcessPool pool(wrong);
  const auto started = pool.start();
  ASSERT_TRUE(started.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(started.error().message(), HasSubstr("postgresql-15"));
  EXPECT_EQ(failures(), 1);
}

// Whoever reads must not take it for a page that does not exist.
TEST_F(RedoProcessPoolTest, APageThatNoProcessCanMakeIsUnavailableAndTheRemedyNamed) {
  auto wrong = options();
  wrong.process.postgres_directory = "/nowhere/bin";
  RedoProcessPool pool(wrong);
  const auto page = known_case().apply(pool);
  ASSERT_TRUE(page.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(page.error().message(), AllOf(HasSubstr("relation 1663/5/16384 main block 0"),
                                            HasSubstr("/nowhere/bin"), HasSubstr("postgresql-15")));
}

TEST_F(RedoProcessPoolTest, WhatCannotBeStartedIsTriedAgainAfterAPauseAndRequestsDoNotWaitForIt) {
  const auto folder = *TemporaryDirectory::create("varve-test-");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  auto late = options();
  const auto installed = late.process.postgres_directory;
  late.process.postgres_directory = folder / "bin";
  RedoProcessPool pool(late);
  EXPECT_TRUE(known_case().apply(pool).failed_with(ErrorCode::kUnavailable));
  std::filesystem::create_directory_symlink(installed, folder / "bin");
  const BootTime before = clock_.boot_time();
  EXPECT_TRUE(known_case().apply(pool).failed_with(ErrorCode::kUnavailable));
  EXPECT_EQ(clock_.boot_time(), before);
  EXPECT_EQ(failures(), 1);
  clock_.advance(late.backoff.maximum);
  expect_works(pool);
  EXPECT_EQ(starts(), 1);
}

}  // namespace
}  // namespace varve
