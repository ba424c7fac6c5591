// Commits of timelines with many layers: what they cost, and that nothing is lost by saying only
// what has changed.
#include <gtest/gtest.h>

#include "storage_sync/delta_base.h"
#include "storage_sync/object_seal.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::layer_name;
using test_support::noise;
using test_support::Server;
using test_support::SyncTest;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class DeltaCommit : public SyncTest {
 protected:
  // A timeline with `count` layers, committed.
  void commit_layers(size_t count) {
    commit_tenant_log();
    for (size_t i = 0; i < count; ++i) add_layer();
    commit();
  }
  // Appended in order, so that a thousand of them need no sorting.
  LayerName add_layer() {
    const uint64_t number = added_++;
    const LayerName name = layer_name(static_cast<uint8_t>(number / 250), Lsn{1000 + number % 250});
    const Bytes content = noise(40, number);
    test_support::write_plain_file(server.layer_path(name), content);
    local.manifest.layers.push_back(
        {.name = name, .size = content.size(), .checksum = checksum128(content), .stored = {}});
    return name;
  }
  void remove_layer(const LayerName& name) {
    std::erase_if(local.manifest.layers, [&](const LayerEntry& l) { return l.name == name; });
  }
  void touch() { ++local.manifest.metadata.disk_consistent_lsn.value; }
  void commit() {
    touch();
    VARVE_ASSERT_OK(server.upload(local));
  }
  uint64_t head() const { return local.head.sequence; }

  static ObjectName archive(uint64_t sequence) { return ObjectName::archive(kLog, sequence); }
  static std::string file(uint64_t sequence) { return archive(sequence).file_name(); }
  ReadTimelineCommit read(uint64_t sequence) {
    return read_timeline_commit(storage, archive(sequence), {}).value();
  }
  // The file name of the base; empty for a full manifest.
  std::string base_of(uint64_t sequence) {
    const auto base = read(sequence).stored.base;
    return base ? base->object : std::string();
  }
  std::vector<std::string> retired(uint64_t sequence) {
    std::vector<std::string> names;
    for (const auto& object : read(sequence).manifest.retired) names.push_back(object.object);
    return names;
  }
  std::vector<std::string> findings() {
    std::vector<std::string> lines;
    const VerifyReport report = verify(VerifyDepth::kReferences);
    for (const Finding& finding : report.findings) {
      lines.push_back(fmt::format("{} {}", name(finding.kind), finding.object));
    }
    return lines;
  }
  // Replaces the object of a commit by one with another manifest of the same number.
  void rewrite(uint64_t sequence, const TimelineManifest& manifest) {
    Bytes body = encode_object_header(ObjectKind::kTimelineArchive);
    const auto seal =
        seal_object(ObjectKind::kTimelineArchive, body.size(), manifest.encode(), 3).value();
    body.insert(body.end(), seal.bytes.begin(), seal.bytes.end());
    overwrite(archive(sequence).key(), body);
  }

  LocalManifest local = new_timeline();

 private:
  uint64_t added_ = 0;
};

TEST_F(DeltaCommit, W3_OneLayerMoreInATimelineOfThousandsSendsLittle) {
  commit_layers(2000);
  const uint64_t full = object(archive(1).key()).size();
  for (uint64_t number = 2; number <= 21; ++number) {
    const uint64_t requests_before = all_requests();
    add_layer();
    commit();
    EXPECT_EQ(all_requests(), requests_before + 1);
    const uint64_t stored = object(archive(number).key()).size();
    // 101 bytes a layer, 28 the name of its object, before compression; the rest does not grow.
    EXPECT_LT(stored, 700 + 130 * (number - 1)) << number;
    EXPECT_LT(stored, full / 20) << number;
    EXPECT_EQ(base_of(number), file(1));
  }
  EXPECT_EQ(committed(21).layers, local.manifest.layers);
  EXPECT_EQ(committed(21).layers.size(), 2020U);
}

TEST_F(DeltaCommit, AReaderNeedsTwoObjectsAtMost) {
  commit_layers(300);
  for (int i = 0; i < 5; ++i) {
    add_layer();
    commit();
    const uint64_t before = all_requests();
    EXPECT_EQ(read(head()).manifest.layers, local.manifest.layers);
    EXPECT_EQ(all_requests(), before + 2);
  }
}

TEST_F(DeltaCommit, ItsBaseIsRenewedWhenItPassesAQuarterOfIt) {
  commit_layers(400);
  const uint64_t base_size = committed(1).encode().size();
  uint64_t renewals = 0;
  std::string base = file(1);
  for (int i = 0; i < 24; ++i) {
    for (int more = 0; more < 10; ++more) add_layer();
    commit();
    EXPECT_EQ(committed(head()).layers, local.manifest.layers);
    const auto stored = read_timeline_archive(storage, archive(head()), {}).value();
    if (stored.delta() == nullptr) {
      ++renewals;
      base = file(head());
    } else {
      EXPECT_EQ(stored.delta()->base.object, base);
      if (renewals == 0) {
        EXPECT_LE(stored.tail.manifest.size(), base_size / kLargestDeltaDivisor);
      }
    }
  }
  // A tenth of the layers fits between two full ones, and more as the timeline grows.
  EXPECT_GE(renewals, 2U);
  EXPECT_LE(renewals, 3U);
}

