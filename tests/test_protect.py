"""A timeline follows a running primary, and gives it back as of any moment."""

import contextlib
import json
import re
import shutil
import signal
import threading

import jsonschema
import pytest

from conftest import REPOSITORY
from support import fault_proxy, replication_proxy, rich_cluster
from support.daemon import until
from support.fault_proxy import FaultProxy
from support.postgres import Cluster, give_to_postgres
from support.protection import (POSTGRES, ProtectServer, check_restored, conninfo, copied_cluster,
                                lsn, of_stream, slots, write)
from support.remotes import S3Remote
from support.replication_proxy import Hold, ReplicationProxy

# A server that asks for nothing but what it needs to end.
SETTINGS = {"wal_sender_timeout": "0", "max_connections": "30"}
SECRET = "s3cret-of-the-role"
# Of WAL that is to be damaged: in the middle of a record, where a checksum covers it.
MARKER = "varve" * 20


@pytest.fixture(name="server")
def fixture_server(varve, fast_folder):
    with ProtectServer.temporary(varve, fast_folder) as made:
        yield made


def new_cluster(tiny, folder):
    """A copy of the small cluster, not started."""
    cluster = copied_cluster(tiny, folder, SETTINGS)
    access = cluster.pgdata / "pg_hba.conf"
    access.write_text("local replication secretive scram-sha-256\n"
                      "local replication outsider reject\n" + access.read_text())
    return cluster


@pytest.fixture(scope="module", name="shared_primary")
def fixture_shared_primary(tiny, fast_folder):
    cluster = new_cluster(tiny, fast_folder / "primary")
    with cluster.running():
        cluster.sql(f"CREATE ROLE secretive LOGIN REPLICATION PASSWORD '{SECRET}';"
                    "CREATE ROLE outsider LOGIN REPLICATION; CREATE ROLE plain LOGIN")
        yield cluster


@pytest.fixture(name="primary")
def fixture_primary(shared_primary):
    """A small one that runs, without any slot."""
    assert not slots(shared_primary)
    yield shared_primary
    until(lambda: of_stream(shared_primary, "count(*)") == "0", "nobody follows any more")
    shared_primary.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")


@pytest.fixture(name="proxy")
def fixture_proxy(primary, server):
    folder = server.folder / "p"
    folder.mkdir()
    with ReplicationProxy(primary, folder) as proxy:
        yield proxy


class Load:
    """Transactions of pgbench, as a context manager."""

    def __init__(self, cluster, database):
        self.cluster = cluster
        self.database = database
        self.stopped = threading.Event()
        self.rounds = 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stopped.is_set():
            self.cluster.pgbench("-n", "-t", "50", "-c", "2", database=self.database)
            self.rounds += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def test_a_busy_primary_is_given_back_as_of_any_moment(server, fast_folder):
    folder = fast_folder / "rich"
    primary = Cluster.create(folder / "data", settings=rich_cluster.SETTINGS)
    location = folder / "tablespace"
    location.mkdir()
    give_to_postgres(folder)
    with primary.running(), server.serving() as daemon:
        rich_cluster.fill(primary)
        primary.sql(f"CREATE TABLESPACE elsewhere LOCATION '{location}'")
        primary.sql("CREATE TABLE far TABLESPACE elsewhere AS SELECT generate_series(1, 5000) i",
                    "app")
        with Load(primary, "app") as load:
            made = server.protect(primary)
            rounds = load.rounds
            until(lambda: load.rounds > rounds + 1, "pgbench goes on")
        assert made["name"] == "main" and made["primary"]["state"] == "streaming"
        primary.sql("""
            INSERT INTO far SELECT generate_series(5001, 9000);
            CREATE TABLE far_too TABLESPACE elsewhere AS SELECT generate_series(1, 100) i;
            SELECT lo_from_bytea(70003, decode(repeat('00ff10', 20000), 'hex'));
            SELECT count(nextval('receipts')) FROM generate_series(1, 10);
            INSERT INTO scratch (note) VALUES ('not logged');
            BEGIN;
            UPDATE accounts SET balance = 0 WHERE id = 40;
            PREPARE TRANSACTION 'while it was followed';
            """, "app")
        primary.sql("CREATE DATABASE later TEMPLATE template0")
        primary.sql("CREATE TABLE town AS SELECT 42 AS n", "later")
        before = primary.dump()
        time = primary.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                           "'YYYY-MM-DD\"T\"HH24:MI:SS.USZ')")
        primary.sql("DELETE FROM documents; DROP TABLE far", "app")
        last = primary.sql("SELECT pg_current_wal_flush_lsn()")
        after = primary.dump()
        receipts = int(primary.sql("SELECT last_value FROM receipts", "app"))
        server.wait(last)
        assert lsn(server.show()["remote_consistent_lsn"]) >= lsn(last)
        assert daemon.stop().code == 0
    shutil.rmtree(server.workdir)

    check_restored(server.restore("--time", time), before)
    restored = server.restore()
    check_restored(restored, after)
    with restored.running():
        assert int(restored.sql("SELECT nextval('receipts')", "app")) > receipts
        assert restored.sql("SELECT count(*) FROM scratch", "app") == "0"
        restored.sql("COMMIT PREPARED 'while it was followed'", "app")
        restored.sql(f"COMMIT PREPARED '{rich_cluster.PREPARED}'", "app")
        assert restored.sql("SELECT balance FROM accounts WHERE id IN (1, 2, 40) ORDER BY id",
                            "app") == "70\n130\n0"
        assert not slots(restored)
    shutil.rmtree(folder)


