"""Real PostgreSQL 15 clusters in temporary folders.

A server listens on a Unix socket in a folder of its own only. PostgreSQL refuses to run as root, so as
root every program of it runs as the user `postgres`, which must be able to reach the folder.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

BIN_DIR = Path(os.environ.get("VARVE_PG_BINDIR", "/usr/lib/postgresql/15/bin"))
SYSTEM_USER = "postgres"
START_TIMEOUT = 60
STOP_TIMEOUT = 60

# What a test cluster gives up: surviving a power cut, and background work that would make its
# contents depend on timing.
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "autovacuum": "off",
    "max_prepared_transactions": "10",
    "logging_collector": "off",
}

_ports = itertools.count(54320)


class PostgresError(Exception):
    pass


def as_postgres():
    """Arguments for subprocess that make a program run as somebody PostgreSQL accepts."""
    if os.geteuid() != 0:
        return {}
    return {"user": SYSTEM_USER, "group": SYSTEM_USER, "extra_groups": []}


def give_to_postgres(path):
    """Makes `path` and all below it belong to the user that PostgreSQL runs as."""
    if os.geteuid() != 0:
        return
    shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            entry = os.path.join(folder, name)
            if not os.path.islink(entry):
                shutil.chown(entry, SYSTEM_USER, SYSTEM_USER)


def run_program(name, *arguments, check=True, stdin=None, text=True, environment=None):
    """Runs a program of PostgreSQL; with `check`, a failure raises with what it printed."""
    command = [str(BIN_DIR / name), *map(str, arguments)]
    result = subprocess.run(
        command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True, text=text, cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **(environment or {})}, **as_postgres())
    if check and result.returncode != 0:
        raise PostgresError(
            f"{' '.join(command)} exited with {result.returncode}\n{result.stdout}{result.stderr}")
    return result


class Cluster:
    """A data directory, and the server on it while there is one."""

    def __init__(self, pgdata):
        self.pgdata = Path(pgdata)
        self.port = next(_ports)
        # Beside the data directory and short: a socket path has at most 107 bytes.
        self.socket_folder = self.pgdata.parent / f"s{self.port}"
        self.log = self.pgdata.parent / f"{self.pgdata.name}.log"
        self._server = None

    @classmethod
    def create(cls, pgdata, *, checksums=True, settings=None, initdb=()):
        cluster = cls(pgdata)
        cluster.pgdata.mkdir(mode=0o700, parents=True)
        give_to_postgres(cluster.pgdata)
        run_program(
            "initdb", "-D", cluster.pgdata, "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync", *(["--data-checksums"] if checksums else []), *initdb)
        with open(cluster.pgdata / "postgresql.conf", "a", encoding="utf-8") as conf:
            for key, value in {**SETTINGS, **(settings or {})}.items():
                conf.write(f"{key} = {value}\n")
        return cluster

    def start(self):
        assert self._server is None, "the server runs already"
        self.socket_folder.mkdir(exist_ok=True)
        give_to_postgres(self.socket_folder)
        with open(self.log, "ab") as log:
            self._server = subprocess.Popen(
                [BIN_DIR / "postgres", "-D", self.pgdata, "-p", str(self.port),
                 "-c", f"unix_socket_directories={self.socket_folder}",
                 "-c", "listen_addresses="],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}, **as_postgres())
        deadline = time.monotonic() + START_TIMEOUT
        while not self._is_ready():
            if self._server.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise PostgresError(f"{self.pgdata}: the server did not start:\n{self.log_text()}")
            time.sleep(0.02)
        return self

    def _is_ready(self):
        # The eighth line of the server's pid file says how far it is.
        try:
            lines = (self.pgdata / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (len(lines) >= 8 and lines[0] == str(self._server.pid)
                and lines[7].strip() == "ready")

    @property
    def pid(self):
        return self._server.pid

    def stop(self):
        """A clean stop: sessions are ended, a shutdown checkpoint is written."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGINT)
        try:
            status = self._server.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise PostgresError(f"{self.pgdata}: the server did not stop:\n{self.log_text()}")
        self._server = None
        if status != 0:
            raise PostgresError(f"{self.pgdata}: the server stopped with {status}:\n{self.log_text()}")

    def crash(self):
        """An immediate stop, without a checkpoint: the next start needs recovery."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(STOP_TIMEOUT)
        self._server = None

    def kill(self):
        """For cleaning up: ends the server in any state, and its children with it."""
        if self._server is None:
            return
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        self._server = None

    @contextlib.contextmanager
    def running(self):
        self.start()
        try:
            yield self
            self.stop()
        finally:
            self.kill()

    def connection(self, database="postgres"):
        return ["-h", self.socket_folder, "-p", self.port, "-U", "postgres", "-d", database]

    def sql(self, text, database="postgres"):
        """Runs SQL; gives the rows as text, columns separated by '|'."""
        return run_program("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
                           *self.connection(database), "-f", "-", stdin=text).stdout.strip()

    def pgbench(self, *arguments, database="postgres"):
        # pgbench has no -d for the database: the last argument names it.
        return run_program("pgbench", "-h", self.socket_folder, "-p", self.port, "-U", "postgres",
                           *arguments, database)

    def dump(self):
        """Everything logged that the cluster holds, as the SQL that pg_dumpall writes."""
        return run_program(
            "pg_dumpall", "--no-unlogged-table-data", "--restrict-key=fixed",
            "-h", self.socket_folder, "-p", self.port, "-U", "postgres", "-l", "postgres").stdout

    def amcheck(self):
        """pg_amcheck over all databases, indexes against their tables too; raises on any finding."""
        return run_program(
            "pg_amcheck", "--all", "--heapallindexed", "--install-missing",
            "-h", self.socket_folder, "-p", self.port, "-U", "postgres")

    def log_text(self):
        try:
            return self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def control(self):
        """What pg_controldata says, by name."""
        lines = run_program("pg_controldata", self.pgdata).stdout.splitlines()
        return {name.strip(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)}


@dataclass(frozen=True)
class ClusterKind:
    """One of the ways to make and run a cluster that a test goes through."""

    name: str
    checksums: bool = False
    settings: tuple = ()

    @property
    def logs_hint_bits(self):
        return self.checksums or ("wal_log_hints", "on") in self.settings

    def create(self, pgdata, settings):
        """A cluster of this kind; `settings` are those that it shares with the others."""
        return Cluster.create(pgdata, checksums=self.checksums,
                              settings={**settings, **dict(self.settings)})