TEST_F(DeltaCommit, AFewLayersAreAlwaysListedWhole) {
  commit_layers(20);
  add_layer();
  commit();
  EXPECT_EQ(base_of(2), "");
  EXPECT_FALSE(DeltaBase::read(server.directory(), local).has_value());
}

TEST_F(DeltaCommit, W6_ABaseThatIsStoredAnewAsAWholeIsRetired) {
  commit_layers(300);
  commit();
  ASSERT_EQ(base_of(2), file(1));
  for (auto& layer : local.manifest.layers) layer.stored = {};
  commit();
  ASSERT_EQ(base_of(3), "");
  EXPECT_THAT(retired(3), ElementsAre(file(1), file(2)));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(DeltaCommit, W6_ABaseWithoutLiveLayersIsNotRetiredWhileItIsNeeded) {
  commit_layers(300);
  commit();  // A delta of 1 that changes no layer.
  // Full without layers of its own: a new base that holds none.
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  commit();
  ASSERT_EQ(base_of(3), "");
  for (int i = 0; i < 3; ++i) {
    commit();
    EXPECT_EQ(base_of(head()), file(3));
    EXPECT_THAT(retired(head()), Not(Contains(file(3))));
    EXPECT_THAT(local.remote_objects, Contains(file(3)));
  }
  EXPECT_THAT(retired(6), ElementsAre(file(2), file(4), file(5)));
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  commit();
  ASSERT_EQ(base_of(7), "");
  EXPECT_THAT(retired(7), ElementsAre(file(2), file(4), file(5), file(3), file(6)));
}

TEST_F(DeltaCommit, W6_RemovedLayersLeaveIt) {
  commit_layers(300);
  const LayerName old = local.manifest.layers[7].name;
  const LayerName young = add_layer();
  commit();
  remove_layer(old);
  commit();
  remove_layer(young);
  commit();
  EXPECT_EQ(base_of(4), file(1));
  EXPECT_EQ(committed(4).layers, local.manifest.layers);
  EXPECT_EQ(committed(4).layers.size(), 299U);
  EXPECT_THAT(retired(4), ElementsAre(file(2), file(3)));
}

TEST_F(DeltaCommit, TheFirstAndTheLastCommitOfAServerAreFull) {
  commit_layers(300);
  commit();
  EXPECT_EQ(base_of(2), file(1));
  VARVE_ASSERT_OK(server.upload(local, {.take_ownership = true}));
  EXPECT_EQ(base_of(3), "");
  commit();
  EXPECT_EQ(base_of(4), file(3));

  server.writer = server.random().next_id<WriterId>();
  commit();
  EXPECT_EQ(base_of(5), "");

  local.manifest.deleted = true;
  local.manifest.layers.clear();
  commit();
  EXPECT_TRUE(read(6).manifest.deleted);
  EXPECT_EQ(base_of(6), "");
}

TEST_F(DeltaCommit, WithoutItsLocalCopyOfTheBaseTheNextCommitIsFull) {
  commit_layers(300);
  const auto path = server.directory() / kDeltaBaseFileName;
  Bytes damaged = read_file(path).value();
  damaged[damaged.size() / 2] ^= 1;
  test_support::write_plain_file(path, damaged);
  commit();
  EXPECT_EQ(base_of(2), "");
  commit();
  EXPECT_EQ(base_of(3), file(2));
  ASSERT_TRUE(remove_file(path).ok());
  commit();
  EXPECT_EQ(base_of(4), "");
}

TEST_F(DeltaCommit, ACopyOfABaseThatMayHaveBeenCollectedIsNotUsed) {
  commit_layers(300);
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  commit();
  const Bytes second = read_file(server.directory() / kDeltaBaseFileName).value();
  ASSERT_TRUE(remove_file(server.directory() / kDeltaBaseFileName).ok());
  commit();
  ASSERT_THAT(retired(3), Contains(file(2)));
  test_support::write_plain_file(server.directory() / kDeltaBaseFileName, second);
  commit();
  EXPECT_EQ(base_of(4), "");
}

TEST_F(DeltaCommit, ACommitThatLandedUnnoticedIsAdoptedWithItsBase) {
  commit_layers(300);
  add_layer();
  touch();
  fail({{.operation = Operation::kPut, .fault = Fault::fail_after()}});
  EXPECT_FALSE(server.upload(local).ok());
  heal();
  LocalManifest restarted = LocalManifest::read(server.directory()).value();
  restarted.manifest.layers = local.manifest.layers;
  local = restarted;
  touch();
  commit();
  EXPECT_EQ(head(), 3U);
  EXPECT_EQ(base_of(2), file(1));
  EXPECT_EQ(base_of(3), file(1));
  EXPECT_THAT(local.remote_objects, Contains(file(1)));
  EXPECT_EQ(committed(3).layers, local.manifest.layers);
}

TEST_F(DeltaCommit, ALostAcknowledgementOfAFullManifestCostsOneMore) {
  commit_layers(300);
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  touch();
  fail({{.operation = Operation::kPut, .fault = Fault::fail_after()}});
  EXPECT_FALSE(server.upload(local).ok());
  heal();
  commit();
  commit();
  commit();
  EXPECT_EQ(base_of(2), "");
  EXPECT_EQ(base_of(3), "");
  EXPECT_EQ(base_of(4), file(3));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(DeltaCommit, S18_ATimelineIsDownloadedFromADeltaAsItWas) {
  commit_layers(300);
  for (int i = 0; i < 3; ++i) {
    add_layer();
    commit();
  }
  const ReadTimelineCommit commit = read(head());
  const LocalManifest target =
      LocalManifest::from_commit(local.head, commit.manifest, commit.stored);
  EXPECT_TRUE(target.in_sync());
  EXPECT_EQ(target.remote_objects, local.remote_objects);
  const TemporaryDirectory other = TemporaryDirectory::create().value();
  VARVE_ASSERT_OK(test_support::download_timeline(server.context(), other.path(), target, {}, {}));
  EXPECT_EQ(LocalManifest::read(other.path())->manifest, local.manifest);
  for (const LayerEntry& layer : local.manifest.layers) {
    EXPECT_EQ(read_file(other / layer.name.to_string()).value(),
              read_file(server.layer_path(layer.name)).value());
  }
}

TEST_F(DeltaCommit, B3_ACleanLogOfDeltasHasNoFindings) {
  commit_layers(300);
  for (int i = 0; i < 3; ++i) {
    add_layer();
    commit();
  }
  remove_layer(local.manifest.layers[5].name);
  commit();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(DeltaCommit, B3_ABaseThatIsGoneOrDamagedIsNamed) {
  commit_layers(300);
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  commit();
  commit();
  ASSERT_EQ(base_of(3), file(2));
  const Bytes base = object(archive(2).key());

  ASSERT_TRUE(storage.remove({archive(2).key()}, {}).ok());
  EXPECT_THAT(findings(), ElementsAre("missing " + archive(2).key()));
  const auto unreadable = read_timeline_commit(storage, archive(3), {});
  ASSERT_TRUE(unreadable.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(unreadable.error().message(), HasSubstr(archive(2).key()));
  EXPECT_THAT(unreadable.error().message(), HasSubstr(archive(3).key()));

  Bytes damaged = base;
  damaged[damaged.size() - 100] ^= 1;
  overwrite(archive(2).key(), damaged);
  EXPECT_THAT(findings(), ElementsAre("corrupt " + archive(2).key()));
}

TEST_F(DeltaCommit, B3_AnotherCommitInPlaceOfTheBaseIsFound) {
  commit_layers(300);
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  commit();
  commit();
  ASSERT_EQ(base_of(3), file(2));
  TimelineManifest forged = committed(2);
  forged.metadata.gc_cutoff_lsn = Lsn{7};
  rewrite(2, forged);
  // Neither does number 3 follow the new number 2, nor is it a delta of that.
  EXPECT_THAT(findings(),
              ElementsAre("corrupt " + archive(3).key(), "corrupt " + archive(3).key()));
  EXPECT_TRUE(read_timeline_commit(storage, archive(3), {}).failed_with(ErrorCode::kCorrupted));
}

TEST_F(DeltaCommit, B3_AnOldDeltaMayOutliveItsBase) {
  commit_layers(300);
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  commit();     // 2: full, holds no layers.
  add_layer();  // Lives in 3, a delta of 2.
  commit();
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  commit();  // 4: full.
  ASSERT_EQ(base_of(3), file(2));
  ASSERT_THAT(retired(4), ElementsAre(file(2)));
  ASSERT_TRUE(storage.remove({archive(2).key()}, {}).ok());
  EXPECT_THAT(findings(), IsEmpty());
  EXPECT_EQ(read_timeline_archive(storage, archive(3), {})->layers().size(), 1U);
}

TEST_F(DeltaCommit, S6_WhoTookANumberIsToldWithoutTheBase) {
  commit_layers(300);
  std::filesystem::remove(server.directory() / kDeltaBaseFileName);
  commit();
  commit();
  ASSERT_TRUE(storage.remove({archive(2).key()}, {}).ok());
  EXPECT_EQ(read_stamp(storage, archive(3), {})->writer, server.writer);
}

}  // namespace
}  // namespace varve
