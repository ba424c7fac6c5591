#include "server/http/stop_event.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <tuple>

namespace varve::http {

StopEvent::StopEvent() : descriptor_(eventfd(0, EFD_CLOEXEC)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

StopEvent::~StopEvent() {
  close(descriptor_);
}

void StopEvent::request_stop() {
  source_.request_stop();
  const uint64_t one = 1;
  std::ignore = write(descriptor_, &one, sizeof one);
}

}  // namespace varve::http
