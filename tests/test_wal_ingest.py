"""A timeline fed with the WAL of a server is, at any LSN, what the server's own recovery makes of it."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import wal_workload
from support.cluster_kinds import EVERY_KIND
from support.daemon import starting, until
from support.postgres import BIN_DIR, SYSTEM_USER, Cluster, ClusterKind, give_to_postgres
from support.varve import Server, Varve
from support.wal_records import lsn_text, parse_lsn, read_records

PAGE = 8192
# What is compared, byte by byte, with what the server's own recovery makes of the same WAL. Changes
# of free space maps are not logged, so these are left out.
FORKS = ("", "_vm")

KINDS = [
    ClusterKind("checksums", checksums=True),
    ClusterKind("no_full_page_writes",
                settings=(("full_page_writes", "off"), ("wal_compression", "lz4"))),
]


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
    record_ends: list  # LSNs between the first of the points and the last


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
        every = metafunc.function is test_it_is_what_recovery_makes_of_it
        matrix = EVERY_KIND if metafunc.config.getoption("--redo-matrix") else KINDS
        kinds = matrix if every else KINDS[:1]
        metafunc.parametrize("worked", kinds, indirect=True, scope="module",
                             ids=[kind.name for kind in kinds])


@pytest.fixture(scope="module", name="worked")
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
    wal = cluster.pgdata / "pg_wal"
    first, last = parse_lsn(points[0].lsn), parse_lsn(points[-1].lsn)
    ends = [record.end for record in read_records(wal, first) if record.end <= last]
    yield Worked(base, wal, points, ends)
    shutil.rmtree(folder)


@pytest.fixture(scope="module", name="fed")
def fixture_fed(varve, fast_folder, worked):
    """The server that holds the timeline acme/main, which was fed with all WAL."""
    folder = fast_folder / "fed"
    folder.mkdir()
    server = Server.init(varve, folder)
    server.create_tenant("acme")
    server.import_cluster("acme", "main", worked.base)
    outcome = varve.sibling("varve_wal_feeder").succeed(
        "--workdir", server.workdir, "--pgdata", worked.base, "--wal", worked.wal, "acme/main")
    assert outcome.document()["records"] > 20000
    yield server
    shutil.rmtree(folder)


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


def end_prepared(cluster):
    """A prepared transaction may hold a lock that a dump would wait for."""
    for line in cluster.sql("SELECT database, gid FROM pg_prepared_xacts").splitlines():
        database, name = line.split("|")
        cluster.sql(f"ROLLBACK PREPARED '{name}'", database)


RESTORE = ("restore", "acme/main", "--pg-bindir", BIN_DIR, "--pg-user", SYSTEM_USER)


def test_it_is_what_recovery_makes_of_it(worked, fed, folder, chance, request):
    number_of_others = request.config.getoption("--lsns")
    others = list(map(lsn_text, chance.sample(worked.record_ends, number_of_others)))
    for point in [*worked.points, *(Point(lsn, None) for lsn in others)]:
        expected, actual = folder / "expected", folder / "actual"
        fed.succeed(*RESTORE, "--lsn", point.lsn, "--to", actual)
        recover(worked, point.lsn, expected)
        found, compared = differences(expected, actual)
        assert not found, f"{len(found)} at {point.lsn}, of {compared}: {found[:10]}"
        assert compared > 900
        recovered, restored = Cluster(expected), Cluster(actual)
        if point.dump is None:
            with recovered.running():
                end_prepared(recovered)
                point.dump = recovered.dump()
        with restored.running():
            if point.lsn in others:
                end_prepared(restored)
            assert without_sequences(restored.dump()) == without_sequences(point.dump), point.lsn
            restored.amcheck()
            if point is worked.points[-1]:
                restored.sql("COMMIT PREPARED 'waiting'", "app")
                assert restored.sql("SELECT body FROM parts WHERE i = -1", "app") == "waits"
        assert "redo starts at" not in restored.log_text()
        for pgdata in (expected, actual):
            shutil.rmtree(pgdata)
        restored.log.unlink()


def metric(daemon, name):
    text = daemon.get("/metrics").body.decode()
    values = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith(name + " ")]
    return float(values[0]) if values else None


def children(pid):
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()]


def test_it_is_the_same_from_a_server_and_from_the_remote_storage_alone(worked, fed, folder):
    lsn = worked.points[1].lsn
    fed.succeed(*RESTORE, "--lsn", lsn, "--to", folder / "in_process")
    fed.varve.succeed(*RESTORE, "--lsn", lsn, "--to", folder / "alone", "--remote", fed.remote)
    with starting(fed, "--pg-bindir", BIN_DIR, "--pg-user", SYSTEM_USER) as daemon:
        until(lambda: metric(daemon, "varve_redo_processes") == 1, "redo is ready before it is needed")
        assert metric(daemon, "varve_redo_records_total") == 0
        fed.succeed("restore", "acme/main", "--lsn", lsn, "--to", folder / "served")
        assert metric(daemon, "varve_redo_records_total") > 1000
        assert daemon.stop().code == 0
        assert "cannot be read" not in daemon.process.log
    for name in ("alone", "served"):
        found, compared = differences(folder / "in_process", folder / name)
        assert not found and compared > 900, found[:10]


class Stillness:
    """True once what `look` gives has not changed for some looks, and is not what it was at first."""

    LOOKS = 30

    def __init__(self, look):
        self._look = look
        self._first = self._last = look()
        self._same = 0

    def __call__(self):
        seen = self._look()
        self._same = self._same + 1 if seen == self._last and seen != self._first else 0
        self._last = seen
        return self._same >= self.LOOKS


def test_a_server_stops_though_a_read_waits_for_redo(worked, fed, folder):
    with starting(fed, "--pg-bindir", BIN_DIR, "--pg-user", SYSTEM_USER, "--stop-timeout", "1") as daemon:
        until(lambda: metric(daemon, "varve_redo_processes") == 1, "redo is ready before it is needed")
        for process in children(daemon.process.pid):
            os.kill(process, signal.SIGSTOP)
        read = fed.start("restore", "acme/main", "--to", folder / "interrupted")
        until(Stillness(lambda: Path(f"/proc/{read.pid}/io").read_text()), "it waits for a page")
        daemon.signal(signal.SIGTERM)
        # It would wait for a process for 60 s.
        assert daemon.process.wait(timeout=30).code == 0
        assert read.wait().code == 1
    assert not (folder / "interrupted").exists()


def test_the_extension_is_found_where_packages_put_it(varve, fed, folder):
    for directory in ("bin", "lib/varve"):
        (folder / directory).mkdir(parents=True)
    binary = Path(varve.binary)
    installed = Varve(shutil.copy(binary, folder / "bin"))
    restore = (*RESTORE, "--remote", fed.remote, "--to", folder / "restored")
    refused = installed.run(*restore)
    assert refused.code == 1 and "varve_redo.so" in refused.stderr and "../lib/varve" in refused.stderr
    shutil.copy(binary.parent / "varve_redo.so", folder / "lib/varve")
    installed.succeed(*restore)


def test_without_postgresql_only_what_was_imported_is_read(worked, fed, folder, small_pgdata):
    fed.import_cluster("acme", "imported", small_pgdata)
    nowhere = ("--pg-bindir", "/nowhere/bin")

    def is_refused(outcome):
        assert outcome.code == 1, outcome
        for word in ("/nowhere/bin/postgres", "postgresql-15", "--pg-bindir"):
            assert word in outcome.stderr, outcome
        assert not (folder / "refused").exists()

    refused = ("restore", "acme/main", "--to", folder / "refused")
    is_refused(fed.run(*refused, *nowhere))
    is_refused(fed.varve.run(*refused, *nowhere, "--remote", fed.remote))
    with starting(fed, *nowhere) as daemon:
        until(lambda: "cannot be read" in daemon.process.log, "the server warns")
        warnings = [line for line in daemon.process.log.splitlines() if " warning " in line]
        assert len(warnings) == 1 and "postgresql-15" in warnings[0], daemon.process.log
        is_refused(fed.run(*refused))
        fed.succeed("restore", "acme/imported", "--to", folder / "imported")
