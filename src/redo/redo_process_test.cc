#include "redo/redo_process.h"

#include <sys/stat.h>

#include <map>

#include "fs/file.h"
#include "postgres/page.h"
#include "redo/redo_process_check.h"
#include "redo/test_support/redo_environment.h"
#include "redo/test_support/wal_record_builder.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr Duration kPatience = std::chrono::seconds(30);

// Of a relation that the records of these tests are about.
constexpr RelationTag kTable{.directory = {.tablespace = kDefaultTablespace, .database = 5},
                             .relation = 16384};

Key block_key(uint32_t block, RelationFork fork = RelationFork::kMain) {
  return make_key(RelationBlockKey{.fork = {.relation = kTable, .fork = fork}, .block = block});
}

Bytes image_of(uint8_t value) {
  Bytes image = known_pages().first_page;
  std::fill(image.begin() + 2000, image.begin() + 3000, value);
  return image;
}

class RedoProcessTest : public testing::Test {
 protected:
  RedoProcess& process() {
    if (!process_) process_ = *RedoProcess::start(test_process_options(), {});
    return *process_;
  }

  Result<Bytes> apply(const PageCase& page) {
    std::vector<Result<Bytes>> replies;
    const RedoRequest request = page.request();
    const auto exchanged = process().exchange({&request, 1}, kPatience, {}, replies);
    if (!exchanged.ok()) return exchanged.error();
    return std::move(replies.front());
  }

  std::string refusal(const PageCase& page) {
    const auto result = apply(page);
    if (result.ok()) return "a page";
    EXPECT_EQ(result.code(), ErrorCode::kCorrupted) << result.error().message();
    return result.error().message();
  }

  void expect_as_good_as_before() {
    const auto page = apply(known_case());
    ASSERT_TRUE(page.ok()) << page.error().message();
    EXPECT_EQ(*page, known_pages().second_page);
  }

  std::unique_ptr<RedoProcess> process_;
};

TEST_F(RedoProcessTest, AppliesTheRecordsOfAServerToItsPages) {
  EXPECT_TRUE(check_redo_process(process(), kPatience, {}).ok());
}

TEST_F(RedoProcessTest, AppliesAChainToNothingWhenItBeginsWithAPage) {
  const KnownPages known = known_pages();
  const auto page = apply(PageCase(known.key)
                              .add(known.first_end, known.first_record)
                              .add(known.second_end, known.second_record));
  ASSERT_TRUE(page.ok()) << page.error().message();
  EXPECT_EQ(*page, known.second_page);
}

TEST_F(RedoProcessTest, LeavesAPageThatIsNewerThanTheRecord) {
  const KnownPages known = known_pages();
  Bytes newer = known.second_page;
  // The lower half of pd_lsn.
  store_little(newer.data() + 4, static_cast<uint32_t>(known.second_end.value + 0x1000));
  const auto page = apply(PageCase(known.key, newer).add(known.second_end, known.second_record));
  ASSERT_TRUE(page.ok()) << page.error().message();
  EXPECT_EQ(*page, newer);
}

TEST_F(RedoProcessTest, AppliesChainsThatDoNotFitIntoOneMessage) {
  PageCase page(block_key(7));
  for (uint8_t i = 1; i <= 200; ++i) {
    const Bytes image = image_of(i);
    const BlockReference block{.relation = kTable, .block = 7, .image = image};
    page.add({uint64_t{i} << 16}, make_record(kXlogManager, kFullPageImage, {&block, 1}));
  }
  const auto result = apply(page);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ((*result)[2500], 200);
  EXPECT_EQ(page_lsn(*result), Lsn{200 << 16});
}

