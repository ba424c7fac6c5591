// How the objects of a log fit together: the order of commits, and what the newest one refers to.
#pragma once

#include <map>
#include <span>

#include "storage_sync/verify/object_examination.h"

namespace varve {

// The objects of one log, archives ascending by sequence.
struct ExaminedLog {
  LogName name;
  std::vector<ExaminedObject*> archives;
  std::vector<ExaminedObject*> packs;

  // What the log says now; null when there is no commit, or the newest one is unreadable.
  const TimelineManifest* timeline() const;
  const TenantManifest* tenant() const;
};

// Of a log whose newest commit is stored as a delta: makes its state whole, or finds why it can't
// be had. Older deltas may well outlive their base: nobody reads their state any more.
Result<> complete_head(RemoteStorage& storage, const ExaminedLog& log, const CallOptions& options);

// That each commit follows the one before it.
void check_succession(const ExaminedLog& log, std::vector<Finding>& findings);

// That what the newest commit of a timeline refers to is there, and which packs nothing refers to.
void check_references(const ExaminedLog& log, std::vector<Finding>& findings);

// That the tenant's log lists the timelines that have logs.
void check_registrations(const std::map<LogName, ExaminedLog>& logs,
                         std::vector<Finding>& findings);

}  // namespace varve
