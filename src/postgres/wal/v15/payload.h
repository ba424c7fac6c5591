// What a WAL record of PostgreSQL 15 does beside changing the blocks that it refers to.
#pragma once

#include <variant>

#include "postgres/wal/decoded_record.h"
#include "postgres/wal/v15/database.h"
#include "postgres/wal/v15/heap.h"
#include "postgres/wal/v15/logical.h"
#include "postgres/wal/v15/slru.h"
#include "postgres/wal/v15/standby.h"
#include "postgres/wal/v15/storage.h"
#include "postgres/wal/v15/transaction.h"
#include "postgres/wal/v15/xlog.h"

namespace varve::wal15 {

// Nothing: a record of an index, or of Generic.
struct ReferencedBlocksOnly {};

// Whoever visits it (std::visit) is told by the compiler of every kind that it forgot.
using Payload =
    std::variant<ReferencedBlocksOnly, HeapPayload, XlogPayload, TransactionPayload, StoragePayload,
                 DatabasePayload, TablespacePayload, RelationMapUpdate, SlruPayload, StandbyPayload,
                 LogicalMessage, ReplicationOriginPayload, SequenceUpdate>;

// Its views are valid as long as the record's bytes. Errors of identify_record; Corrupted, naming
// the record, when the payload is damaged.
Result<Payload> parse_payload(const DecodedRecord& record);

}  // namespace varve::wal15