TEST_F(RedoProcessTest, AnswersOnceToALongChainThatFailsAtItsBeginning) {
  const Bytes image = image_of(1);
  const BlockReference block{.relation = kTable, .block = 7, .image = image};
  const Bytes record = make_record(kXlogManager, kFullPageImage, {&block, 1});
  Bytes damaged = record;
  damaged.back() ^= 1;
  PageCase page(block_key(7));
  page.add({1 << 16}, damaged);
  for (uint64_t i = 2; i <= 200; ++i) page.add({i << 16}, record);
  const PageCase known = known_case();
  const std::array<RedoRequest, 3> requests{page.request(), known.request(), page.request()};
  std::vector<Result<Bytes>> replies;
  ASSERT_TRUE(process().exchange(requests, kPatience, {}, replies).ok());
  for (const size_t i : {0, 2}) {
    ASSERT_TRUE(replies[i].failed_with(ErrorCode::kCorrupted));
    EXPECT_THAT(replies[i].error().message(),
                HasSubstr("0/10000: the record does not match its checksum"));
  }
  EXPECT_EQ(*replies[1], known_pages().second_page);
  // What is left of the last request is dropped too.
  expect_as_good_as_before();
}

TEST_F(RedoProcessTest, RestoresPagesOfInitForksWithoutWritingThem) {
  const Bytes image = image_of(9);
  const BlockReference block{.relation = kTable,
                             .fork = static_cast<uint8_t>(RelationFork::kInit),
                             .block = 0,
                             .image = image};
  const auto page =
      apply(PageCase(block_key(0, RelationFork::kInit))
                .add({0x5000}, make_record(kXlogManager, kFullPageImage, {&block, 1})));
  ASSERT_TRUE(page.ok()) << page.error().message();
  EXPECT_EQ((*page)[2500], 9);
}

// The insert says that it made the page not all visible. The record names only the heap's page.
TEST_F(RedoProcessTest, ClearsBitsOfTheVisibilityMapForARecordThatDoesNotNameIt) {
  const KnownPages known = known_pages();
  Bytes record = known.second_record;
  // xl_heap_insert, the last three bytes: the flag XLH_INSERT_ALL_VISIBLE_CLEARED.
  record.back() |= 1;
  seal_record(record);
  constexpr size_t kMapHeader = 24;
  Bytes map = known.first_page;
  std::fill(map.begin() + kMapHeader, map.end(), 0xFF);
  const auto page = apply(
      PageCase(block_key(0, RelationFork::kVisibilityMap), map).add(known.second_end, record));
  ASSERT_TRUE(page.ok()) << page.error().message();
  map[kMapHeader] = 0xFC;
  EXPECT_EQ(*page, map);
}

TEST_F(RedoProcessTest, RefusesWhatItCannotApplyAndGoesOn) {
  const KnownPages known = known_pages();
  const Lsn end = known.second_end;
  const Bytes image = image_of(1);
  const auto one = [&](const Key& key, Bytes base, Bytes record) {
    return PageCase(key, std::move(base)).add(end, std::move(record));
  };

  EXPECT_THAT(refusal(one(known.key, {}, known.second_record)),
              AllOf(HasSubstr("relation 1663/5/16384 main block 0 up to 0/1531B58"),
                    HasSubstr("needs the page before it, and none was given")));
  EXPECT_THAT(refusal(one(known.key, Bytes(kBlockSize), known.second_record)),
              HasSubstr("needs the page before it, which is all zeros"));
  EXPECT_THAT(refusal(one(block_key(8), known.first_page, known.second_record)),
              HasSubstr("does not touch the wanted page"));
  // A heap record changes the map's block of its own heap block only.
  EXPECT_THAT(refusal(one(block_key(1, RelationFork::kVisibilityMap), known.first_page,
                          known.second_record)),
              HasSubstr("does not touch the wanted page"));

  Bytes damaged = known.second_record;
  damaged[40] ^= 1;
  EXPECT_THAT(refusal(one(known.key, known.first_page, damaged)),
              HasSubstr("does not match its checksum"));
  EXPECT_THAT(refusal(one(known.key, known.first_page,
                          make_record(kTransactionManager, 0, {}, known.second_record))),
              HasSubstr("Transaction/COMMIT is not one that only changes blocks"));
  const BlockReference block{.relation = kTable, .block = 0, .data = known.first_record};
  EXPECT_THAT(refusal(one(known.key, known.first_page,
                          make_record(kHeap2Manager, kHeap2Rewrite, {&block, 1}))),
              HasSubstr("Heap2/REWRITE is not one that only changes blocks"));
  EXPECT_THAT(refusal(one(known.key, known.first_page, make_record(250, 0, {&block, 1}))),
              HasSubstr("unknown resource manager 250"));
  const BlockReference unknown_fork{.relation = kTable, .fork = 5, .block = 0, .data = image};
  EXPECT_THAT(refusal(one(known.key, known.first_page,
                          make_record(kHeapManager, kHeapInsert, {&unknown_fork, 1}))),
              HasSubstr("there is no fork 5"));
  const BlockReference no_block{.relation = kTable, .block = UINT32_MAX, .image = image};
  EXPECT_THAT(refusal(one(known.key, known.first_page,
                          make_record(kXlogManager, kFullPageImage, {&no_block, 1}))),
              HasSubstr("there is no block 4294967295"));
  expect_as_good_as_before();
}