def test_a_server_that_was_killed_goes_on_by_itself(server, primary):
    with server.serving() as daemon:
        made = server.protect(primary)
        server.wait(write(primary))
        last = write(primary)
        server.wait(last, "ingested")
        daemon.process.kill()
        daemon.process.wait()
    write(primary)
    with server.serving() as daemon:
        until(server.is_streaming, "it follows again")
        last = write(primary)
        server.wait(last)
        assert server.primary()["slot"] == made["primary"]["slot"]
        assert slots(primary) == [made["primary"]["slot"]]
        dump = primary.dump()
        assert daemon.stop().code == 0
    check_restored(server.restore("--lsn", last), dump)


def was_never_there(server, primary, connection):
    """Nothing is left of a protection, and the same command works."""
    until(lambda: not slots(primary), "the slot is gone")
    assert server.timelines("acme") == []
    assert not list((server.workdir / "primaries").glob("*"))
    assert not list(server.workdir.rglob("backup-*"))
    process = server.start_protect(connection)
    outcome = process.wait()
    assert outcome.code == 0, outcome
    assert slots(primary) == [outcome.document()["primary"]["slot"]]


def test_a_base_backup_that_is_killed_was_never_there(server, primary, proxy):
    with server.serving() as daemon:
        proxy.fault = Hold()
        client = server.start_protect(proxy.conninfo)
        assert proxy.fault.reached.wait(60)
        assert len(slots(primary)) == 1
        daemon.process.kill()
        daemon.process.wait()
        assert client.wait().code == 1
    proxy.release()
    with server.serving():
        was_never_there(server, primary, proxy.conninfo)


def test_a_base_backup_that_breaks_off_was_never_there(server, primary, proxy):
    with server.serving():
        proxy.fault = Hold()
        client = server.start_protect(proxy.conninfo)
        assert proxy.fault.reached.wait(60)
        proxy.cut_all()
        outcome = client.wait()
        assert outcome.code == 1 and "base backup" in outcome.stderr, outcome
        proxy.release()
        was_never_there(server, primary, proxy.conninfo)


def test_a_client_that_is_interrupted_leaves_it_to_the_server(server, primary, proxy):
    with server.serving():
        proxy.fault = Hold()
        client = server.start_protect(proxy.conninfo)
        assert proxy.fault.reached.wait(60)
        client.signal(signal.SIGINT)
        interrupted = client.wait()
        assert interrupted.code == 1 and "the server goes on" in interrupted.stderr, interrupted
        proxy.release()
        until(lambda: server.timelines("acme"), "the timeline is there")
        server.wait(write(primary))
        assert slots(primary) == [server.primary()["slot"]]


def test_a_server_that_is_stopped_does_not_wait_for_a_base_backup(server, primary, proxy):
    with server.serving("--stop-timeout", "1") as daemon:
        proxy.fault = Hold()
        client = server.start_protect(proxy.conninfo)
        assert proxy.fault.reached.wait(60)
        assert daemon.stop().code == 0
        assert client.wait().code == 1
    assert not slots(primary)
    proxy.release()
    with server.serving():
        was_never_there(server, primary, proxy.conninfo)


