#include "storage_sync/manifest_delta.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::kTenant;
using test_support::kTimeline;
using test_support::layer_name;
using testing::HasSubstr;

std::string archive(uint64_t sequence) {
  return ObjectName::archive(kLog, sequence).file_name();
}

LayerEntry layer(uint8_t number, uint64_t object = 1) {
  return {
      .name = layer_name(number),
      .size = 1000U + number,
      .checksum = checksum128(as_bytes("content")),
      .stored = {
          .object = archive(object), .table_offset = 5000, .table_size = 36, .table_checksum = 99}};
}

const ManifestBase kReference{archive(5), 0xBA5E};

TimelineManifest base_manifest() {
  return {.id = {kTenant, kTimeline},
          .stamp = {.sequence = 5, .writer = WriterId{{7}}, .nonce = Nonce{{5}}},
          .metadata = {.disk_consistent_lsn = Lsn{500}, .postgres_version = 15},
          .layers = {layer(1), layer(2), layer(4), layer(5)},
          .retired = {{archive(2), 3}, {archive(3), 4}}};
}

TimelineManifest next_manifest() {
  TimelineManifest next = base_manifest();
  next.stamp.sequence = 9;
  next.metadata.disk_consistent_lsn = Lsn{900};
  // Two removed, two added, one stored elsewhere.
  next.layers = {layer(1), layer(3, 8), layer(4, 9), layer(6, 9)};
  next.retired = {{archive(3), 4}, {archive(6), 7}, {archive(7), 8}};
  return next;
}

TimelineManifestDelta example_delta() {
  return difference(kReference, base_manifest(), next_manifest());
}