// Without the image there is nothing that the record could do to a page.
TEST_F(RedoProcessTest, ARecordOfAHintWithoutImageLeavesThePage) {
  const KnownPages known = known_pages();
  const BlockReference block{.relation = kTable, .block = 0};
  const Bytes record = make_record(kXlogManager, kFullPageImageForHint, {&block, 1});
  const auto page = apply(PageCase(known.key, known.first_page).add(known.second_end, record));
  ASSERT_TRUE(page.ok()) << page.error().message();
  EXPECT_EQ(*page, known.first_page);
  EXPECT_THAT(refusal(PageCase(known.key).add(known.second_end, record)),
              HasSubstr("none was given"));
}

// An insert changes the first block that it names, whatever else it names.
TEST_F(RedoProcessTest, RefusesARecordWhoseRedoPassesThePageBy) {
  const KnownPages known = known_pages();
  constexpr size_t kTupleOffset = 24 + 4 + 16 + 2;  // Header, block header with data, main header.
  const size_t main_size = 3;
  const ByteView record(known.second_record);
  const ByteView tuple = record.subspan(kTupleOffset, record.size() - kTupleOffset - main_size);
  const std::array<BlockReference, 2> blocks{
      {{.relation = kTable, .block = 1, .data = tuple}, {.relation = kTable, .block = 0}}};
  EXPECT_THAT(refusal(PageCase(known.key, known.first_page)
                          .add(known.second_end, make_record(kHeapManager, kHeapInsert, blocks,
                                                             record.last(main_size)))),
              HasSubstr("after a record Heap/INSERT the page has LSN 0/1531AE8"));
}

TEST_F(RedoProcessTest, APanicEndsTheProcessAndTellsWhy) {
  const KnownPages known = known_pages();
  const BlockReference block{
      .relation = kTable, .block = 0, .will_init = true, .data = known.first_page};
  const std::array<uint8_t, 3> insert{1, 0, 0};
  const auto result = apply(
      PageCase(known.key, known.first_page)
          .add(known.second_end, make_record(kHeapManager, kHeapInsert, {&block, 1}, insert)));
  ASSERT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(result.error().message(),
              AllOf(HasSubstr("gave up: record at 0/1531B58"), HasSubstr("WILL_INIT")));
}

TEST_F(RedoProcessTest, ItsEndDuringARequestIsToldWithTheSignal) {
  ASSERT_EQ(::kill(process().id(), SIGKILL), 0);
  const auto result = apply(known_case());
  ASSERT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(result.error().message(), HasSubstr("was killed by signal 9 (Killed)"));
}