def test_without_a_server_protect_is_one(server, primary, proxy):
    options = ("--listen", "127.0.0.1:0", "--rpo", "1", *POSTGRES)
    proxy.fault = Hold()
    process = server.start_protect(proxy.conninfo, "main", *options)
    assert proxy.fault.reached.wait(60)
    process.signal(signal.SIGINT)
    assert process.wait().code == 1
    assert not slots(primary)
    proxy.release()

    process = server.start_protect(proxy.conninfo, "main", *options)
    until(lambda: process.output.strip().endswith("}") or not process.is_running(),
          "it prints what it made")
    made = json.loads(process.output)
    assert made["name"] == "main" and made["primary"]["state"] == "streaming"
    server.wait(write(primary))
    process.signal(signal.SIGINT)
    assert process.wait(60).code == 0
    assert server.primary()["state"] == "idle"
    last = write(primary)
    with server.serving():
        server.wait(last)
    described(server.show())


def test_a_protection_ends_and_what_was_backed_up_stays(server, primary):
    with server.serving():
        server.protect(primary)
        last = write(primary)
        dump = primary.dump()
        ended = server.json("unprotect", "acme/main")
        assert "primary" not in ended and "primary" not in server.show()
        assert not slots(primary)
        assert lsn(ended["remote_consistent_lsn"]) >= lsn(last)
        again = server.run("unprotect", "acme/main")
        assert again.code == 1 and "follows no primary" in again.stderr
        # It is like any other now.
        check_restored(server.restore(), dump)
        server.succeed("timeline", "delete", "acme/main")
    assert not list((server.workdir / "primaries").glob("*"))


def test_without_the_primary_a_protection_only_ends_if_the_slot_is_kept(server, primary):
    with server.serving():
        slot = server.protect(primary)["primary"]["slot"]
        primary.stop()
        try:
            refused = server.run("unprotect", "acme/main")
            assert refused.code == 1 and slot in refused.stderr and "--keep-slot" in refused.stderr
            until(lambda: server.primary()["error"], "it is tried again")
            described(server.show())
            assert server.primary()["state"] == "connecting"
        finally:
            primary.start()
        server.wait(write(primary))
        primary.stop()
        try:
            assert "primary" not in server.json("unprotect", "acme/main", "--keep-slot")
        finally:
            primary.start()
        assert slots(primary) == [slot]


def test_what_is_protected_is_not_taken_away(server, primary):
    timeline = None
    with server.serving():
        timeline = server.protect(primary)["timeline_id"]
        for place in ("served", "alone"):
            for command in (("timeline", "delete", "acme/main"), ("tenant", "detach", "acme"),
                            ("tenant", "delete", "acme")):
                refused = server.run(*command)
                assert refused.code == 1, (place, refused)
                assert timeline in refused.stderr and "varve unprotect" in refused.stderr, refused
        server.wait(write(primary))
    refused = server.run("timeline", "delete", "acme/main")
    assert refused.code == 1 and "varve unprotect" in refused.stderr, refused


def test_where_another_server_took_over_nobody_follows_any_more(server, varve, primary):
    with server.serving():
        server.protect(primary)
        server.wait(write(primary))
        other = ProtectServer.init(varve, server.folder / "other", server.storage)
        other.succeed("tenant", "attach", "acme")
        write(primary)
        until(lambda: server.primary()["state"] == "stopped", "it stops")
        error = server.primary()["error"]
        assert "is uploaded from here any more" in error and "varve unprotect" in error, error
        server.succeed("unprotect", "acme/main", "--keep-slot")


def test_two_primaries_are_followed_at_once(server, primary, tiny, fast_folder):
    other = new_cluster(tiny, fast_folder / "other")
    with other.running(), server.serving():
        processes = [server.start_protect(conninfo(cluster), name)
                     for cluster, name in ((primary, "one"), (other, "two"))]
        for process in processes:
            outcome = process.wait()
            assert outcome.code == 0, outcome
        last = {name: write(cluster, rows)
                for cluster, name, rows in ((primary, "one", 10), (other, "two", 20))}
        for name, at in last.items():
            server.wait(at, name=name)
        for cluster, name in ((primary, "one"), (other, "two")):
            check_restored(server.restore("--lsn", last[name], name=name), cluster.dump())
        taken = server.start_protect(conninfo(primary), "two").wait()
        assert taken.code == 1 and "is taken" in taken.stderr
        assert len(slots(primary)) == 1
    shutil.rmtree(other.pgdata.parent)


