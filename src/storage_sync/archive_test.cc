// Objects as a whole: whatever happens to their bytes is noticed and named.
#include <gtest/gtest.h>

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::kTimeline;
using test_support::layer_name;
using test_support::noise;
using test_support::SyncTest;
using testing::HasSubstr;

class Archive : public SyncTest {
 protected:
  // A clean prefix: the tenant's log, one commit with three layers in it, and where `pack_data`
  // one pack with those layers besides.
  void commit_layers(bool pack_data) {
    commit_tenant_log();
    if (pack_data) server.context().options.inline_limit = 64;
    local_ = new_timeline();
    server.add_layer(local_, layer_name(1), noise(300, 1));
    server.add_layer(local_, layer_name(2), Bytes(5000));
    server.add_layer(local_, layer_name(3), noise(100, 3));
    VARVE_ASSERT_OK(server.upload(local_));
    ASSERT_TRUE(verify().findings.empty());
  }

  // Where the member's frames and frame table lie in the object.
  std::pair<uint64_t, uint64_t> extent_of(const LayerEntry& layer) {
    const FrameTable table = read_frame_table(storage, kLog, layer, {}).value();
    return {table.front().offset, layer.stored.table_offset + layer.stored.table_size};
  }

  Result<> read_member_of(const LayerEntry& layer) {
    const ByteSink ignore = [](ByteView) -> Result<> { return {}; };
    return read_member(server.context(), kLog, layer, ignore, {});
  }

  Result<> read_tail_of(const ObjectName& object) {
    if (object.kind == ObjectKind::kPack) {
      VARVE_TRY(read_pack(storage, object, {}));
    } else {
      VARVE_TRY(read_timeline_commit(storage, object, {}));
    }
    return {};
  }

  // Flips every byte of the object, one at a time.
  void expect_every_flip_is_noticed(const ObjectName& object) {
    const Bytes good = this->object(object.key());
    struct Extent {
      std::string member;
      uint64_t start;
      uint64_t end;
      LayerEntry layer;
    };
    std::vector<Extent> members;
    for (const LayerEntry& layer : local_.manifest.layers) {
      if (layer.stored.object != object.file_name()) continue;
      const auto [start, end] = extent_of(layer);
      members.push_back({layer.name.to_string(), start, end, layer});
    }

    for (size_t at = 0; at < good.size(); ++at) {
      SCOPED_TRACE(fmt::format("byte {} of {}", at, object.key()));
      Bytes damaged = good;
      damaged[at] ^= static_cast<uint8_t>(1U << (at % 8));
      overwrite(object.key(), damaged);

      const auto member = std::ranges::find_if(
          members, [&](const Extent& extent) { return extent.start <= at && at < extent.end; });
      const VerifyReport report = verify();
      EXPECT_TRUE(report.damaged());
      ASSERT_FALSE(report.findings.empty());
      const Finding& finding = report.findings.front();
      EXPECT_EQ(finding.kind, FindingKind::kCorrupt);
      EXPECT_EQ(finding.object, object.key());
      if (member != members.end()) {
        EXPECT_EQ(report.findings.size(), 1U);
        EXPECT_EQ(finding.member, member->member);
        const auto read = read_member_of(member->layer);
        ASSERT_TRUE(read.failed_with(ErrorCode::kCorrupted));
        EXPECT_THAT(read.error().message(), HasSubstr(object.key()));
        EXPECT_THAT(read.error().message(), HasSubstr(member->member));
      } else if (at >= kObjectHeaderSize) {
        const auto read = read_tail_of(object);
        ASSERT_TRUE(read.failed_with(ErrorCode::kCorrupted));
        EXPECT_THAT(read.error().message(), HasSubstr(object.key()));
      }
    }
    overwrite(object.key(), good);
    EXPECT_TRUE(verify().findings.empty());
  }

  ObjectName pack_name() {
    return ObjectName::parse(kLog.prefix() + local_.manifest.layers.front().stored.object).value();
  }

  LocalManifest local_;
};

