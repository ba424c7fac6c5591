// Records come from somebody else's server, and PostgreSQL's redo trusts them: what a crafted one
// could make of this process must end at its own memory and its two descriptors. The filter is
// written by hand because a list of numbers is all that it is; see seccomp(2).
#include "postgres.h"

#include "sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the system calls of this architecture are not known"
#endif

static const unsigned int allowed[] = {
    __NR_read,         __NR_write,           // the protocol, stderr
    __NR_brk,          __NR_mmap,            // malloc
    __NR_munmap,       __NR_mremap,          //
    __NR_futex,        __NR_getpid,          // locks
    __NR_rt_sigreturn, __NR_rt_sigprocmask,  // critical sections
    __NR_exit_group,
};

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (action))

void sandbox_enter(void) {
  struct sock_filter filter[lengthof(allowed) + 6] = {
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
      ANSWER(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
  };
  struct sock_fprog program = {.filter = filter};
  unsigned short at = 4;

  for (size_t i = 0; i < lengthof(allowed); ++i) {
    // On a match to the last instruction: over the calls that are left and the one before it.
    unsigned char distance = (unsigned char)(lengthof(allowed) - i);

    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], distance, 0);
  }
  filter[at++] = (struct sock_filter)ANSWER(SECCOMP_RET_KILL_PROCESS);
  filter[at++] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
  program.len = at;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    elog(FATAL, "cannot restrict the system calls of the redo process: %m");
  }
}
