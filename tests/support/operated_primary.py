"""A primary as an operator runs it, with pg_ctl and a WAL archive, that is killed in several ways."""

import os
import re
import shutil
import signal
from pathlib import Path

from support.daemon import until
from support.postgres import Cluster, PostgresError, give_to_postgres, run_program
from support.wal_records import LONG_PAGE_HEADER, PAGE, SHORT_PAGE_HEADER, parse_lsn

SEGMENT = 2**20
# It forgets WAL as soon as it may: what only the archive has, nobody gets from the primary any more.
SETTINGS = {
    "archive_mode": "on",
    "wal_keep_size": "0",
    "max_wal_size": "'16MB'",
    "checkpoint_timeout": "'30s'",
    "autovacuum": "on",
    "autovacuum_naptime": "'3s'",
}

_TRANSACTION = re.compile(r"rmgr: Transaction +len \(rec/tot\): +\d+/ *(?P<size>\d+), "
                          r"tx: +(?P<transaction>\d+), lsn: (?P<start>[0-9A-F/]+), .* desc: (?P<kind>\w+)")


def end_of_record(start, size):
    """Where a record of `size` bytes ends."""
    at, left = start, (size + 7) // 8 * 8
    while left > (room := PAGE - at % PAGE):
        left -= room
        at += room
        at += LONG_PAGE_HEADER if at % SEGMENT == 0 else SHORT_PAGE_HEADER
    return at + left


def _state_and_parent(pid):
    """The letter of its state, and the number of its parent; X once it is gone."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return state, int(parent)


def is_gone(pid):
    """Also from the list of processes, where whatever is left of one stands in the way of the next."""
    return _state_and_parent(pid)[0] == "X"


def children(pid):
    """The numbers of the processes that a process has started and that run."""
    # Not the list that /proc has by itself: it may lack some while others end.
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    states = ((child, *_state_and_parent(child)) for child in pids)
    return [child for child, state, parent in states if parent == pid and state not in "ZX"]


def try_to_kill(pid):
    """kill -9, of one who may have ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class OperatedPrimary(Cluster):
    """In the place of a Cluster: its server is nobody's child."""

    @classmethod
    def create_in(cls, folder, settings=None):
        archive = folder / "archive"
        archive.mkdir()
        give_to_postgres(archive)
        # A name that is there is a whole file, also after a kill.
        archive_command = f"cp %p {archive}/.%f && mv {archive}/.%f {archive}/%f"
        primary = cls.create(folder / "primary", initdb=["--wal-segsize", str(SEGMENT // 2**20)],
                             settings={**SETTINGS, "archive_command": f"'{archive_command}'",
                                       **(settings or {})})
        primary.archive = archive
        return primary

    def start(self):
        self.socket_folder.mkdir(exist_ok=True)
        give_to_postgres(self.socket_folder)
        try:
            run_program("pg_ctl", "start", "--silent", "--wait", "-D", self.pgdata, "--log", self.log,
                        "-o", f"-p {self.port} -k {self.socket_folder}")
        except PostgresError as error:
            raise PostgresError(f"{error}\n{self.log_text()[-4000:]}") from error
        return self

    @property
    def pid(self):
        return int((self.pgdata / "postmaster.pid").read_text().split()[0])

    def is_running(self):
        try:
            return not is_gone(self.pid)
        except FileNotFoundError:
            return False

    def stop(self):
        run_program("pg_ctl", "stop", "--silent", "--wait", "-D", self.pgdata, "--mode", "fast")

    def kill(self):
        if self.is_running():
            run_program("pg_ctl", "stop", "--silent", "--wait", "-D", self.pgdata, "--mode", "immediate",
                        check=False)

    def kill_all(self):
        """kill -9 of all of it at once, as when the machine dies."""
        postmaster, others = self._stopped()
        self._kill([*others, postmaster])

    def kill_postmaster(self):
        """The others find out by themselves."""
        postmaster, others = self._stopped()
        self._kill([postmaster], wait_for=[*others, postmaster])

    def kill_child(self, chance):
        """One of its processes, after which it recovers by itself."""
        processes = children(self.pid)
        if processes:
            try_to_kill(chance.choice(processes))

    def _stopped(self):
        """The postmaster, which starts nobody from now on, and the others."""
        postmaster = self.pid
        os.kill(postmaster, signal.SIGSTOP)
        until(lambda: _state_and_parent(postmaster)[0] in "TZX", "the postmaster stops")
        return postmaster, children(postmaster)

    @staticmethod
    def _kill(processes, wait_for=None):
        for pid in processes:
            try_to_kill(pid)
        until(lambda: all(map(is_gone, wait_for or processes)), "the end of the primary")

    def answers(self):
        return run_program("psql", "-X", "-c", "SELECT", *self.connection(), check=False).returncode == 0


class CommitLog:
    """Which transactions are committed up to an LSN, as the WAL of a primary tells from now on."""

    def __init__(self, primary, folder):
        self._primary = primary
        self._folder = folder
        self._start = primary.sql("SELECT pg_current_wal_flush_lsn()")  # Where it goes on reading.
        self.ends = {}  # transaction -> the end of its commit record

    def read_on(self):
        """Takes in what was written since."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        # In this order nothing is missed. What is archived is whole.
        for source in (self._primary.pgdata / "pg_wal", self._primary.archive):
            for path in source.iterdir():
                if re.fullmatch("[0-9A-F]{24}", path.name):
                    try:
                        shutil.copyfile(path, self._folder / path.name)
                    except FileNotFoundError:
                        pass  # Archived since.
        # It ends with an error where the WAL does.
        dump = run_program("pg_waldump", "-p", self._folder, "--rmgr", "Transaction",
                           "--start", self._start, check=False)
        missing = re.search('could not find file "([0-9A-F]{24})"', dump.stderr)
        # One behind the last that was there has been begun since.
        assert missing is None or missing[1] > max(path.name for path in self._folder.iterdir()), \
            dump.stderr
        for match in filter(None, map(_TRANSACTION.match, dump.stdout.splitlines())):
            self._start = match["start"]
            if match["kind"] == "COMMIT":
                self.ends[int(match["transaction"])] = end_of_record(parse_lsn(match["start"]),
                                                                     int(match["size"]))
        self._drop_archived()

    def _drop_archived(self):
        """So that the archive of a long run stays small."""
        position = parse_lsn(self._start)
        number, segments_per_file = position // SEGMENT, 2**32 // SEGMENT
        first_kept = f"{1:08X}{number // segments_per_file:08X}{number % segments_per_file:08X}"
        for path in self._primary.archive.iterdir():
            if re.fullmatch("[0-9A-F]{24}", path.name) and path.name < first_kept:
                path.unlink()
