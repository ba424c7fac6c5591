// Makes the server that loads this library a redo process: README.md.
#include "postgres.h"

#include <setjmp.h>
#include <sys/shm.h>
#include <unistd.h>

#include "access/xlog.h"
#include "access/xlogutils.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/pg_shmem.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "apply.h"
#include "pages.h"
#include "sandbox.h"
#include "transport.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 160000
#error "the redo process is for PostgreSQL 15"
#endif
#if BLCKSZ != VARVE_REDO_BLOCK_SIZE
#error "the redo process is for pages of the default size"
#endif

// All else in this library is hidden: the server has names enough of its own.
#pragma GCC visibility push(default)
PG_MODULE_MAGIC;
void _PG_init(void);
#pragma GCC visibility pop

static bool use_seccomp = true;

// Redo pins and locks buffers on behalf of it.
static ResourceOwner owner;
// What a request allocates; emptied after each.
static MemoryContext request_context;
// The record that is applied, for error messages.
static XLogRecPtr record_lsn;
// What the next message may go on with.
static enum { NO_REQUEST, UNFINISHED_REQUEST, FAILED_REQUEST } open_request = NO_REQUEST;

static void send_text(enum VarveRedoType type, const char* message) {
  char text[VARVE_REDO_MAX_ERROR_TEXT];
  int length;

  if (record_lsn != InvalidXLogRecPtr) {
    length =
        snprintf(text, sizeof text, "record at %X/%X: %s", LSN_FORMAT_ARGS(record_lsn), message);
  } else {
    length = snprintf(text, sizeof text, "%s", message);
  }
  transport_send(type, text, (uint32_t)Min(length, (int)sizeof text - 1));
}

// PostgreSQL ends the process after FATAL and aborts it on PANIC. Nothing here is worth a core
// dump, and whoever waits for the answer should learn why there is none.
static void report_end(ErrorData* error) {
  if (error->elevel < FATAL) return;
  send_text(VARVE_REDO_FATAL, error->message != NULL ? error->message : "no message");
  _exit(1);
}

