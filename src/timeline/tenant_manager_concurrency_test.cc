// Several threads with one tenant manager: who waits for whom, and what comes of it.
#include <gtest/gtest.h>

#include <future>
#include <set>
#include <thread>

#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using test_support::ManagerTest;
using test_support::Server;
using testing::HasSubstr;

// Requests can be held up on their way to the storage.
class Beside : public ManagerTest {
 protected:
  void SetUp() override {
    acme_ = manager_.create_tenant(std::nullopt, "acme").value().id;
    main_ = import(manager_, acme_, "main").value().id;
    lsn_ = manager_.timeline("acme/main")->metadata.disk_consistent_lsn;
  }

  // Runs `work` in another thread, up to the first such request.
  template <typename Work>
  auto hold_up(Operation operation, const std::string& key, Work work) {
    gated_.set_script(fault_rules(
        {{.operation = operation, .fault = Fault::delay_by(kHold), .times = 1, .key = key}}));
    auto result = std::async(std::launch::async, work);
    gate_.wait_for_sleeper(gate_.boot_time() + kHold);
    gated_.set_script(nullptr);
    return result;
  }
  void let_go() { gate_.advance(kHold); }
  // What must not wait for the request that is held up.
  void meanwhile(const std::function<void()>& work) {
    auto done = std::async(std::launch::async, work);
    if (done.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
      ADD_FAILURE() << "it waits for a request of somebody else";
      let_go();
    }
    done.get();
  }

  std::string log_of(const TenantId& tenant) const { return LogName{tenant, {}}.prefix(); }
  std::string log_of(const TenantTimelineId& id) const {
    return LogName{id.tenant, id.timeline}.prefix();
  }
  // Whoever has to wait for something gives up soon.
  static CallOptions impatient() {
    return {.deadline = Deadline::after(std::chrono::milliseconds(20))};
  }
  Result<TimelineInfo> branch(const std::string& name, const CallOptions& call = {}) {
    return manager_.branch_timeline(main_, lsn_, name, call);
  }
  TenantManager reopened() { return open_at(busy_.directory(), &busy_.context()).value(); }

  static constexpr Duration kHold = std::chrono::hours(1);
  ManualClock gate_{{}, ManualClock::Sleep::kWaits};
  Faulty gated_{std::make_unique<MemoryStorage>(clock), nullptr, gate_};
  Server busy_{gated_, clock, 7};
  TenantManager manager_ = open_at(busy_.directory(), &busy_.context()).value();
  TenantId acme_;
  TenantTimelineId main_;
  Lsn lsn_;
};

TEST_F(Beside, AChangeKeepsNeitherReadersNorOtherTenantsWaiting) {
  const TenantId other = manager_.create_tenant(std::nullopt, "other").value().id;
  auto copy = hold_up(Operation::kPut, log_of(acme_), [&] { return branch("copy"); });
  meanwhile([&] {
    EXPECT_EQ(manager_.tenants().size(), 2U);
    EXPECT_EQ(manager_.tenant("acme")->timeline_count, 1U);
    EXPECT_EQ(manager_.timelines(acme_)->size(), 1U);
    EXPECT_EQ(manager_.local_timelines().size(), 1U);
    EXPECT_TRUE(manager_.timeline("acme/main").ok());
    VARVE_EXPECT_OK(manager_.pending_task(main_));
    expect_readable(manager_, main_);
    VARVE_EXPECT_OK(manager_.create_tenant(std::nullopt, "third"));
    const auto imported = import(manager_, other, "main");
    VARVE_EXPECT_OK(imported);
    VARVE_EXPECT_OK(manager_.delete_timeline(imported->id));
    EXPECT_EQ(copy.wait_for(Duration::zero()), std::future_status::timeout);
  });
  let_go();
  VARVE_EXPECT_OK(copy.get());
}

