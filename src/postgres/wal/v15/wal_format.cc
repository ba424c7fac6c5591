#include "postgres/wal/wal_format.h"

namespace varve {
namespace {

// src/include/access/rmgrlist.h; the names of record types are those of the rm_identify functions
// in src/backend/access/rmgrdesc/, their numbers those of the header beside each.
constexpr std::array<ResourceManager, 22> kResourceManagers = {{
    // catalog/pg_control.h
    {"XLOG",
     {"CHECKPOINT_SHUTDOWN", "CHECKPOINT_ONLINE", "NOOP", "NEXTOID", "SWITCH", "BACKUP_END",
      "PARAMETER_CHANGE", "RESTORE_POINT", "FPW_CHANGE", "END_OF_RECOVERY", "FPI_FOR_HINT", "FPI",
      "", "OVERWRITE_CONTRECORD"}},
    // access/xact.h; 0x80 is XLOG_XACT_HAS_INFO.
    {"Transaction",
     {"COMMIT", "PREPARE", "ABORT", "COMMIT_PREPARED", "ABORT_PREPARED", "ASSIGNMENT",
      "INVALIDATION", "", "COMMIT", "", "ABORT", "COMMIT_PREPARED", "ABORT_PREPARED"}},
    {"Storage", {"", "CREATE", "TRUNCATE"}},                       // catalog/storage_xlog.h
    {"CLOG", {"ZEROPAGE", "TRUNCATE"}},                            // access/clog.h
    {"Database", {"CREATE_FILE_COPY", "CREATE_WAL_LOG", "DROP"}},  // commands/dbcommands_xlog.h
    {"Tablespace", {"CREATE", "DROP"}},                            // commands/tablespace.h
    // access/multixact.h
    {"MultiXact", {"ZERO_OFF_PAGE", "ZERO_MEM_PAGE", "CREATE_ID", "TRUNCATE_ID"}},
    {"RelMap", {"UPDATE"}},                                   // utils/relmapper.h
    {"Standby", {"LOCK", "RUNNING_XACTS", "INVALIDATIONS"}},  // storage/standbydefs.h
    // access/heapam_xlog.h; 0x80 is XLOG_HEAP_INIT_PAGE.
    {"Heap2",
     {"REWRITE", "PRUNE", "VACUUM", "FREEZE_PAGE", "VISIBLE", "MULTI_INSERT", "LOCK_UPDATED",
      "NEW_CID", "", "", "", "", "", "MULTI_INSERT+INIT"}},
    {"Heap",
     {"INSERT", "DELETE", "UPDATE", "TRUNCATE", "HOT_UPDATE", "HEAP_CONFIRM", "LOCK", "INPLACE",
      "INSERT+INIT", "", "UPDATE+INIT", "", "HOT_UPDATE+INIT"}},
    // access/nbtxlog.h
    {"Btree",
     {"INSERT_LEAF", "INSERT_UPPER", "INSERT_META", "SPLIT_L", "SPLIT_R", "INSERT_POST", "DEDUP",
      "DELETE", "UNLINK_PAGE", "UNLINK_PAGE_META", "NEWROOT", "MARK_PAGE_HALFDEAD", "VACUUM",
      "REUSE_PAGE", "META_CLEANUP"}},
    // access/hash_xlog.h
    {"Hash",
     {"INIT_META_PAGE", "INIT_BITMAP_PAGE", "INSERT", "ADD_OVFL_PAGE", "SPLIT_ALLOCATE_PAGE",
      "SPLIT_PAGE", "SPLIT_COMPLETE", "MOVE_PAGE_CONTENTS", "SQUEEZE_PAGE", "DELETE",
      "SPLIT_CLEANUP", "UPDATE_META_PAGE", "VACUUM_ONE_PAGE"}},
    // access/ginxlog.h
    {"Gin",
     {"", "CREATE_PTREE", "INSERT", "SPLIT", "VACUUM_PAGE", "DELETE_PAGE", "UPDATE_META_PAGE",
      "INSERT_LISTPAGE", "DELETE_LISTPAGE", "VACUUM_DATA_LEAF_PAGE"}},
    // access/gistxlog.h
    {"Gist",
     {"PAGE_UPDATE", "DELETE", "PAGE_REUSE", "PAGE_SPLIT", "", "", "PAGE_DELETE", "ASSIGN_LSN"}},
    {"Sequence", {"LOG"}},  // commands/sequence.h
    // access/spgxlog.h
    {"SPGist",
     {"", "ADD_LEAF", "MOVE_LEAFS", "ADD_NODE", "SPLIT_TUPLE", "PICKSPLIT", "VACUUM_LEAF",
      "VACUUM_ROOT", "VACUUM_REDIRECT"}},
    // access/brin_xlog.h; 0x80 is XLOG_BRIN_INIT_PAGE.
    {"BRIN",
     {"CREATE_INDEX", "INSERT", "UPDATE", "SAMEPAGE_UPDATE", "REVMAP_EXTEND", "DESUMMARIZE", "", "",
      "", "INSERT+INIT", "UPDATE+INIT"}},
    {"CommitTs", {"ZEROPAGE", "TRUNCATE"}},  // access/commit_ts.h
    {"ReplicationOrigin", {"SET", "DROP"}},  // replication/origin.h
    {"Generic", {"Generic"}},                // access/generic_xlog.h
    {"LogicalMessage", {"MESSAGE"}},         // replication/message.h
}};

}  // namespace

const WalFormat& wal_format_15() {
  // XLOG_PAGE_MAGIC of src/include/access/xlog_internal.h, and BKPIMAGE_* of
  // src/include/access/xlogrecord.h.
  static constexpr WalFormat kFormat = {.major_version = 15,
                                        .page_magic = 0xD110,
                                        .image_has_hole = 0x01,
                                        .image_apply = 0x02,
                                        .image_pglz = 0x04,
                                        .image_lz4 = 0x08,
                                        .image_zstd = 0x10,
                                        .resource_managers = kResourceManagers};
  return kFormat;
}

}  // namespace varve
