// A timeline whose log gets one commit after the other.
#pragma once

#include "storage_sync/test_support/sync_fixture.h"

namespace varve::test_support {

class CommittedTimelineTest : public SyncTest {
 protected:
  // A commit with the layers of these numbers, each with content of its own, 3000 bytes.
  void commit(const std::vector<uint8_t>& layers) {
    LocalManifest next = kept_ ? *kept_->get() : new_timeline();
    std::vector<LayerEntry> before = std::exchange(next.manifest.layers, {});
    for (const uint8_t number : layers) {
      const auto known = std::ranges::find(before, layer_name(number), &LayerEntry::name);
      if (known != before.end()) {
        next.manifest.layers.push_back(*known);
      } else {
        server.add_layer(next, layer_name(number), noise(3000, number));
      }
    }
    std::ranges::sort(next.manifest.layers, {}, &LayerEntry::name);
    next.manifest.metadata.disk_consistent_lsn.value += 1;
    kept_ = std::make_unique<KeptTimeline>(server.directory(), std::move(next));
    VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer}, *kept_, {}, {}));
  }

  static std::string archive(uint64_t sequence) {
    return ObjectName::archive(kLog, sequence).key();
  }
  // Everything that the newest commit has is there, whole.
  void expect_whole() {
    commit_tenant_log_once();
    EXPECT_THAT(verify().findings, testing::IsEmpty());
    const TemporaryDirectory elsewhere = TemporaryDirectory::create().value();
    const auto head = kept_->get()->head;
    const auto commit = read_timeline_commit(storage, kLog, head.sequence, {});
    VARVE_ASSERT_OK(commit);
    VARVE_EXPECT_OK(download_timeline(
        server.context(), elsewhere.path(),
        LocalManifest::from_commit(head, commit->manifest, commit->stored), {}, {}));
  }
  void commit_tenant_log_once() {
    if (!std::exchange(tenant_log_, true)) commit_tenant_log();
  }

  std::unique_ptr<KeptTimeline> kept_;
  bool tenant_log_ = false;
};

}  // namespace varve::test_support
