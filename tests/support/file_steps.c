// Preloaded into a process, counts the calls that change files, over all its threads, and at one of
// them ends the process or lets the call fail. Told by environment variables what to do:
//
//   FILE_STEPS_ROOT    only calls on paths below this folder count
//   FILE_STEPS_LOG     every counted call is a line here once it has been carried out (see note())
//   FILE_STEPS_STASH   a folder outside the root, on its file system, where a file whose last name
//                      goes is linked under the number of the call, so that a name can be put back
//   FILE_STEPS_AT      the number of the call, from 1, at which something happens
//   FILE_STEPS_ACTION  before    SIGKILL instead of the call
//                      after     SIGKILL when it was carried out
//                      torn      a write is carried out by half, then SIGKILL
//                      fail      this call fails with FILE_STEPS_ERRNO
//                      full      this one and all later ones that need space fail with it
//   FILE_STEPS_HICCUPS every write is first interrupted by a signal, then short by half
//
// fsync is counted and not carried out: it takes most of the time, and matters only to a power cut,
// which power_loss.py plays. The other calls go straight to the kernel, so that none is counted
// twice.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum action { NOTHING, BEFORE, AFTER, TORN, FAIL, FULL };

static atomic_long steps;
static const char* root;
static const char* stash;
static long at;
static enum action action;
static int injected_errno;
static bool hiccups;
static int log_descriptor = -1;

__attribute__((constructor)) static void configure(void) {
  static const char* const names[] = {"", "before", "after", "torn", "fail", "full"};
  const char* text = getenv("FILE_STEPS_ACTION");
  for (int i = 1; text != NULL && i <= FULL; ++i) {
    if (strcmp(text, names[i]) == 0) action = (enum action)i;
  }
  root = getenv("FILE_STEPS_ROOT");
  stash = getenv("FILE_STEPS_STASH");
  if ((text = getenv("FILE_STEPS_AT")) != NULL) at = atol(text);
  if ((text = getenv("FILE_STEPS_ERRNO")) != NULL) injected_errno = atoi(text);
  hiccups = getenv("FILE_STEPS_HICCUPS") != NULL;
  if ((text = getenv("FILE_STEPS_LOG")) != NULL) {
    log_descriptor =
        (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
}

struct step {
  long number;  // 0: the call is not counted.
  const char* call;
  char path[PATH_MAX];
  char other[PATH_MAX];  // The second path of a rename or link.
};

// The path that a descriptor was opened by, or "".
static void path_of(int descriptor, char* path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length > 0 ? length : 0] = '\0';
}

static void resolve(int folder, const char* path, char* absolute) {
  if (path[0] == '/') {
    snprintf(absolute, PATH_MAX, "%s", path);
    return;
  }
  char base[PATH_MAX] = "";
  if (folder != AT_FDCWD) {
    path_of(folder, base);
  } else if (getcwd(base, sizeof base) == NULL) {
    base[0] = '\0';
  }
  const size_t length = strlen(base);
  if (length + 1 + strlen(path) >= PATH_MAX) abort();
  memcpy(absolute, base, length);
  absolute[length] = '/';
  strcpy(absolute + length + 1, path);
}

static bool is_watched(const char* path) {
  const size_t length = root == NULL ? 0 : strlen(root);
  return length > 0 && strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]);
}

// A line: number, call, errno (0 when it was carried out, -1 when the process died before it), then
// inode, size and the offset written at, then the two paths; separated by tabs.
static void note(const struct step* step, int result, const struct stat* status, long long offset) {
  if (log_descriptor < 0 || step->number == 0) return;
  char line[2 * PATH_MAX + 200];
  const int length =
      snprintf(line, sizeof line, "%ld\t%s\t%d\t%llu\t%lld\t%lld\t%s\t%s\n", step->number,
               step->call, result, status == NULL ? 0ULL : (unsigned long long)status->st_ino,
               status == NULL ? 0LL : (long long)status->st_size, offset, step->path, step->other);
  syscall(SYS_write, log_descriptor, line, (size_t)length);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static bool needs_space(const char* call) {
  static const char* const calls[] = {"write", "create", "mkdir", "link", "symlink", "fallocate"};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
    if (strcmp(call, calls[i]) == 0) return true;
  }
  return false;
}

// Counts the call; true when it must fail, with errno set.
static bool begin(struct step* step) {
  step->number = 0;
  if (!is_watched(step->path)) return false;
  step->number = atomic_fetch_add(&steps, 1) + 1;
  const bool now = step->number == at;
  if (now && action == BEFORE) {
    note(step, -1, NULL, -1);
    die();
  }
  if ((now && action == FAIL) ||
      (action == FULL && step->number >= at && needs_space(step->call))) {
    note(step, injected_errno, NULL, -1);
    errno = injected_errno;
    return true;
  }
  return false;
}

