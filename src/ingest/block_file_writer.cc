#include "ingest/block_file_writer.h"

#include <algorithm>

#include "postgres/layout.h"

namespace varve {

Result<std::span<uint8_t>> BlockFileWriter::place(uint32_t block) {
  VARVE_TRY(advance_to(block));
  VARVE_TRY(open_file());
  ++next_block_;
  return file_->extend(kBlockSize);
}

Result<> BlockFileWriter::finish() {
  VARVE_TRY(advance_to(layout_.blocks));
  if (layout_.blocks == 0) VARVE_TRY(open_file());
  if (file_) VARVE_TRY(file_->finish());
  file_.reset();
  return {};
}

Result<> BlockFileWriter::advance_to(uint32_t block) {
  while (next_block_ < block) {
    VARVE_TRY(open_file());
    const uint32_t left_in_file = layout_.blocks_per_file - next_block_ % layout_.blocks_per_file;
    const uint32_t count = std::min(block - next_block_, left_in_file);
    VARVE_TRY(file_->append_zeros(uint64_t{count} * kBlockSize));
    next_block_ += count;
  }
  return {};
}

// Makes `file_` the file of `next_block_`.
Result<> BlockFileWriter::open_file() {
  if (file_ && next_block_ % layout_.blocks_per_file != 0) return {};
  if (file_) VARVE_TRY(file_->finish());
  VARVE_ASSIGN(File file,
               target_->create_file(layout_.path(next_block_ / layout_.blocks_per_file)));
  file_.emplace(std::move(file), *buffer_);
  return {};
}

}  // namespace varve
