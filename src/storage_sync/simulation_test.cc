// One seed is one story. To see one that fails: VARVE_SIMULATION_SEED=N prints it whole;
// VARVE_SIMULATION_SEEDS=N runs so many seeds instead of the usual number.
#include "storage_sync/test_support/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace varve::simulation {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 50;
#else
constexpr uint64_t kSeeds = 300;
#endif

std::optional<uint64_t> number_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

class SimulationTest : public testing::Test {
 protected:
  // What the servers of a simulation log would bury what the test says.
  void SetUp() override {
    if (!alone_) spdlog::set_level(spdlog::level::off);
  }
  void TearDown() override { spdlog::set_level(level_); }

  std::optional<uint64_t> alone() const { return alone_; }

  static std::string told(uint64_t seed, const Story& story) {
    return fmt::format(
        "seed {}: {}\n\nWhat happened last:\n{}\n\nAll of it: VARVE_SIMULATION_SEED={} "
        "storage_sync_test --gtest_filter=SimulationTest.*WhateverHappens\n",
        seed, *story.violation(), fmt::join(story.last(), "\n"), seed);
  }

  Pools pools;

 private:
  const std::optional<uint64_t> alone_ = number_from("VARVE_SIMULATION_SEED");
  const spdlog::level::level_enum level_ = spdlog::get_level();
};

TEST_F(SimulationTest, S6_S7_S14_S15_S17_S18_ThePromisesHoldWhateverHappens) {
  const uint64_t first = alone().value_or(1);
  const uint64_t last = alone() ? *alone() : number_from("VARVE_SIMULATION_SEEDS").value_or(kSeeds);
  std::map<std::string, uint64_t> noted;
  for (uint64_t seed = first; seed <= last; ++seed) {
    Simulation simulation(seed, Mutation::kNone, alone().has_value(), pools);
    const Story& story = simulation.run();
    ASSERT_FALSE(story.violation()) << told(seed, story);
    for (const auto& [what, count] : story.noted()) noted[what] += count;
  }
  if (alone()) return;
  // Otherwise it would prove less than it seems to.
  for (const char* what :
       {"attached", "awaits download", "backup comes back", "breaks off", "crash", "deletion",
        "download", "evicted", "fails after", "fails before", "fenced", "flips a byte", "pack",
        "parted", "number was taken", "own attempt had landed", "stray put stored", "takes long",
        "upload"}) {
    EXPECT_GT(noted[what], last / 10) << what;
  }
}

TEST_F(SimulationTest, TheSameSeedIsTheSameStory) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Simulation once(seed, Mutation::kNone, false, pools);
    Simulation again(seed, Mutation::kNone, false, pools);
    ASSERT_EQ(once.run().digest(), again.run().digest()) << "seed " << seed;
  }
}

// Each check is there for something: it notices what it is to notice, as what it is.
class MutatedSimulation : public SimulationTest,
                          public testing::WithParamInterface<MutationCase> {};

TEST_P(MutatedSimulation, IsNoticed) {
  constexpr uint64_t kEnough = 600;
  std::map<std::string, int> others;
  for (uint64_t seed = 1; seed <= kEnough; ++seed) {
    Simulation simulation(seed, GetParam().mutation, false, pools);
    const Story& story = simulation.run();
    if (!story.violation()) continue;
    if (story.violation()->starts_with(GetParam().broken)) return;
    ++others[story.violation()->substr(0, 60)];
  }
  FAIL() << "not one of " << kEnough << " simulations broke '" << GetParam().broken
         << "', but: " << testing::PrintToString(others);
}

INSTANTIATE_TEST_SUITE_P(
    Mutations, MutatedSimulation,
    testing::Values(
        MutationCase{Mutation::kPutReplaces, "PutReplaces", "log: object"},
        MutationCase{Mutation::kPutIsLost, "PutIsLost", "acknowledged"},
        MutationCase{Mutation::kPutIsDamaged, "PutIsDamaged", "content"},
        MutationCase{Mutation::kObjectVanishes, "ObjectVanishes", "log: "},
        MutationCase{Mutation::kListingIsStale, "ListingIsStale", "restart"},
        MutationCase{Mutation::kJournalIsLost, "JournalIsLost", "fence"},
        MutationCase{Mutation::kLayerIsTruncated, "LayerIsTruncated", "layer files"},
        MutationCase{Mutation::kMetadataIsWrittenFirst, "MetadataIsWrittenFirst", "layer files"},
        MutationCase{Mutation::kTimelineIsLost, "TimelineIsLost", "restart"},
        MutationCase{Mutation::kCheckpointInTwoSteps, "CheckpointInTwoSteps", "local"},
        MutationCase{Mutation::kOldStateIsWritten, "OldStateIsWritten", "local"},
        MutationCase{Mutation::kLsnGoesBack, "LsnGoesBack", "log"},
        MutationCase{Mutation::kDoneBeforeTheCommit, "DoneBeforeTheCommit", "acknowledged"},
        MutationCase{Mutation::kFenceIsIgnored, "FenceIsIgnored", "fence"},
        MutationCase{Mutation::kHeadIsMadeUp, "HeadIsMadeUp", "log"},
        MutationCase{Mutation::kNotRegistered, "NotRegistered", "registration"},
        MutationCase{Mutation::kTaskBesidesTheQueue, "TaskBesidesTheQueue", "overlap"},
        MutationCase{Mutation::kUploadIsNotAskedFor, "UploadIsNotAskedFor", "liveness"},
        MutationCase{Mutation::kLayerIsForgotten, "LayerIsForgotten", "log"},
        MutationCase{Mutation::kMixtureIsCommitted, "MixtureIsCommitted", "mixture"},
        MutationCase{Mutation::kDownloadIsCut, "DownloadIsCut", "layer files"}),
    [](const auto& mutation) { return std::string(mutation.param.name); });

}  // namespace
}  // namespace varve::simulation
