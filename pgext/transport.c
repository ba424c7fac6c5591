#include "postgres.h"

#include "transport.h"

#include <fcntl.h>
#include <unistd.h>

// A request of some records and its neighbours in one read.
#define INITIAL_CAPACITY ((size_t)256 << 10)

static int input = -1;
static int output = -1;

// What was read and not yet used lies in [begin, end). All messages are multiples of 8 long, so
// that each begins aligned as the buffer does.
static char* buffer;
static size_t capacity;
static size_t begin;
static size_t end;

void transport_set_up(void) {
  int null;

  input = dup(STDIN_FILENO);
  output = dup(STDOUT_FILENO);
  null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (input < 0 || output < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
      dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    elog(FATAL, "cannot set up the descriptors of the protocol: %m");
  }
  close(null);
  capacity = INITIAL_CAPACITY;
  buffer = malloc(capacity);
  if (buffer == NULL) elog(FATAL, "out of memory");
}

// Makes room for `size` bytes from `begin` on.
static void make_room(size_t size) {
  if (begin > 0 && begin + size > capacity) {
    memmove(buffer, buffer + begin, end - begin);
    end -= begin;
    begin = 0;
  }
  if (size > capacity) {
    buffer = realloc(buffer, size);
    if (buffer == NULL) elog(FATAL, "out of memory for a request of %zu bytes", size);
    capacity = size;
  }
}

// Whether `size` bytes are there, after reading as long as needed.
static bool fill(size_t size) {
  if (begin == end) begin = end = 0;
  while (end - begin < size) {
    ssize_t count;

    make_room(size);
    count = read(input, buffer + end, capacity - end);
    if (count > 0) {
      end += (size_t)count;
    } else if (count == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

const struct VarveRedoHeader* transport_receive(void) {
  const struct VarveRedoHeader* header;
  size_t size;

  if (!fill(sizeof *header)) return NULL;
  header = (const struct VarveRedoHeader*)(buffer + begin);
  if (header->size > VARVE_REDO_MAX_MESSAGE || header->size % 8 != 0) {
    elog(FATAL, "a message of type %u claims %u bytes", header->type, header->size);
  }
  size = sizeof *header + header->size;
  if (!fill(size)) return NULL;
  header = (const struct VarveRedoHeader*)(buffer + begin);
  begin += size;
  return header;
}

void transport_send(enum VarveRedoType type, const void* content, uint32_t size) {
  static union {
    uint64_t alignment;
    char bytes[sizeof(struct VarveRedoHeader) + VARVE_REDO_BLOCK_SIZE];
  } message;
  struct VarveRedoHeader header = {.type = type, .size = TYPEALIGN(8, size)};
  size_t total = sizeof header + header.size;
  size_t sent = 0;

  Assert(total <= sizeof message);
  memcpy(message.bytes, &header, sizeof header);
  memcpy(message.bytes + sizeof header, content, size);
  memset(message.bytes + sizeof header + size, 0, header.size - size);
  while (sent < total) {
    ssize_t count = write(output, message.bytes + sent, total - sent);

    if (count >= 0) {
      sent += (size_t)count;
    } else if (errno != EINTR) {
      _exit(1);
    }
  }
}
