// Tenant managers over work directories that share a storage.
#pragma once

#include "storage_sync/test_support/sync_fixture.h"
#include "timeline/tenant_manager.h"

namespace varve::test_support {

class ManagerTest : public SyncTest {
 protected:
  using SyncTest::SyncTest;
  static constexpr int kKeys = 20;

  Result<TenantManager> open(const Server& where, bool with_remote = true) {
    return open_at(where.directory(), with_remote ? &where.context() : nullptr);
  }
  Result<TenantManager> open_at(const std::filesystem::path& work_directory,
                                const SyncContext* remote) {
    return TenantManager::open({.work_directory = work_directory,
                                .remote = remote,
                                .clock = &clock,
                                .random = &random_,
                                .layer_size = 2000});
  }

  // Imports twenty keys whose values depend on `seed`.
  static Result<TimelineInfo> import(TenantManager& manager, const TenantId& tenant,
                                     const std::string& name, uint64_t seed = 1) {
    VARVE_TRY(manager.check_new_timeline(tenant, name));
    VARVE_ASSIGN(TimelineDraft draft, manager.start_timeline(tenant, Lsn{100}));
    for (int i = 0; i < kKeys; ++i) {
      VARVE_TRY(draft.put_image(key_of(i), value_of(i, seed)));
    }
    VARVE_TRY(draft.finish(
        {.disk_consistent_lsn = Lsn{100}, .gc_cutoff_lsn = Lsn{100}, .postgres_version = 15}));
    return manager.commit_timeline(std::move(draft), name, {});
  }

  // Whether every key is there with its value.
  void expect_readable(TenantManager& manager, const TenantTimelineId& id, uint64_t seed = 1) {
    auto reader = manager.open_reader(id, server.directory());
    VARVE_ASSERT_OK(reader);
    int next = 0;
    VARVE_EXPECT_OK((*reader)->scan(KeyRange::all(), (*reader)->metadata().disk_consistent_lsn,
                                    [&](const Key& key, ByteView image) {
                                      EXPECT_EQ(key, key_of(next));
                                      EXPECT_EQ(as_text(image), as_text(value_of(next, seed)));
                                      ++next;
                                      return Result<>();
                                    }));
    EXPECT_EQ(next, kKeys);
  }

  static Key key_of(int number) {
    Key key = key_at(5);
    store_big(key.bytes.data() + 14, static_cast<uint32_t>(number));
    return key;
  }
  static Bytes value_of(int number, uint64_t seed) {
    return noise(300, seed * 1000 + static_cast<uint64_t>(number));
  }

  static std::filesystem::path timeline_directory(const std::filesystem::path& work_directory,
                                                  const TenantTimelineId& id) {
    return work_directory / "tenants" / id.tenant.to_string() / "timelines" /
           id.timeline.to_string();
  }

 private:
  SeededRandom random_{99};
};

}  // namespace varve::test_support
