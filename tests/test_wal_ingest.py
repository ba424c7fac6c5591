"""A timeline fed with the WAL of a server is, at any LSN, what the server's own recovery makes of it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import wal_workload
from support.postgres import Cluster, ClusterKind, give_to_postgres
from support.varve import VarveError

PAGE = 8192
# What is compared, byte by byte, with what the server's own recovery makes of the same WAL. Changes
# of free space maps are not logged, so these are left out.
FORKS = ("", "_vm")

KINDS = [
    ClusterKind("checksums", checksums=True),
    ClusterKind("no_full_page_writes",
                settings=(("full_page_writes", "off"), ("wal_compression", "lz4"))),
]


class Feeder:
    """The program of tests/wal_feeder."""

    def __init__(self, varve, server, base):
        self._program = Path(varve.binary).parent / "varve_wal_feeder"
        self._library = Path(varve.binary).parent / "varve_redo.so"
        self._server = server
        self._base = base

    def run(self, command, *arguments):
        result = subprocess.run(
            [self._program, command, "acme/main", "--workdir", self._server.workdir,
             "--pgdata", self._base, "--library", self._library, *arguments],
            capture_output=True, text=True)
        if result.returncode != 0:
            raise VarveError(result.stderr)
        return json.loads(result.stdout)


@dataclass
class Point:
    """A moment at which nothing happened."""

    lsn: str
    dump: str


@dataclass
class Worked:
    base: Path  # the data directory before the work
    wal: Path
    points: list


def more_work(cluster):
    """What wal_workload does not end with."""
    cluster.sql("""
        CREATE TABLE parts (i int PRIMARY KEY, body text);
        INSERT INTO parts SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
        CREATE INDEX ON parts USING hash (body);
        DELETE FROM parts WHERE i > 4000;
        VACUUM parts;
        INSERT INTO parts SELECT i, 'grown again' FROM generate_series(30001, 36000) i;
        CREATE UNLOGGED TABLE fleeting (i int);
        INSERT INTO fleeting SELECT generate_series(1, 1000);
        TRUNCATE with_lz4;
        VACUUM FULL moving;
        CREATE SEQUENCE counting;
        SELECT nextval('counting') FROM generate_series(1, 100);
        """, "app")
    cluster.sql("CREATE DATABASE stays TEMPLATE app STRATEGY file_copy")
    cluster.sql("INSERT INTO parts SELECT -i - 10, 'of the copy' FROM generate_series(1, 100) i",
                "stays")
    cluster.sql("BEGIN; INSERT INTO parts VALUES (-1, 'waits'); PREPARE TRANSACTION 'waiting'", "app")


def pytest_generate_tests(metafunc):
    if "worked" in metafunc.fixturenames:
        metafunc.parametrize("worked", KINDS, indirect=True, scope="module",
                             ids=[kind.name for kind in KINDS])


@pytest.fixture(name="worked")
def fixture_worked(request, fast_folder):
    kind = request.param
    folder = fast_folder / kind.name
    base = folder / "base"
    cluster = kind.create(folder / "data", {**wal_workload.SETTINGS, "wal_level": "replica"})
    give_to_postgres(folder)
    with cluster.running():
        cluster.sql("CREATE TABLE before AS SELECT generate_series(1, 1000) i; CHECKPOINT")
    shutil.copytree(cluster.pgdata, base)
    points = []

    def mark():
        points.append(Point(cluster.sql("SELECT pg_current_wal_insert_lsn()"), cluster.dump()))

    with cluster.running():
        mark()
        wal_workload.of_all_kinds(cluster, rows=2000)
        mark()
        more_work(cluster)
        mark()
    yield Worked(base, cluster.pgdata / "pg_wal", points)
    shutil.rmtree(folder)


@pytest.fixture(name="feeder")
def fixture_feeder(varve, server, worked):
    server.import_cluster("acme", "main", worked.base)
    return Feeder(varve, server, worked.base)


def recover(worked, lsn, to):
    """The server's own recovery to an LSN."""
    shutil.copytree(worked.base, to)
    shutil.rmtree(to / "pg_wal")
    shutil.copytree(worked.wal, to / "pg_wal")
    (to / "recovery.signal").touch()
    with open(to / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.write(f"recovery_target_lsn = '{lsn}'\nrecovery_target_action = promote\n"
                   "recovery_target_inclusive = off\nrestore_command = 'false'\nhot_standby = off\n")
    give_to_postgres(to)
    # A server that only shuts down at its target leaves pages in memory.
    with Cluster(to).running():
        pass


def fork_files(pgdata):
    folders = [pgdata / "global", *(pgdata / "base").iterdir()]
    for folder in folders:
        for path in folder.iterdir():
            number, _, fork = path.name.partition("_")
            fork = "_" + fork if fork else ""
            # Of unlogged relations only the init fork is kept.
            if number.isdigit() and fork in FORKS and not (folder / f"{number}_init").exists():
                yield path.relative_to(pgdata)


def differences(expected, actual):
    found = []
    compared = 0
    for name in fork_files(expected):
        wanted = (expected / name).read_bytes()
        if not (actual / name).exists():
            found.append((str(name), "missing"))
            continue
        have = (actual / name).read_bytes()
        if len(have) != len(wanted):
            found.append((str(name), len(have) // PAGE, "blocks, not", len(wanted) // PAGE))
        for at in range(0, min(len(have), len(wanted)), PAGE):
            compared += 1
            if have[at:at + PAGE] != wanted[at:at + PAGE]:
                bytes_at = [i for i in range(PAGE) if have[at + i] != wanted[at + i]]
                found.append((str(name), at // PAGE, f"{len(bytes_at)} bytes from {bytes_at[0]} on"))
    return found, compared


def without_sequences(dump):
    """The WAL is ahead of sequences, so that not each nextval() has to be in it."""
    return [line for line in dump.splitlines() if not line.startswith("SELECT pg_catalog.setval")]


def test_it_is_what_recovery_makes_of_it(worked, feeder, folder):
    fed = feeder.run("feed", "--wal", worked.wal)
    assert fed["records"] > 20000
    for number, point in enumerate(worked.points):
        expected, actual = folder / f"expected{number}", folder / f"actual{number}"
        feeder.run("restore", "--lsn", point.lsn, "--to", actual)
        recover(worked, point.lsn, expected)
        found, compared = differences(expected, actual)
        assert not found, f"{len(found)} at {point.lsn}, of {compared}: {found[:10]}"
        assert compared > 900
        restored = Cluster(actual)
        with restored.running():
            assert without_sequences(restored.dump()) == without_sequences(point.dump)
            restored.amcheck()
            if number == len(worked.points) - 1:
                restored.sql("COMMIT PREPARED 'waiting'", "app")
                assert restored.sql("SELECT body FROM parts WHERE i = -1", "app") == "waits"
        assert "redo starts at" not in restored.log_text()