def test_a_standby_is_refused(server, tiny, fast_folder):
    standby = new_cluster(tiny, fast_folder / "standby")
    with standby.running():
        pass
    (standby.pgdata / "standby.signal").touch()
    with standby.running(), server.serving():
        refused = server.start_protect(conninfo(standby)).wait()
        assert refused.code == 1 and "is a standby" in refused.stderr, refused
        assert not slots(standby)
        assert server.timelines("acme") == []
    shutil.rmtree(standby.pgdata.parent)


@pytest.mark.parametrize("connection, reason", [
    (f"user=secretive password={SECRET}-not", "password authentication failed"),
    (f"user=outsider password={SECRET}", "pg_hba.conf"),
    (f"user=plain password={SECRET}", "ALTER ROLE"),
    (f"user=postgres port=1 password={SECRET}", "port=1|\\.s\\.PGSQL\\.1"),
    (f"user=postgres passwort={SECRET}", "invalid connection option"),
])
def test_a_primary_that_lets_nobody_in_is_named_and_no_secret_told(server, primary, connection, reason):
    with server.serving() as daemon:
        refused = server.start_protect(
            f"host={primary.socket_folder} port={primary.port} {connection}").wait()
        assert refused.code == 1 and re.search(reason, refused.stderr), refused
        assert SECRET not in refused.text
        assert daemon.stop().code == 0
        assert SECRET not in daemon.process.log
    assert server.timelines("acme") == []
    assert not list((server.workdir / "primaries").glob("*"))
    assert not slots(primary)


def test_a_password_is_kept_and_told_nobody(server, primary):
    connection = f"{conninfo(primary, 'secretive')} password={SECRET}"
    with server.serving() as daemon:
        made = server.start_protect(connection).wait()
        assert made.code == 0 and SECRET not in made.text, made
        for command in (("timeline", "show", "acme/main"), ("status",)):
            assert SECRET not in server.run(*command, "--json").text
        daemon.stop()
        assert SECRET not in daemon.process.log
    (kept,) = (server.workdir / "primaries").iterdir()
    assert SECRET.encode() in kept.read_bytes() and kept.stat().st_mode & 0o777 == 0o600
    for path in server.remote_folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
    with server.serving():
        server.wait(write(primary))


@pytest.fixture(name="unsteady")
def fixture_unsteady(varve, fast_folder, s3):
    """A work directory with the tenant `acme`, and the proxy in front of its remote storage."""
    with FaultProxy(s3.settings.port) as storage:
        remote = S3Remote(s3, endpoint=storage.endpoint)
        with ProtectServer.temporary(varve, fast_folder, remote) as server:
            yield server, storage
        remote.remove()


@contextlib.contextmanager
def unreachable(storage):
    storage.fault = fault_proxy.reset
    yield
    storage.fault = fault_proxy.pass_on


def all_of_it_is_told(server, primary, at):
    """The primary knows that it was ingested, and whatever is to be known besides."""
    server.wait(at, "checkpointed")
    until(lambda: lsn(of_stream(primary, "replay_lsn")) >= lsn(at), "the primary is told")
    return lsn(of_stream(primary, "flush_lsn"))


def test_a_primary_keeps_what_is_not_remote(unsteady, primary):
    server, storage = unsteady
    with server.serving():
        server.protect(primary)
        server.wait(write(primary))
        with unreachable(storage):
            last = write(primary)
            assert all_of_it_is_told(server, primary, last) < lsn(last)
            last = write(primary)
            flushed = all_of_it_is_told(server, primary, last)
            shown = server.show()
            assert flushed <= lsn(shown["remote_consistent_lsn"]) < lsn(last)
            assert shown["primary"]["confirmed_lsn"] == shown["remote_consistent_lsn"]
            assert lsn(primary.sql("SELECT restart_lsn FROM pg_replication_slots")) <= flushed
        server.wait(last)
        until(lambda: lsn(of_stream(primary, "flush_lsn")) >= lsn(last), "it may forget it now")


def test_a_primary_need_not_keep_what_is_in_files_if_that_is_wanted(unsteady, primary):
    server, storage = unsteady
    with server.serving("--confirm", "local"):
        server.protect(primary)
        with unreachable(storage):
            last = write(primary)
            server.wait(last, "checkpointed")
            until(lambda: lsn(of_stream(primary, "flush_lsn")) >= lsn(last), "it may forget it")
            assert lsn(server.show()["remote_consistent_lsn"]) < lsn(last)
        server.wait(last)


def metrics(daemon, name):
    text = daemon.get("/metrics").body.decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if line.startswith(name)}


