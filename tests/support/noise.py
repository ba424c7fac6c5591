"""Incompressible data, fast."""

import os
import struct
import subprocess

from support.postgres import BIN_DIR, PostgresError, as_postgres

# Four rows fill a page, and none is long enough to be put out of line.
_ROW_BYTES = 1990
_ROWS_A_CHUNK = 4096

_BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_BINARY_TRAILER = struct.pack("!h", -1)

# With this, what a transaction copies into a table it made itself is not written to the WAL.
SETTINGS = {"wal_level": "minimal", "max_wal_senders": "0", "shared_buffers": "'64MB'"}


def fill(cluster, size, table="noise"):
    """Makes a table of about `size` bytes that no compressor makes smaller.

    The rows repeat every 8 MB: much further apart than the data compressed at a time.
    """
    chunk = b"".join(struct.pack("!hi", 1, _ROW_BYTES) + os.urandom(_ROW_BYTES)
                     for _ in range(_ROWS_A_CHUNK))
    command = [BIN_DIR / "psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1",
               *map(str, cluster.connection()),
               "-c", f"CREATE TABLE {table} (body bytea)",
               "-c", f"COPY {table} FROM STDIN (FORMAT binary)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd="/",
                          env={"PATH": "/usr/bin:/bin"}, **as_postgres()) as psql:
        psql.stdin.write(_BINARY_HEADER)
        for _ in range(max(1, size // (_ROWS_A_CHUNK // 4 * 8192))):
            psql.stdin.write(chunk)
        psql.stdin.write(_BINARY_TRAILER)
        psql.stdin.close()
    if psql.returncode != 0:
        raise PostgresError(f"filling {table} failed with {psql.returncode}")
