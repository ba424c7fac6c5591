#include "replication/backup_message.h"

namespace varve {

Result<BackupMessage> parse_backup_message(ByteView message) {
  constexpr size_t kProgressSize = 1 + 8;
  if (message.empty()) return make_error(ErrorCode::kCorrupted, "a backup message is empty");
  switch (message[0]) {
    case 'd':
      return ArchiveData{message.subspan(1)};
    case 'n': {
      // The name and the location of the tablespace, each with a zero byte at its end.
      const std::string_view text = as_text(message.subspan(1));
      const size_t end = text.find('\0');
      if (end == std::string_view::npos || text.find('\0', end + 1) != text.size() - 1) {
        return make_error(ErrorCode::kCorrupted, "a backup message does not name its archive");
      }
      return ArchiveBegins{text.substr(0, end)};
    }
    case 'p':
      if (message.size() == kProgressSize) {
        return BackupProgress{load_big<uint64_t>(message.data() + 1)};
      }
      [[fallthrough]];
    default:
      return make_error(ErrorCode::kCorrupted,
                        "a backup message of {} bytes has the unknown type 0x{:02x}",
                        message.size(), message[0]);
  }
}

}  // namespace varve
