// What every RemoteStorage must do, run against each of them, bare and in the decorators that
// production puts around it. Where a storage can do less, its traits say so and the test asks them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "fs/temporary_directory.h"
#include "remote_storage/local_fs.h"
#include "remote_storage/memory.h"
#include "remote_storage/metered.h"
#include "remote_storage/parallel_upload.h"
#include "remote_storage/retrying.h"
#include "remote_storage/streams.h"
#include "remote_storage/url.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const CallOptions kNoLimits;

// A storage of its own for one test, and what it needs to exist.
struct Fixture {
  std::optional<TemporaryDirectory> directory;
  std::unique_ptr<RemoteStorage> storage;
};

Fixture make_memory() {
  return {std::nullopt, std::make_unique<MemoryStorage>()};
}

Fixture make_unconditional() {
  return {std::nullopt, std::make_unique<MemoryStorage>(
                            system_clock(), StorageTraits{.kind = "memory without conditions",
                                                          .conditional_put = false})};
}

// In memory where the system has such a file system: thousands of small files are synced here.
std::filesystem::path fast_directory() {
  const std::filesystem::path shared_memory("/dev/shm");
  return ::access(shared_memory.c_str(), W_OK | X_OK) == 0 ? shared_memory
                                                           : std::filesystem::temp_directory_path();
}

Fixture make_local_fs() {
  auto directory = TemporaryDirectory::create("varve-", fast_directory()).value();
  auto storage = LocalFs::open(directory.path()).value();
  return {std::move(directory), std::move(storage)};
}

// A prefix of its own in the bucket of a URL.
Fixture make_s3(std::string_view url) {
  auto location = std::get<S3Location>(parse_remote_url(url).value());
  location.prefix = fmt::format("conformance/{:016x}", system_random().next());
  return {std::nullopt, open_remote_storage(to_url(location)).value()};
}

Fixture decorated(Fixture fixture) {
  fixture.storage = std::make_unique<Retrying>(
      std::make_unique<Metered>(std::move(fixture.storage), Metered::Options{}),
      Retrying::Options{});
  return fixture;
}

struct Backend {
  std::string name;
  std::function<Fixture()> make;
};

std::vector<Backend> backends() {
  std::vector<Backend> all{{"memory", make_memory},
                           {"local_fs", make_local_fs},
                           {"unconditional_memory", make_unconditional},
                           {"decorated_memory", [] { return decorated(make_memory()); }},
                           {"decorated_local_fs", [] { return decorated(make_local_fs()); }}};
  if (const char* url = std::getenv("VARVE_TEST_S3_URL")) {
    all.push_back({"s3", [url] { return make_s3(url); }});
    all.push_back({"decorated_s3", [url] { return decorated(make_s3(url)); }});
  }
  if (const char* url = std::getenv("VARVE_TEST_S3_TLS_URL")) {
    all.push_back({"s3_over_tls", [url] { return make_s3(url); }});
  }
  return all;
}

const auto kBackends = ::testing::ValuesIn(backends());

std::string backend_name(const ::testing::TestParamInfo<Backend>& instance) {
  return instance.param.name;
}

class RemoteStorageConformance : public ::testing::TestWithParam<Backend> {
 protected:
  RemoteStorage& storage() { return *fixture_.storage; }

  void put(std::string_view key, std::string_view body) {
    const auto result = storage().put(key, as_bytes(body), PutCondition::kNone, kNoLimits);
    ASSERT_TRUE(result.ok()) << result.error().message();
  }

  Result<std::string> read(std::string_view key, const ByteRange& range = ByteRange::whole()) {
    VARVE_ASSIGN(const Bytes bytes, get_bytes(storage(), key, range, 1 << 30, kNoLimits));
    return std::string(as_text(bytes));
  }

  std::vector<std::string> keys(std::string_view prefix = "") {
    std::vector<std::string> found;
    const auto objects = list_all(storage(), prefix, kNoLimits);
    EXPECT_TRUE(objects.ok()) << objects.error().message();
    if (!objects.ok()) return found;
    for (const ObjectInfo& object : *objects) found.push_back(object.key);
    return found;
  }

