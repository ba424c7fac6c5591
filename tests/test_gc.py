"""What nothing needs any more leaves the remote storage, and nothing else does."""

import os
import time

from conftest import on_both_remotes
from support import trees
from support.varve import Server


def take_over(varve, server, folder):
    """Two commits without data: another work directory attaches the tenant, and this one again."""
    other = Server.init(varve, folder / "other", server.storage)
    other.succeed("tenant", "attach", "acme")
    server.succeed("tenant", "attach", "acme")


def archives(server, timeline):
    return sorted(key for key in server.storage.objects()
                  if timeline["timeline_id"] in key and key.endswith(".archive"))


def collect(server):
    return server.json("timeline", "gc", "acme/main")


def test_what_was_superseded_goes_after_the_grace_period(varve, server, small_pgdata, folder):
    main = server.import_cluster("acme", "main", small_pgdata)
    server.succeed("restore", "acme/main", "--to", folder / "before")
    take_over(varve, server, folder)
    before = archives(server, main)
    assert len(before) == 3
    assert collect(server)["deleted_objects"] == 0

    two_hours_ago = time.time() - 7200
    for path in server.storage.folder.rglob("*"):
        os.utime(path, (two_hours_ago, two_hours_ago))
    collected = collect(server)
    assert collected["deleted_objects"] == 1 and collected["deleted_bytes"] > 0
    # The first has the data, and the last is the newest.
    assert archives(server, main) == [before[0], before[2]]
    assert collect(server)["deleted_objects"] == 0
    assert server.varve.run("remote", "verify", "--deep", "--remote", server.remote).code == 0
    outcome = server.restore_from_remote("acme/main", folder / "after")
    assert outcome.code == 0, outcome
    assert trees.snapshot(folder / "after") == trees.snapshot(folder / "before")


@on_both_remotes
def test_nothing_young_goes(varve, server, small_pgdata, folder):
    server.import_cluster("acme", "main", small_pgdata)
    take_over(varve, server, folder)
    before = server.storage.objects()
    assert collect(server)["deleted_objects"] == 0
    assert server.storage.objects() == before


def test_who_does_not_own_the_tenant_deletes_nothing(varve, server, small_pgdata, folder):
    server.import_cluster("acme", "main", small_pgdata)
    other = Server.init(varve, folder / "other", server.storage)
    other.succeed("tenant", "attach", "acme")
    refused = server.run("timeline", "gc", "acme/main")
    assert refused.code == 1 and "(Conflict)" in refused.stderr
