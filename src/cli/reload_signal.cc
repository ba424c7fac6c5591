#include "cli/reload_signal.h"

#include <pthread.h>

#include <csignal>

namespace varve {
namespace {

sigset_t hangup() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

ReloadSignal::ReloadSignal(std::function<void()> reload) {
  const sigset_t set = hangup();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::jthread([reload = std::move(reload), set](std::stop_token stop) {
    int signal_number = 0;
    while (sigwait(&set, &signal_number) == 0 && !stop.stop_requested()) reload();
  });
}

ReloadSignal::~ReloadSignal() {
  waiter_.request_stop();
  pthread_kill(waiter_.native_handle(), SIGHUP);
}

}  // namespace varve
