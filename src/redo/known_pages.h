// Two records of a server, and the pages that they make: what redo can be held to.
#pragma once

#include "base/bytes.h"
#include "base/lsn.h"
#include "postgres/key_space.h"

namespace varve {

// Of a server 15.20, from
//     CREATE TABLE t (id int, name text);
//     INSERT INTO t VALUES (1, 'varve');
//     INSERT INTO t VALUES (2, 'sediment');
// the two records of the inserts. The first makes the page, so it needs none before it.
struct KnownPages {
  Key key;
  Lsn first_end;
  Bytes first_record;
  Bytes first_page;
  Lsn second_end;
  Bytes second_record;
  Bytes second_page;
};

KnownPages known_pages();

}  // namespace varve