static long end_at(const struct step* step, long result, const struct stat* status,
                   long long offset) {
  if (step->number == 0) return result;
  const int error = errno;
  note(step, result < 0 ? error : 0, status, offset);
  if (step->number == at && (action == AFTER || action == TORN)) die();
  errno = error;
  return result;
}

static long end(const struct step* step, long result, const struct stat* status) {
  return end_at(step, result, status, -1);
}

// Keeps the file that `path` names, as a file of the number of the step.
static void keep(const struct step* step, const char* path) {
  struct stat status;
  if (stash == NULL || step->number == 0 || lstat(path, &status) != 0 || S_ISDIR(status.st_mode)) {
    return;
  }
  char kept[PATH_MAX];
  snprintf(kept, sizeof kept, "%s/%ld", stash, step->number);
  syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, kept, 0);
}

static void set_paths(struct step* step, int folder, const char* path, int other_folder,
                      const char* other) {
  resolve(folder, path, step->path);
  step->other[0] = '\0';
  if (other != NULL) resolve(other_folder, other, step->other);
}

// --- names ---

static int open_file(int folder, const char* path, int flags, mode_t mode) {
  struct stat status;
  struct step step = {.number = 0};
  if ((flags & (O_CREAT | O_TRUNC)) != 0 && (flags & O_TMPFILE) != O_TMPFILE) {
    const bool exists = fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (exists ? (flags & O_TRUNC) != 0 : (flags & O_CREAT) != 0) {
      step.call = exists ? "truncate" : "create";
      set_paths(&step, folder, path, 0, NULL);
      if (begin(&step)) return -1;
    }
  }
  const int result = (int)syscall(SYS_openat, folder, path, flags, mode);
  if (step.number == 0) return result;
  const int error = errno;
  const bool known = result >= 0 && fstat(result, &status) == 0;
  errno = error;
  return (int)end(&step, result, known ? &status : NULL);
}

#define MODE_ARGUMENT                         \
  mode_t mode = 0;                            \
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) { \
    va_list list;                             \
    va_start(list, flags);                    \
    mode = va_arg(list, mode_t);              \
    va_end(list);                             \
  }

