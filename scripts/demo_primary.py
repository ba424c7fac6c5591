"""The primary of the demo: money is moved there all the time, and a ledger says what had committed when."""

import bisect
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

from support import postgres

ACCOUNTS_OF_A_BRANCH = 100_000
# Shared memory in the data directory: there it goes with it when nobody is left to give it back.
SETTINGS = {"autovacuum": "on", "dynamic_shared_memory_type": "mmap"}
TIME_IN_UTC = """to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

# The transaction of pgbench, but for the accounts of the last branch: those are deleted by accident,
# and with a balance of 0 the sums agree before and afterwards.
TRANSFER = """\
\\set aid random(1, 100000 * (:scale - 1))
\\set bid random(1, :scale)
\\set tid random(1, 10 * :scale)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, now());
END;
"""


def parse_lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Transfers:
    """pgbench in the background, until close()."""

    def __init__(self, cluster, scale, clients=4):
        script = cluster.pgdata.parent / "transfer.sql"
        script.write_text(TRANSFER)
        self._process = subprocess.Popen(
            [postgres.BIN_DIR / "pgbench", "-n", "-s", str(scale), "-c", str(clients), "-T", "3600",
             "-f", script, "-h", cluster.socket_folder, "-p", str(cluster.port), "-U", "postgres",
             "postgres"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}, **postgres.as_postgres())

    def close(self):
        self._process.kill()
        self._process.wait()


class Entry(NamedTuple):
    """What the primary said once the row had committed: the commit lies before all of it."""

    lsn: int
    time: str  # ISO 8601 in UTC, of one length
    heard: float  # time.monotonic()


class Ledger:
    """Commits the rows 1, 2, 3... of a table, one every tenth of a second, until close() or the primary's end."""

    PERIOD = 0.1

    def __init__(self, cluster):
        cluster.sql("CREATE TABLE ledger (number int PRIMARY KEY)")
        self.entries = []
        self._closing = threading.Event()
        self._psql = subprocess.Popen(
            [postgres.BIN_DIR / "psql", "-X", "-A", "-t", "-q", *map(str, cluster.connection())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            bufsize=1, cwd="/", env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            **postgres.as_postgres())
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self):
        while not self._closing.wait(self.PERIOD):
            try:
                self._psql.stdin.write(
                    f"INSERT INTO ledger VALUES ({len(self.entries) + 1});\n"
                    f"SELECT pg_current_wal_insert_lsn(), {TIME_IN_UTC};\n")
                answer = self._psql.stdout.readline()
            except OSError:
                return
            if not answer.endswith("\n"):
                return
            lsn, when = answer.strip().split("|")
            self.entries.append(Entry(parse_lsn(lsn), when, time.monotonic()))

    def close(self):
        self._closing.set()
        self._psql.kill()
        self._thread.join()
        self._psql.communicate()

    def committed_by_lsn(self, lsn):
        """How many rows there must be at that LSN, at least and at most."""
        return self._bounds([entry.lsn for entry in self.entries], lsn)

    def committed_by_time(self, when):
        return self._bounds([entry.time for entry in self.entries], when)

    @staticmethod
    def _bounds(points, point):
        # The row after one that was acknowledged beyond the point was begun beyond it.
        return bisect.bisect_right(points, point), bisect.bisect_left(points, point) + 1

    def seconds_beyond(self, lsn):
        """How much of what was acknowledged lies beyond that LSN, in seconds."""
        entries = list(self.entries)
        first = bisect.bisect_right([entry.lsn for entry in entries], lsn)
        return entries[-1].heard - entries[first].heard if first < len(entries) else 0.0


def _children(pid):
    """The processes that this one has started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_text()
            except OSError:
                continue  # It has ended.
            # The name of the program, in parentheses, may hold anything.
            if int(status.rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
    return found


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def strike(cluster):
    """Ends a server as a loss of power does: all of its processes at once, by SIGKILL."""
    # "key id" of the segment that tells other servers of this one, and that nobody else removes.
    shared_memory = (cluster.pgdata / "postmaster.pid").read_text().splitlines()[6].split()[1]
    processes = [cluster.pid]
    os.kill(cluster.pid, signal.SIGSTOP)  # So that it starts no more.
    processes += _children(cluster.pid)
    for pid in processes:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    while any(map(_runs, processes)):
        time.sleep(0.01)
    cluster.kill()
    subprocess.run(["ipcrm", "-m", shared_memory], check=True)