// What main() of a server does up to here and beyond, as far as redo needs it: shared memory with
// the buffer pool, a place in the list of processes, a resource owner, and the certainty that this
// is a recovery.
static void start_subsystems(void) {
  int interlock;

  InitializeMaxBackends();
  process_shmem_requests();
  InitializeShmemGUCs();
  CreateSharedMemoryAndSemaphores();
  InitProcess();
  BaseInit();
  SetProcessingMode(NormalProcessing);
  // The segment that keeps a second server off a data directory would outlive a kill.
  interlock = shmget((key_t)UsedShmemSegID, 0, 0);
  if (interlock >= 0) shmctl(interlock, IPC_RMID, NULL);

  owner = ResourceOwnerCreate(NULL, "varve_redo");
  CurrentResourceOwner = owner;
  request_context =
      AllocSetContextCreate(TopMemoryContext, "varve_redo request", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(TopMemoryContext);
  InRecovery = true;
}

static void send_hello(void) {
  struct VarveRedoHello hello = {
      .magic = VARVE_REDO_MAGIC,
      .protocol_version = VARVE_REDO_PROTOCOL_VERSION,
      .compiled_version = PG_VERSION_NUM,
      .server_version = (uint32_t)atoi(GetConfigOption("server_version_num", false, false)),
      .system_identifier = GetSystemIdentifier(),
      .block_size = BLCKSZ,
      .data_checksum_version = DataChecksumsEnabled() ? 1 : 0,
      .seccomp = use_seccomp ? 1 : 0,
  };

  transport_send(VARVE_REDO_HELLO, &hello, sizeof hello);
}

// Takes `size` bytes from what is left of a message.
static const void* take(const char** at, size_t* left, size_t size) {
  const char* taken = *at;

  if (size > *left) elog(FATAL, "a message ends %zu bytes too early", size - *left);
  *at += size;
  *left -= size;
  return taken;
}

// Makes the page that a message is about the wanted one. False when the request that the message
// continues has failed, which was answered then.
static bool begin_or_continue(const struct VarveRedoApply* apply) {
  PageTag tag = {.relation = {.spcNode = apply->tablespace,
                              .dbNode = apply->database,
                              .relNode = apply->relation},
                 .fork = (ForkNumber)apply->fork,
                 .block = apply->block};

  if ((apply->flags & VARVE_REDO_CONTINUES) != 0) {
    if (open_request == NO_REQUEST) elog(FATAL, "a message continues no request");
    return open_request != FAILED_REQUEST;
  }
  open_request = UNFINISHED_REQUEST;
  if (apply->fork > MAX_FORKNUM) elog(ERROR, "there is no fork %u", apply->fork);
  pages_begin(&tag);
  return true;
}

static void answer(const struct VarveRedoHeader* header) {
  const char* at = (const char*)(header + 1);
  size_t left = header->size;
  const struct VarveRedoApply* apply;
  PGAlignedBlock page;

  if (header->type != VARVE_REDO_APPLY) elog(FATAL, "there is no request %u", header->type);
  apply = take(&at, &left, sizeof *apply);
  if (!begin_or_continue(apply)) return;
  if ((apply->flags & VARVE_REDO_HAS_BASE) != 0) pages_place_wanted(take(&at, &left, BLCKSZ));
  for (uint32 i = 0; i < apply->records; ++i) {
    const struct VarveRedoRecord* record = take(&at, &left, sizeof *record);

    take(&at, &left, TYPEALIGN(8, (size_t)record->length));
    record_lsn = record->end_lsn;
    apply_record(record);
  }
  record_lsn = InvalidXLogRecPtr;
  if (left != 0) elog(FATAL, "a message is %zu bytes too long", left);
  if ((apply->flags & VARVE_REDO_UNFINISHED) != 0) return;
  open_request = NO_REQUEST;
  if (!pages_has_wanted()) elog(ERROR, "there is no record to apply");
  pages_copy_wanted(page.data);
  transport_send(VARVE_REDO_PAGE, page.data, BLCKSZ);
}

// Leaves nothing of a request that failed: no lock, no pin, no page, and no record half applied.
static void clean_up(void) {
  CritSectionCount = 0;
  LWLockReleaseAll();
  InterruptHoldoffCount = 0;
  AbortBufferIO();
  UnlockBuffers();
  ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, true);
  CurrentResourceOwner = owner;
  apply_reset();
  pages_disown();
  pages_drop();
}

static void handle(const struct VarveRedoHeader* header) {
  sigjmp_buf on_error;

  MemoryContextSwitchTo(request_context);
  if (sigsetjmp(on_error, 0) == 0) {
    PG_exception_stack = &on_error;
    answer(header);
  } else {
    ErrorData* error;

    // An error in here is FATAL: then this process is no good any more.
    PG_exception_stack = NULL;
    error_context_stack = NULL;
    MemoryContextSwitchTo(request_context);
    error = CopyErrorData();
    FlushErrorState();
    clean_up();
    send_text(VARVE_REDO_ERROR, error->message != NULL ? error->message : "no message");
    open_request = FAILED_REQUEST;
    record_lsn = InvalidXLogRecPtr;
  }
  PG_exception_stack = NULL;
  MemoryContextReset(request_context);
}

static void serve(void) {
  const struct VarveRedoHeader* header;

  while ((header = transport_receive()) != NULL) handle(header);
}

// Never returns in a process that becomes a redo process: what follows in the server's own start is
// the recovery of a database that is not there.
void _PG_init(void) {
  if (!process_shared_preload_libraries_in_progress || IsPostmasterEnvironment ||
      IsUnderPostmaster) {
    ereport(ERROR, errmsg("varve_redo is not for a server with data"),
            errhint("Varve starts redo processes itself. Remove varve_redo from "
                    "shared_preload_libraries."));
  }
  DefineCustomBoolVariable("varve_redo.seccomp",
                           "Whether the system calls of the redo process are restricted.", NULL,
                           &use_seccomp, true, PGC_POSTMASTER, 0, NULL, NULL, NULL);
  process_shared_preload_libraries_in_progress = false;
  transport_set_up();
  emit_log_hook = report_end;
  start_subsystems();
  pages_set_up();
  apply_set_up();
  if (use_seccomp) sandbox_enter();
  send_hello();
  serve();
  // Not exit(): what the server registered for its end is about files that need not be right.
  _exit(0);
}
