// The messages between Varve and a redo process, for both sides: README.md tells the protocol.
//
// C11 and C++. Every message is a VarveRedoHeader and `size` bytes, a multiple of 8, in the byte
// order of the machine: both ends are processes on it.
#ifndef VARVE_REDO_PROTOCOL_H
#define VARVE_REDO_PROTOCOL_H

#include <stdint.h>

#define VARVE_REDO_MAGIC UINT32_C(0x4F444552)  // "REDO"
#define VARVE_REDO_PROTOCOL_VERSION UINT32_C(2)

#define VARVE_REDO_BLOCK_SIZE 8192
// Of what follows the header of a message. A longer chain is sent in several.
#define VARVE_REDO_MAX_MESSAGE (UINT32_C(64) << 20)
#define VARVE_REDO_MAX_ERROR_TEXT 2048

enum VarveRedoType {
  VARVE_REDO_HELLO = 1,  // <- once, at the start: VarveRedoHello
  VARVE_REDO_APPLY = 2,  // -> VarveRedoApply, the base page if there is one, records
  VARVE_REDO_PAGE = 3,   // <- the page
  VARVE_REDO_ERROR = 4,  // <- text, padded with zeros; the process is as good as before
  VARVE_REDO_FATAL = 5,  // <- text, padded with zeros; the process ends
};

struct VarveRedoHeader {
  uint32_t type;
  uint32_t size;
};

struct VarveRedoHello {
  uint32_t magic;
  uint32_t protocol_version;
  // PG_VERSION_NUM of the headers that the extension was compiled with, and of the server that
  // runs.
  uint32_t compiled_version;
  uint32_t server_version;
  uint64_t system_identifier;
  uint32_t block_size;
  uint32_t data_checksum_version;  // 0: pages carry no checksums.
  uint32_t seccomp;                // Whether system calls are restricted: 0 or 1.
  uint32_t reserved;
};

enum VarveRedoFlags {
  VARVE_REDO_HAS_BASE = 1,    // A page stands before the records.
  VARVE_REDO_CONTINUES = 2,   // Goes on with the page of the message before; no base.
  VARVE_REDO_UNFINISHED = 4,  // Is gone on with by the next message, which is answered for both.
};

struct VarveRedoApply {
  uint32_t tablespace;
  uint32_t database;
  uint32_t relation;
  uint32_t fork;
  uint32_t block;
  uint32_t flags;    // VarveRedoFlags.
  uint32_t records;  // At least 1.
  uint32_t reserved;
};

enum VarveRedoRecordFlags {
  // Changes of hint bits were logged where the record was written: data checksums or wal_log_hints.
  VARVE_REDO_HINT_BITS_LOGGED = 1,
};

// Then `length` bytes, the whole record from its xl_tot_len on, and zeros up to a multiple of 8.
struct VarveRedoRecord {
  uint64_t start_lsn;
  uint64_t end_lsn;
  uint32_t length;
  uint32_t flags;  // VarveRedoRecordFlags.
};

#ifdef __cplusplus
#define VARVE_REDO_STATIC_ASSERT static_assert
#else
#define VARVE_REDO_STATIC_ASSERT _Static_assert
#endif
VARVE_REDO_STATIC_ASSERT(sizeof(struct VarveRedoHeader) == 8, "no padding");
VARVE_REDO_STATIC_ASSERT(sizeof(struct VarveRedoHello) == 40, "no padding");
VARVE_REDO_STATIC_ASSERT(sizeof(struct VarveRedoApply) == 32, "no padding");
VARVE_REDO_STATIC_ASSERT(sizeof(struct VarveRedoRecord) == 24, "no padding");

#endif
