// The messages inside a replication stream, as bytes.
//
// Facts: https://www.postgresql.org/docs/15/protocol-replication.html (START_REPLICATION),
// src/backend/replication/walsender.c. Integers are big-endian, times microseconds since 2000.
#pragma once

#include <variant>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/lsn.h"
#include "base/result.h"

namespace varve {

struct WalData {
  // Of the first byte.
  Lsn start;
  ByteView bytes;
  // How far the server's WAL goes, and its clock, when it sent this.
  Lsn server_end;
  Timestamp server_time;

  Lsn end() const { return {start.value + bytes.size()}; }
};

struct Keepalive {
  Lsn server_end;
  Timestamp server_time;
  // Without an answer soon the server breaks off.
  bool reply_requested = false;
};

using StreamMessage = std::variant<WalData, Keepalive>;

// Corrupted for anything else. The bytes of WalData are those of `message`.
Result<StreamMessage> parse_stream_message(ByteView message);

struct Feedback {
  Lsn written;
  // What the server may forget: it moves the slot's restart_lsn there. 0 leaves the slot as it is.
  Lsn flushed;
  Lsn applied;
  // Asks for a keepalive at once.
  bool reply_requested = false;
};

// The message "standby status update".
Bytes encode_feedback(const Feedback& feedback, Timestamp now);

}  // namespace varve
