// Identifiers: 16 bytes, written as 32 lower-case hexadecimal digits.
#pragma once

#include <fmt/format.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/hex.h"
#include "base/result.h"

namespace varve {

// One type per kind of thing, so that a timeline is never taken for a tenant. `Tag::kNoun` names
// the kind in messages.
template <typename Tag>
struct Id {
  std::array<uint8_t, 16> bytes{};

  auto operator<=>(const Id&) const = default;
  bool is_nil() const { return *this == Id{}; }

  std::string to_string() const { return hex_encode(bytes); }

  // Exactly 32 hexadecimal digits, of either case.
  static Result<Id> parse(std::string_view text) {
    Id id;
    if (!hex_decode(text, id.bytes)) {
      return make_error(ErrorCode::kInvalidArgument, "'{}' is not a {} ID: expected 32 hex digits",
                        text, Tag::kNoun);
    }
    return id;
  }
};

struct TenantTag {
  static constexpr std::string_view kNoun = "tenant";
};
struct TimelineTag {
  static constexpr std::string_view kNoun = "timeline";
};
struct WriterTag {
  static constexpr std::string_view kNoun = "writer";
};
struct NonceTag {
  static constexpr std::string_view kNoun = "nonce";
};

using TenantId = Id<TenantTag>;
using TimelineId = Id<TimelineTag>;
// Who writes: drawn anew each time a server takes ownership of a tenant.
using WriterId = Id<WriterTag>;
// One attempt to write an object: drawn anew for each attempt.
using Nonce = Id<NonceTag>;

struct TenantTimelineId {
  TenantId tenant;
  TimelineId timeline;

  auto operator<=>(const TenantTimelineId&) const = default;
  std::string to_string() const { return tenant.to_string() + "/" + timeline.to_string(); }
};

}  // namespace varve

template <typename Tag>
struct fmt::formatter<varve::Id<Tag>> : fmt::formatter<std::string> {
  auto format(const varve::Id<Tag>& id, fmt::format_context& ctx) const {
    return fmt::formatter<std::string>::format(id.to_string(), ctx);
  }
};
template <>
struct fmt::formatter<varve::TenantTimelineId> : fmt::formatter<std::string> {
  auto format(const varve::TenantTimelineId& id, fmt::format_context& ctx) const {
    return fmt::formatter<std::string>::format(id.to_string(), ctx);
  }
};
template <typename Tag>
struct std::hash<varve::Id<Tag>> {
  size_t operator()(const varve::Id<Tag>& id) const {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
  }
};