TEST_F(Beside, AnImportThatIsUploadedKeepsNobodyWaitingAndStaysOnTheList) {
  auto big =
      hold_up(Operation::kPut, "/timelines/", [&] { return import(manager_, acme_, "big", 2); });
  meanwhile([&] {
    EXPECT_TRUE(manager_.timeline("acme/big").failed_with(ErrorCode::kNotFound));
    EXPECT_EQ(manager_.timelines(acme_)->size(), 1U);
    EXPECT_TRUE(import(manager_, acme_, "big").failed_with(ErrorCode::kConflict));
    EXPECT_TRUE(branch("big").failed_with(ErrorCode::kConflict));
    // Each of these tidies the list of what never finished.
    VARVE_EXPECT_OK(import(manager_, acme_, "small"));
    const auto copy = branch("copy");
    VARVE_EXPECT_OK(copy);
    VARVE_EXPECT_OK(manager_.delete_timeline(copy->id));
  });
  let_go();
  const auto imported = big.get();
  VARVE_ASSERT_OK(imported);
  EXPECT_EQ(manager_.timelines(acme_)->size(), 3U);
  TenantManager again = reopened();
  EXPECT_EQ(again.timelines(acme_)->size(), 3U);
  ASSERT_TRUE(again.timeline("acme/big").ok());
  expect_readable(again, imported->id, 2);
}

TEST_F(Beside, TheNameOfATenantInTheMakingIsTaken) {
  auto made = hold_up(Operation::kPut, "/tenant/",
                      [&] { return manager_.create_tenant(std::nullopt, "new"); });
  meanwhile([&] {
    EXPECT_TRUE(manager_.create_tenant(std::nullopt, "new").failed_with(ErrorCode::kConflict));
    EXPECT_TRUE(manager_.tenant("new").failed_with(ErrorCode::kNotFound));
    EXPECT_EQ(manager_.tenants().size(), 1U);
  });
  let_go();
  VARVE_EXPECT_OK(made.get());
  EXPECT_TRUE(manager_.tenant("new").ok());
}

TEST_F(Beside, ATimelineOnWhichABranchIsBegunIsNotDeleted) {
  auto copy = hold_up(Operation::kPut, log_of(acme_), [&] { return branch("copy"); });
  meanwhile([&] {
    EXPECT_TRUE(manager_.delete_timeline(main_, impatient()).failed_with(ErrorCode::kCancelled));
  });
  let_go();
  VARVE_EXPECT_OK(copy.get());
  EXPECT_TRUE(manager_.delete_timeline(main_).failed_with(ErrorCode::kConflict));
  expect_readable(manager_, manager_.timeline("acme/copy")->id);
}

TEST_F(Beside, ABranchWhoseLogIsBegunKeepsItsParent) {
  auto copy = hold_up(Operation::kPut, "/timelines/", [&] { return branch("copy"); });
  meanwhile([&] {
    const auto refused = manager_.delete_timeline(main_, impatient());
    EXPECT_TRUE(refused.failed_with(ErrorCode::kConflict));
    EXPECT_THAT(refused.error().message(), HasSubstr("copy"));
  });
  let_go();
  VARVE_EXPECT_OK(copy.get());
}

