// The files of this module in the work directory: metadata, tenant, attempts.
#include <gtest/gtest.h>

#include "storage_sync/local_manifest.h"
#include "storage_sync/local_tenant.h"
#include "storage_sync/nonce_journal.h"
#include "storage_sync/test_support/sync_fixture.h"
#include "storage_sync/warm_list.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::kTenant;
using test_support::kTimeline;
using test_support::layer_name;
using testing::HasSubstr;

class LocalFiles : public testing::Test {
 protected:
  std::filesystem::path path(std::string_view name) const { return directory_ / name; }

  // Writes every damaged form of the file in its place, and expects `read` to refuse each with
  // Corrupted and to name the file.
  void expect_every_damage_is_noticed(const std::filesystem::path& file,
                                      const std::function<Result<>()>& read) {
    const Bytes good = read_file(file).value();
    VARVE_ASSERT_OK(read());
    const auto expect_corrupted = [&](ByteView content) {
      test_support::write_plain_file(file, content);
      const auto result = read();
      ASSERT_TRUE(result.failed_with(ErrorCode::kCorrupted)) << content.size() << " bytes";
      EXPECT_THAT(result.error().message(), HasSubstr(file.string()));
    };
    for (size_t at = 0; at < good.size(); ++at) {
      Bytes damaged = good;
      damaged[at] ^= 0x20;
      expect_corrupted(damaged);
    }
    for (size_t size = 0; size < good.size(); ++size) expect_corrupted(ByteView(good).first(size));
    Bytes extended = good;
    extended.push_back(0);
    expect_corrupted(extended);
  }

  const TemporaryDirectory directory_ = TemporaryDirectory::create().value();
};

LocalManifest example_manifest() {
  LocalManifest local;
  local.head = {.sequence = 3, .checksum = 77};
  local.remote_consistent_lsn = Lsn{900};
  local.remote_state = 88;
  local.remote_objects = {ObjectName::archive(kLog, 2).file_name()};
  local.manifest.id = {kTenant, kTimeline};
  local.manifest.metadata.disk_consistent_lsn = Lsn{1000};
  local.manifest.layers = {{.name = layer_name(1), .size = 10}};
  return local;
}

LocalTenant example_tenant() {
  LocalTenant tenant;
  tenant.head = {.sequence = 3, .checksum = 77};
  tenant.manifest.id = kTenant;
  tenant.manifest.name = "acme";
  tenant.writer = WriterId{{1}};
  tenant.fence = Fence{WriterId{{2}}, {5}};
  return tenant;
}

TEST_F(LocalFiles, S17_TheMetadataFileKeepsWhatIsRemoteOverARestart) {
  const LocalManifest written = example_manifest();
  VARVE_ASSERT_OK(written.write(directory_.path()));
  const LocalManifest read = LocalManifest::read(directory_.path()).value();
  EXPECT_EQ(read.head, written.head);
  EXPECT_EQ(read.remote_consistent_lsn, written.remote_consistent_lsn);
  EXPECT_EQ(read.remote_state, written.remote_state);
  EXPECT_EQ(read.remote_objects, written.remote_objects);
  EXPECT_EQ(read.manifest, written.manifest);
}

TEST_F(LocalFiles, AnyDamageOfTheMetadataFileIsCorruptedAndNamesIt) {
  VARVE_ASSERT_OK(example_manifest().write(directory_.path()));
  expect_every_damage_is_noticed(path(kMetadataFileName), [&]() -> Result<> {
    VARVE_TRY(LocalManifest::read(directory_.path()));
    return {};
  });
}

TEST_F(LocalFiles, AnyDamageOfTheTenantFileIsCorruptedAndNamesIt) {
  VARVE_ASSERT_OK(example_tenant().write(directory_.path()));
  expect_every_damage_is_noticed(path(kTenantFileName), [&]() -> Result<> {
    VARVE_TRY(LocalTenant::read(directory_.path()));
    return {};
  });
}

TEST_F(LocalFiles, AnyDamageOfTheJournalIsCorruptedAndNamesIt) {
  auto journal = NonceJournal::open(path(kNonceJournalFileName)).value();
  VARVE_ASSERT_OK(journal.add(4, Nonce{{1}}));
  expect_every_damage_is_noticed(path(kNonceJournalFileName), [&]() -> Result<> {
    VARVE_TRY(NonceJournal::open(path(kNonceJournalFileName)));
    return {};
  });
}

