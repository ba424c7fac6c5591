#include "follow/followed_primary.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/random.h"
#include "fs/directory.h"
#include "fs/temporary_directory.h"

namespace varve {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

class FollowedPrimaryFilesTest : public testing::Test {
 protected:
  FollowedPrimary make(const std::string& connection_string) {
    const TenantTimelineId id{random_.next_id<TenantId>(), random_.next_id<TimelineId>()};
    return {.timeline = id,
            .connection_string = connection_string,
            .slot = fmt::format("varve_{}", id.timeline)};
  }
  void write(const FollowedPrimary& primary) {
    const auto written = files_.write(primary);
    ASSERT_TRUE(written.ok()) << written.error().message();
  }
  std::vector<FollowedPrimary> list() const {
    auto listed = files_.list();
    EXPECT_TRUE(listed.ok()) << listed.error().message();
    return listed.ok() ? *std::move(listed) : std::vector<FollowedPrimary>();
  }
  std::filesystem::path path_of(const FollowedPrimary& primary) const {
    return directory_ / fmt::format("{}.{}", primary.timeline.tenant, primary.timeline.timeline);
  }
  void damage(const FollowedPrimary& primary, size_t offset) const {
    auto content = read_file(path_of(primary));
    ASSERT_TRUE(content.ok()) << content.error().message();
    content->at(offset) ^= 1;
    const auto written = write_file_atomically(path_of(primary), *content);
    ASSERT_TRUE(written.ok()) << written.error().message();
  }

  SeededRandom random_{7};
  const TemporaryDirectory folder_ = *TemporaryDirectory::create("varve-test-");
  const std::filesystem::path directory_ = folder_ / "primaries";
  const FollowedPrimaryFiles files_{directory_};
};

TEST_F(FollowedPrimaryFilesTest, WithoutTheDirectoryThereIsNone) {
  EXPECT_THAT(list(), IsEmpty());
}

TEST_F(FollowedPrimaryFilesTest, WhatWasWrittenIsListed) {
  const FollowedPrimary one = make("host=db1 user=varve password='a b'");
  FollowedPrimary other = make("postgresql://varve@db2/");
  other.restored_at = {0x2000000};
  write(one);
  write(other);
  EXPECT_THAT(list(), UnorderedElementsAre(one, other));
}

// The connection string may hold a password.
TEST_F(FollowedPrimaryFilesTest, OnlyTheOwnerReadsThem) {
  const mode_t mask = ::umask(0);
  const FollowedPrimary primary = make("host=db1 password=secret");
  write(primary);
  ::umask(mask);
  struct stat status{};
  ASSERT_EQ(::stat(path_of(primary).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600);
}

TEST_F(FollowedPrimaryFilesTest, OneThatIsDamagedAnywhereIsLeftOutAndTheOthersAreThere) {
  const FollowedPrimary sound = make("host=db1");
  const FollowedPrimary damaged = make("host=db2");
  write(sound);
  write(damaged);
  const size_t size = read_file(path_of(damaged))->size();
  for (size_t offset = 0; offset < size; ++offset) {
    damage(damaged, offset);
    EXPECT_THAT(list(), UnorderedElementsAre(sound)) << offset;
    damage(damaged, offset);
  }
  EXPECT_THAT(list(), UnorderedElementsAre(sound, damaged));
  std::filesystem::resize_file(path_of(damaged), size - 1);
  EXPECT_THAT(list(), UnorderedElementsAre(sound));
}

TEST_F(FollowedPrimaryFilesTest, OneThatIsRemovedIsNotListed) {
  const FollowedPrimary kept = make("host=db1");
  const FollowedPrimary removed = make("host=db2");
  write(kept);
  write(removed);
  const auto done = files_.remove(removed.timeline);
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_THAT(list(), UnorderedElementsAre(kept));
}

// As a crash amid write() leaves it.
TEST_F(FollowedPrimaryFilesTest, WhatWasNeverFinishedIsRemoved) {
  const FollowedPrimary primary = make("host=db1");
  write(primary);
  const std::filesystem::path unfinished =
      path_of(make("host=db2")).string() + std::string(kTemporarySuffix);
  std::filesystem::copy_file(path_of(primary), unfinished);
  EXPECT_THAT(list(), UnorderedElementsAre(primary));
  EXPECT_FALSE(std::filesystem::exists(unfinished));
}

TEST(FollowedPrimaryTest, BytesThatAreNoneOrMoreThanOneAreCorrupted) {
  const FollowedPrimary primary{.timeline = {TenantId{{1}}, TimelineId{{2}}},
                                .connection_string = "host=db1",
                                .slot = "varve"};
  Bytes bytes = primary.encode();
  EXPECT_EQ(FollowedPrimary::decode(bytes).value(), primary);
  const size_t first_version_size = bytes.size() - sizeof primary.restored_at.value;
  EXPECT_EQ(FollowedPrimary::decode(ByteView(bytes).first(first_version_size)).value(), primary);
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (size == first_version_size) continue;
    EXPECT_TRUE(
        FollowedPrimary::decode(ByteView(bytes).first(size)).failed_with(ErrorCode::kCorrupted))
        << size;
  }
  bytes.push_back(0);
  EXPECT_TRUE(FollowedPrimary::decode(bytes).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