TEST_F(Archive, B3_EveryFlippedByteOfAnArchiveIsFoundAndNamed) {
  commit_layers(false);
  expect_every_flip_is_noticed(ObjectName::archive(kLog, 1));
}

TEST_F(Archive, B3_EveryFlippedByteOfAPackIsFoundAndNamed) {
  commit_layers(true);
  expect_every_flip_is_noticed(pack_name());
}

TEST_F(Archive, B3_EveryFlippedByteOfATenantArchiveIsFoundAndNamed) {
  commit_layers(false);
  const ObjectName object = ObjectName::archive(test_support::kTenantLog, 1);
  const Bytes good = this->object(object.key());
  for (size_t at = 0; at < good.size(); ++at) {
    Bytes damaged = good;
    damaged[at] ^= 0x40;
    overwrite(object.key(), damaged);
    const VerifyReport report = verify(VerifyDepth::kReferences);
    ASSERT_EQ(report.findings.size(), 1U) << at;
    EXPECT_EQ(report.findings[0].kind, FindingKind::kCorrupt);
    EXPECT_EQ(report.findings[0].object, object.key());
  }
}

TEST_F(Archive, B3_AnObjectCutOffAnywhereIsFoundAndReadingItIsCorrupted) {
  for (const bool pack_data : {false, true}) {
    if (pack_data) {
      for (const auto& key : keys()) ASSERT_TRUE(storage.remove({key}, {}).ok());
    }
    commit_layers(pack_data);
    const ObjectName object = pack_data ? pack_name() : ObjectName::archive(kLog, 1);
    const Bytes good = this->object(object.key());
    for (size_t size = 0; size < good.size(); ++size) {
      SCOPED_TRACE(fmt::format("{} cut to {}", object.key(), size));
      overwrite(object.key(), ByteView(good).first(size));
      const VerifyReport report = verify();
      ASSERT_FALSE(report.findings.empty());
      EXPECT_EQ(report.findings[0].kind, FindingKind::kCorrupt);
      EXPECT_EQ(report.findings[0].object, object.key());
      EXPECT_TRUE(read_tail_of(object).failed_with(ErrorCode::kCorrupted));
      for (const LayerEntry& layer : local_.manifest.layers) {
        const auto read = read_member_of(layer);
        if (!read.ok()) {
          EXPECT_EQ(read.code(), ErrorCode::kCorrupted) << read.error().message();
        }
        if (layer.stored.object == object.file_name() &&
            layer.stored.table_offset + layer.stored.table_size > size) {
          EXPECT_FALSE(read.ok());
        }
      }
    }
  }
}

TEST_F(Archive, B3_AMissingObjectIsFoundAndReadingItIsNotFound) {
  commit_layers(true);
  ASSERT_TRUE(storage.remove({pack_name().key()}, {}).ok());
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 3U);
  for (size_t i = 0; i < report.findings.size(); ++i) {
    EXPECT_EQ(report.findings[i].kind, FindingKind::kMissing);
    EXPECT_EQ(report.findings[i].object, pack_name().key());
    EXPECT_EQ(report.findings[i].member, local_.manifest.layers[i].name.to_string());
  }
  const auto read = read_member_of(local_.manifest.layers[0]);
  ASSERT_TRUE(read.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(read.error().message(), HasSubstr(pack_name().key()));
}

