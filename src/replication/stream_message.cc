#include "replication/stream_message.h"

namespace varve {
namespace {

// 2000-01-01 in microseconds since 1970: where PostgreSQL's times begin.
constexpr int64_t kPostgresEpoch = 946'684'800'000'000;

constexpr uint8_t kWalData = 'w';
constexpr size_t kWalDataHeaderSize = 1 + 8 + 8 + 8;
constexpr uint8_t kKeepalive = 'k';
constexpr size_t kKeepaliveSize = 1 + 8 + 8 + 1;
constexpr uint8_t kFeedback = 'r';
constexpr size_t kFeedbackSize = 1 + 8 + 8 + 8 + 8 + 1;

Lsn load_lsn(const uint8_t* from) {
  return {load_big<uint64_t>(from)};
}

// A clock that is wrong by ages is no reason to stop: its time is wrapped like the server's own.
Timestamp load_time(const uint8_t* from) {
  return {static_cast<int64_t>(load_big<uint64_t>(from) + static_cast<uint64_t>(kPostgresEpoch))};
}

}  // namespace

Result<StreamMessage> parse_stream_message(ByteView message) {
  if (message.empty()) return make_error(ErrorCode::kCorrupted, "a stream message is empty");
  const uint8_t* const bytes = message.data();
  if (bytes[0] == kWalData) {
    if (message.size() < kWalDataHeaderSize) {
      return make_error(ErrorCode::kCorrupted, "a message with WAL ends after {} bytes",
                        message.size());
    }
    const WalData data{.start = load_lsn(bytes + 1),
                       .bytes = message.subspan(kWalDataHeaderSize),
                       .server_end = load_lsn(bytes + 9),
                       .server_time = load_time(bytes + 17)};
    if (data.bytes.size() > UINT64_MAX - data.start.value) {
      return make_error(ErrorCode::kCorrupted, "a message has {} bytes of WAL at {}",
                        data.bytes.size(), data.start);
    }
    return data;
  }
  if (bytes[0] == kKeepalive) {
    if (message.size() != kKeepaliveSize) {
      return make_error(ErrorCode::kCorrupted, "a keepalive message has {} bytes instead of {}",
                        message.size(), kKeepaliveSize);
    }
    return Keepalive{.server_end = load_lsn(bytes + 1),
                     .server_time = load_time(bytes + 9),
                     .reply_requested = bytes[17] != 0};
  }
  return make_error(ErrorCode::kCorrupted, "a stream message has the unknown type 0x{:02x}",
                    bytes[0]);
}

Bytes encode_feedback(const Feedback& feedback, Timestamp now) {
  Bytes message(kFeedbackSize);
  message[0] = kFeedback;
  store_big(&message[1], feedback.written.value);
  store_big(&message[9], feedback.flushed.value);
  store_big(&message[17], feedback.applied.value);
  store_big(&message[25],
            static_cast<uint64_t>(now.micros) - static_cast<uint64_t>(kPostgresEpoch));
  message[33] = feedback.reply_requested ? 1 : 0;
  return message;
}

}  // namespace varve