def test_metrics_tell_how_a_primary_is_followed(server, primary):
    with server.serving() as daemon:
        made = server.protect(primary)
        server.wait(write(primary))
        found = metrics(daemon, "varve_follow_")
        labels = f'{{tenant="{made["tenant_id"]}",timeline="{made["timeline_id"]}"}}'
        assert set(found) == {f"varve_follow_{name}{labels}" for name in (
            "streaming", "lag_bytes", "unconfirmed_bytes", "received_bytes_total",
            "failures_total")}
        assert found[f"varve_follow_streaming{labels}"] == 1
        assert found[f"varve_follow_received_bytes_total{labels}"] > 10000
        server.succeed("unprotect", "acme/main")
        left = metrics(daemon, "varve_follow_")
        assert not [name for name in left if not name.split("{")[0].endswith("_total")], left


def test_a_primary_is_stopped_though_the_next_checkpoint_is_far(server, primary):
    with server.serving(rpo=3600) as daemon:
        server.protect(primary)
        last = write(primary)
        dump = primary.dump()
        try:
            # It fails after a minute.
            primary.stop()
        finally:
            primary.start()
        assert lsn(server.show()["remote_consistent_lsn"]) >= lsn(last)
        until(lambda: server.primary()["error"] and server.is_streaming(), "it follows again")
        daemon.process.kill()
    check_restored(server.restore(), dump)


def described(timeline):
    """A timeline is what docs/openapi.json says, as far as the primary is concerned."""
    document = json.loads((REPOSITORY / "docs/openapi.json").read_text())
    schema = {"$ref": "#/components/schemas/FollowedPrimary", "unevaluatedProperties": False,
              "components": document["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
        timeline["primary"])


def test_the_status_tells_how_far_it_is(server, primary):
    with server.serving():
        made = server.protect(primary)
        described(made)
        last = write(primary)
        server.wait(last)
        until(lambda: lsn(server.primary()["confirmed_lsn"]) >= lsn(last), "it is confirmed")
        shown = server.show()
        described(shown)
        told = shown["primary"]
        assert told["state"] == "streaming" and told["error"] is None
        assert str(primary.socket_folder) in told["peer"]
        assert lsn(told["ingested_lsn"]) >= lsn(last)
        assert told["lag_bytes"] == lsn(told["server_lsn"]) - lsn(told["ingested_lsn"])
        (entry,) = server.json("status")["timelines"]
        described(entry)
        (entry,) = server.timelines("acme")
        described(entry)
    described(server.show())
    assert server.primary()["state"] == "idle"


DAMAGE = {
    "a flipped byte": replication_proxy.flip_byte,
    "a gap": replication_proxy.drop_message,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_wal_ends_it_and_what_came_before_is_served(server, primary, proxy, damage):
    with server.serving():
        made = server.start_protect(proxy.conninfo).wait()
        assert made.code == 0, made
        last = write(primary)
        server.wait(last)
        dump = primary.dump()
        proxy.fault = damage(MARKER.encode())
        primary.sql(f"SELECT pg_logical_emit_message(true, 'damaged', repeat('{MARKER}', 200))")
        write(primary)
        until(lambda: server.primary()["state"] == "stopped", "it stops")
        assert proxy.fault.done.is_set()
        shown = server.show()
        described(shown)
        error = shown["primary"]["error"]
        named = [lsn(each) for each in re.findall(r"[0-9A-F]+/[0-9A-F]{5,8}", error)]
        assert any(lsn(last) <= each for each in named), error
        assert "varve unprotect" in error
        assert lsn(shown["last_record_lsn"]) >= lsn(last)
        check_restored(server.restore(), dump)
        # Nobody feeds it any more.
        assert server.run("wait", "acme/main", "--lsn", "F/0", "--for", "remote", "--timeout",
                          "1").code == 1
        server.succeed("unprotect", "acme/main")
    assert not slots(primary)


def test_a_stream_that_is_cut_off_in_a_message_goes_on(server, primary, proxy):
    with server.serving():
        made = server.start_protect(proxy.conninfo).wait()
        assert made.code == 0, made
        proxy.fault = replication_proxy.cut_message(MARKER.encode())
        primary.sql(f"SELECT pg_logical_emit_message(true, 'cut', repeat('{MARKER}', 200))")
        last = write(primary)
        dump = primary.dump()
        server.wait(last)
        assert proxy.fault.done.is_set()
        told = server.primary()
        assert told["state"] == "streaming" and told["error"], told
        check_restored(server.restore("--lsn", last), dump)
