"""A cluster of which nothing is left but the remote storage comes back whole."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import COMMIT_TIMES, Source, new_remote, on_both_remotes, start_on
from support import postgres, rich_cluster, trees
from support.postgres import Cluster
from support.varve import Server


@dataclass
class Restored:
    source: Source
    pgdata: Path

    def copy(self, folder):
        """A copy that a test may start a server on."""
        return trees.copy_tree(self.pgdata, folder / "data")


@pytest.fixture(scope="module", name="restored")
def fixture_restored(request, varve, rich):
    folder = rich.pgdata.parent / "restored"
    folder.mkdir()
    # One cluster comes back from each kind of storage: it can't matter to them which one that is.
    with new_remote(request, "s3" if rich.checksums else "file", folder) as remote:
        server = Server.init(varve, folder, remote)
        server.create_tenant("acme")
        server.import_cluster("acme", "main", rich.pgdata)
        shutil.rmtree(server.workdir)
        outcome = server.restore_from_remote("acme/main", folder / "data")
        assert outcome.code == 0, outcome
        yield Restored(rich, folder / "data")
    shutil.rmtree(folder)


@dataclass
class Inspected:
    """A server on a copy of the restored cluster, and what was seen before any test used it."""

    source: Source
    cluster: Cluster
    log: str
    dump: str


@pytest.fixture(scope="module", name="inspected")
def fixture_inspected(restored):
    folder = restored.pgdata.parent / "inspected"
    folder.mkdir()
    with start_on(restored.copy(folder)) as cluster:
        yield Inspected(restored.source, cluster, cluster.log_text(), cluster.dump())
    shutil.rmtree(folder)


def test_the_server_starts_without_recovery(inspected):
    assert "database system was shut down at" in inspected.log
    for sign in ("redo starts", "not properly shut down", "automatic recovery", "PANIC", "ERROR"):
        assert sign not in inspected.log


def test_the_dump_is_the_same_to_the_byte(inspected):
    # Two statements, since pytest would take minutes to explain the difference of such long texts.
    same = inspected.dump == inspected.source.dump
    assert same


def test_pg_amcheck_finds_nothing(inspected):
    inspected.cluster.amcheck()


def test_the_files_of_logged_relations_are_the_same_to_the_byte(restored):
    assert trees.main_forks(restored.pgdata) == restored.source.main_forks


def test_counters_and_identity_are_those_of_the_source(restored):
    # Positions and times of the WAL are new; everything else that pg_controldata shows is kept.
    new = ("pg_control last modified", "Latest checkpoint location",
           "Latest checkpoint's REDO location", "Latest checkpoint's REDO WAL file",
           "Time of latest checkpoint", "Mock authentication nonce")

    def kept(control):
        return {name: value for name, value in control.items() if name not in new}

    assert kept(Cluster(restored.pgdata).control()) == kept(restored.source.control)


def test_commit_timestamps_are_kept(inspected):
    assert inspected.cluster.sql(COMMIT_TIMES, "zwei Städte") == inspected.source.commit_times


def test_the_prepared_transaction_holds_its_locks_and_can_be_committed(inspected):
    cluster = inspected.cluster
    balances = "SELECT string_agg(balance::text, ' ' ORDER BY id) FROM accounts WHERE id < 3"
    assert cluster.sql("SELECT gid FROM pg_prepared_xacts") == rich_cluster.PREPARED
    assert cluster.sql(balances, "app") == "100 100"
    # It updated row 1 by itself, and shares a lock on row 3 with another transaction (a multixact).
    for row in (1, 3):
        with pytest.raises(postgres.PostgresError, match="could not obtain lock"):
            cluster.sql(f"SELECT FROM accounts WHERE id = {row} FOR UPDATE NOWAIT", "app")
    cluster.sql(f"COMMIT PREPARED '{rich_cluster.PREPARED}'", "app")
    assert cluster.sql(balances, "app") == "70 130"


def test_an_unlogged_table_is_empty_and_usable(inspected):
    cluster = inspected.cluster
    assert cluster.sql("SELECT count(*) FROM scratch", "app") == "0"
    cluster.sql("INSERT INTO scratch (id, note) VALUES (1, 'again')", "app")
    assert cluster.sql("SELECT note FROM scratch WHERE id = 1", "app") == "again"
    assert cluster.sql("SELECT nextval('scratch_numbers')", "app") == "1"


def test_a_sequence_goes_on_where_it_was(inspected):
    assert inspected.cluster.sql("SELECT nextval('receipts')", "app") == str(1000 + 100 * 7)


def test_the_restored_cluster_can_be_imported_and_restored_again(restored, folder, varve):
    pgdata = restored.copy(folder)
    with start_on(pgdata) as cluster:
        cluster.pgbench("-n", "-t", "500", "-c", "2", database="app")
        cluster.sql("UPDATE documents SET short = 'second cycle' WHERE id % 2 = 0", "app")
        dump = cluster.dump()
    server = Server.init(varve, folder)
    server.create_tenant("acme")
    server.import_cluster("acme", "second", pgdata)
    shutil.rmtree(server.workdir)
    again = folder / "again"
    assert server.restore_from_remote("acme/second", again).code == 0
    assert trees.main_forks(again) == trees.main_forks(pgdata)
    with start_on(again) as cluster:
        same = cluster.dump() == dump
        cluster.amcheck()  # Last: it installs its extension where it is missing.
    assert same


def test_restore_from_the_work_directory_is_the_same(rich, folder, server):
    server.import_cluster("acme", "main", rich.pgdata)
    server.succeed("restore", "acme/main", "--to", folder / "data")
    assert trees.main_forks(folder / "data") == rich.main_forks


def test_ids_address_what_names_address(small_pgdata, folder, server):
    tenant = server.json("tenant", "show", "acme")["tenant_id"]
    timeline = server.import_cluster("acme", "main", small_pgdata)["timeline_id"]
    assert server.json("timeline", "show", f"{tenant}/{timeline}")["name"] == "main"
    outcome = server.restore_from_remote(f"{tenant}/{timeline}", folder / "data")
    assert outcome.code == 0, outcome
    assert trees.main_forks(folder / "data") == trees.main_forks(small_pgdata)


def test_a_tablespace_is_restored_apart_from_the_one_of_the_source(folder, server):
    location = folder / "tablespace"
    location.mkdir()
    postgres.give_to_postgres(location)
    source = Cluster.create(folder / "source")
    with source.running():
        source.sql(f"CREATE TABLESPACE elsewhere LOCATION '{location}'")
        source.sql("CREATE TABLE far TABLESPACE elsewhere AS "
                   "SELECT i, md5(i::text) AS name FROM generate_series(1, 5000) i; "
                   "CREATE INDEX ON far (name) TABLESPACE elsewhere")
        source.sql("CREATE DATABASE remote_town TABLESPACE elsewhere")
        source.sql("CREATE TABLE town AS SELECT 42 AS n", "remote_town")
        dump = source.dump()
    server.import_cluster("acme", "main", source.pgdata)
    before = trees.snapshot(location)

    outcome = server.restore_from_remote("acme/main", folder / "data")
    assert outcome.code == 0, outcome
    assert trees.main_forks(folder / "data") == trees.main_forks(source.pgdata)
    with start_on(folder / "data") as cluster:
        assert cluster.sql("SELECT count(*) FROM far") == "5000"
        restored_dump = cluster.dump()
        cluster.amcheck()
        # A copy that wrote there would damage the original.
        cluster.sql("UPDATE far SET name = 'changed'; CHECKPOINT")
        assert cluster.sql("SELECT pg_tablespace_location(oid) FROM pg_tablespace "
                           "WHERE spcname = 'elsewhere'") != str(location)
    assert trees.snapshot(location) == before

    def without_location(text):
        return [line for line in text.splitlines() if not line.startswith("CREATE TABLESPACE")]

    assert without_location(restored_dump) == without_location(dump)


PRODUCTION_SETTINGS = {
    "archive_mode": "on",
    "archive_command": "'touch /nonexistent/archived'",
    "synchronous_standby_names": "'standby'",
    "primary_conninfo": "'host=/nonexistent'",
}


@pytest.fixture(name="production")
def fixture_production(folder, server):
    """An imported cluster that archives, waits for a standby and knows a primary."""
    source = Cluster.create(folder / "source", settings=PRODUCTION_SETTINGS)
    server.import_cluster("acme", "main", source.pgdata)
    return server


def test_a_restored_cluster_does_not_act_on_production(folder, production):
    production.succeed("restore", "acme/main", "--to", folder / "data")
    with start_on(folder / "data") as cluster:
        assert cluster.sql("SHOW archive_mode") == "off"
        assert cluster.sql("SHOW synchronous_standby_names") == ""
        assert cluster.sql("SHOW primary_conninfo") == ""


def test_the_configuration_is_kept_on_request(folder, production):
    production.succeed("restore", "acme/main", "--to", folder / "data", "--keep-config")
    with start_on(folder / "data") as cluster:
        assert cluster.sql("SHOW archive_mode") == "on"
        assert cluster.sql("SHOW synchronous_standby_names") == "standby"
        assert cluster.sql("SHOW primary_conninfo") == "host=/nonexistent"


@on_both_remotes
def test_a_new_work_directory_sees_what_is_remote_and_restores_it(small_pgdata, folder, server):
    server.import_cluster("acme", "main", small_pgdata)
    other = Server.init(server.varve, folder / "other", server.storage)
    timeline, = other.timelines("acme")
    assert (timeline["name"], timeline["state"]) == ("main", "CloudOnly")
    other.succeed("restore", "acme/main", "--to", folder / "data")
    assert trees.main_forks(folder / "data") == trees.main_forks(small_pgdata)


def test_a_restored_cluster_belongs_to_the_user_of_postgresql(small_pgdata, folder, server):
    server.import_cluster("acme", "main", small_pgdata)
    server.succeed("restore", "acme/main", "--to", folder / "data")
    owner = small_pgdata.stat().st_uid
    for path in [folder / "data", *(folder / "data").rglob("*")]:
        assert path.stat().st_uid == owner, path
        assert path.stat().st_mode & 0o077 == 0, path
