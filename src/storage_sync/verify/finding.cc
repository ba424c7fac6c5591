#include "storage_sync/verify/finding.h"

#include <fmt/format.h>

namespace varve {
namespace {

std::string remedy_for_damage(Need need, const LogName& log) {
  const std::string from_copy =
      "put this object back from another copy of the storage (objects never change: any good copy "
      "of the same key is right), then run 'varve remote verify --deep' again.";
  if (need == Need::kByHistoryAlone) {
    return "the newest state does not need it. If there is another copy of the storage, " +
           from_copy + " Otherwise leave it, and find out what damaged it before it reaches more.";
  }
  if (log.is_tenant_log()) {
    return fmt::format(
        "{} Without a copy the timelines can't be found by this storage alone, only by the work "
        "directory that wrote it: 'varve restore {}/TIMELINE --workdir DIR --to DIR' each of them, "
        "and import them into a new tenant ('varve timeline import').",
        from_copy, log.tenant);
  }
  return fmt::format(
      "{0} Without a copy: 'varve restore {1}/{2} --workdir DIR --to DIR' with the work directory "
      "that wrote it still has its own layer files; or import the cluster again under another "
      "name ('varve timeline import').",
      from_copy, log.tenant, log.timeline);
}

Finding make(FindingKind kind, Severity severity, Place place, std::string detail,
             std::string remedy) {
  return {.severity = severity,
          .object = std::move(place.object),
          .member = std::move(place.member),
          .frames = place.frames,
          .kind = kind,
          .detail = std::move(detail),
          .remedy = std::move(remedy)};
}

Finding damage(FindingKind kind, Need need, Place place, std::string detail) {
  const Severity severity =
      need == Need::kByNewestState ? Severity::kDataLost : Severity::kDataAtRisk;
  std::string remedy = remedy_for_damage(need, place.log);
  return make(kind, severity, std::move(place), std::move(detail), std::move(remedy));
}

}  // namespace

std::string_view name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kCorrupt:
      return "corrupt";
    case FindingKind::kMissing:
      return "missing";
    case FindingKind::kOrphan:
      return "orphan";
    case FindingKind::kForeign:
      return "foreign";
    case FindingKind::kUnfinished:
      return "unfinished";
  }
  return "unknown";
}

bool is_damage(FindingKind kind) {
  return kind == FindingKind::kCorrupt || kind == FindingKind::kMissing;
}

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::kDataLost:
      return "data_lost";
    case Severity::kDataAtRisk:
      return "data_at_risk";
    case Severity::kWaste:
      return "waste";
    case Severity::kForeign:
      return "foreign";
  }
  return "unknown";
}

Finding corrupt(Need need, Place place, std::string detail) {
  return damage(FindingKind::kCorrupt, need, std::move(place), std::move(detail));
}

Finding missing(Need need, Place place, std::string detail) {
  return damage(FindingKind::kMissing, need, std::move(place), std::move(detail));
}

Finding orphan(Place place, std::string detail) {
  return make(FindingKind::kOrphan, Severity::kWaste, std::move(place), std::move(detail),
              "nothing has to be done. An upload that is under way looks like this too: only when "
              "none is may it be removed, with the storage's own tools.");
}

Finding foreign(std::string key) {
  return make(FindingKind::kForeign, Severity::kForeign, {.log = {}, .object = std::move(key)},
              "the key is not one that varve writes",
              "varve leaves it alone. Move it elsewhere if nothing of yours needs it here.");
}

Finding unfinished(const UnfinishedUpload& upload) {
  return make(FindingKind::kUnfinished, Severity::kWaste, {.log = {}, .object = upload.key},
              fmt::format("an upload in parts that was begun at {} and never ended",
                          upload.started_at.to_string()),
              "the owner of the tenant aborts it when it uploads next; no listing of objects shows "
              "it, and its parts are paid for until then.");
}

}  // namespace varve
