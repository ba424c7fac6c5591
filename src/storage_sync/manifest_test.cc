#include "storage_sync/manifest.h"

#include <gtest/gtest.h>

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::key_at;
using test_support::kLog;
using test_support::kTenant;
using test_support::kTimeline;
using test_support::layer_name;

CommitStamp example_stamp() {
  return {.sequence = 7,
          .writer = WriterId{{7, 7}},
          .nonce = Nonce{{8, 8}},
          .predecessor_checksum = 0xABCDEF,
          .created_at = {1'700'000'000'000'000},
          .writer_version = "0.1.0"};
}

LayerEntry example_layer(uint8_t number, std::string object) {
  return {.name = layer_name(number),
          .size = 1000U + number,
          .checksum = checksum128(as_bytes("content")),
          .stored = {.object = std::move(object),
                     .table_offset = 5000,
                     .table_size = 36,
                     .table_checksum = 99}};
}

TimelineManifest timeline_manifest() {
  const std::string archive = ObjectName::archive(kLog, 6).file_name();
  const std::string pack = ObjectName::pack(kLog, Nonce{{5}}, 3).file_name();
  LayerEntry local = example_layer(3, "");
  local.stored = {};
  TimelineManifest manifest{.id = {kTenant, kTimeline},
                            .stamp = example_stamp(),
                            .metadata = {.disk_consistent_lsn = Lsn{1000}, .postgres_version = 15},
                            .layers = {example_layer(1, archive), example_layer(2, pack), local},
                            .retired = {{pack, 4}, {archive, 5}}};
  return manifest;
}

TenantManifest tenant_manifest() {
  return {.id = kTenant,
          .stamp = example_stamp(),
          .name = "acme",
          .created_at = {1},
          .timelines = {{.id = kTimeline, .name = "main", .created_at = {2}},
                        {.id = TimelineId{{9}},
                         .name = "",
                         .ancestor = kTimeline,
                         .ancestor_lsn = Lsn{500},
                         .created_at = {3},
                         .deleted = true}},
          .pins = {{.timeline = kTimeline, .lsn = Lsn{300}, .created_at = {4}}}};
}

PackManifest pack_manifest() {
  const ObjectName pack = ObjectName::pack(kLog, Nonce{{5}}, 3);
  return {.id = {kTenant, kTimeline},
          .nonce = pack.nonce,
          .part = pack.part,
          .created_at = {4},
          .writer_version = "0.1.0",
          .members = {example_layer(1, pack.file_name())}};
}

template <typename Manifest>
void expect_round_trip(const Manifest& manifest) {
  const auto decoded = Manifest::decode(manifest.encode());
  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(*decoded, manifest);
}

// A manifest has no checksum of its own: what holds it has one. So not every flip shows, but none
// may do more than give another manifest or Corrupted.
template <typename Manifest>
void expect_damage_is_survived(const Manifest& manifest) {
  const Bytes encoded = manifest.encode();
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_TRUE(Manifest::decode(ByteView(encoded).first(size)).failed_with(ErrorCode::kCorrupted))
        << size;
  }
  for (size_t at = 0; at < encoded.size(); ++at) {
    for (const uint8_t mask : {0x01, 0x80, 0xFF}) {
      Bytes damaged = encoded;
      damaged[at] ^= mask;
      const auto decoded = Manifest::decode(damaged);
      if (decoded.ok()) {
        EXPECT_FALSE(*decoded == manifest) << at;
      } else {
        EXPECT_EQ(decoded.code(), ErrorCode::kCorrupted) << at;
      }
    }
  }
  Bytes extended = encoded;
  extended.push_back(0);
  EXPECT_TRUE(Manifest::decode(extended).failed_with(ErrorCode::kCorrupted));
}

TEST(Manifest, AllKindsAreReadBackAsWritten) {
  expect_round_trip(timeline_manifest());
  expect_round_trip(tenant_manifest());
  expect_round_trip(pack_manifest());
  expect_round_trip(TimelineManifest{});
  expect_round_trip(TenantManifest{});
  expect_round_trip(PackManifest{});
  TimelineManifest deleted = timeline_manifest();
  deleted.deleted = true;
  deleted.layers.clear();
  expect_round_trip(deleted);
}

TEST(Manifest, ATenantManifestOfTheSecondVersionPinsNothing) {
  TenantManifest manifest = tenant_manifest();
  manifest.pins.clear();
  Bytes second = manifest.encode();
  // The count of pins is the last field.
  second.resize(second.size() - sizeof(uint32_t));
  second[0] = 2;
  const auto decoded = TenantManifest::decode(second);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(*decoded, manifest);
  second[0] = 3;
  EXPECT_TRUE(TenantManifest::decode(second).failed_with(ErrorCode::kCorrupted));
}