TEST_F(LocalFiles, AbsentFilesAreNotFoundAndAnAbsentJournalIsEmpty) {
  EXPECT_TRUE(LocalManifest::read(directory_.path()).failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(LocalTenant::read(directory_.path()).failed_with(ErrorCode::kNotFound));
  EXPECT_FALSE(NonceJournal::open(path(kNonceJournalFileName)).value().contains(Nonce{{1}}));
}

TEST_F(LocalFiles, OneFileIsNotReadAsAnother) {
  VARVE_ASSERT_OK(example_manifest().write(directory_.path()));
  std::filesystem::rename(path(kMetadataFileName), path(kTenantFileName));
  EXPECT_TRUE(LocalTenant::read(directory_.path()).failed_with(ErrorCode::kCorrupted));
}

TEST_F(LocalFiles, TheTenantFileIsReadBackAsWritten) {
  const LocalTenant written = example_tenant();
  VARVE_ASSERT_OK(written.write(directory_.path()));
  const LocalTenant read = LocalTenant::read(directory_.path()).value();
  EXPECT_EQ(read.head, written.head);
  EXPECT_EQ(read.manifest, written.manifest);
  EXPECT_EQ(read.writer, written.writer);
  EXPECT_EQ(read.fence, written.fence);
}

TEST_F(LocalFiles, AFencedOrForeignTenantIsNotWrittenToAndSaysTheRemedy) {
  LocalTenant tenant = example_tenant();
  const auto fenced = tenant.check_owned();
  ASSERT_TRUE(fenced.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(fenced.error().message(), HasSubstr(tenant.fence->writer.to_string()));
  EXPECT_THAT(fenced.error().message(), HasSubstr("make changes from there"));

  tenant.fence.reset();
  VARVE_EXPECT_OK(tenant.check_owned());

  tenant.writer = {};
  const auto foreign = tenant.check_owned();
  ASSERT_TRUE(foreign.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(foreign.error().message(), HasSubstr("make changes from there"));
}

TEST_F(LocalFiles, TheJournalKeepsTheAttemptsOnTheNewestHeadAlone) {
  const auto reopen = [&] { return NonceJournal::open(path(kNonceJournalFileName)).value(); };
  auto journal = reopen();
  VARVE_ASSERT_OK(journal.add(4, Nonce{{1}}));
  VARVE_ASSERT_OK(journal.add(4, Nonce{{2}}));
  EXPECT_TRUE(reopen().contains(Nonce{{1}}));
  EXPECT_TRUE(reopen().contains(Nonce{{2}}));
  VARVE_ASSERT_OK(journal.add(5, Nonce{{3}}));
  EXPECT_FALSE(reopen().contains(Nonce{{1}}));
  EXPECT_TRUE(reopen().contains(Nonce{{3}}));
}

TEST_F(LocalFiles, AnAttemptThatCouldNotBeNotedIsNotTakenForNoted) {
  const auto missing = path("missing");
  auto journal = NonceJournal::open(missing / kNonceJournalFileName).value();
  EXPECT_FALSE(journal.add(4, Nonce{{1}}).ok());
  EXPECT_FALSE(journal.contains(Nonce{{1}}));
  std::filesystem::create_directory(missing);
  VARVE_ASSERT_OK(journal.add(4, Nonce{{1}}));
  EXPECT_TRUE(NonceJournal::open(missing / kNonceJournalFileName).value().contains(Nonce{{1}}));
}

TEST_F(LocalFiles, AListOfWarmLayersKeepsItsOrderAndNoticesEveryDamage) {
  const auto file = path(kWarmListFileName);
  EXPECT_TRUE(WarmList::read(file).failed_with(ErrorCode::kNotFound));
  const WarmList written{
      {{.timeline = {kTenant, kTimeline}, .layer = layer_name(2), .used = {200}},
       {.timeline = {kTenant, TimelineId{{9}}}, .layer = layer_name(1), .used = {100}}}};
  VARVE_ASSERT_OK(written.write(file));
  EXPECT_EQ(WarmList::read(file).value(), written);
  expect_every_damage_is_noticed(file, [&]() -> Result<> {
    VARVE_TRY(WarmList::read(file));
    return {};
  });
  VARVE_ASSERT_OK(WarmList().write(file));
  EXPECT_EQ(WarmList::read(file).value(), WarmList());
}

TEST_F(LocalFiles, AStateIsInSyncUntilMetadataOrLayersChange) {
  LocalManifest local = example_manifest();
  EXPECT_FALSE(local.in_sync());
  local.note_commit({4, 1}, local.manifest, {});
  EXPECT_TRUE(local.in_sync());
  LocalManifest changed = local;
  changed.manifest.metadata.disk_consistent_lsn = Lsn{2000};
  EXPECT_FALSE(changed.in_sync());
  changed = local;
  changed.manifest.layers.clear();
  EXPECT_FALSE(changed.in_sync());
  changed = local;
  changed.manifest.layers[0].checksum.bytes[0] ^= 1;
  EXPECT_FALSE(changed.in_sync());
  changed = local;
  changed.manifest.deleted = true;
  EXPECT_FALSE(changed.in_sync());
  changed = local;
  changed.manifest.stamp.sequence += 1;
  EXPECT_TRUE(changed.in_sync());
}

}  // namespace
}  // namespace varve
