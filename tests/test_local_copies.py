"""Local copies of layers come and go; what is remote stays whole."""

from conftest import on_both_remotes
from support import trees
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