  Fixture fixture_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(All, RemoteStorageConformance, kBackends, backend_name);

TEST_P(RemoteStorageConformance, S1_WhatWasPutIsReadBackAndDescribed) {
  put("tenants/a/one", "hello");
  EXPECT_EQ(read("tenants/a/one").value(), "hello");

  ObjectInfo info;
  ASSERT_TRUE(get_bytes(storage(), "tenants/a/one", ByteRange::whole(), 5, kNoLimits, &info).ok());
  const auto head = storage().head("tenants/a/one", kNoLimits);
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->key, "tenants/a/one");
  EXPECT_EQ(head->size, 5U);
  EXPECT_EQ(info.key, head->key);
  EXPECT_EQ(info.size, head->size);
  EXPECT_EQ(info.last_modified, head->last_modified);

  const auto page = storage().list("", "", kNoLimits);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->objects.size(), 1U);
  EXPECT_EQ(page->objects[0].last_modified, head->last_modified);
  EXPECT_GE(page->storage_time, head->last_modified);
}

TEST_P(RemoteStorageConformance, W1_WhatIsAbsentIsNotFound) {
  EXPECT_TRUE(read("absent").failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(read("absent/deeper").failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(storage().head("absent", kNoLimits).failed_with(ErrorCode::kNotFound));
  put("directory/object", "x");
  EXPECT_TRUE(read("directory").failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(read("directory/object/below").failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(storage().head("directory", kNoLimits).failed_with(ErrorCode::kNotFound));
}

TEST_P(RemoteStorageConformance, B1_AConditionThatIsNotKnownIsRefused) {
  if (storage().traits().conditional_put) GTEST_SKIP() << "it is known";
  EXPECT_TRUE(storage()
                  .put("key", as_bytes("first"), PutCondition::kIfAbsent, kNoLimits)
                  .failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_P(RemoteStorageConformance, B1_CreateIfAbsentLeavesTheFirstContent) {
  if (!storage().traits().conditional_put) GTEST_SKIP() << "no conditional put";
  ASSERT_TRUE(storage().put("key", as_bytes("first"), PutCondition::kIfAbsent, kNoLimits).ok());
  EXPECT_TRUE(storage()
                  .put("key", as_bytes("second"), PutCondition::kIfAbsent, kNoLimits)
                  .failed_with(ErrorCode::kConflict));
  EXPECT_EQ(read("key").value(), "first");
}

TEST_P(RemoteStorageConformance, B1_CreateIfAbsentHasExactlyOneWinner) {
  if (!storage().traits().conditional_put) GTEST_SKIP() << "no conditional put";
  constexpr int kThreads = 8;
  constexpr int kKeys = 40;
  std::array<std::atomic<int>, kKeys> winners{};
  std::array<std::atomic<int>, kKeys> losers{};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int key = 0; key < kKeys; ++key) {
          const std::string body = fmt::format("thread {}", thread);
          const auto result = storage().put(fmt::format("race/{}/object", key), as_bytes(body),
                                            PutCondition::kIfAbsent, kNoLimits);
          if (result.ok()) winners[static_cast<size_t>(key)] += 1 + thread;
          if (result.failed_with(ErrorCode::kConflict)) ++losers[static_cast<size_t>(key)];
        }
      });
    }
  }
  for (int key = 0; key < kKeys; ++key) {
    EXPECT_EQ(losers[static_cast<size_t>(key)].load(), kThreads - 1);
    const int winner = winners[static_cast<size_t>(key)].load() - 1;
    EXPECT_EQ(read(fmt::format("race/{}/object", key)).value(), fmt::format("thread {}", winner));
  }
}

TEST_P(RemoteStorageConformance, S1_RangesStartInclusiveAndEndExclusiveOrOpen) {
  put("key", "0123456789");
  EXPECT_EQ(read("key", ByteRange::between(2, 5)).value(), "234");
  EXPECT_EQ(read("key", ByteRange::between(0, 10)).value(), "0123456789");
  EXPECT_EQ(read("key", ByteRange::between(8, 100)).value(), "89");
  EXPECT_EQ(read("key", ByteRange::between(3, 3)).value(), "");
  EXPECT_EQ(read("key", ByteRange::from(7)).value(), "789");
  EXPECT_EQ(read("key", ByteRange::from(10)).value(), "");
  EXPECT_EQ(read("key", ByteRange::suffix(3)).value(), "789");
  EXPECT_EQ(read("key", ByteRange::suffix(100)).value(), "0123456789");
  EXPECT_EQ(read("key", ByteRange::suffix(0)).value(), "");
  EXPECT_TRUE(read("key", ByteRange::from(11)).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(read("key", ByteRange::between(11, 20)).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(read("key", ByteRange::between(5, 4)).failed_with(ErrorCode::kInvalidArgument));

  ObjectInfo info;
  ASSERT_TRUE(get_bytes(storage(), "key", ByteRange::between(2, 5), 10, kNoLimits, &info).ok());
  EXPECT_EQ(info.size, 10U) << "a range reports the size of the whole object";
}

TEST_P(RemoteStorageConformance, S1_AnEmptyObjectHasOnlyEmptyRanges) {
  put("empty", "");
  EXPECT_EQ(read("empty").value(), "");
  EXPECT_EQ(read("empty", ByteRange::from(0)).value(), "");
  EXPECT_EQ(read("empty", ByteRange::between(0, 5)).value(), "");
  EXPECT_EQ(read("empty", ByteRange::suffix(5)).value(), "");
  EXPECT_TRUE(read("empty", ByteRange::from(1)).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_EQ(storage().head("empty", kNoLimits)->size, 0U);
}

TEST_P(RemoteStorageConformance, ASinkLearnsOfTheObjectBeforeItsFirstByte) {
  put("key", "0123456789");
  std::vector<std::string> events;
  const ByteSink sink(
      [&](const ObjectInfo& info) -> Result<> {
        events.push_back(fmt::format("{} of {} bytes", info.key, info.size));
        return {};
      },
      [&](ByteView bytes) -> Result<> {
        events.emplace_back(as_text(bytes));
        return {};
      });
  ASSERT_TRUE(storage().get("key", ByteRange::suffix(4), sink, kNoLimits).ok());
  EXPECT_THAT(events, ElementsAre("key of 10 bytes", "6789"));
}

TEST_P(RemoteStorageConformance, AnErrorOfTheSinkEndsTheDownloadAndIsItsResult) {
  put("key", std::string(5 << 20, 'x'));
  int calls = 0;
  const auto sink = [&](ByteView) -> Result<> {
    ++calls;
    // A retryable code: nobody may take it for a failure of the storage.
    return make_error(ErrorCode::kUnavailable, "the disk is away");
  };
  const auto result = storage().get("key", ByteRange::whole(), sink, kNoLimits);
  ASSERT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  EXPECT_EQ(result.error().message(), "the disk is away");
  EXPECT_EQ(calls, 1);
}

TEST_P(RemoteStorageConformance, B1_AListingOfManyObjectsComesInPages) {
  std::vector<std::string> expected;
  for (int i = 0; i < 1005; ++i) {
    expected.push_back(fmt::format("many/{}/{:04}", i % 3, i));
    put(expected.back(), "");
  }
  put("zebra", "");
  std::ranges::sort(expected);
  std::vector<std::string> found;
  std::vector<size_t> sizes;
  std::string after;
  do {
    const auto page = storage().list("many/", after, kNoLimits);
    ASSERT_TRUE(page.ok());
    sizes.push_back(page->objects.size());
    for (const auto& object : page->objects) found.push_back(object.key);
    after = page->continuation;
  } while (!after.empty());
  EXPECT_EQ(found, expected);
  EXPECT_LE(sizes[0], 1000U);
  if (!storage().traits().pages_may_be_short) {
    EXPECT_THAT(sizes, ElementsAre(1000U, 5U));
  }
  EXPECT_EQ(keys("many/"), expected);
}

TEST_P(RemoteStorageConformance, B1_AFullLastPageIsTheLast) {
  for (int i = 0; i < 1000; ++i) put(fmt::format("{:04}", i), "");
  const auto page = storage().list("", "", kNoLimits);
  ASSERT_TRUE(page.ok());
  if (!storage().traits().pages_may_be_short) {
    EXPECT_EQ(page->objects.size(), 1000U);
  }
  EXPECT_EQ(page->continuation.empty(), page->objects.size() == 1000U);
}

TEST_P(RemoteStorageConformance, B1_AListingBeginsAfterAnyTextWhetherItIsAKeyOrNot) {
  for (const std::string_view key : {"a/1", "a/3", "a/b/1", "a/b/3", "c"}) put(key, "");
  const auto keys_after = [this](std::string_view prefix, std::string_view after) {
    std::vector<std::string> found;
    const auto page = storage().list(prefix, after, kNoLimits);
    EXPECT_TRUE(page.ok());
    if (page.ok()) {
      for (const auto& object : page->objects) found.push_back(object.key);
    }
    return found;
  };
  EXPECT_THAT(keys_after("a/", "a/1"), ElementsAre("a/3", "a/b/1", "a/b/3"));
  EXPECT_THAT(keys_after("a/", "a/2"), ElementsAre("a/3", "a/b/1", "a/b/3"));
  EXPECT_THAT(keys_after("a/", "a/b/"), ElementsAre("a/b/1", "a/b/3"));
  EXPECT_THAT(keys_after("a/", "a/b/2"), ElementsAre("a/b/3"));
  EXPECT_THAT(keys_after("a/b/", "a/1"), ElementsAre("a/b/1", "a/b/3"));
  EXPECT_THAT(keys_after("", "a/b/3"), ElementsAre("c"));
  EXPECT_THAT(keys_after("a/", "b"), IsEmpty());
}

TEST_P(RemoteStorageConformance, B1_ObjectsThatStayAreListedOnceWhileOthersComeAndGo) {
  std::vector<std::string> stay;
  for (int i = 0; i < 1500; ++i) {
    stay.push_back(fmt::format("stay/{:04}", i));
    put(stay.back(), "");
  }
  put("stay/0999x", "");
  auto first = storage().list("stay/", "", kNoLimits);
  ASSERT_TRUE(first.ok());
  // The very object that the continuation may refer to goes, and another comes before it.
  std::vector<std::string> found;
  for (const auto& object : first->objects) found.push_back(object.key);
  put("stay/0000a", "");
  ASSERT_TRUE(storage().remove({"stay/0999x"}, kNoLimits).ok());
  const auto second = storage().list("stay/", first->continuation, kNoLimits);
  ASSERT_TRUE(second.ok());
  for (const auto& object : second->objects) found.push_back(object.key);
  std::erase(found, "stay/0999x");
  EXPECT_EQ(found, stay);
}

TEST_P(RemoteStorageConformance, S1_APrefixIsOneOfBytesNotADirectory) {
  for (const std::string_view key : {"a/b", "a/bc", "a/b-d", "a.b", "a!", "ab/c", "b"})
    put(key, "");
  EXPECT_THAT(keys("a/b"), ElementsAre("a/b", "a/b-d", "a/bc"));
  EXPECT_THAT(keys("a/b-"), ElementsAre("a/b-d"));
  EXPECT_THAT(keys("a/"), ElementsAre("a/b", "a/b-d", "a/bc"));
  EXPECT_THAT(keys("a"), ElementsAre("a!", "a.b", "a/b", "a/b-d", "a/bc", "ab/c"));
  EXPECT_THAT(keys("a/b/"), IsEmpty());
  EXPECT_THAT(keys("c"), IsEmpty());
  EXPECT_THAT(keys("absent/deeper/still"), IsEmpty());
  EXPECT_THAT(keys(), ElementsAre("a!", "a.b", "a/b", "a/b-d", "a/bc", "ab/c", "b"));
}

TEST_P(RemoteStorageConformance, S1_APrefixThatIsNoPathFindsNothing) {
  put("a/b", "");
  for (const std::string_view prefix : {"/", "/a", "..", "../", "a//", "a/./", "./a", "a/../a"}) {
    EXPECT_THAT(keys(prefix), IsEmpty()) << prefix;
  }
}

TEST_P(RemoteStorageConformance, S1_OddKeysAreKeysLikeAnyOther) {
  const std::vector<std::string> odd = {" leading and trailing ",
                                        "-",
                                        "...",
                                        ".hidden",
                                        "a+b=c&d?e#f%20",
                                        "back\\slash",
                                        "new\nline",
                                        "quo'\"te",
                                        "tilde~",
                                        "x.tmp",
                                        "\xC3\xBC"
                                        "ber/\xE6\x97\xA5\xE6\x9C\xAC",
                                        "\xF0\x9F\x90\x98/elephant",
                                        std::string(200, 'l') + "/" + std::string(200, 'm')};
  for (const auto& key : odd) put(key, key);
  for (const auto& key : odd) EXPECT_EQ(read(key).value(), key);
  auto expected = odd;
  std::ranges::sort(expected, [](const std::string& left, const std::string& right) {
    return std::ranges::lexicographical_compare(as_bytes(left), as_bytes(right));
  });
  EXPECT_EQ(keys(), expected);
}

TEST_P(RemoteStorageConformance, S1_BadKeysAreRefusedByEveryCall) {
  const std::vector<std::string> bad = {"",
                                        "/",
                                        "/absolute",
                                        "trailing/",
                                        "a//b",
                                        ".",
                                        "..",
                                        "a/../b",
                                        "a/./b",
                                        "../escape",
                                        "a/..",
                                        "\xFF",
                                        "\xC3",
                                        "\xC0\xAF",
                                        "\xED\xA0\x80",
                                        "\xF5\x80\x80\x80",
                                        std::string("a\0b", 3),
                                        std::string(1025, 'k')};
  const auto refused = [](const auto& result) {
    return result.failed_with(ErrorCode::kInvalidArgument);
  };
  const auto nothing = [](ByteView) -> Result<> { return {}; };
  for (const auto& key : bad) {
    SCOPED_TRACE(hex_encode(as_bytes(key)));
    EXPECT_TRUE(refused(storage().put(key, {}, PutCondition::kNone, kNoLimits)));
    EXPECT_TRUE(refused(storage().get(key, {}, nothing, kNoLimits)));
    EXPECT_TRUE(refused(storage().head(key, kNoLimits)));
    EXPECT_TRUE(refused(storage().start_multipart(key, 5 << 20, kNoLimits)));
    EXPECT_TRUE(refused(storage().abort_upload(key, "0123456789abcdef", kNoLimits)));
    EXPECT_TRUE(refused(storage().remove({"good", key}, kNoLimits)));
  }
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_P(RemoteStorageConformance, OnlyKeysThatArePathsExcludeEachOther) {
  put("object", "");
  put("directory/object", "");
  std::optional<ErrorCode> expected;
  if (storage().traits().keys_are_paths) expected = ErrorCode::kInvalidArgument;
  std::vector<PutCondition> conditions;
  if (storage().traits().conditional_put) conditions.push_back(PutCondition::kIfAbsent);
  conditions.push_back(PutCondition::kNone);
  for (const auto& key : {std::string("object/below"), std::string("directory"),
                          std::string("long/") + std::string(256, 'c')}) {
    for (const auto condition : conditions) {
      const auto result = storage().put(key, {}, condition, kNoLimits);
      EXPECT_EQ(result.ok() ? std::nullopt : std::optional(result.code()), expected) << key;
    }
  }
}

TEST_P(RemoteStorageConformance, B1_RemovesInBulkAndCountsTheAbsentAsRemoved) {
  for (const std::string_view key : {"a/1", "a/2", "b/1", "c"}) put(key, "x");
  const auto failed = storage().remove({"a/1", "absent", "a", "b/1", "c/absent", "a/1"}, kNoLimits);
  ASSERT_TRUE(failed.ok());
  EXPECT_THAT(*failed, IsEmpty());
  EXPECT_THAT(keys(), ElementsAre("a/2", "c"));
  EXPECT_TRUE(read("a/1").failed_with(ErrorCode::kNotFound));
  put("a/1", "again");
  EXPECT_EQ(read("a/1").value(), "again");
}

TEST_P(RemoteStorageConformance, B1_MoreKeysThanTheTraitsAllowAreRefused) {
  std::vector<std::string> many(storage().traits().maximum_remove_keys + 1, "key");
  EXPECT_TRUE(storage().remove(many, kNoLimits).failed_with(ErrorCode::kInvalidArgument));
  many.pop_back();
  EXPECT_TRUE(storage().remove(many, kNoLimits).ok());
}

TEST_P(RemoteStorageConformance, AnObjectIsReplacedInOneStepUnderItsReaders) {
  constexpr size_t kSize = 3 << 20;
  put("key", std::string(kSize, 'a'));
  std::atomic<bool> mixed = false;
  std::atomic<int> reads = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 2; ++i) {
      readers.emplace_back([&](std::stop_token stop) {
        while (!stop.stop_requested()) {
          const auto body = read("key");
          mixed = mixed || !body.ok() || body->size() != kSize ||
                  body->find_first_not_of(body->front()) != std::string::npos;
          ++reads;
        }
      });
    }
    for (int i = 0; i < 10 || reads < 4; ++i) put("key", std::string(kSize, "abcdef"[i % 6]));
  }
  EXPECT_FALSE(mixed.load());
}

class RemoteStorageMultipart : public RemoteStorageConformance {
 protected:
  void SetUp() override {
    part_size_ = std::max<uint64_t>(storage().traits().minimum_part_size, 7);
  }

  std::unique_ptr<MultipartUpload> start(std::string_view key) {
    return storage().start_multipart(key, part_size_, kNoLimits).value();
  }
  std::string part(char fill) const { return std::string(part_size_, fill); }

  // An upload that stays unfinished because its sender died, as far as the storage can tell.
  void leave_upload(std::string_view key) {
    const auto begin = [&] {
      auto upload = start(key);
      EXPECT_TRUE(upload->upload_part(0, as_bytes(part('x')), kNoLimits).ok());
      return upload;
    };
    if (storage().traits().shows_running_uploads) {
      left_.push_back(begin());
      return;
    }
    const pid_t child = fork();
    if (child == 0) {
      const auto upload = begin();
      _exit(0);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
  }
  std::vector<std::string> unfinished(std::string_view prefix = "", Duration age = {}) {
    std::vector<std::string> found;
    const auto uploads = list_uploads_older_than(storage(), prefix, age, kNoLimits).value();
    for (const UnfinishedUpload& upload : uploads) {
      found.push_back(upload.key);
    }
    return found;
  }
  UnfinishedUpload the_upload_of(std::string_view key) {
    const auto uploads = storage().list_uploads(key, "", kNoLimits).value().uploads;
    EXPECT_EQ(uploads.size(), 1U);
    return uploads.at(0);
  }

  uint64_t part_size_ = 0;
  std::vector<std::unique_ptr<MultipartUpload>> left_;
};

INSTANTIATE_TEST_SUITE_P(All, RemoteStorageMultipart, kBackends, backend_name);

TEST_P(RemoteStorageMultipart, B1_PartsMayComeInAnyOrderAndTwice) {
  const auto upload = start("pack/one");
  ASSERT_TRUE(upload->upload_part(2, as_bytes("end"), kNoLimits).ok());
  ASSERT_TRUE(upload->upload_part(0, as_bytes(part('x')), kNoLimits).ok());
  ASSERT_TRUE(upload->upload_part(1, as_bytes(part('b')), kNoLimits).ok());
  ASSERT_TRUE(upload->upload_part(0, as_bytes(part('a')), kNoLimits).ok());
  EXPECT_THAT(keys(), IsEmpty()) << "an unfinished upload is not listed";
  EXPECT_TRUE(read("pack/one").failed_with(ErrorCode::kNotFound));
  ASSERT_TRUE(upload->complete(3, kNoLimits).ok());
  EXPECT_EQ(read("pack/one").value(), part('a') + part('b') + "end");
  EXPECT_THAT(keys(), ElementsAre("pack/one"));
}

TEST_P(RemoteStorageMultipart, B1_PartsMayComeFromSeveralThreads) {
  const auto upload = start("pack");
  {
    std::vector<std::jthread> threads;
    for (uint32_t number = 0; number < 8; ++number) {
      threads.emplace_back([&, number] {
        const std::string body = part(static_cast<char>('a' + number));
        EXPECT_TRUE(upload->upload_part(number, as_bytes(body), kNoLimits).ok());
      });
    }
  }
  ASSERT_TRUE(upload->complete(8, kNoLimits).ok());
  std::string expected;
  for (char fill = 'a'; fill < 'i'; ++fill) expected += part(fill);
  EXPECT_EQ(read("pack").value(), expected);
}

TEST_P(RemoteStorageMultipart, B1_CompletionReplacesWhatHasTheKey) {
  put("pack", "before");
  const auto upload = start("pack");
  ASSERT_TRUE(upload->upload_part(0, as_bytes("after"), kNoLimits).ok());
  EXPECT_EQ(read("pack").value(), "before");
  ASSERT_TRUE(upload->complete(1, kNoLimits).ok());
  EXPECT_EQ(read("pack").value(), "after");
}

TEST_P(RemoteStorageMultipart, B1_AnAbortedUploadLeavesNothing) {
  const auto upload = start("pack");
  ASSERT_TRUE(upload->upload_part(0, as_bytes("x"), kNoLimits).ok());
  ASSERT_TRUE(upload->abort(kNoLimits).ok());
  EXPECT_FALSE(upload->complete(1, kNoLimits).ok());
  EXPECT_FALSE(upload->upload_part(0, as_bytes("x"), kNoLimits).ok());
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_P(RemoteStorageMultipart, B1_AForgottenUploadLeavesNothing) {
  {
    const auto upload = start("pack");
    ASSERT_TRUE(upload->upload_part(0, as_bytes("x"), kNoLimits).ok());
  }
  EXPECT_THAT(keys(), IsEmpty());
  EXPECT_TRUE(storage().head("pack", kNoLimits).failed_with(ErrorCode::kNotFound));
}

TEST_P(RemoteStorageMultipart, B1_UnfinishedUploadsAreListedByKeyWithTheirAge) {
  EXPECT_THAT(unfinished(), IsEmpty());
  put("tenants/a/object", "");
  const std::string deep = std::string(200, 'l') + "/" + std::string(200, 'm');
  for (const auto& key : {std::string("tenants/b/pack"), std::string("tenants/a/pack"), deep}) {
    leave_upload(key);
  }
  EXPECT_THAT(unfinished(), ElementsAre(deep, "tenants/a/pack", "tenants/b/pack"));
  EXPECT_THAT(unfinished("tenants/"), ElementsAre("tenants/a/pack", "tenants/b/pack"));
  EXPECT_THAT(unfinished("tenants/a/"), ElementsAre("tenants/a/pack"));
  EXPECT_THAT(unfinished("tenants/c/"), IsEmpty());
  EXPECT_THAT(unfinished("", std::chrono::hours(1)), IsEmpty());
  EXPECT_THAT(keys(), ElementsAre("tenants/a/object"));
}

TEST_P(RemoteStorageMultipart, B1_UploadsThatEndedAreNotListed) {
  const auto completed = start("completed");
  ASSERT_TRUE(completed->upload_part(0, as_bytes("x"), kNoLimits).ok());
  ASSERT_TRUE(completed->complete(1, kNoLimits).ok());
  const auto aborted = start("aborted");
  ASSERT_TRUE(aborted->abort(kNoLimits).ok());
  start("forgotten").reset();
  EXPECT_THAT(unfinished(), IsEmpty());
}

TEST_P(RemoteStorageMultipart, B1_AnUnfinishedUploadIsAbortedByItsId) {
  leave_upload("pack");
  leave_upload("other");
  const UnfinishedUpload upload = the_upload_of("pack");
  // That of another key is not meant, whatever the ID.
  ASSERT_TRUE(storage().abort_upload("other", upload.upload_id, kNoLimits).ok());
  EXPECT_THAT(unfinished(), ElementsAre("other", "pack"));
  ASSERT_TRUE(storage().abort_upload("pack", upload.upload_id, kNoLimits).ok());
  EXPECT_THAT(unfinished(), ElementsAre("other"));
  EXPECT_TRUE(storage().abort_upload("pack", upload.upload_id, kNoLimits).ok()) << "it is gone";
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_P(RemoteStorageMultipart, B1_AnUploadThatIsBeingSentIsShownAsTheTraitsSay) {
  const auto upload = start("pack");
  ASSERT_TRUE(upload->upload_part(0, as_bytes("x"), kNoLimits).ok());
  if (!storage().traits().shows_running_uploads) {
    EXPECT_THAT(unfinished(), IsEmpty());
    ASSERT_TRUE(upload->complete(1, kNoLimits).ok());
    EXPECT_THAT(keys(), ElementsAre("pack"));
    return;
  }
  const UnfinishedUpload shown = the_upload_of("pack");
  ASSERT_TRUE(storage().abort_upload("pack", shown.upload_id, kNoLimits).ok());
  EXPECT_FALSE(upload->upload_part(1, as_bytes("y"), kNoLimits).ok());
  EXPECT_FALSE(upload->complete(1, kNoLimits).ok());
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_P(RemoteStorageMultipart, B1_AnIncompleteUploadIsNotCompleted) {
  const auto upload = start("pack");
  ASSERT_TRUE(upload->upload_part(0, as_bytes(part('a')), kNoLimits).ok());
  ASSERT_TRUE(upload->upload_part(2, as_bytes(part('c')), kNoLimits).ok());
  EXPECT_TRUE(upload->complete(3, kNoLimits).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(keys(), IsEmpty());
  ASSERT_TRUE(upload->upload_part(1, as_bytes(part('b')), kNoLimits).ok());
  EXPECT_TRUE(upload->complete(3, kNoLimits).ok());
  EXPECT_EQ(read("pack").value(), part('a') + part('b') + part('c'));
}

TEST_P(RemoteStorageMultipart, B1_APartOfTheWrongSizeIsRefused) {
  const auto upload = start("pack");
  EXPECT_TRUE(upload->upload_part(0, as_bytes(part('a') + "x"), kNoLimits)
                  .failed_with(ErrorCode::kInvalidArgument));
  ASSERT_TRUE(upload->upload_part(0, as_bytes("short"), kNoLimits).ok());
  ASSERT_TRUE(upload->upload_part(1, as_bytes("end"), kNoLimits).ok());
  EXPECT_TRUE(upload->complete(2, kNoLimits).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(upload->upload_part(storage().traits().maximum_parts, as_bytes("x"), kNoLimits)
                  .failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(storage()
                  .start_multipart("key", storage().traits().maximum_part_size + 1, kNoLimits)
                  .failed_with(ErrorCode::kInvalidArgument));
}

// Of every size around the boundaries of parts, in pieces that do not fit them.
TEST_P(RemoteStorageMultipart, S1_UploadsAnObjectOfUnknownSizeInParallel) {
  ThreadPool pool({.name = "transfer", .threads = 2});
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, part_size_ - 1, part_size_, part_size_ + 1,
                              2 * part_size_, 5 * part_size_ + 3}) {
    std::string content;
    for (uint64_t i = 0; i < size; ++i) content.push_back(static_cast<char>('a' + i % 26));
    const auto upload =
        ParallelUpload::start(storage(), pool, "stream",
                              {.part_size = part_size_, .parallel_parts = 2}, kNoLimits)
            .value();
    const uint64_t piece = part_size_ * 2 / 3 + 1;
    for (uint64_t start = 0; start < size; start += piece) {
      ASSERT_TRUE(
          upload->append(as_bytes(content).subspan(start, std::min(piece, size - start))).ok());
    }
    EXPECT_EQ(upload->size(), size);
    const auto finished = upload->finish();
    ASSERT_TRUE(finished.ok()) << finished.error().message();
    EXPECT_EQ(read("stream").value(), content);
  }
}

TEST_P(RemoteStorageMultipart, S1_AParallelUploadThatIsGivenUpLeavesNothing) {
  ThreadPool pool({.name = "transfer", .threads = 2});
  {
    const auto upload =
        ParallelUpload::start(storage(), pool, "stream",
                              {.part_size = part_size_, .parallel_parts = 2}, kNoLimits)
            .value();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(upload->append(as_bytes(part('a'))).ok());
  }
  EXPECT_THAT(keys(), IsEmpty());
  EXPECT_THAT(storage().list_uploads("", "", kNoLimits).value().uploads, IsEmpty());
}

TEST_P(RemoteStorageConformance, ADownloadLargerThanItsLimitIsRefused) {
  put("key", "0123456789");
  EXPECT_TRUE(get_bytes(storage(), "key", ByteRange::whole(), 10, kNoLimits).ok());
  EXPECT_TRUE(get_bytes(storage(), "key", ByteRange::whole(), 9, kNoLimits)
                  .failed_with(ErrorCode::kExhausted));
}

TEST_P(RemoteStorageMultipart, W2_ARequestedStopIsHonouredByEveryCall) {
  put("key", "x");
  const auto upload = start("pack");
  std::stop_source source;
  source.request_stop();
  const CallOptions stopped{.stop = source.get_token()};
  const CallOptions late{.deadline = Deadline::after(Duration(-1))};
  const auto nothing = [](ByteView) -> Result<> { return {}; };
  const auto cancelled = [](const auto& result) {
    return result.failed_with(ErrorCode::kCancelled);
  };
  for (const CallOptions& options : {stopped, late}) {
    EXPECT_TRUE(cancelled(storage().list("", "", options)));
    EXPECT_TRUE(cancelled(storage().put("new", {}, PutCondition::kNone, options)));
    EXPECT_TRUE(cancelled(storage().get("key", {}, nothing, options)));
    EXPECT_TRUE(cancelled(storage().head("key", options)));
    EXPECT_TRUE(cancelled(storage().remove({"key"}, options)));
    EXPECT_TRUE(cancelled(storage().list_uploads("", "", options)));
    EXPECT_TRUE(cancelled(storage().abort_upload("pack", "0123456789abcdef", options)));
    EXPECT_TRUE(cancelled(storage().start_multipart("pack", part_size_, options)));
    EXPECT_TRUE(cancelled(upload->upload_part(0, as_bytes("x"), options)));
    EXPECT_TRUE(cancelled(upload->complete(1, options)));
  }
  EXPECT_THAT(keys(), ElementsAre("key"));
}

TEST_P(RemoteStorageConformance, W2_ADownloadStopsInTheMiddle) {
  put("key", std::string(8 << 20, 'x'));
  std::stop_source source;
  uint64_t received = 0;
  const auto sink = [&](ByteView bytes) -> Result<> {
    received += bytes.size();
    source.request_stop();
    return {};
  };
  EXPECT_TRUE(storage()
                  .get("key", ByteRange::whole(), sink, {.stop = source.get_token()})
                  .failed_with(ErrorCode::kCancelled));
  EXPECT_LE(received, 1U << 20);
}

}  // namespace
}  // namespace varve
