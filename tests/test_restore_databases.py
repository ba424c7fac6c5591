"""Some databases of a cluster come back, and the others are empty, to be dropped."""

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import trees, wal_workload
from support.daemon import starting
from support.postgres import (BIN_DIR, SYSTEM_USER, Cluster, PostgresError, give_to_postgres,
                              run_program)
from support.varve import Server
from support.wal_records import lsn_text, parse_lsn, read_records

POSTGRES = ("--pg-bindir", BIN_DIR, "--pg-user", SYSTEM_USER)

# src/include/access/rmgrlist.h and xact.h of PostgreSQL.
TRANSACTION, OPERATION_MASK, COMMIT = 1, 0x70, 0x00


def dump_of(cluster, database):
    return run_program("pg_dump", "--restrict-key=fixed", *cluster.connection(database)).stdout


def connection_error(cluster, database):
    return run_program("psql", "-X", "-c", "SELECT", *cluster.connection(database), check=False).stderr


@dataclass
class Event:
    """A statement about databases: before it, just before its commit, and after it."""

    before: str
    uncommitted: str
    after: str


@dataclass
class Source:
    base: Path
    wal: Path
    dump: str  # of the database `shop`
    oids: dict
    last: str
    events: dict = field(default_factory=dict)


class Recorder:
    """Runs statements, and finds their commits once the WAL is written."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.spans = {}

    def lsn(self):
        return self.cluster.sql("SELECT pg_current_wal_insert_lsn()")

    def run(self, name, statement):
        before = self.lsn()
        self.cluster.sql(statement)
        self.spans[name] = (before, self.lsn())

    def events(self):
        return {name: self._event(*map(parse_lsn, span)) for name, span in self.spans.items()}

    def _event(self, before, after):
        end, uncommitted = before, None
        for record in read_records(self.cluster.pgdata / "pg_wal", before):
            if record.end > after:
                break
            if record.manager == TRANSACTION and record.operation & OPERATION_MASK == COMMIT:
                uncommitted = end
            end = record.end
        assert uncommitted is not None and uncommitted > before
        return Event(*map(lsn_text, (before, uncommitted, after)))


def fill(cluster):
    """What was there before there was WAL of it."""
    for name in ("app", "logs", "doomed"):
        cluster.sql(f"CREATE DATABASE {name}")
    cluster.sql("CREATE TABLE goods (id int PRIMARY KEY, name text); "
                "INSERT INTO goods SELECT i, md5(i::text) FROM generate_series(1, 5000) i", "app")
    cluster.sql("CREATE TABLE lines (id int PRIMARY KEY, body text); INSERT INTO lines "
                "SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 200000) i", "logs")
    cluster.sql("CREATE TABLE rests AS SELECT 1 AS i", "doomed")


def work(cluster, location):
    recorder = Recorder(cluster)
    recorder.run("rename", "ALTER DATABASE app RENAME TO shop")
    cluster.sql("UPDATE goods SET name = upper(name) WHERE id % 3 = 0; "
                "INSERT INTO goods SELECT i, 'new' FROM generate_series(5001, 6000) i", "shop")
    recorder.run("create", "CREATE DATABASE fresh STRATEGY wal_log")
    recorder.run("drop", "DROP DATABASE doomed")
    cluster.sql(f"CREATE TABLESPACE elsewhere LOCATION '{location}'")
    cluster.sql("CREATE DATABASE far TABLESPACE elsewhere")
    cluster.sql("CREATE TABLE town AS SELECT 42 AS n; CREATE SUBSCRIPTION news CONNECTION 'dbname=none' "
                "PUBLICATION p WITH (connect = false, slot_name = NONE)", "far")
    cluster.sql("CREATE TABLE archive TABLESPACE elsewhere AS SELECT generate_series(1, 20000) i",
                "logs")
    cluster.sql("CREATE TABLE sold TABLESPACE elsewhere AS SELECT generate_series(1, 1000) i", "shop")
    cluster.sql("CREATE DATABASE model IS_TEMPLATE true")
    cluster.sql("BEGIN; INSERT INTO lines VALUES (-1, 'waits'); PREPARE TRANSACTION 'of logs'", "logs")
    cluster.sql("BEGIN; INSERT INTO goods VALUES (-1, 'waits'); PREPARE TRANSACTION 'of shop'", "shop")
    # Of one that is restored, about one that is not.
    cluster.sql("BEGIN; ALTER DATABASE model RENAME TO paragon; PREPARE TRANSACTION 'renames'", "shop")
    return recorder


@pytest.fixture(scope="module", name="source")
def fixture_source(fast_folder):
    folder = fast_folder / "databases"
    base, location = folder / "base", folder / "space"
    cluster = Cluster.create(folder / "data",
                             settings={**wal_workload.SETTINGS, "wal_level": "replica"})
    location.mkdir()
    give_to_postgres(folder)
    with cluster.running():
        fill(cluster)
    shutil.copytree(cluster.pgdata, base)
    with cluster.running():
        recorder = work(cluster, location)
        oids = dict(line.split("|") for line in
                    cluster.sql("SELECT datname, oid FROM pg_database").splitlines())
        source = Source(base, cluster.pgdata / "pg_wal", dump_of(cluster, "shop"), oids, recorder.lsn())
    source.events = recorder.events()
    yield source
    shutil.rmtree(folder)


class DatabaseServer(Server):
    """Holds the timeline acme/main."""

    def restore(self, to, *options):
        """From the work directory; gives the report."""
        return self.json("restore", "acme/main", "--to", to, *POSTGRES, *options)

    def refusal(self, to, *options):
        outcome = self.run("restore", "acme/main", "--to", to, *POSTGRES, *options)
        assert outcome.code == 1 and "(InvalidArgument)" in outcome.stderr, outcome
        assert not to.exists()
        return outcome.stderr


@pytest.fixture(scope="module", name="fed")
def fixture_fed(varve, fast_folder, source):
    folder = fast_folder / "fed"
    folder.mkdir()
    server = DatabaseServer.init(varve, folder)
    server.create_tenant("acme")
    server.import_cluster("acme", "main", source.base)
    varve.sibling("varve_wal_feeder").succeed("--workdir", server.workdir, "--pgdata", source.base,
                                              "--wal", source.wal, "acme/main")
    yield server
    shutil.rmtree(folder)


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def directories_of(pgdata, oid):
    return [*pgdata.glob(f"base/{oid}"), *pgdata.glob(f"pg_tblspc/*/PG_15_*/{oid}")]


def assert_quiet(log):
    for sign in ("WARNING", "ERROR", "FATAL", "PANIC", "redo starts", "not properly shut down"):
        assert sign not in log, log


def test_the_named_one_is_whole_and_the_others_can_be_dropped(source, fed, folder):
    pgdata = folder / "data"
    report = fed.restore(pgdata, "--lsn", source.last, "--db", "shop")
    assert report["databases"] == 4
    assert report["empty_databases"] == ["far", "fresh", "logs", "model"]
    for name in report["empty_databases"]:
        directories = directories_of(pgdata, source.oids[name])
        assert len(directories) == (2 if name == "logs" else 1), name
        for directory in directories:
            assert list(directory.iterdir()) == [], directory
    with Cluster(pgdata).running() as cluster:
        assert dump_of(cluster, "shop") == source.dump
        cluster.dump()
        run_program("vacuumdb", "--all", "--freeze", "-h", cluster.socket_folder,
                    "-p", cluster.port, "-U", "postgres")
        cluster.amcheck()
        assert cluster.sql("SELECT gid FROM pg_prepared_xacts ORDER BY 1") == "of shop\nrenames"
        assert_quiet(cluster.log_text())
        for name in ("far", "fresh", "logs"):
            assert f'cannot connect to invalid database "{name}"' in connection_error(cluster, name)
        cluster.sql("DROP DATABASE logs")
        cluster.sql("DROP DATABASE fresh")
        cluster.sql("COMMIT PREPARED 'of shop'; COMMIT PREPARED 'renames'", "shop")
        assert cluster.sql("SELECT count(*) FROM goods", "shop") == "6001"
        assert 'cannot connect to invalid database "paragon"' in connection_error(cluster, "paragon")
        cluster.sql("DROP DATABASE paragon")
        for name in ("logs", "fresh", "model"):
            assert directories_of(pgdata, source.oids[name]) == []
        cluster.sql("CREATE DATABASE logs")
        cluster.sql("CREATE TABLE lines (i int); INSERT INTO lines VALUES (1)", "logs")
        cluster.sql("CREATE TABLE mine (i int)", "template1")
        cluster.amcheck()
    # What was dropped is gone after a recovery, too.
    cluster.start()
    cluster.crash()
    with cluster.running():
        assert cluster.sql("SELECT datname FROM pg_database ORDER BY 1").split() == [
            "far", "logs", "postgres", "shop", "template0", "template1"]
        assert cluster.sql("SELECT * FROM lines", "logs") == "1"


def test_a_database_with_subscriptions_is_dropped_once_they_are_gone(source, fed, folder):
    fed.restore(folder / "data", "--lsn", source.last, "--db", "shop")
    with Cluster(folder / "data").running() as cluster:
        with pytest.raises(PostgresError, match="is being used by logical replication subscription"):
            cluster.sql("DROP DATABASE far")
        cluster.sql("DELETE FROM pg_subscription WHERE subdbid = "
                    "(SELECT oid FROM pg_database WHERE datname = 'far')")
        cluster.sql("DROP DATABASE far")
        cluster.sql("DROP DATABASE logs")
        cluster.sql("DROP TABLE sold", "shop")
        cluster.sql("DROP TABLESPACE elsewhere")


def test_it_needs_little_room_and_fetches_little(source, fed, folder):
    def restore(name, *options):
        return fed.varve.json("restore", "acme/main", "--remote", fed.remote, "--to", folder / name,
                              "--lsn", source.last, *POSTGRES, *options)

    every, one = restore("every"), restore("one", "--db", "shop")
    assert every["empty_databases"] == []
    assert every["databases"] == one["databases"] + 4
    assert size_of(folder / "one") < size_of(folder / "every") - 2 * 10**7
    assert one["bytes"] < every["bytes"] - 2 * 10**7
    assert one["layer_bytes_fetched"] < every["layer_bytes_fetched"] - 10**7


def test_it_is_the_same_from_a_server_and_from_the_remote_storage_alone(source, fed, folder):
    options = ("--lsn", source.last, "--db", "shop", "--db", "far")
    report = fed.restore(folder / "in_process", *options)
    assert report["empty_databases"] == ["fresh", "logs", "model"]
    fed.varve.succeed("restore", "acme/main", "--remote", fed.remote, "--to", folder / "alone",
                      *POSTGRES, *options)
    with starting(fed, *POSTGRES) as daemon:
        outcome = fed.succeed("restore", "acme/main", "--to", folder / "served", *options)
        assert "5 databases" in outcome.stdout
        assert "DROP DATABASE: fresh, logs, model\n" in outcome.stdout
        assert "'lugs'" in fed.refusal(folder / "refused", "--db", "lugs")
        assert daemon.stop().code == 0
    expected = trees.snapshot(folder / "in_process")
    assert trees.snapshot(folder / "alone") == expected
    assert trees.snapshot(folder / "served") == expected
    with Cluster(folder / "alone").running() as cluster:
        assert cluster.sql("SELECT n FROM town", "far") == "42"
        assert dump_of(cluster, "shop") == source.dump


def test_databases_of_the_system_may_be_named(source, fed, folder):
    report = fed.restore(folder / "data", "--db", "postgres", "--lsn", source.last)
    assert report["databases"] == 3
    assert report["empty_databases"] == ["far", "fresh", "logs", "model", "shop"]
    with Cluster(folder / "data").running() as cluster:
        assert cluster.sql("SELECT gid FROM pg_prepared_xacts") == ""
        assert_quiet(cluster.log_text())
        cluster.sql("DROP DATABASE shop")


def known_names(message):
    return re.search(r"the cluster has: (.*) \(InvalidArgument\)", message)[1].split(", ")


def test_an_unknown_name_is_refused_with_those_that_are_there(source, fed, folder):
    message = fed.refusal(folder / "data", "--db", "shop", "--db", "lugs", "--lsn", source.last)
    assert f"there is no database 'lugs' at {source.last}" in message
    assert known_names(message) == ["far", "fresh", "logs", "model", "postgres", "shop",
                                    "template0", "template1"]


def restores(fed, folder, lsn, name, statement):
    """What a query in the only database that was named gives."""
    fed.restore(folder / "data", "--lsn", lsn, "--db", name)
    cluster = Cluster(folder / "data")
    try:
        with cluster.running():
            assert_quiet(cluster.log_text())
            return cluster.sql(statement, name)
    finally:
        shutil.rmtree(cluster.pgdata)
        # The next one's begins anew: a stop may be noted there as the end of a connection.
        cluster.log.unlink()


@pytest.mark.parametrize("event, name", [("rename", "app"), ("drop", "doomed")])
def test_a_name_counts_until_the_commit_that_ends_it(source, fed, folder, event, name):
    event = source.events[event]
    table = {"app": "goods", "doomed": "rests"}[name]
    assert restores(fed, folder, event.before, name, f"SELECT count(*) > 0 FROM {table}") == "t"
    if name == "app":
        assert restores(fed, folder, event.uncommitted, name, "SELECT count(*) FROM goods") == "5000"
        assert "shop" not in known_names(
            fed.refusal(folder / "data", "--lsn", event.uncommitted, "--db", "shop"))
    else:
        # Its files are gone by then.
        assert "'doomed' was being dropped" in fed.refusal(
            folder / "data", "--lsn", event.uncommitted, "--db", name)
        assert name not in known_names(
            fed.refusal(folder / "data", "--lsn", event.uncommitted, "--db", "none"))
    assert name not in known_names(fed.refusal(folder / "data", "--lsn", event.after, "--db", name))


def test_a_name_counts_from_the_commit_that_makes_it(source, fed, folder):
    created, renamed = source.events["create"], source.events["rename"]
    assert restores(fed, folder, renamed.after, "shop", "SELECT count(*) FROM goods") == "5000"
    assert restores(fed, folder, created.after, "fresh", "SELECT 1") == "1"
    assert "fresh" not in known_names(
        fed.refusal(folder / "data", "--lsn", created.uncommitted, "--db", "fresh"))
    # What is there of it then is not restored.
    pgdata = folder / "data"
    report = fed.restore(pgdata, "--lsn", created.uncommitted, "--db", "shop")
    assert report["empty_databases"] == ["doomed", "logs"]
    directory, = directories_of(pgdata, source.oids["fresh"])
    assert list(directory.iterdir()) == []
    with Cluster(pgdata).running() as cluster:
        cluster.sql("CREATE DATABASE fresh")
        assert cluster.sql("SELECT 1", "fresh") == "1"


def test_names_are_bytes_in_any_encoding(varve, folder):
    cluster = Cluster.create(folder / "source")
    with cluster.running():
        cluster.sql("CREATE DATABASE raw TEMPLATE template0 ENCODING sql_ascii LOCALE 'C'")
        cluster.sql("CREATE DATABASE other TEMPLATE template0 ENCODING sql_ascii LOCALE 'C'")
        cluster.sql("UPDATE pg_database SET datname = convert_from('\\x636166e9', 'sql_ascii')::name "
                    "WHERE datname = 'other'", "raw")
    server = DatabaseServer.init(varve, folder)
    server.create_tenant("acme")
    server.import_cluster("acme", "main", cluster.pgdata)
    name = os.fsdecode(b"caf\xe9")
    assert server.restore(folder / "one", "--db", name)["empty_databases"] == ["raw"]
    assert server.restore(folder / "other", "--db", "raw")["empty_databases"] == ["caf\ufffd"]
    assert server.run("restore", "acme/main", "--to", folder / "text", "--db", "raw").code == 0
