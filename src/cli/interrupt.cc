#include "cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>

namespace varve {
namespace {

sigset_t interrupts() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

InterruptHandler::InterruptHandler() {
  const sigset_t set = interrupts();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::jthread([this, set](std::stop_token stop) {
    // What others wait for must not end the process by coming to this thread.
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &hangup, nullptr);
    int signal_number = 0;
    sigwait(&set, &signal_number);
    if (stop.stop_requested()) return;
    source_.request_stop();
    sigwait(&set, &signal_number);
    if (!stop.stop_requested()) _exit(128 + signal_number);
  });
}

InterruptHandler::~InterruptHandler() {
  waiter_.request_stop();
  pthread_kill(waiter_.native_handle(), SIGTERM);
}

}  // namespace varve
