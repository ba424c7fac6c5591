// The tenant file in the work directory: the newest commit of the tenant's log that is known here,
// and whether this server owns the tenant.
#pragma once

#include <filesystem>
#include <optional>

#include "storage_sync/manifest.h"
#include "storage_sync/remote_log.h"

namespace varve {

inline constexpr std::string_view kTenantFileName = "tenant";

// Another server has written to a log of this tenant.
struct Fence {
  // Nil when it could no longer be told.
  WriterId writer;
  Timestamp at;
  bool operator==(const Fence&) const = default;
};

struct LocalTenant {
  LogHead head;
  // When the storage last showed that nothing follows `head`; not kept in the file.
  std::optional<BootTime> head_seen;
  TenantManifest manifest;
  // Under which this server writes; nil when it only reads.
  WriterId writer;
  // Set once; only an attach ends it.
  std::optional<Fence> fence;
  // An attach was begun and has not reached every log yet.
  bool attaching = false;

  // Conflict when this server may not write to the tenant's logs; the message says who owns it and
  // what to do. Nobody may once the tenant is deleted.
  Result<> check_writer() const;
  // The same for everything but an attach, which must have come to its end.
  Result<> check_owned() const;

  Bytes encode() const;
  static Result<LocalTenant> decode(ByteView bytes);
  static Result<LocalTenant> read(const std::filesystem::path& tenant_directory);
  Result<> write(const std::filesystem::path& tenant_directory) const;
};

}  // namespace varve
