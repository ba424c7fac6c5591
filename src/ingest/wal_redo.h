// Redo of every key of a timeline whose versions are WAL records.
#pragma once

#include <memory>

#include "layer/redo.h"
#include "postgres/key_space.h"

namespace varve {

// The records of a key are StoredRecords, each with the LSN at which it ends. Pages of SLRUs
// are made here, and so is what the truncation of a relation does to its visibility map; all else
// that happens to blocks of relations is left to another Redo, which knows the records of
// PostgreSQL's access methods.
//
// Thread-safe, as that one is.
class WalRedo : public Redo {
 public:
  // `relation_blocks` is given RelationBlockKeys only.
  explicit WalRedo(std::shared_ptr<Redo> relation_blocks)
      : relation_blocks_(std::move(relation_blocks)) {}

  // A page of kBlockSize bytes. Without a base, pages of SLRUs and of visibility maps start as
  // zeros, since there the first record of a page need not make all of it; for other blocks the
  // base is passed on as it is.
  //
  // Corrupted, naming key and LSN, when a record is damaged or does not change this page; naming
  // the key, when it is of a kind that no record makes or the base is no page. Otherwise the errors
  // of `relation_blocks`.
  Result<Bytes> apply(const Key& key, ByteView base, std::span<const Version> records) override;
  std::vector<Result<Bytes>> apply_many(std::span<const RedoRequest> requests) override;

 private:
  Result<Bytes> apply_to_slru(const Key& key, const SlruBlockKey& block, ByteView base,
                              std::span<const Version> records) const;
  Result<Bytes> apply_to_visibility_map(const Key& key, const RelationBlockKey& block,
                                        ByteView base, std::span<const Version> records) const;

  const std::shared_ptr<Redo> relation_blocks_;
};

}  // namespace varve
