// Every change, interrupted at every request: before it was carried out and after, by an error that
// comes back and by the death of the process. Then the next start must find all or nothing.
#include <gtest/gtest.h>

#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using test_support::ManagerTest;

enum class Interruption {
  kError,           // One request fails.
  kLostAnswer,      // One is carried out, and its answer is lost.
  kDeath,           // The process dies as one is sent, ...
  kDeathAfterwards  // ... or as it was carried out: nothing later reaches the storage or the disk.
};

struct Way {
  Interruption interruption;
  bool packs;  // Data goes through packs: more requests.
};

class Interrupted : public ManagerTest, public testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    if (GetParam().packs) {
      server.context().options = {.inline_limit = 1000, .part_size = 2000, .pack_limit = 4000};
    }
  }

  // Runs `work` over and over from the same state, interrupted at its first request, its second,
  // and so on until it comes through; after each, `check` looks at the work directory that is left.
  void interrupt_everywhere(const std::function<void(TenantManager&)>& prepare,
                            const std::function<Result<>(TenantManager&)>& work,
                            const std::function<void(const std::filesystem::path&)>& check) {
    for (uint64_t at = 0; at < 100; ++at) {
      SCOPED_TRACE(fmt::format("interrupted at request {}", at));
      const TemporaryDirectory work_directory = TemporaryDirectory::create().value();
      const TemporaryDirectory image = TemporaryDirectory::create().value();
      const auto everything = keys();
      ASSERT_TRUE(storage.remove(everything, {}).ok());
      TenantManager manager = open_at(work_directory.path(), &server.context()).value();
      prepare(manager);

      uint64_t requests = 0;
      const bool dies = GetParam().interruption == Interruption::kDeath ||
                        GetParam().interruption == Interruption::kDeathAfterwards;
      storage.set_script([&](const FaultyCall&) -> std::optional<Fault> {
        const uint64_t number = requests++;
        if (number > at && dies) return Fault::fail_before();
        if (number != at) return std::nullopt;
        std::filesystem::copy(work_directory.path(), image.path(),
                              std::filesystem::copy_options::recursive |
                                  std::filesystem::copy_options::overwrite_existing);
        const bool carried_out = GetParam().interruption == Interruption::kLostAnswer ||
                                 GetParam().interruption == Interruption::kDeathAfterwards;
        return carried_out ? Fault::fail_after() : Fault::fail_before();
      });
      const auto result = work(manager);
      heal();
      if (requests <= at) {
        VARVE_EXPECT_OK(result);
        EXPECT_GT(at, 0U);
        return;
      }
      EXPECT_FALSE(verify().damaged());
      check(dies ? image.path() : work_directory.path());
      EXPECT_FALSE(verify().damaged());
      if (HasFailure()) return;
    }
    FAIL() << "it never came through";
  }

  void expect_whole_or_absent(const std::filesystem::path& directory) {
    for (int opened = 0; opened < 2; ++opened) {
      TenantManager manager = open_at(directory, &server.context()).value();
      const auto tenant = manager.tenant("acme");
      VARVE_ASSERT_OK(tenant);
      EXPECT_TRUE(tenant->owned);
      const auto timelines = manager.timelines(tenant->id);
      VARVE_ASSERT_OK(timelines);
      ASSERT_LE(timelines->size(), 1U);
      expect_the_same_elsewhere(timelines->size());
      const auto again = import(manager, tenant->id, "main");
      if (timelines->empty()) {
        VARVE_ASSERT_OK(again);
        expect_readable(manager, again->id);
      } else {
        EXPECT_TRUE(again.failed_with(ErrorCode::kConflict));
        expect_readable(manager, timelines->at(0).id);
      }
      EXPECT_EQ(manager.timelines(tenant->id)->size(), 1U);
    }
    expect_the_same_elsewhere(1);
    // What never finished has left the list.
    const TenantManager manager = open_at(directory, &server.context()).value();
    const LogName log{manager.tenant("acme")->id, {}};
    const auto head = read_tenant_commit(
        storage, ObjectName::archive(log, manager.remote_listing().find(log)->head_sequence()), {});
    VARVE_ASSERT_OK(head);
    EXPECT_EQ(std::ranges::count(head->manifest.timelines, false, &TimelineRegistration::deleted),
              1);
  }

  // The remote storage alone tells of as many timelines, and they are readable.
  void expect_the_same_elsewhere(size_t count) {
    const TemporaryDirectory empty = TemporaryDirectory::create().value();
    TenantManager elsewhere = open_at(empty.path(), &server.context()).value();
    const auto timelines = elsewhere.timelines(elsewhere.tenant("acme")->id);
    VARVE_ASSERT_OK(timelines);
    EXPECT_EQ(timelines->size(), count);
    for (const TimelineInfo& timeline : *timelines) {
      EXPECT_EQ(timeline.name, "main");
      expect_readable(elsewhere, timeline.id);
    }
  }

  static Result<> succeed(const Result<TimelineInfo>& result) {
    if (!result.ok()) return result.error();
    return {};
  }
};