TEST_F(Archive, B3_AValidObjectUnderAnothersNameIsCorrupted) {
  commit_layers(false);
  local_.manifest.metadata.disk_consistent_lsn = Lsn{200};
  server.add_layer(local_, layer_name(4), noise(50, 4));
  VARVE_ASSERT_OK(server.upload(local_));
  const ObjectName first = ObjectName::archive(kLog, 1);
  const ObjectName second = ObjectName::archive(kLog, 2);
  const Bytes one = object(first.key());
  const Bytes two = object(second.key());
  overwrite(first.key(), two);
  overwrite(second.key(), one);
  for (const ObjectName& object : {first, second}) {
    const auto read = read_tail_of(object);
    ASSERT_TRUE(read.failed_with(ErrorCode::kCorrupted));
    EXPECT_THAT(read.error().message(), HasSubstr(object.key()));
  }
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 2U);
  // The newest first: it is the one that is needed.
  EXPECT_EQ(report.findings[0].object, second.key());
  EXPECT_EQ(report.findings[1].object, first.key());

  // One of another kind, and one of another timeline.
  overwrite(first.key(), object(ObjectName::archive(test_support::kTenantLog, 1).key()));
  EXPECT_TRUE(read_tail_of(first).failed_with(ErrorCode::kCorrupted));
  const ObjectName elsewhere = ObjectName::archive({kLog.tenant, TimelineId{{9}}}, 1);
  overwrite(elsewhere.key(), one);
  EXPECT_TRUE(read_tail_of(elsewhere).failed_with(ErrorCode::kCorrupted));
}

TEST_F(Archive, B3_APackUnderAnothersNameIsCorrupted) {
  commit_layers(true);
  const ObjectName pack = pack_name();
  const ObjectName other = ObjectName::pack(kLog, pack.nonce, pack.part + 1);
  overwrite(other.key(), object(pack.key()));
  const auto read = read_tail_of(other);
  ASSERT_TRUE(read.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(read.error().message(), HasSubstr(other.key()));
}

TEST_F(Archive, AManifestThatDoesNotFitTheTailReadIsReadWithOneMoreRequest) {
  LocalManifest local = new_timeline();
  for (int i = 0; i < 3000; ++i) {
    Key start = test_support::key_at(1);
    store_big(start.bytes.data() + 14, static_cast<uint32_t>(i));
    // Checksums that do not compress make the manifest long.
    LayerEntry layer{.name = LayerName::image({start, start.next()}, Lsn{1}), .size = 1};
    layer.checksum = checksum128(as_bytes(std::to_string(i)));
    layer.stored = {.object = ObjectName::archive(kLog, 1).file_name(),
                    .table_offset = server.random().next(),
                    .table_size = 36,
                    .table_checksum = server.random().next()};
    local.manifest.layers.push_back(layer);
  }
  VARVE_ASSERT_OK(server.upload(local));
  ASSERT_GT(object(ObjectName::archive(kLog, 1).key()).size(), 64U << 10);
  const uint64_t before = requests(Operation::kGet);
  EXPECT_EQ(committed(1).layers.size(), 3000U);
  EXPECT_EQ(requests(Operation::kGet) - before, 2U);
}

TEST_F(Archive, ACommitIsReadWithOneRequest) {
  commit_layers(false);
  const uint64_t before = requests(Operation::kGet);
  EXPECT_EQ(committed(1).layers.size(), 3U);
  EXPECT_EQ(requests(Operation::kGet) - before, 1U);
}

TEST_F(Archive, AMemberComesBackAsItWasWhateverItsSize) {
  LocalManifest local = new_timeline();
  std::map<LayerName, Bytes> contents;
  uint8_t number = 1;
  for (const size_t size :
       {size_t{1}, kFrameSize - 1, kFrameSize, kFrameSize + 1, 3 * kFrameSize + 17}) {
    Bytes content = noise(size, number);
    // Half of the frames compress.
    for (size_t at = 0; at < size; at += 2 * kFrameSize) {
      std::fill_n(content.begin() + static_cast<ptrdiff_t>(at), std::min(kFrameSize, size - at),
                  uint8_t{7});
    }
    contents[layer_name(number)] = content;
    server.add_layer(local, layer_name(number++), content);
  }
  VARVE_ASSERT_OK(server.upload(local));
  const TemporaryDirectory target = TemporaryDirectory::create().value();
  for (const LayerEntry& layer : local.manifest.layers) {
    VARVE_ASSERT_OK(
        download_layer(server.context(), kLog, layer, target.path(), Durability::kSynced, {}));
    EXPECT_EQ(read_file(target / layer.name.to_string()).value(), contents[layer.name]);
  }
}

}  // namespace
}  // namespace varve
