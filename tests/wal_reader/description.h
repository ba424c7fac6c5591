// Payloads of WAL records in the words of pg_waldump.
#pragma once

#include <string>

#include "postgres/wal/v15/payload.h"

namespace varve {

// What pg_waldump --bkp-details prints behind the name of the record type; nothing for records that
// have no payload of interest.
// `node`: the record's origin.
std::string describe(const wal15::Payload& payload, uint16_t node);

}  // namespace varve