TEST_P(Interrupted, AnImportLeavesTheWholeTimelineOrNoneAndMayBeRepeated) {
  interrupt_everywhere(
      [](TenantManager& manager) { VARVE_ASSERT_OK(manager.create_tenant(std::nullopt, "acme")); },
      [](TenantManager& manager) {
        return succeed(import(manager, manager.tenant("acme")->id, "main"));
      },
      [&](const std::filesystem::path& directory) { expect_whole_or_absent(directory); });
}

// A dead process repeats nothing: here it lives.
class Repeated : public Interrupted {};

TEST_P(Repeated, AnImportMayBeRepeatedByTheSameProcess) {
  interrupt_everywhere(
      [](TenantManager& manager) { VARVE_ASSERT_OK(manager.create_tenant(std::nullopt, "acme")); },
      [](TenantManager& manager) {
        const TenantId tenant = manager.tenant("acme")->id;
        const auto first = import(manager, tenant, "main");
        if (!first.ok()) {
          const auto second = import(manager, tenant, "main");
          VARVE_EXPECT_OK(second);
          EXPECT_EQ(manager.timelines(tenant)->size(), 1U);
        }
        return succeed(first);
      },
      [&](const std::filesystem::path& directory) { expect_whole_or_absent(directory); });
}

TEST_P(Interrupted, ATenantIsThereAndOwnedOrNotThereAndItsNameIsFree) {
  interrupt_everywhere(
      [](TenantManager&) {},
      [](TenantManager& manager) -> Result<> {
        VARVE_TRY(manager.create_tenant(std::nullopt, "acme"));
        return {};
      },
      [&](const std::filesystem::path& directory) {
        TenantManager manager = open_at(directory, &server.context()).value();
        if (manager.tenants().empty()) {
          VARVE_ASSERT_OK(manager.create_tenant(std::nullopt, "acme"));
        } else {
          EXPECT_TRUE(
              manager.create_tenant(std::nullopt, "acme").failed_with(ErrorCode::kConflict));
        }
        expect_whole_or_absent(directory);
      });
}

TEST_P(Interrupted, ABranchIsThereWholeOrNotAtAll) {
  TenantTimelineId parent;
  interrupt_everywhere(
      [&](TenantManager& manager) {
        const TenantId tenant = manager.create_tenant(std::nullopt, "acme").value().id;
        parent = import(manager, tenant, "main").value().id;
      },
      [&](TenantManager& manager) {
        const Lsn lsn = manager.timeline("acme/main")->metadata.disk_consistent_lsn;
        return succeed(manager.branch_timeline(parent, lsn, "copy"));
      },
      [&](const std::filesystem::path& directory) {
        const TemporaryDirectory empty = TemporaryDirectory::create().value();
        const size_t count =
            open_at(directory, &server.context()).value().timelines(parent.tenant)->size();
        for (const auto& place : {directory, empty.path()}) {
          TenantManager manager = open_at(place, &server.context()).value();
          const auto timelines = manager.timelines(parent.tenant);
          VARVE_ASSERT_OK(timelines);
          EXPECT_EQ(timelines->size(), count);
          for (const TimelineInfo& timeline : *timelines) expect_readable(manager, timeline.id);
        }
        TenantManager manager = open_at(directory, &server.context()).value();
        const Lsn lsn = manager.timeline("acme/main")->metadata.disk_consistent_lsn;
        const auto again = manager.branch_timeline(parent, lsn, "copy");
        if (count == 1) {
          VARVE_ASSERT_OK(again);
        } else {
          EXPECT_TRUE(again.failed_with(ErrorCode::kConflict));
        }
        EXPECT_TRUE(manager.delete_timeline(parent).failed_with(ErrorCode::kConflict));
        VARVE_ASSERT_OK(manager.delete_timeline(manager.timeline("acme/copy")->id));
        VARVE_ASSERT_OK(manager.delete_timeline(parent));
      });
}

TEST_P(Interrupted, ADeletionLeavesTheWholeTimelineOrNone) {
  TenantTimelineId id;
  interrupt_everywhere(
      [&](TenantManager& manager) {
        const TenantId tenant = manager.create_tenant(std::nullopt, "acme").value().id;
        id = import(manager, tenant, "main").value().id;
      },
      [&](TenantManager& manager) { return manager.delete_timeline(id); },
      [&](const std::filesystem::path& directory) {
        {
          TenantManager manager = open_at(directory, &server.context()).value();
          const auto timelines = manager.timelines(id.tenant).value();
          expect_the_same_elsewhere(timelines.size());
          if (!timelines.empty()) {
            expect_readable(manager, id);
            VARVE_ASSERT_OK(manager.delete_timeline(id));
          }
          EXPECT_TRUE(manager.timelines(id.tenant)->empty());
          VARVE_ASSERT_OK(import(manager, id.tenant, "main"));
        }
        // Its files are freed.
        expect_whole_or_absent(directory);
        EXPECT_FALSE(std::filesystem::exists(timeline_directory(directory, id)));
      });
}

