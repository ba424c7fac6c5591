#include "storage_sync/verify/log_checks.h"

#include <algorithm>
#include <set>

namespace varve {
namespace {

void check_layer(const ExaminedLog& log, const LayerEntry& layer,
                 const std::map<std::string, const ExaminedObject*>& objects,
                 std::vector<Finding>& findings) {
  Place place{.log = log.name,
              .object = log.name.prefix() + layer.stored.object,
              .member = layer.name.to_string()};
  const auto found = objects.find(layer.stored.object);
  if (found == objects.end()) {
    findings.push_back(missing(Need::kByNewestState, std::move(place),
                               "the newest manifest refers to this object"));
    return;
  }
  const ExaminedObject& object = *found->second;
  // Where the object does not say what it holds, the check of the data finds out.
  if (!object.readable) return;
  const auto member = std::ranges::lower_bound(object.members, layer.name, {}, &LayerEntry::name);
  if (member != object.members.end() && *member == layer) return;
  findings.push_back(missing(Need::kByNewestState, std::move(place),
                             "the newest manifest refers to a member that the object does not "
                             "hold"));
}

}  // namespace

const TimelineManifest* ExaminedLog::timeline() const {
  return archives.empty() || !archives.back()->timeline ? nullptr : &*archives.back()->timeline;
}

const TenantManifest* ExaminedLog::tenant() const {
  return archives.empty() || !archives.back()->tenant ? nullptr : &*archives.back()->tenant;
}

Result<> complete_head(RemoteStorage& storage, const ExaminedLog& log, const CallOptions& options) {
  ExaminedObject& head = *log.archives.back();
  const std::string base_name = head.delta->delta()->base.object;
  const Place base_place{.log = log.name, .object = log.name.prefix() + base_name};
  const auto base = std::ranges::find(log.archives, base_name, [](const ExaminedObject* object) {
    return object->listed.name.file_name();
  });
  if (base == log.archives.end()) {
    head.findings.push_back(
        missing(Need::kByNewestState, base_place,
                fmt::format("the newest manifest, {}, is a delta of this object",
                            head.listed.name.file_name())));
    return {};
  }
  if (!(*base)->readable) {
    // It is as bad as if the newest commit itself were damaged.
    for (Finding& finding : (*base)->findings) {
      finding = corrupt(Need::kByNewestState, base_place, finding.detail);
    }
    return {};
  }
  auto whole = complete_timeline_commit(storage, head.listed.name, *std::move(head.delta), options);
  if (whole.ok()) {
    head.timeline = std::move(whole->manifest);
  } else if (tells_of_damage(whole.code())) {
    head.findings.push_back(damage_of(whole.error(), Need::kByNewestState,
                                      {.log = log.name, .object = head.listed.name.key()}));
  } else {
    return whole.error();
  }
  return {};
}

void check_succession(const ExaminedLog& log, std::vector<Finding>& findings) {
  for (size_t i = 1; i < log.archives.size(); ++i) {
    const ExaminedObject& before = *log.archives[i - 1];
    const ExaminedObject& object = *log.archives[i];
    if (!before.readable || !object.readable ||
        before.listed.name.sequence + 1 != object.listed.name.sequence ||
        object.stamp.predecessor_checksum == before.checksum) {
      continue;
    }
    Finding finding =
        corrupt(Need::kByHistoryAlone, {.log = log.name, .object = object.listed.name.key()},
                "it does not follow the commit before it: the log was changed behind its owner's "
                "back");
    finding.remedy = fmt::format(
        "'varve remote show' of this object and of {} tells who wrote each and when. Put the one "
        "that does not belong there back from another copy of the storage.",
        before.listed.name.key());
    findings.push_back(std::move(finding));
  }
}

void check_references(const ExaminedLog& log, std::vector<Finding>& findings) {
  const TimelineManifest* head = log.timeline();
  if (head == nullptr) return;
  std::map<std::string, const ExaminedObject*> objects;
  for (const auto* list : {&log.archives, &log.packs}) {
    for (const ExaminedObject* object : *list) {
      objects.emplace(object->listed.name.file_name(), object);
    }
  }
  std::set<std::string> accounted;
  for (const LayerEntry& layer : head->layers) {
    check_layer(log, layer, objects, findings);
    accounted.insert(layer.stored.object);
  }
  for (const RetiredObject& object : head->retired) accounted.insert(object.object);
  for (const ExaminedObject* pack : log.packs) {
    if (accounted.contains(pack->listed.name.file_name())) continue;
    findings.push_back(
        orphan({.log = log.name, .object = pack->listed.name.key()}, "no commit refers to it"));
  }
}

void check_registrations(const std::map<LogName, ExaminedLog>& logs,
                         std::vector<Finding>& findings) {
  for (const auto& [name, log] : logs) {
    const auto tenant = logs.find({name.tenant, {}});
    if (name.is_tenant_log() || log.archives.empty() || tenant == logs.end() ||
        tenant->second.tenant() == nullptr ||
        tenant->second.tenant()->find(name.timeline) != nullptr) {
      continue;
    }
    Finding finding = orphan({.log = name, .object = name.prefix()},
                             "the tenant's log does not list this timeline");
    finding.remedy =
        "if it should be listed, the newest object of the tenant's log was removed: put it back "
        "from another copy of the storage. Otherwise nothing has to be done.";
    findings.push_back(std::move(finding));
  }
}

}  // namespace varve
