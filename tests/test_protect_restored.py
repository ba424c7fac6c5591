"""A server that was restored from a timeline goes on with it, without a base backup."""

import contextlib
import shutil

import pytest

from support.daemon import until
from support.protection import (ProtectServer, check_restored, conninfo, copied_cluster, lsn, slots,
                                write)
from support.replication_proxy import WAL, Hold, ReplicationProxy

SETTINGS = {"wal_sender_timeout": "0", "max_connections": "30", "max_prepared_transactions": "5",
            "min_wal_size": "32MB"}


@pytest.fixture(name="server")
def fixture_server(varve, fast_folder):
    with ProtectServer.temporary(varve, fast_folder) as made:
        yield made


@pytest.fixture(name="primary")
def fixture_primary(tiny, fast_folder):
    """A small one that runs."""
    folder = fast_folder / "primary"
    cluster = copied_cluster(tiny, folder, SETTINGS)
    with cluster.running():
        yield cluster
    shutil.rmtree(folder)


@contextlib.contextmanager
def running_restored(server, *options, name="main"):
    """A server that was restored, and is removed in the end."""
    cluster = server.restore(*options, name=name)
    with cluster.running():
        yield cluster
    shutil.rmtree(cluster.pgdata)


def lose(server, primary):
    """The primary is gone for good, at once."""
    primary.kill()
    server.succeed("unprotect", "acme/main", "--keep-slot")


def test_after_a_disaster_the_history_goes_on(server, primary):
    with server.serving() as daemon:
        server.protect(primary)
        before = write(primary)
        first = primary.dump()
        primary.sql("CREATE TABLE prepared (i int); BEGIN; INSERT INTO prepared VALUES (1);"
                    "PREPARE TRANSACTION 'across'")
        # It was never committed, and what comes later does not know of it.
        primary.sql("CREATE TABLE lost (i int); INSERT INTO lost VALUES (1); DROP TABLE lost")
        last = primary.sql("SELECT pg_current_wal_flush_lsn()")
        server.wait(last)
        lose(server, primary)
        with running_restored(server) as restored:
            followed = server.protect_restored(restored)
            assert followed["timeline_id"] == server.show()["timeline_id"]
            assert followed["primary"]["state"] == "streaming"
            assert slots(restored) == [followed["primary"]["slot"]]
            restored.sql("COMMIT PREPARED 'across'")
            middle = write(restored, 3000)
            second = restored.dump()
            restored.sql("VACUUM FULL written; CREATE INDEX ON written (i)")
            daemon.process.kill()
            daemon.process.wait()
            write(restored, 10)
            with server.serving():
                until(server.is_streaming, "it follows again")
                end = write(restored, 10)
                third = restored.dump()
                server.wait(end)
                until(lambda: lsn(server.primary()["confirmed_lsn"]) >= lsn(end), "it is confirmed")
                assert restored.sql("SELECT wal_status FROM pg_replication_slots") == "reserved"
                server.succeed("unprotect", "acme/main")
            assert not slots(restored)
    shutil.rmtree(server.workdir)
    check_restored(server.restore("--lsn", before), first)
    check_restored(server.restore("--lsn", middle), second)
    check_restored(server.restore(), third)


@pytest.mark.parametrize("of", ["the branch", "its parent"])
def test_a_branch_goes_on_beside_its_parent(server, primary, of):
    with server.serving():
        server.protect(primary)
        begin = write(primary)
        server.wait(begin)
        server.succeed("timeline", "branch", "acme/main", "--lsn", begin, "--name", "aside")
        write(primary, 50)
        restored_from = {"name": "aside"} if of == "the branch" else {"name": "main"}
        options = () if of == "the branch" else ("--lsn", begin)
        with running_restored(server, *options, **restored_from) as restored:
            server.protect_restored(restored, "aside")
            ends = {"aside": write(restored, 7), "main": write(primary, 8)}
            dumps = {"aside": restored.dump(), "main": primary.dump()}
            for name, end in ends.items():
                server.wait(end, name=name)
                assert server.is_streaming(name)
            server.succeed("unprotect", "acme/aside")
    for name, dump in dumps.items():
        check_restored(server.restore("--lsn", ends[name], name=name), dump)


def is_refused(server, cluster, reason, name="main"):
    before = server.show(name)["last_record_lsn"]
    refused = server.start_protect_restored(conninfo(cluster), name).wait()
    assert refused.code == 1 and reason in refused.stderr, refused
    shown = server.show(name)
    assert "primary" not in shown and shown["last_record_lsn"] == before
    assert not list((server.workdir / "primaries").glob("*"))
    until(lambda: not slots(cluster), "the slot is gone")


def test_only_a_server_that_was_restored_from_its_end_goes_on(server, primary):
    with server.serving():
        server.protect(primary)
        early = write(primary)
        server.wait(write(primary))
        again = server.start_protect_restored(conninfo(primary)).wait()
        assert again.code == 1 and "varve unprotect" in again.stderr, again
        server.succeed("unprotect", "acme/main")
        # Its WAL goes on just where the timeline ends, and yet a gap could be there.
        primary.sql("SELECT pg_switch_wal()")
        write(primary)
        is_refused(server, primary, "was not restored from timeline")
        with running_restored(server, "--lsn", early) as restored:
            is_refused(server, restored, f"as of {early}")
        # It may lack databases.
        with running_restored(server, "--db", "postgres") as restored:
            is_refused(server, restored, "was not restored from timeline")
        server.succeed("timeline", "branch", "acme/main", "--lsn", early, "--name", "aside")
        with running_restored(server) as restored:
            is_refused(server, restored, "ends at", name="aside")
            named = server.run("protect", "acme/main", "--primary", conninfo(restored), "--name",
                               "other")
            assert named.code == 2 and "--name" in named.stderr, named
            server.protect_restored(restored)
            server.wait(write(restored))


def test_a_restored_server_that_has_recycled_its_wal_is_refused(server, primary):
    with server.serving():
        server.protect(primary)
        server.wait(write(primary))
        lose(server, primary)
        with running_restored(server) as restored:
            for _ in range(3):
                write(restored)
                restored.sql("SELECT pg_switch_wal()")
                restored.sql("CHECKPOINT")
            is_refused(server, restored, "already been removed")


def test_a_server_that_is_killed_meanwhile_goes_on_by_itself(server, primary, fast_folder):
    proxied = fast_folder / "p"
    proxied.mkdir()
    with server.serving() as daemon:
        server.protect(primary)
        server.wait(write(primary))
        lose(server, primary)
        with running_restored(server) as restored, ReplicationProxy(restored, proxied) as proxy:
            proxy.fault = Hold(WAL)
            client = server.start_protect_restored(proxy.conninfo)
            assert proxy.fault.reached.wait(60)
            daemon.process.kill()
            daemon.process.wait()
            assert client.wait().code == 1
            proxy.release()
            with server.serving():
                until(server.is_streaming, "it follows by itself")
                end = write(restored)
                dump = restored.dump()
                server.wait(end)
    check_restored(server.restore("--lsn", end), dump)
