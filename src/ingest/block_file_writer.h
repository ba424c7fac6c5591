// Writes the segment files of one relation fork, or of one SLRU segment, from blocks in ascending
// order.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "ingest/sequential_writer.h"
#include "ingest/target_directory.h"

namespace varve {

// Not thread-safe.
class BlockFileWriter {
 public:
  struct Layout {
    // How many blocks the files hold in total.
    uint32_t blocks = 0;
    uint32_t blocks_per_file = 0;
    // The path in the target of file number n, from 0.
    std::function<std::string(uint32_t)> path;
  };

  // `target` and `buffer` must outlive the writer; `buffer` serves no other writer meanwhile.
  BlockFileWriter(TargetDirectory& target, WriteBuffer& buffer, Layout layout)
      : target_(&target), buffer_(&buffer), layout_(std::move(layout)) {}

  // The place of block `block`, which must be above that of the call before and below
  // layout.blocks; kBlockSize bytes that the caller fills before the next call. Blocks that are
  // left out are zeros.
  Result<std::span<uint8_t>> place(uint32_t block);

  // Completes the files; there is at least one, if only an empty one.
  Result<> finish();

 private:
  Result<> advance_to(uint32_t block);
  Result<> open_file();

  TargetDirectory* target_;
  WriteBuffer* buffer_;
  Layout layout_;
  std::optional<SequentialWriter> file_;
  uint32_t next_block_ = 0;
};

}  // namespace varve
