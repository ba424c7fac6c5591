#include "replication/server_error.h"

#include <cctype>
#include <optional>
#include <string>

namespace varve {
namespace {

struct Meaning {
  ErrorCode code;
  std::string_view remedy = {};
};

constexpr std::string_view kRoleRemedy =
    "the role needs the attribute REPLICATION: ALTER ROLE ... REPLICATION";
constexpr std::string_view kAccessRemedy =
    "pg_hba.conf of the primary needs a line for replication, such as "
    "\"host replication ROLE ADDRESS scram-sha-256\", and the role LOGIN and REPLICATION";
constexpr std::string_view kPasswordRemedy =
    "give the password of the role in a password file (PGPASSFILE) or the connection string";
constexpr std::string_view kWalLevelRemedy =
    "the primary needs wal_level = replica or logical, and max_wal_senders and "
    "max_replication_slots above 0, then a restart";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Meaning meaning_of(std::string_view sqlstate, std::string_view message) {
  if (sqlstate == "28P01") return {ErrorCode::kDenied, kPasswordRemedy};
  if (sqlstate.starts_with("28")) return {ErrorCode::kDenied, kAccessRemedy};
  if (sqlstate == "42501") return {ErrorCode::kDenied, kRoleRemedy};
  if (sqlstate == "53300") {
    // With wal_level = minimal there can be no WAL senders at all: nothing to wait for.
    if (contains(message, "max_wal_senders (currently 0)")) {
      return {ErrorCode::kInvalidArgument, kWalLevelRemedy};
    }
    return {ErrorCode::kUnavailable, "raise max_wal_senders of the primary if this goes on"};
  }
  if (sqlstate == "42704") {
    return {ErrorCode::kInvalidArgument, "create the slot; what it kept may be gone"};
  }
  if (sqlstate == "42710") return {ErrorCode::kConflict};
  if (sqlstate == "55006") {
    return {ErrorCode::kConflict,
            "a connection that broke keeps its slot until the primary notices "
            "(wal_sender_timeout)"};
  }
  if (sqlstate == "55000") {
    return {ErrorCode::kInvalidArgument,
            contains(message, "wal_level") || contains(message, "max_replication_slots")
                ? kWalLevelRemedy
                : ""};
  }
  if (sqlstate == "58P01") {
    return {ErrorCode::kNotFound,
            "WAL that the primary no longer has can't be streamed; a new base backup is needed"};
  }
  if (sqlstate == "53400") {
    return {ErrorCode::kExhausted, "raise max_replication_slots of the primary, or drop a slot"};
  }
  if (sqlstate.starts_with("53")) return {ErrorCode::kExhausted};
  // The server gives it no SQLSTATE of its own (walsender.c).
  if (sqlstate == "XX000" && contains(message, "requested starting point")) {
    return {ErrorCode::kInvalidArgument,
            "this server has another history: it was restored to an earlier point, or is not the "
            "one that was followed"};
  }
  if (sqlstate == "XX001" || sqlstate == "XX002") return {ErrorCode::kCorrupted};
  const std::string_view category = sqlstate.substr(0, 2);
  if (category == "08" || category == "57" || category == "58") return {ErrorCode::kUnavailable};
  if (category == "0A" || category == "22" || category == "3D" || category == "42" ||
      category == "55") {
    return {ErrorCode::kInvalidArgument};
  }
  return {ErrorCode::kInternal};
}

// One line: what libpq and servers say ends with line breaks, and has some between its parts.
std::string on_one_line(std::string_view text) {
  // The source file and line of the server, which PQERRORS_VERBOSE adds.
  constexpr std::string_view kLocation = "LOCATION:  ";
  std::string joined;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && line.front() == '\t') line.remove_prefix(1);
    if (line.empty() || line.starts_with(kLocation)) continue;
    if (!joined.empty()) joined += "; ";
    joined += line;
  }
  return joined;
}

// The last "FATAL:  28P01: ..." in a message of PQERRORS_VERBOSE; the word before is in the
// server's language. With several hosts, that of the last one that answered.
std::optional<std::string> sqlstate_in(std::string_view message) {
  constexpr size_t kSize = 5;
  constexpr std::string_view kBefore = ":  ";
  std::optional<std::string> found;
  for (size_t at = message.find(kBefore); at != std::string_view::npos;
       at = message.find(kBefore, at + 1)) {
    const std::string_view state = message.substr(at + kBefore.size()).substr(0, kSize);
    const std::string_view behind =
        message.substr(std::min(at + kBefore.size() + state.size(), message.size()));
    if (state.size() != kSize || !behind.starts_with(": ")) continue;
    bool is_state = true;
    for (const char letter : state) {
      is_state = is_state && (std::isupper(static_cast<unsigned char>(letter)) != 0 ||
                              std::isdigit(static_cast<unsigned char>(letter)) != 0);
    }
    if (is_state) found = std::string(state);
  }
  return found;
}

}  // namespace

Error server_error(std::string_view sqlstate, std::string_view message) {
  const Meaning meaning = meaning_of(sqlstate, message);
  std::string text = on_one_line(message);
  if (!meaning.remedy.empty()) text += fmt::format(" ({})", meaning.remedy);
  return {meaning.code, std::move(text)};
}

Error error_of(const PGresult* result) {
  const char* const sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (sqlstate == nullptr) {
    const std::string message = on_one_line(PQresultErrorMessage(result));
    if (!message.empty()) return {ErrorCode::kUnavailable, message};
    return make_error(ErrorCode::kCorrupted, "the server gave an answer of the wrong kind ({})",
                      PQresStatus(PQresultStatus(result)));
  }
  std::string message;
  for (const int field : {PG_DIAG_MESSAGE_PRIMARY, PG_DIAG_MESSAGE_DETAIL}) {
    if (const char* const text = PQresultErrorField(result, field); text != nullptr) {
      if (!message.empty()) message += "\n";
      message += text;
    }
  }
  return server_error(sqlstate, message);
}

Error error_of_connecting(const PGconn* connection) {
  const std::string_view message = PQerrorMessage(connection);
  if (const auto sqlstate = sqlstate_in(message)) return server_error(*sqlstate, message);
  const std::string text = on_one_line(message);
  if (PQconnectionNeedsPassword(connection) != 0) {
    return make_error(ErrorCode::kDenied, "{} ({})", text, kPasswordRemedy);
  }
  // What libpq itself refuses before it has a socket, other than by asking for addresses.
  if (PQsocket(connection) < 0 && !contains(text, "connection to server") &&
      !contains(text, "could not translate host name")) {
    return {ErrorCode::kInvalidArgument, text};
  }
  if (contains(text, "certificate") || contains(text, "does not support SSL") ||
      contains(text, "authentication")) {
    if (!contains(text, "expected authentication request")) return {ErrorCode::kDenied, text};
  }
  return {ErrorCode::kUnavailable, text};
}

Error error_of_lost(const PGconn* connection) {
  const std::string text = on_one_line(PQerrorMessage(connection));
  return {ErrorCode::kUnavailable, text.empty() ? "the connection broke off" : text};
}

}  // namespace varve