TEST_F(RedoProcessTest, OneThatGivesNoAnswerIsGivenUpAfterTheDeadline) {
  ASSERT_EQ(::kill(process().id(), SIGSTOP), 0);
  const PageCase page = known_case();
  const RedoRequest request = page.request();
  std::vector<Result<Bytes>> replies;
  const auto result = process().exchange({&request, 1}, std::chrono::milliseconds(50), {}, replies);
  ASSERT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(result.error().message(), HasSubstr("gave no answer in time"));
}

// Though it is stopped, and cannot notice that nobody listens any more.
TEST_F(RedoProcessTest, DiesWithTheThreadThatStartedIt) {
  std::jthread([&] {
    process_ = *RedoProcess::start(test_process_options(), {});
    EXPECT_EQ(::kill(process_->id(), SIGSTOP), 0);
  }).join();
  const auto result = apply(known_case());
  ASSERT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(result.error().message(), HasSubstr("was killed by signal 9 (Killed)"));
}

TEST_F(RedoProcessTest, MayAskTheKernelForNothingMore) {
  EXPECT_EQ(process_status(process().id(), "Seccomp"), "2");
  EXPECT_EQ(process_status(process().id(), "NoNewPrivs"), "1");
}

TEST_F(RedoProcessTest, IsNotRestrictedWhenThatIsSwitchedOff) {
  RedoProcessOptions options = test_process_options();
  options.restrict_system_calls = false;
  process_ = *RedoProcess::start(options, {});
  EXPECT_EQ(process_status(process().id(), "Seccomp"), "0");
  expect_as_good_as_before();
}

TEST_F(RedoProcessTest, NeverRunsAsRootAndHasNoDescriptorOfOthers) {
  const std::string uids = process_status(process().id(), "Uid");
  EXPECT_FALSE(uids.starts_with("0\t")) << uids;
  std::map<std::string, std::string> open;
  const std::filesystem::path folder = fmt::format("/proc/{}/fd", process().id());
  const auto entries = list_directory(folder);
  for (const DirectoryEntry& entry : *entries) {
    std::array<char, 256> target{};
    ASSERT_GT(::readlink((folder / entry.name).c_str(), target.data(), target.size() - 1), 0);
    open[entry.name] = target.data();
  }
  for (const auto& [number, what] : open) {
    EXPECT_TRUE(!what.starts_with('/') || what == "/dev/null" ||
                what.find("/varve-redo-") != std::string::npos)
        << number << " is " << what;
  }
}

// The record makes a heap page all visible, which is a hint of that page: where such are not
// logged, its LSN stays.
TEST_F(RedoProcessTest, MindsHintBitsForEachRecordAsTheServerDidThatWroteIt) {
  const KnownPages known = known_pages();
  const std::array<BlockReference, 2> blocks{
      {{.relation = kTable, .fork = static_cast<uint8_t>(RelationFork::kVisibilityMap), .block = 0},
       {.relation = kTable, .block = 0}}};
  // xl_heap_visible of src/include/access/heapam_xlog.h: cutoff_xid, VISIBILITYMAP_ALL_VISIBLE.
  const std::array<uint8_t, 5> all_visible{0, 0, 0, 0, 1};
  const Bytes record = make_record(kHeap2Manager, kHeap2Visible, blocks, all_visible);
  for (const bool logged : {false, true, false}) {
    PageCase page(known.key, known.first_page);
    page.add_value(known.second_end,
                   StoredRecord{.hint_bits_logged = logged, .bytes = record}.encode());
    const auto result = apply(page);
    ASSERT_TRUE(result.ok()) << result.error().message();
    EXPECT_EQ(page_lsn(*result), logged ? known.second_end : page_lsn(known.first_page));
    EXPECT_NE(*result, known.first_page);
  }
}