TEST_P(Repeated, ADeletionMayBeRepeatedByTheSameProcess) {
  TenantTimelineId id;
  interrupt_everywhere(
      [&](TenantManager& manager) {
        const TenantId tenant = manager.create_tenant(std::nullopt, "acme").value().id;
        id = import(manager, tenant, "main").value().id;
      },
      [&](TenantManager& manager) {
        const auto first = manager.delete_timeline(id);
        if (!first.ok()) {
          const auto second = manager.delete_timeline(id);
          EXPECT_TRUE(second.ok() || second.failed_with(ErrorCode::kNotFound))
              << second.error().message();
          EXPECT_TRUE(manager.timelines(id.tenant)->empty());
        }
        return first;
      },
      [&](const std::filesystem::path& directory) {
        TenantManager manager = open_at(directory, &server.context()).value();
        EXPECT_TRUE(manager.timelines(id.tenant)->empty());
      });
}

TEST_P(Interrupted, ATenantIsDeletedOrStillThereAndTheSameCallGoesOn) {
  TenantId tenant;
  interrupt_everywhere(
      [&](TenantManager& manager) {
        tenant = manager.create_tenant(std::nullopt, "acme").value().id;
        const TenantTimelineId main = import(manager, tenant, "main").value().id;
        VARVE_ASSERT_OK(manager.branch_timeline(main, Lsn{100}, "branch"));
      },
      [&](TenantManager& manager) {
        const auto first = manager.delete_tenant(tenant);
        const bool lives = GetParam().interruption == Interruption::kError ||
                           GetParam().interruption == Interruption::kLostAnswer;
        if (!first.ok() && lives) VARVE_EXPECT_OK(manager.delete_tenant(tenant));
        return first;
      },
      [&](const std::filesystem::path& directory) {
        TenantManager manager = open_at(directory, &server.context()).value();
        if (!manager.tenants().empty()) {
          EXPECT_TRUE(manager.tenant("acme")->owned);
          const auto timelines = manager.timelines(tenant);
          VARVE_ASSERT_OK(timelines);
          for (const TimelineInfo& timeline : *timelines) expect_readable(manager, timeline.id);
          VARVE_ASSERT_OK(manager.delete_tenant(tenant));
        }
        const TemporaryDirectory empty = TemporaryDirectory::create().value();
        for (const auto& place : {directory, empty.path()}) {
          TenantManager again = open_at(place, &server.context()).value();
          EXPECT_TRUE(again.tenants().empty());
          EXPECT_TRUE(again.create_tenant(tenant, "x").failed_with(ErrorCode::kConflict));
        }
        const auto files = directory / "tenants" / tenant.to_string();
        EXPECT_TRUE(std::filesystem::exists(files / kTenantFileName));
        EXPECT_FALSE(std::filesystem::exists(files / "timelines"));
        VARVE_EXPECT_OK(manager.create_tenant(std::nullopt, "acme"));
      });
}

TEST_P(Interrupted, ATenantIsDetachedOrStillAttached) {
  TenantTimelineId id;
  interrupt_everywhere(
      [&](TenantManager& manager) {
        const TenantId tenant = manager.create_tenant(std::nullopt, "acme").value().id;
        id = import(manager, tenant, "main").value().id;
      },
      [&](TenantManager& manager) { return manager.detach_tenant(id.tenant); },
      [&](const std::filesystem::path& directory) {
        TenantManager manager = open_at(directory, &server.context()).value();
        expect_readable(manager, id);
        VARVE_ASSERT_OK(manager.detach_tenant(id.tenant));
        VARVE_ASSERT_OK(manager.attach_tenant(id.tenant));
        expect_whole_or_absent(directory);
      });
}

std::string name_of(const testing::TestParamInfo<Way>& way) {
  const std::array<std::string, 4> names{"Error", "LostAnswer", "Death", "DeathAfterwards"};
  return names.at(static_cast<size_t>(way.param.interruption)) + (way.param.packs ? "Packs" : "");
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere, Interrupted,
    testing::Values(Way{Interruption::kError, false}, Way{Interruption::kError, true},
                    Way{Interruption::kLostAnswer, false}, Way{Interruption::kLostAnswer, true},
                    Way{Interruption::kDeath, false}, Way{Interruption::kDeath, true},
                    Way{Interruption::kDeathAfterwards, false},
                    Way{Interruption::kDeathAfterwards, true}),
    name_of);

INSTANTIATE_TEST_SUITE_P(Everywhere, Repeated,
                         testing::Values(Way{Interruption::kError, false},
                                         Way{Interruption::kError, true},
                                         Way{Interruption::kLostAnswer, false},
                                         Way{Interruption::kLostAnswer, true}),
                         name_of);

}  // namespace
}  // namespace varve