TEST(Manifest, ATenantManifestOfTheFirstVersionIsThatOfATenantThatIsThere) {
  TenantManifest manifest = tenant_manifest();
  manifest.pins.clear();
  Bytes encoded = manifest.encode();
  TenantManifest deleted = manifest;
  deleted.deleted = true;
  expect_round_trip(deleted);
  // The flag is the one byte by which the two differ; the first version has none.
  Bytes other = deleted.encode();
  for (Bytes* each : {&encoded, &other}) each->resize(each->size() - sizeof(uint32_t));
  const auto flag = std::ranges::mismatch(encoded, other).in1;
  ASSERT_NE(flag, encoded.end());
  Bytes first(encoded.begin(), flag);
  first.insert(first.end(), std::next(flag), encoded.end());
  first[0] = 1;
  const auto decoded = TenantManifest::decode(first);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(*decoded, manifest);
  first[0] = 4;
  EXPECT_TRUE(TenantManifest::decode(first).failed_with(ErrorCode::kCorrupted));
  Bytes timeline = timeline_manifest().encode();
  timeline[0] = 2;
  EXPECT_TRUE(TimelineManifest::decode(timeline).failed_with(ErrorCode::kCorrupted));
}

TEST(Manifest, DamageGivesAnotherManifestOrCorruptedNeverMore) {
  expect_damage_is_survived(timeline_manifest());
  expect_damage_is_survived(tenant_manifest());
  expect_damage_is_survived(pack_manifest());
}

TEST(Manifest, OneKindIsNotReadAsAnother) {
  EXPECT_TRUE(
      TenantManifest::decode(timeline_manifest().encode()).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(
      TimelineManifest::decode(pack_manifest().encode()).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(PackManifest::decode(tenant_manifest().encode()).failed_with(ErrorCode::kCorrupted));
}

TEST(Manifest, LayersOutOfOrderOrTwiceAreCorrupted) {
  TimelineManifest manifest = timeline_manifest();
  std::swap(manifest.layers[0], manifest.layers[1]);
  EXPECT_TRUE(TimelineManifest::decode(manifest.encode()).failed_with(ErrorCode::kCorrupted));
  manifest.layers[0] = manifest.layers[1];
  EXPECT_TRUE(TimelineManifest::decode(manifest.encode()).failed_with(ErrorCode::kCorrupted));
}

TEST(Manifest, ALayerThatNoFileCanBeIsCorrupted) {
  for (const LayerName& name :
       {LayerName::image({key_at(5), key_at(5)}, Lsn{1}),            // No keys.
        LayerName::image({key_at(6), key_at(5)}, Lsn{1}),            // Backwards.
        LayerName::image({key_at(5), key_at(6)}, Lsn::max()),        // Its end wraps around.
        LayerName::delta({key_at(5), key_at(6)}, Lsn{9}, Lsn{9}),    // No changes.
        LayerName{{key_at(5), key_at(6)}, Lsn{1}, Lsn{3}, true}}) {  // An image of two LSNs.
    TimelineManifest manifest = timeline_manifest();
    manifest.layers = {example_layer(1, "")};
    manifest.layers[0].name = name;
    EXPECT_TRUE(TimelineManifest::decode(manifest.encode()).failed_with(ErrorCode::kCorrupted));
  }
}

TEST(Manifest, ANameThatIsNoObjectOfTheLogIsCorrupted) {
  for (const std::string object : {"../tenant/0000000000000001.archive", "x", "1.archive"}) {
    TimelineManifest manifest = timeline_manifest();
    manifest.layers[0].stored.object = object;
    EXPECT_TRUE(TimelineManifest::decode(manifest.encode()).failed_with(ErrorCode::kCorrupted));
    manifest = timeline_manifest();
    manifest.retired[0].object = object;
    EXPECT_TRUE(TimelineManifest::decode(manifest.encode()).failed_with(ErrorCode::kCorrupted));
  }
}

TEST(Manifest, RetiredObjectsOutOfOrderOrTwiceAreCorrupted) {
  TimelineManifest manifest = timeline_manifest();
  std::ranges::reverse(manifest.retired);
  EXPECT_TRUE(TimelineManifest::decode(manifest.encode()).failed_with(ErrorCode::kCorrupted));
  manifest = timeline_manifest();
  manifest.retired[1].object = manifest.retired[0].object;
  EXPECT_TRUE(TimelineManifest::decode(manifest.encode()).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