void expect_corrupted(const Result<TimelineManifest>& result, std::string_view named) {
  ASSERT_TRUE(result.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(result.error().message(), HasSubstr(std::string(named)));
}
void expect_undecodable(const TimelineManifestDelta& delta, std::string_view named) {
  const auto decoded = TimelineManifestDelta::decode(delta.encode());
  ASSERT_TRUE(decoded.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(decoded.error().message(), HasSubstr(std::string(named)));
}

TEST(ManifestDelta, HoldsWhatChangedAndNothingElse) {
  const TimelineManifestDelta delta = example_delta();
  EXPECT_EQ(delta.base, kReference);
  EXPECT_THAT(delta.removed_layers, testing::ElementsAre(layer_name(2), layer_name(5)));
  EXPECT_THAT(delta.added_layers, testing::ElementsAre(layer(3, 8), layer(4, 9), layer(6, 9)));
  EXPECT_THAT(delta.removed_retired, testing::ElementsAre(archive(2)));
  EXPECT_EQ(delta.added_retired.size(), 2U);
}

TEST(ManifestDelta, AppliedToItsBaseGivesTheNewerManifest) {
  const auto applied = apply(example_delta(), base_manifest());
  VARVE_ASSERT_OK(applied);
  EXPECT_EQ(*applied, next_manifest());
}

TEST(ManifestDelta, IsReadBackAsWritten) {
  for (const auto& delta :
       {example_delta(), difference(kReference, base_manifest(), base_manifest())}) {
    TimelineManifestDelta later = delta;
    later.stamp.sequence = 9;
    const auto decoded = TimelineManifestDelta::decode(later.encode());
    VARVE_ASSERT_OK(decoded);
    EXPECT_EQ(*decoded, later);
  }
}

TEST(ManifestDelta, AFullManifestIsNotReadAsADeltaNorTheOtherWayRound) {
  EXPECT_TRUE(
      TimelineManifestDelta::decode(base_manifest().encode()).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(
      TimelineManifest::decode(example_delta().encode()).failed_with(ErrorCode::kCorrupted));
}

// As with full manifests: what holds a delta has a checksum. A flip gives another delta, Corrupted,
// or one that does not fit its base.
TEST(ManifestDelta, DamageGivesAnotherDeltaOrCorruptedNeverMore) {
  const TimelineManifestDelta delta = example_delta();
  const Bytes encoded = delta.encode();
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_TRUE(TimelineManifestDelta::decode(ByteView(encoded).first(size))
                    .failed_with(ErrorCode::kCorrupted))
        << size;
  }
  for (size_t at = 0; at < encoded.size(); ++at) {
    for (const uint8_t mask : {0x01, 0x80, 0xFF}) {
      Bytes damaged = encoded;
      damaged[at] ^= mask;
      const auto decoded = TimelineManifestDelta::decode(damaged);
      if (!decoded.ok()) {
        EXPECT_EQ(decoded.code(), ErrorCode::kCorrupted) << at;
        continue;
      }
      EXPECT_FALSE(*decoded == delta) << at;
      const auto applied = apply(*decoded, base_manifest());
      EXPECT_TRUE(applied.ok() || applied.failed_with(ErrorCode::kCorrupted)) << at;
    }
  }
}

TEST(ManifestDelta, AnotherBaseIsRefused) {
  TimelineManifest other = base_manifest();
  other.stamp.sequence = 4;
  expect_corrupted(apply(example_delta(), other), "from number 5");
  other = base_manifest();
  other.id.timeline = TimelineId{{9}};
  expect_corrupted(apply(example_delta(), other), other.id.timeline.to_string());
  other = base_manifest();
  other.deleted = true;
  expect_corrupted(apply(example_delta(), other), "from number 5");
}

TEST(ManifestDelta, WhatItRemovesMustBeInTheBase) {
  TimelineManifest base = base_manifest();
  std::erase_if(base.layers, [](const LayerEntry& entry) { return entry.name == layer_name(2); });
  expect_corrupted(apply(example_delta(), base), layer_name(2).to_string());
  base = base_manifest();
  base.layers.pop_back();
  expect_corrupted(apply(example_delta(), base), layer_name(5).to_string());
  base = base_manifest();
  base.retired.erase(base.retired.begin());
  expect_corrupted(apply(example_delta(), base), archive(2));
}

TEST(ManifestDelta, NoObjectIsRetiredTwice) {
  TimelineManifest base = base_manifest();
  base.retired.push_back({archive(6), 5});
  expect_corrupted(apply(example_delta(), base), archive(6));
}

TEST(ManifestDelta, ListsOutOfOrderAreRefused) {
  TimelineManifestDelta delta = example_delta();
  std::swap(delta.removed_layers[0], delta.removed_layers[1]);
  expect_undecodable(delta, layer_name(2).to_string());
  delta = example_delta();
  std::swap(delta.added_layers[0], delta.added_layers[1]);
  expect_undecodable(delta, layer_name(3).to_string());
  delta = example_delta();
  delta.removed_retired.push_back(delta.removed_retired[0]);
  expect_undecodable(delta, archive(2));
  delta = example_delta();
  std::swap(delta.added_retired[0], delta.added_retired[1]);
  expect_undecodable(delta, "out of order");
}

TEST(ManifestDelta, OnlyAnEarlierCommitOfTheSameLogCanBeTheBase) {
  for (const std::string& object :
       {archive(9), archive(10), std::string("../tenant/0000000000000001.archive"),
        ObjectName::pack(kLog, Nonce{{5}}, 0).file_name()}) {
    TimelineManifestDelta delta = example_delta();
    delta.base.object = object;
    expect_undecodable(delta, "is a delta of");
  }
}

// Any state: layers from a small set of names in a few objects, and a few retired objects.
TimelineManifest random_manifest(uint64_t sequence) {
  TimelineManifest manifest = base_manifest();
  manifest.stamp.sequence = sequence;
  manifest.metadata.disk_consistent_lsn = Lsn{*rc::gen::inRange<uint64_t>(1, 1000)};
  manifest.layers.clear();
  for (uint8_t number = 1; number <= 12; ++number) {
    const auto object = *rc::gen::inRange<uint64_t>(0, 4);
    if (object > 0) manifest.layers.push_back(layer(number, object));
  }
  manifest.retired.clear();
  for (uint64_t object = 10; object < 20; ++object) {
    const auto superseded_by = *rc::gen::inRange<uint64_t>(0, 4);
    if (superseded_by > 0) manifest.retired.push_back({archive(object), superseded_by});
  }
  std::ranges::sort(manifest.retired);
  return manifest;
}

RC_GTEST_PROP(ManifestDeltaProperty, BetweenAnyTwoManifestsGivesTheSecondFromTheFirst, ()) {
  const TimelineManifest base = random_manifest(5);
  const TimelineManifest next = random_manifest(9);
  const TimelineManifestDelta delta = difference(kReference, base, next);
  RC_ASSERT(*apply(delta, base) == next);
  RC_ASSERT(*TimelineManifestDelta::decode(delta.encode()) == delta);
}

}  // namespace
}  // namespace varve
