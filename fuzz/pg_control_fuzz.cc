// Control files: whatever parses reads back from what it writes, and restores to a file that
// parses.

#include <cstdlib>

#include "base/checksum.h"
#include "postgres/control_file.h"
#include "postgres/wal_segment.h"

namespace {

using namespace varve;

constexpr size_t kCrcOffset = 288;

void check(ByteView bytes) {
  const auto file = ControlFile::parse(bytes);
  if (!file.ok()) return;
  const auto again = ControlFile::parse(file->to_file());
  if (!again.ok() || *again != *file) std::abort();

  CheckpointRecord checkpoint = file->checkpoint();
  const Lsn lsn = next_segment_checkpoint(file->checkpoint_lsn(), file->wal_segment_size(), false);
  checkpoint.redo = lsn;
  const auto restored = ControlFile::parse(file->shut_down_at(checkpoint, lsn).data());
  if (!restored.ok() || restored->checkpoint() != checkpoint ||
      restored->state() != DatabaseState::kShutDown) {
    std::abort();
  }
  if (shutdown_checkpoint_page({.system_identifier = restored->system_identifier(),
                                .wal_segment_size = restored->wal_segment_size(),
                                .lsn = lsn,
                                .checkpoint = checkpoint})
          .size() != 8192) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(data, size);
  check(bytes);
  // The CRC would keep nearly every mutation out; so once more with one that fits.
  if (size < kControlFileDataSize) return 0;
  Bytes mended(bytes.begin(), bytes.end());
  store_little(&mended[kCrcOffset], crc32c(ByteView(mended).first(kCrcOffset)));
  check(mended);
  return 0;
}
