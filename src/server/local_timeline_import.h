// A timeline in the making in the work directory of this process.
#pragma once

#include "server/page_service.h"
#include "timeline/timeline_draft.h"

namespace varve {

// Not thread-safe. The tenants outlive it.
class LocalTimelineImport : public TimelineImport {
 public:
  // Fails where the timeline could not be committed either, before anything was read.
  static Result<std::unique_ptr<LocalTimelineImport>> start(TenantManager& tenants,
                                                            const NewTimeline& timeline);

  Result<> put_image(const Key& key, ByteView image) override {
    return draft_.put_image(key, image);
  }
  Result<Json> commit(const ImportedCluster& cluster, const CallOptions& call,
                      const ByteProgress& uploaded) override;

 private:
  LocalTimelineImport(TenantManager& tenants, NewTimeline timeline, TimelineDraft draft)
      : tenants_(tenants), timeline_(std::move(timeline)), draft_(std::move(draft)) {}

  TenantManager& tenants_;
  const NewTimeline timeline_;
  TimelineDraft draft_;
};

}  // namespace varve
