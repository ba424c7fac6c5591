#include "storage_sync/object_name.h"

#include <array>
#include <charconv>

#include "base/bytes.h"

namespace varve {
namespace {

constexpr std::string_view kArchiveSuffix = ".archive";
constexpr std::string_view kPackSuffix = ".pack";
constexpr std::string_view kTenantFolder = "tenant/";
constexpr std::string_view kTimelinesFolder = "timelines/";
constexpr size_t kIdDigits = 32;
constexpr size_t kSequenceDigits = 16;
constexpr uint32_t kMaximumPart = 9999;

bool consume(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

template <typename AnyId>
bool consume_id(std::string_view& text, AnyId& id) {
  if (text.size() < kIdDigits || !hex_decode(text.substr(0, kIdDigits), id.bytes)) return false;
  text.remove_prefix(kIdDigits);
  return true;
}

bool parse_log(std::string_view& key, LogName& log) {
  if (!consume(key, kTenantsPrefix) || !consume_id(key, log.tenant) || !consume(key, "/")) {
    return false;
  }
  if (consume(key, kTenantFolder)) return true;
  return consume(key, kTimelinesFolder) && consume_id(key, log.timeline) && consume(key, "/");
}

bool parse_archive(std::string_view text, ObjectName& object) {
  std::array<uint8_t, 8> sequence{};
  if (text.size() < kSequenceDigits || !hex_decode(text.substr(0, kSequenceDigits), sequence)) {
    return false;
  }
  text.remove_prefix(kSequenceDigits);
  if (consume(text, "-") && (!consume_id(text, object.nonce) || object.nonce.is_nil())) {
    return false;
  }
  if (text != kArchiveSuffix) return false;
  object.kind =
      object.log.is_tenant_log() ? ObjectKind::kTenantArchive : ObjectKind::kTimelineArchive;
  object.sequence = load_big<uint64_t>(sequence.data());
  return object.sequence > 0;
}

bool parse_pack(std::string_view text, ObjectName& object) {
  if (object.log.is_tenant_log() || !consume_id(text, object.nonce) || !consume(text, ".")) {
    return false;
  }
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), object.part, 10);
  if (error != std::errc{}) return false;
  object.kind = ObjectKind::kPack;
  return std::string_view(end, text.data() + text.size()) == kPackSuffix &&
         object.part <= kMaximumPart;
}

}  // namespace

std::string_view name(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kTenantArchive:
      return "tenant archive";
    case ObjectKind::kTimelineArchive:
      return "timeline archive";
    case ObjectKind::kPack:
      return "pack";
  }
  return "unknown";
}

std::string tenant_prefix(const TenantId& tenant) {
  return fmt::format("{}{}/", kTenantsPrefix, tenant);
}

std::string timelines_prefix(const TenantId& tenant) {
  return fmt::format("{}{}/{}", kTenantsPrefix, tenant, kTimelinesFolder);
}

std::string LogName::prefix() const {
  if (is_tenant_log()) return tenant_prefix(tenant) + std::string(kTenantFolder);
  return fmt::format("{}{}/", timelines_prefix(tenant), timeline);
}

ObjectName ObjectName::archive(const LogName& log, uint64_t sequence, const Nonce& nonce) {
  return {.kind = log.is_tenant_log() ? ObjectKind::kTenantArchive : ObjectKind::kTimelineArchive,
          .log = log,
          .sequence = sequence,
          .nonce = nonce,
          .part = 0};
}

ObjectName ObjectName::pack(const LogName& log, const Nonce& nonce, uint32_t part) {
  return {.kind = ObjectKind::kPack, .log = log, .sequence = 0, .nonce = nonce, .part = part};
}

std::string ObjectName::file_name() const {
  if (kind == ObjectKind::kPack) return fmt::format("{}.{:04}{}", nonce, part, kPackSuffix);
  if (!nonce.is_nil()) return fmt::format("{:016x}-{}{}", sequence, nonce, kArchiveSuffix);
  return fmt::format("{:016x}{}", sequence, kArchiveSuffix);
}

Result<ObjectName> ObjectName::parse(std::string_view key) {
  std::string_view rest = key;
  ObjectName object;
  if (!parse_log(rest, object.log)) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not the key of an object", key);
  }
  auto parsed = parse_file_name(object.log, rest);
  if (!parsed.ok() || parsed->key() != key) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not the key of an object", key);
  }
  return parsed;
}

Result<ObjectName> ObjectName::parse_file_name(const LogName& log, std::string_view file_name) {
  ObjectName object;
  object.log = log;
  if ((!parse_archive(file_name, object) && !parse_pack(file_name, object)) ||
      object.file_name() != file_name) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not the file name of an object",
                      file_name);
  }
  return object;
}

}  // namespace varve