TEST_F(RedoProcessTest, LeavesNothingBehind) {
  const auto parent = *TemporaryDirectory::create("varve-test-");
  ASSERT_EQ(::chmod(parent.path().c_str(), 0755), 0);
  RedoProcessOptions options = test_process_options();
  options.scratch_parent = parent.path();
  process_ = *RedoProcess::start(options, {});
  const pid_t id = process_->id();
  EXPECT_EQ(list_directory(parent.path())->size(), 1);
  process_.reset();
  EXPECT_EQ(list_directory(parent.path())->size(), 0);
  EXPECT_EQ(::kill(id, 0), -1);
}

// What is wrong with an installation, and what to do about it.
class RedoInstallationTest : public testing::Test {
 protected:
  RedoInstallationTest() { EXPECT_EQ(::chmod(folder_.path().c_str(), 0755), 0); }

  Error error_of_start() {
    const auto process = RedoProcess::start(options_, {});
    EXPECT_FALSE(process.ok());
    return process.ok() ? Error(ErrorCode::kInternal, "it started") : process.error();
  }

  // Runs instead of the server.
  void install_postgres(const std::string& script) {
    const std::filesystem::path path = folder_ / "postgres";
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
    options_.postgres_directory = folder_.path();
  }

  TemporaryDirectory folder_ = *TemporaryDirectory::create("varve-test-");
  RedoProcessOptions options_ = test_process_options();
};

TEST_F(RedoInstallationTest, NamesTheServerThatIsNotThere) {
  options_.postgres_directory = "/nowhere/bin";
  const Error error = error_of_start();
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("/nowhere/bin/postgres"), HasSubstr("postgresql-15")));
}

TEST_F(RedoInstallationTest, NamesTheExtensionThatIsNotThere) {
  options_.library = "/nowhere/varve_redo.so";
  const Error error = error_of_start();
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("/nowhere/varve_redo.so"), HasSubstr("scripts/build")));
}

TEST_F(RedoInstallationTest, NamesWhatTheServerSaysOfAnExtensionThatIsNone) {
  options_.library = folder_ / "varve_redo.so";
  std::ofstream(options_.library) << "no library";
  const Error error = error_of_start();
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.message(), AllOf(HasSubstr("could not load library"), HasSubstr("exit code 1"),
                                     HasSubstr("varve_redo.so that was built together")));
}

TEST_F(RedoInstallationTest, NamesTheVersionThatIsNotTheRightOne) {
  // VarveRedoHello of a server 16.3.
  install_postgres(R"(printf '\001\0\0\0\050\0\0\0REDO\002\0\0\0\003\161\002\0\003\161\002\0')"
                   R"('\0\0\0\0\0\0\0\0\0\040\0\0\0\0\0\0\0\0\0\0\0\0\0\0')");
  const Error error = error_of_start();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("is of PostgreSQL 16.3"), HasSubstr("postgresql-15")));
}

TEST_F(RedoInstallationTest, NamesWhatAnotherServerSays) {
  install_postgres("echo 'FATAL:  database files are incompatible with server' >&2; exit 1");
  const Error error = error_of_start();
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("database files are incompatible with server"),
                    HasSubstr("ended with exit code 1"), HasSubstr("postgresql-15")));
}

TEST_F(RedoInstallationTest, GivesUpAServerThatDoesNotGetReady) {
  install_postgres("exec sleep 1000");
  options_.start_deadline = std::chrono::milliseconds(50);
  const Error error = error_of_start();
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.message(), HasSubstr("gave no answer in time"));
}

TEST_F(RedoInstallationTest, NamesTheUserThatIsNotThere) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  options_.user = "nobody-of-that-name";
  EXPECT_THAT(error_of_start().message(),
              AllOf(HasSubstr("nobody-of-that-name"), HasSubstr("--pg-user")));
  options_.user = "root";
  EXPECT_THAT(error_of_start().message(), HasSubstr("--pg-user"));
}

}  // namespace
}  // namespace varve
