// What a primary, or libpq, says went wrong, as an error that tells the caller what to do.
//
// SQLSTATEs: https://www.postgresql.org/docs/15/errcodes-appendix.html
#pragma once

#include <libpq-fe.h>

#include <string_view>

#include "base/result.h"

namespace varve {

// What a server reported with `sqlstate`: its words, and the remedy where there is one.
//
//   Unavailable      it starts, stops, has no connection left; anything it may get over
//   Denied           authentication, pg_hba.conf, an attribute that the role lacks
//   NotFound         what was asked for was removed, such as WAL
//   Conflict         a slot is in use, or exists already
//   Exhausted        all slots are taken, the disk is full
//   InvalidArgument  the request, or how the server is configured; and a slot that does not exist
//   Corrupted        the server found damage
//   Internal         what fits none of these
Error server_error(std::string_view sqlstate, std::string_view message);

// Of a result that is not what a command gives: PGRES_FATAL_ERROR, or of the wrong kind.
Error error_of(const PGresult* result);

// Of a connection that could not be opened. Its verbosity must be PQERRORS_VERBOSE, since libpq
// gives the SQLSTATE of a refused connection in no other way. Unavailable when nobody answered.
Error error_of_connecting(const PGconn* connection);

// Of one that was open and broke: Unavailable.
Error error_of_lost(const PGconn* connection);

}  // namespace varve