TEST_F(Beside, NoBranchBeginsOnATimelineThatIsBeingDeleted) {
  auto deleted =
      hold_up(Operation::kPut, log_of(main_), [&] { return manager_.delete_timeline(main_); });
  meanwhile([&] { EXPECT_TRUE(branch("copy", impatient()).failed_with(ErrorCode::kCancelled)); });
  let_go();
  VARVE_EXPECT_OK(deleted.get());
  EXPECT_TRUE(branch("copy").failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(reopened().timelines(acme_)->empty());
}

TEST_F(Beside, ADownloadKeepsItsFilesUntilItIsDone) {
  EXPECT_LT(0U, manager_.drop_local_layers(main_)->layers);
  auto fetched = hold_up(Operation::kGet, log_of(main_),
                         [&] { return manager_.prefetch_timeline(main_, {}); });
  meanwhile([&] {
    for (const auto& waiting : std::vector<std::function<Result<>()>>{
             [&] { return manager_.delete_timeline(main_, impatient()); },
             [&]() -> Result<> {
               VARVE_TRY(manager_.drop_local_layers(main_, impatient()));
               return {};
             },
             [&]() -> Result<> {
               VARVE_TRY(manager_.collect_garbage(main_, impatient()));
               return {};
             },
             [&] { return manager_.prefetch_timeline(main_, {}, impatient()); }}) {
      EXPECT_TRUE(waiting().failed_with(ErrorCode::kCancelled));
    }
    // Other changes of the tenant go on.
    VARVE_EXPECT_OK(import(manager_, acme_, "second"));
  });
  let_go();
  VARVE_EXPECT_OK(fetched.get());
  VARVE_EXPECT_OK(manager_.delete_timeline(main_));
  EXPECT_TRUE(manager_.prefetch_timeline(main_, {}).failed_with(ErrorCode::kNotFound));
  EXPECT_FALSE(std::filesystem::exists(timeline_directory(busy_.directory(), main_)));
}

TEST_F(Beside, WhileATimelineIsMadeItsTenantIsNeitherTakenOverNorGivenUp) {
  auto big =
      hold_up(Operation::kPut, "/timelines/", [&] { return import(manager_, acme_, "big"); });
  meanwhile([&] {
    // Nor is the tenant given up under its hands.
    EXPECT_TRUE(manager_.detach_tenant(acme_).failed_with(ErrorCode::kConflict));
    EXPECT_TRUE(manager_.delete_tenant(acme_).failed_with(ErrorCode::kConflict));
    EXPECT_TRUE(manager_.timeline("acme/main").ok());
    // It is ours already.
    VARVE_EXPECT_OK(manager_.attach_tenant(acme_));
    VARVE_EXPECT_OK(manager_.store().tenant(acme_)->change([](LocalTenant& tenant) -> Result<> {
      tenant.fence = Fence{WriterId{{9}}, {1}};
      return {};
    }));
    EXPECT_TRUE(manager_.attach_tenant(acme_).failed_with(ErrorCode::kConflict));
  });
  let_go();
  std::ignore = big.get();
  VARVE_EXPECT_OK(manager_.attach_tenant(acme_));
  EXPECT_TRUE(manager_.tenant("acme")->owned);
}

TEST_F(Beside, ACallIsEndedByItsOwnStopAndTheNameIsFree) {
  std::stop_source stop;
  auto draft = manager_.start_timeline(acme_, Lsn{100}).value();
  VARVE_ASSERT_OK(draft.put_image(key_of(1), as_bytes("x")));
  VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = Lsn{100}, .gc_cutoff_lsn = Lsn{100}}));
  auto stopped = hold_up(Operation::kPut, "/timelines/", [&] {
    return manager_.commit_timeline(std::move(draft), "big", {}, {.stop = stop.get_token()});
  });
  stop.request_stop();
  meanwhile([&] { EXPECT_TRUE(stopped.get().failed_with(ErrorCode::kCancelled)); });
  VARVE_EXPECT_OK(import(manager_, acme_, "big"));
}

TEST_F(Beside, ACallIsEndedByTheStopOfEverything) {
  std::stop_source everything;
  TenantManager manager = TenantManager::open({.work_directory = busy_.directory(),
                                               .remote = &busy_.context(),
                                               .call = {.stop = everything.get_token()}})
                              .value();
  std::stop_source own;
  auto stopped = hold_up(Operation::kPut, log_of(main_),
                         [&] { return manager.delete_timeline(main_, {.stop = own.get_token()}); });
  everything.request_stop();
  meanwhile([&] { EXPECT_TRUE(stopped.get().failed_with(ErrorCode::kCancelled)); });
}

// What several threads do at random, and what has to come of it.
class Crowd : public ManagerTest {
 protected:
  static constexpr int kTenants = 3;
  static constexpr int kThreads = 4;
  static constexpr int kRounds = 60;

  void SetUp() override {
    for (int i = 0; i < kTenants; ++i) {
      tenants_.push_back(manager_.create_tenant(std::nullopt, fmt::format("tenant-{}", i))->id);
    }
  }

  // Somebody else may have been first.
  static void expect_ok_or_beaten(const Result<>& result, const std::string& what) {
    EXPECT_TRUE(result.ok() || result.failed_with(ErrorCode::kConflict) ||
                result.failed_with(ErrorCode::kNotFound))
        << what << ": " << result.error().message();
  }
  template <typename Value>
  static Result<> outcome(const Result<Value>& result) {
    if (!result.ok()) return result.error();
    return {};
  }
  void note_made(const Result<TimelineInfo>& made, const std::string& what) {
    expect_ok_or_beaten(outcome(made), what);
    if (!made.ok()) return;
    const std::lock_guard lock(mutex_);
    there_.insert(made->id);
  }

