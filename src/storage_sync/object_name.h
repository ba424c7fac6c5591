// The keys of remote objects, and their parser: the only place that knows them.
//
//   tenants/<tenant>/tenant/<sequence>.archive                    a commit of the tenant's log
//   tenants/<tenant>/timelines/<timeline>/<sequence>.archive      a commit of a timeline's log
//   tenants/<tenant>/timelines/<timeline>/<nonce>.<part>.pack     data of a commit too large for
//   its archive
//
// IDs and nonces are 32 lower-case hex digits, sequences 16, parts four decimal digits. Where the
// storage cannot create an object only if it is absent, archives are named
// <sequence>-<nonce>.archive, so that rivals for a number do not overwrite each other; which of
// them counts is up to remote_listing.h.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"

namespace varve {

// The values are stored in object headers and trailers.
enum class ObjectKind : uint8_t { kTenantArchive = 1, kTimelineArchive = 2, kPack = 3 };

// "tenant archive", "timeline archive", "pack".
std::string_view name(ObjectKind kind);

// One log: the tenant's own, or that of one of its timelines.
struct LogName {
  TenantId tenant;
  // Nil for the tenant's own log.
  TimelineId timeline;

  auto operator<=>(const LogName&) const = default;
  bool is_tenant_log() const { return timeline.is_nil(); }
  // "tenants/<tenant>/tenant/" or "tenants/<tenant>/timelines/<timeline>/".
  std::string prefix() const;
};

struct ObjectName {
  ObjectKind kind = ObjectKind::kTimelineArchive;
  LogName log;
  uint64_t sequence = 0;  // Archives, from 1.
  // The attempt that wrote it: of packs, and of archives that bear it in their name; else nil.
  Nonce nonce;
  uint32_t part = 0;  // Packs: number within the attempt, 0 to 9999.

  auto operator<=>(const ObjectName&) const = default;

  static ObjectName archive(const LogName& log, uint64_t sequence, const Nonce& nonce = {});
  static ObjectName pack(const LogName& log, const Nonce& nonce, uint32_t part);

  // The last component of the key: how manifests refer to objects of their own log.
  std::string file_name() const;
  std::string key() const { return log.prefix() + file_name(); }

  // Exactly what key() gives; InvalidArgument for anything else.
  static Result<ObjectName> parse(std::string_view key);
  // The same for a file name within a known log.
  static Result<ObjectName> parse_file_name(const LogName& log, std::string_view file_name);
};

inline constexpr std::string_view kTenantsPrefix = "tenants/";
// "tenants/<tenant>/".
std::string tenant_prefix(const TenantId& tenant);
// "tenants/<tenant>/timelines/".
std::string timelines_prefix(const TenantId& tenant);

}  // namespace varve
