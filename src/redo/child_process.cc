#include "redo/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace varve {
namespace {

// What the child does between fork and exec. Other threads may have held any lock at the fork, so
// only async-signal-safe functions are called, and everything that needs memory was made before.
class Launch {
 public:
  Launch(const ChildProgram& program, int report)
      : program_(program), parent_(getpid()), report_(report) {
    for (const std::string& text : program.arguments) arguments_.push_back(mutable_text(text));
    for (const std::string& text : program.environment) environment_.push_back(mutable_text(text));
    arguments_.push_back(nullptr);
    environment_.push_back(nullptr);
  }

  [[noreturn]] void run() {
    if (!prepare()) give_up();
    ::execve(arguments_[0], arguments_.data(), environment_.data());
    give_up();
  }

 private:
  // execve(2) promises not to change them.
  static char* mutable_text(const std::string& text) { return const_cast<char*>(text.c_str()); }

  bool prepare() {
    reset_signals();
    if (::setpgid(0, 0) != 0) return false;
    // Away from the numbers that are going to be replaced.
    report_ = ::fcntl(report_, F_DUPFD_CLOEXEC, 10);
    const int in_out = ::fcntl(program_.standard_input_and_output, F_DUPFD_CLOEXEC, 10);
    const int error = ::fcntl(program_.standard_error, F_DUPFD_CLOEXEC, 10);
    if (report_ < 0 || in_out < 0 || error < 0) return false;
    if (::dup2(in_out, 0) < 0 || ::dup2(in_out, 1) < 0 || ::dup2(error, 2) < 0) return false;
    if (!close_others()) return false;
    if (::chdir("/") != 0) return false;
    const rlimit no_dump{.rlim_cur = 0, .rlim_max = 0};
    const rlimit memory{.rlim_cur = program_.address_space, .rlim_max = program_.address_space};
    if (::setrlimit(RLIMIT_CORE, &no_dump) != 0) return false;
    if (program_.address_space != 0 && ::setrlimit(RLIMIT_AS, &memory) != 0) return false;
    if (program_.user && !become(*program_.user)) return false;
    // After the change of the user, which takes it back.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return false;
    // The parent may have died before the kernel knew what to do then.
    if (::getppid() != parent_) ::_exit(1);
    return true;
  }

  // What this process ignores or blocks is its own affair.
  static void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }

  // Everything of this program is closed by exec; a library may have been less careful.
  static bool close_others() {
    constexpr unsigned kFirst = 3;
    constexpr unsigned kCloseOnExec = 4;  // CLOSE_RANGE_CLOEXEC
    return ::syscall(SYS_close_range, kFirst, ~0U, kCloseOnExec) == 0;
  }

  static bool become(const SystemUser& user) {
    return ::setgroups(0, nullptr) == 0 && ::setresgid(user.group, user.group, user.group) == 0 &&
           ::setresuid(user.user, user.user, user.user) == 0;
  }

  [[noreturn]] void give_up() const {
    const int reason = errno;
    [[maybe_unused]] const ssize_t written = ::write(report_, &reason, sizeof reason);
    ::_exit(127);
  }

  const ChildProgram& program_;
  const pid_t parent_;
  int report_;
  std::vector<char*> arguments_;
  std::vector<char*> environment_;
};

// Forks with all signals blocked, so that no handler of this program runs in the child.
pid_t fork_quietly() {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t child = ::fork();
  const int reason = errno;
  if (child != 0) ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = reason;
  return child;
}

std::string describe_status(int status) {
  if (WIFEXITED(status)) return fmt::format("ended with exit code {}", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* const description = ::sigdescr_np(signal);
  return fmt::format("was killed by signal {} ({})", signal,
                     description != nullptr ? description : "unknown");
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildProgram& program) {
  const std::string& path = program.arguments.front();
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_error(errno, fmt::format("cannot start {}", path));
  }
  const Descriptor report(ends[0]);
  Descriptor report_of_child(ends[1]);
  Launch launch(program, report_of_child.get());
  const pid_t id = fork_quietly();
  if (id < 0) return system_error(errno, fmt::format("cannot start {}", path));
  if (id == 0) launch.run();
  ChildProcess child(id);
  report_of_child.close();
  // Ends once the program runs, which closes the other end, or has said why it does not.
  int reason = 0;
  ssize_t count = 0;
  do {
    count = ::read(report.get(), &reason, sizeof reason);
  } while (count < 0 && errno == EINTR);
  if (count == sizeof reason) return system_error(reason, fmt::format("cannot run {}", path));
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept : id_(std::exchange(other.id_, -1)) {}

ChildProcess::~ChildProcess() {
  if (id_ > 0) end(Duration::zero());
}

std::string ChildProcess::end(Duration patience) {
  if (id_ <= 0) return "is gone";
  bool ended = false;
  if (patience > Duration::zero()) {
    const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)));
    pollfd event{.fd = process.get(), .events = POLLIN, .revents = 0};
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    ended = ::poll(&event, 1, static_cast<int>(milliseconds)) > 0;
  }
  if (!ended) ::kill(id_, SIGKILL);
  int status = 0;
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(id_, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  id_ = -1;
  return reaped < 0 ? "is gone" : describe_status(status);
}

}  // namespace varve
