// Messages in and out over the descriptors that the process was started with.
#ifndef VARVE_REDO_TRANSPORT_H
#define VARVE_REDO_TRANSPORT_H

#include <stdint.h>

#include "protocol.h"

// Takes stdin and stdout for the protocol. Whatever else this process prints goes to stderr.
void transport_set_up(void);

// The next message: its header, which its content follows, aligned for any field of it and valid
// until the next call. NULL at the end of the input. Ends the process when the input is not a
// message: nothing after it could be understood.
const struct VarveRedoHeader* transport_receive(void);

// Blocks until all is written. Ends the process when nobody reads any more.
void transport_send(enum VarveRedoType type, const void* content, uint32_t size);

#endif
