#include "storage_sync/download.h"

#include <gtest/gtest.h>

#include "storage_sync/partial_layer_file.h"
#include "storage_sync/test_support/framed_layer.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::layer_name;
using test_support::noise;
using test_support::SyncTest;

class Download : public SyncTest {
 protected:
  void SetUp() override {
    for (uint8_t i = 1; i <= 3; ++i) server.add_layer(local_, layer_name(i), noise(1000, i));
    VARVE_ASSERT_OK(server.upload(local_));
    target_ = LocalManifest::from_commit(local_.head, committed(1), {});
  }

  std::filesystem::path file(uint8_t number) { return directory_ / layer_name(number).to_string(); }
  Result<> download() {
    return test_support::download_timeline(server.context(), directory_.path(), target_, {}, {});
  }
  void expect_complete() {
    for (uint8_t i = 1; i <= 3; ++i) EXPECT_EQ(read_file(file(i)).value(), noise(1000, i));
    const auto read = LocalManifest::read(directory_.path());
    VARVE_ASSERT_OK(read);
    EXPECT_TRUE(read->in_sync());
    EXPECT_EQ(read->manifest, target_.manifest);
  }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    const auto entries = list_directory(directory_.path()).value();
    for (const auto& entry : entries) names.push_back(entry.name);
    return names;
  }

  LocalManifest local_ = new_timeline();
  LocalManifest target_;
  const TemporaryDirectory directory_ = TemporaryDirectory::create().value();
};

TEST_F(Download, S18_ATimelineComesWholeWithItsMetadata) {
  VARVE_ASSERT_OK(download());
  expect_complete();
  EXPECT_EQ(files().size(), 4U);
}

TEST_F(Download, S18_AnIntactFileIsKeptAndCostsNoRequest) {
  test_support::write_plain_file(file(2), noise(1000, 2));
  const auto written = std::filesystem::last_write_time(file(2));
  const uint64_t before = requests(Operation::kGet);
  VARVE_ASSERT_OK(download());
  expect_complete();
  EXPECT_EQ(std::filesystem::last_write_time(file(2)), written);
  EXPECT_EQ(requests(Operation::kGet) - before, 2U);  // Small ones come with their frame table.
}

TEST_F(Download, S18_W4_AFileThatFailsItsChecksumIsReplaced) {
  Bytes damaged = noise(1000, 2);
  damaged[500] ^= 1;
  test_support::write_plain_file(file(2), damaged);
  test_support::write_plain_file(file(3), noise(999, 3));
  VARVE_ASSERT_OK(download());
  expect_complete();
}

