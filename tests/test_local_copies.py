"""Local copies of layers come and go; what is remote stays whole."""

import pytest

from conftest import on_both_remotes
from support import trees
from support.daemon import starting, until
from support.varve import Server


def layer_files(server):
    return sorted(server.workdir.rglob("*.sst"))


def restored(server, timeline, to):
    server.succeed("restore", timeline, "--to", to)
    return trees.snapshot(to)


@on_both_remotes
def test_local_copies_are_freed_and_come_back(server, small_pgdata, folder):
    main = server.import_cluster("acme", "main", small_pgdata)
    expected = restored(server, "acme/main", folder / "expected")
    files = layer_files(server)
    stored = server.storage.objects()

    freed = server.json("timeline", "drop-local", "acme/main")
    assert freed["freed_layers"] == main["layers"] == len(files)
    assert freed["freed_bytes"] == main["layer_bytes"]
    assert layer_files(server) == []
    assert server.json("timeline", "drop-local", "acme/main")["freed_layers"] == 0
    # It is what it was, read from the remote storage.
    assert server.timelines("acme")[0]["state"] == "Ready"
    assert restored(server, "acme/main", folder / "dropped") == expected

    server.succeed("timeline", "prefetch", "acme/main")
    assert layer_files(server) == files
    assert restored(server, "acme/main", folder / "fetched") == expected
    assert server.storage.objects() == stored


def test_what_is_remote_only_is_brought_here(varve, server, small_pgdata, folder):
    server.import_cluster("acme", "main", small_pgdata)
    other = Server.init(varve, folder / "other", server.storage)
    assert other.timelines("acme")[0]["state"] == "CloudOnly"
    assert other.json("timeline", "prefetch", "acme/main")["state"] == "Ready"
    assert len(layer_files(other)) == len(layer_files(server))


def test_the_last_copy_is_not_freed(varve, server, small_pgdata, folder):
    server.import_cluster("acme", "main", small_pgdata)
    files = layer_files(server)
    lost = max(server.storage.objects(), key=server.storage.objects().get)
    # Not the newest commit of the log, whose loss shows at once.
    other = Server.init(varve, folder / "other", server.storage)
    other.succeed("tenant", "attach", "acme")
    server.succeed("tenant", "attach", "acme")
    (server.remote_folder / lost).unlink()
    refused = server.run("timeline", "drop-local", "acme/main")
    assert refused.code == 1 and lost in refused.stderr and "(Corrupted)" in refused.stderr
    assert layer_files(server) == files


def promoted_layers(running):
    """As the metrics count them."""
    lines = running.get("/metrics").body.decode().splitlines()
    values = [line.split()[1] for line in lines if line.startswith("varve_promoted_layers_total ")]
    return int(values[0]) if values else 0


def is_not_empty(warm_list):
    # Of an empty one there is a head, a number and a checksum.
    return warm_list.exists() and warm_list.stat().st_size > 22


@pytest.mark.parametrize("end", ["stop", "kill"])
@on_both_remotes
def test_what_was_read_is_local_after_a_restart(server, small_pgdata, folder, end):
    main = server.import_cluster("acme", "main", small_pgdata)
    files = layer_files(server)
    expected = restored(server, "acme/main", folder / "expected")
    with starting(server, "--disk-high-mib", "1") as running:
        until(lambda: layer_files(server) == [], "the copies are freed")
        # There is no room for them.
        assert restored(server, "acme/main", folder / "evicted") == expected
        if end == "stop":
            assert running.stop().code == 0
        else:
            until(lambda: is_not_empty(server.workdir / "warm"), "the layers are noted")
            running.process.kill()
            running.process.wait()
    assert layer_files(server) == []

    # Now there is, and they come before anybody asks for the timeline.
    with starting(server, "--disk-high-mib", "1000") as running:
        until(lambda: promoted_layers(running) == main["layers"], "the layers are brought back")
        assert layer_files(server) == files
        before = running.get("/v1/status").json()["requests"]["get"]
        read = server.json("restore", "acme/main", "--to", folder / "warm")
        assert read["layers_fetched"] == 0 and read["layer_bytes_fetched"] == 0
        assert running.get("/v1/status").json()["requests"]["get"] == before
        assert trees.snapshot(folder / "warm") == expected
        assert running.stop().code == 0
    assert not is_not_empty(server.workdir / "warm")


def test_what_is_read_comes_back_while_the_server_runs(server, small_pgdata, folder):
    server.import_cluster("acme", "main", small_pgdata)
    files = layer_files(server)
    with starting(server, "--disk-high-mib", "1000") as running:
        server.succeed("timeline", "drop-local", "acme/main")
        assert layer_files(server) == []
        restored(server, "acme/main", folder / "dropped")
        until(lambda: layer_files(server) == files, "the layers are brought back")
        assert running.stop().code == 0


def test_a_list_that_is_damaged_is_logged_and_ignored(server, small_pgdata, folder):
    server.import_cluster("acme", "main", small_pgdata)
    server.succeed("timeline", "drop-local", "acme/main")
    warm_list = server.workdir / "warm"
    warm_list.write_bytes(b"VARVEWRM and no list")
    with starting(server, "--disk-high-mib", "1000") as running:
        until(lambda: str(warm_list) in running.process.log, "the damage is logged")
        restored(server, "acme/main", folder / "data")
        assert running.stop().code == 0
    # Without a budget nobody wants to know.
    with starting(server) as running:
        until(lambda: not warm_list.exists(), "the list is removed")
        assert running.stop().code == 0