int open(const char* path, int flags, ...) {
  MODE_ARGUMENT
  return open_file(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE_ARGUMENT
  return open_file(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  MODE_ARGUMENT
  return open_file(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  MODE_ARGUMENT
  return open_file(folder, path, flags, mode);
}

int mkdirat(int folder, const char* path, mode_t mode) {
  struct step step = {.call = "mkdir"};
  struct stat status;
  // Where it exists nothing changes.
  if (fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return (int)syscall(SYS_mkdirat, folder, path, mode);
  }
  set_paths(&step, folder, path, 0, NULL);
  if (begin(&step)) return -1;
  return (int)end(&step, syscall(SYS_mkdirat, folder, path, mode), NULL);
}
int mkdir(const char* path, mode_t mode) {
  return mkdirat(AT_FDCWD, path, mode);
}

char* mkdtemp(char* template) {
  char* (*const original)(char*) = (char* (*)(char*))dlsym(RTLD_NEXT, "mkdtemp");
  struct step step = {.call = "mkdir"};
  set_paths(&step, AT_FDCWD, template, 0, NULL);
  if (begin(&step)) return NULL;
  char* const made = original(template);
  set_paths(&step, AT_FDCWD, template, 0, NULL);
  end(&step, made == NULL ? -1 : 0, NULL);
  return made;
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned int flags) {
  struct step step = {.call = "rename"};
  set_paths(&step, from_folder, from, to_folder, to);
  if (begin(&step)) return -1;
  keep(&step, step.other);
  return (int)end(&step, syscall(SYS_renameat2, from_folder, from, to_folder, to, flags), NULL);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  return renameat2(from_folder, from, to_folder, to, 0);
}
int rename(const char* from, const char* to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  struct step step = {.call = "link"};
  set_paths(&step, from_folder, from, to_folder, to);
  if (begin(&step)) return -1;
  return (int)end(&step, syscall(SYS_linkat, from_folder, from, to_folder, to, flags), NULL);
}
int link(const char* from, const char* to) {
  return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int symlinkat(const char* target, int folder, const char* path) {
  struct step step = {.call = "symlink"};
  set_paths(&step, folder, path, 0, NULL);
  if (begin(&step)) return -1;
  return (int)end(&step, syscall(SYS_symlinkat, target, folder, path), NULL);
}
int symlink(const char* target, const char* path) {
  return symlinkat(target, AT_FDCWD, path);
}

int unlinkat(int folder, const char* path, int flags) {
  struct step step = {.call = (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink"};
  set_paths(&step, folder, path, 0, NULL);
  if (begin(&step)) return -1;
  keep(&step, step.path);
  return (int)end(&step, syscall(SYS_unlinkat, folder, path, flags), NULL);
}
int unlink(const char* path) {
  return unlinkat(AT_FDCWD, path, 0);
}
int rmdir(const char* path) {
  return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
int remove(const char* path) {
  struct stat status;
  const bool is_folder = lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
  return unlinkat(AT_FDCWD, path, is_folder ? AT_REMOVEDIR : 0);
}

// --- contents ---

// Whether the descriptor is a file or folder that could count; pipes and terminals cannot.
static bool describe(struct step* step, int descriptor, struct stat* status) {
  if (fstat(descriptor, status) != 0) return false;
  if (!S_ISREG(status->st_mode) && !S_ISDIR(status->st_mode)) return false;
  path_of(descriptor, step->path);
  step->other[0] = '\0';
  return true;
}

// Writes at `offset`, or at the descriptor's own position where that is negative.
static ssize_t write_bytes(int descriptor, const void* bytes, size_t count, off_t offset) {
  struct step step = {.call = "write"};
  struct stat status;
  const bool counts = describe(&step, descriptor, &status) && is_watched(step.path);
  if (counts && hiccups && count > 1) {
    static _Thread_local bool interrupted;
    interrupted = !interrupted;
    if (interrupted) {
      errno = EINTR;
      return -1;
    }
    count /= 2;
  }
  if (counts && begin(&step)) return -1;
  if (step.number > 0 && step.number == at && action == TORN) count /= 2;
  const off_t position = offset >= 0 || !counts                    ? offset
                         : (fcntl(descriptor, F_GETFL) & O_APPEND) ? status.st_size
                                                                   : lseek(descriptor, 0, SEEK_CUR);
  const ssize_t done = offset < 0 ? syscall(SYS_write, descriptor, bytes, count)
                                  : syscall(SYS_pwrite64, descriptor, bytes, count, offset);
  if (step.number == 0) return done;
  const int error = errno;
  fstat(descriptor, &status);
  errno = error;
  return end_at(&step, done, &status, position);
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  return write_bytes(descriptor, bytes, count, -1);
}
ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  return write_bytes(descriptor, bytes, count, offset);
}
ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off_t offset) {
  return write_bytes(descriptor, bytes, count, offset);
}
ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  ssize_t done = 0;
  for (int i = 0; i < count; ++i) {
    if (parts[i].iov_len == 0) continue;
    const ssize_t result = write_bytes(descriptor, parts[i].iov_base, parts[i].iov_len, -1);
    if (result < 0) return done > 0 ? done : result;
    done += result;
    if ((size_t)result < parts[i].iov_len) break;
  }
  return done;
}

enum { kNoCall = -1 };

static int change(const char* call, int descriptor, long number, long first, long second,
                  long third) {
  struct step step = {.call = call};
  struct stat status;
  if (describe(&step, descriptor, &status) && begin(&step)) return -1;
  const long result = number == kNoCall ? 0 : syscall(number, descriptor, first, second, third);
  if (step.number == 0) return (int)result;
  const int error = errno;
  fstat(descriptor, &status);
  errno = error;
  return (int)end(&step, result, &status);
}

int fsync(int descriptor) {
  return change("fsync", descriptor, kNoCall, 0, 0, 0);
}
int fdatasync(int descriptor) {
  return change("fsync", descriptor, kNoCall, 0, 0, 0);
}
int syncfs(int descriptor) {
  return change("syncfs", descriptor, kNoCall, 0, 0, 0);
}
int ftruncate(int descriptor, off_t size) {
  return change("ftruncate", descriptor, SYS_ftruncate, size, 0, 0);
}
int ftruncate64(int descriptor, off_t size) {
  return ftruncate(descriptor, size);
}
int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  return change("fallocate", descriptor, SYS_fallocate, mode, offset, size);
}
int fallocate64(int descriptor, int mode, off_t offset, off_t size) {
  return fallocate(descriptor, mode, offset, size);
}
int posix_fallocate(int descriptor, off_t offset, off_t size) {
  static _Thread_local bool interrupted;
  if (hiccups && (interrupted = !interrupted)) return EINTR;
  const int error = errno;
  const int result = fallocate(descriptor, 0, offset, size) == 0 ? 0 : errno;
  errno = error;
  return result;
}
int posix_fallocate64(int descriptor, off_t offset, off_t size) {
  return posix_fallocate(descriptor, offset, size);
}