TEST_F(Download, S18_TheMetadataComesLastAndWhatWasFetchedIsNotFetchedAgain) {
  server.context().options.parallel_layers = 1;
  fail({{.operation = Operation::kGet, .fault = Fault::fail_before(), .skip = 2}});
  EXPECT_TRUE(download().failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(LocalManifest::read(directory_.path()).failed_with(ErrorCode::kNotFound));
  EXPECT_EQ(files().size(), 2U);
  heal();
  const uint64_t before = requests(Operation::kGet);
  VARVE_ASSERT_OK(download());
  EXPECT_EQ(requests(Operation::kGet) - before, 1U);
  expect_complete();
}

TEST_F(Download, S18_AnOlderMetadataFileStaysUntilAllIsThere) {
  LocalManifest older = target_;
  older.manifest.metadata.disk_consistent_lsn = Lsn{1};
  older.manifest.layers.clear();
  VARVE_ASSERT_OK(older.write(directory_.path()));
  fail({{.operation = Operation::kGet, .fault = Fault::fail_before(), .skip = 2}});
  EXPECT_FALSE(download().ok());
  EXPECT_EQ(LocalManifest::read(directory_.path())->manifest.metadata.disk_consistent_lsn, Lsn{1});
  heal();
  VARVE_ASSERT_OK(download());
  expect_complete();
}

TEST_F(Download, S14_WhatACrashLeftHalfWrittenIsNotTakenForWhole) {
  test_support::write_plain_file(file(1).string() + ".tmp", noise(100, 1));
  test_support::write_plain_file(directory_ / "metadata.tmp", noise(100, 1));
  VARVE_ASSERT_OK(download());
  expect_complete();
  EXPECT_EQ(files().size(), 4U);
}

TEST_F(Download, S14_ATornDownloadLeavesNoFile) {
  for (const auto& fault : {Fault::tear_stream(500), Fault::flip_byte(500)}) {
    fail({{.operation = Operation::kGet, .fault = fault, .times = 100}});
    EXPECT_FALSE(download_layer(server.context(), kLog, target_.manifest.layers[0],
                                directory_.path(), Durability::kSynced, {})
                     .ok());
    EXPECT_TRUE(files().empty());
  }
}

TEST_F(Download, AMemberThatIsNotWhatTheManifestSaysIsCorruptedAndLeavesNoFile) {
  LayerEntry other = target_.manifest.layers[0];
  other.checksum = target_.manifest.layers[1].checksum;
  EXPECT_TRUE(
      download_layer(server.context(), kLog, other, directory_.path(), Durability::kSynced, {})
          .failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(files().empty());
}

TEST_F(Download, ProgressCountsWhatWasThereAsWell) {
  test_support::write_plain_file(file(1), noise(1000, 1));
  std::vector<uint64_t> done;
  VARVE_ASSERT_OK(test_support::download_timeline(server.context(), directory_.path(), target_,
                                                  [&](uint64_t bytes, uint64_t total) {
                                                    EXPECT_EQ(total, 3000U);
                                                    done.push_back(bytes);
                                                  },
                                                  {}));
  EXPECT_THAT(done, testing::ElementsAre(1000, 2000, 3000));
}

class LargeDownload : public test_support::FramedLayerTest {
 protected:
  Result<> download() {
    return test_support::download_timeline(server_.context(), directory_.path(), timeline_, {}, {});
  }
  // Until the stream with the frames before the tail breaks off.
  void download_until_broken_off(uint64_t bytes) {
    script({{.operation = Operation::kGet, .fault = Fault::tear_stream(bytes), .skip = 1}});
    EXPECT_TRUE(download().failed_with(ErrorCode::kUnavailable));
    EXPECT_TRUE(LocalManifest::read(directory_.path()).failed_with(ErrorCode::kNotFound));
    script({});
  }
  void expect_complete() {
    EXPECT_EQ(read_file(file_).value(), content_);
    EXPECT_TRUE(LocalManifest::read(directory_.path()).ok());
    EXPECT_EQ(list_directory(directory_.path())->size(), 2U);
  }

  const std::filesystem::path file_ = directory_ / layer_name(1).to_string();
};

TEST_F(LargeDownload, S18_ALayerIsTwoRequests) {
  VARVE_ASSERT_OK(download());
  expect_complete();
  EXPECT_EQ(gets(), 2U);
}

TEST_F(LargeDownload, S18_OfALayerThatWasHalfThereOnlyTheRestIsFetched) {
  download_until_broken_off(4 * kFrameSize + 100);
  const uint64_t before = received();
  VARVE_ASSERT_OK(download());
  expect_complete();
  // Four frames and the tail were there.
  EXPECT_EQ(received() - before, 3 * kFrameSize);
  EXPECT_EQ(gets(), 3U);
}

TEST_F(LargeDownload, S18_W4_AFrameThatWasDamagedMeanwhileIsFetchedAgain) {
  download_until_broken_off(4 * kFrameSize + 100);
  {
    auto partial = File::open(file_.string() + ".partial", O_RDWR).value();
    VARVE_ASSERT_OK(partial.write_at(kFrameSize + 7, as_bytes("damage")));
  }
  const uint64_t before = received();
  VARVE_ASSERT_OK(download());
  expect_complete();
  EXPECT_EQ(received() - before, 4 * kFrameSize);
}

TEST_F(LargeDownload, S18_ALayerThatSomebodyElseFetchesIsAConflict) {
  const auto other = PartialLayerFile::open(layer_, directory_.path()).value();
  EXPECT_TRUE(download().failed_with(ErrorCode::kConflict));
}

TEST_F(LargeDownload, ProgressIsToldFrameByFrame) {
  std::vector<uint64_t> reported;
  VARVE_ASSERT_OK(test_support::download_timeline(server_.context(), directory_.path(), timeline_,
                                                  [&](uint64_t done, uint64_t total) {
                                                    EXPECT_EQ(total, kLayerSize);
                                                    reported.push_back(done);
                                                  },
                                                  {}));
  EXPECT_TRUE(std::ranges::is_sorted(reported));
  EXPECT_EQ(reported.back(), kLayerSize);
}

}  // namespace
}  // namespace varve