  Result<> read(const TenantTimelineId& id) {
    VARVE_ASSIGN(const auto reader, manager_.open_reader(id, server.directory()));
    int keys = 0;
    VARVE_TRY(reader->scan(KeyRange::all(), reader->metadata().disk_consistent_lsn,
                           [&](const Key&, ByteView image) {
                             EXPECT_EQ(as_text(image), as_text(value_of(keys++, 1)));
                             return Result<>();
                           }));
    EXPECT_EQ(keys, kKeys);
    return {};
  }

  void step(SeededRandom& random, const TenantId& tenant) {
    const std::string name = fmt::format("name-{}", random.next() % 4);
    const auto listed = manager_.timelines(tenant);
    expect_ok_or_beaten(outcome(listed), "list");
    const uint64_t choice = random.next() % 10;
    if (choice == 0) return note_made(import(manager_, tenant, name), "import");
    if (choice == 1) {
      // Of these names one is ever made.
      expect_ok_or_beaten(
          outcome(manager_.create_tenant(std::nullopt, fmt::format("more-{}", random.next() % 3))),
          "create");
      return;
    }
    if (!listed.ok() || listed->empty()) return note_made(import(manager_, tenant, ""), "import");
    const TimelineInfo& some = listed->at(random.next() % listed->size());
    if (choice < 4) {
      return note_made(manager_.branch_timeline(some.id, some.metadata.disk_consistent_lsn, name),
                       "branch");
    }
    if (choice == 4) {
      const auto deleted = manager_.delete_timeline(some.id);
      expect_ok_or_beaten(deleted, "delete");
      if (!deleted.ok()) return;
      const std::lock_guard lock(mutex_);
      gone_.insert(some.id);
    } else if (choice == 5) {
      expect_ok_or_beaten(manager_.prefetch_timeline(some.id, {}), "prefetch");
    } else if (choice == 6) {
      expect_ok_or_beaten(outcome(manager_.drop_local_layers(some.id)), "drop-local");
    } else if (choice == 7) {
      expect_ok_or_beaten(outcome(manager_.collect_garbage(some.id)), "gc");
    } else {
      expect_ok_or_beaten(read(some.id), "read");
    }
  }

  std::set<TenantTimelineId> listed_by(const TenantManager& manager) {
    std::set<TenantTimelineId> ids;
    for (const TenantInfo& tenant : manager.tenants()) {
      const auto timelines = manager.timelines(tenant.id);
      EXPECT_TRUE(timelines.ok()) << timelines.error().message();
      for (const TimelineInfo& timeline : *timelines) ids.insert(timeline.id);
    }
    return ids;
  }

  TenantManager manager_ = open(server).value();
  std::vector<TenantId> tenants_;
  std::mutex mutex_;
  std::set<TenantTimelineId> there_;
  std::set<TenantTimelineId> gone_;
};

TEST_F(Crowd, WhatWasMadeAndNotDeletedIsThereAndReadableAndNothingElse) {
  {
    std::vector<std::jthread> threads;
    for (int number = 0; number < kThreads; ++number) {
      threads.emplace_back([this, number] {
        SeededRandom random(static_cast<uint64_t>(number) + 1);
        for (int round = 0; round < kRounds; ++round) {
          step(random, tenants_[random.next() % kTenants]);
        }
      });
    }
  }
  for (const TenantTimelineId& id : gone_) EXPECT_EQ(there_.erase(id), 1U);
  EXPECT_EQ(listed_by(manager_), there_);
  std::set<std::string> names;
  for (const TenantInfo& tenant : manager_.tenants()) {
    EXPECT_TRUE(names.insert(tenant.name).second) << tenant.name;
    std::set<std::string> timelines;
    const auto listed = manager_.timelines(tenant.id).value();
    for (const TimelineInfo& timeline : listed) {
      if (timeline.name.empty()) continue;
      EXPECT_TRUE(timelines.insert(timeline.name).second) << timeline.name;
    }
  }
  EXPECT_FALSE(verify().damaged());
  const TemporaryDirectory elsewhere = TemporaryDirectory::create().value();
  for (const auto& directory : {server.directory(), elsewhere.path()}) {
    TenantManager again = open_at(directory, &server.context()).value();
    EXPECT_EQ(listed_by(again), there_);
    for (const TenantTimelineId& id : there_) expect_readable(again, id);
  }
}

}  // namespace
}  // namespace varve
