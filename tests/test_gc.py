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


def tenant_archives(server):
    return sorted(key for key in server.storage.objects() if "/tenant/" in key)


def collect(server):
    return server.json("timeline", "gc", "acme/main")


def test_what_was_superseded_goes_after_the_grace_period(varve, server, small_pgdata, folder):
    main = server.import_cluster("acme", "main", small_pgdata)
    server.succeed("restore", "acme/main", "--to", folder / "before")
    take_over(varve, server, folder)
    before = archives(server, main)
    tenant_before = tenant_archives(server)
    assert len(before) == 3
    assert collect(server)["deleted_objects"] == 0

    two_hours_ago = time.time() - 7200
    for path in server.storage.folder.rglob("*"):
        os.utime(path, (two_hours_ago, two_hours_ago))
    collected = collect(server)
    # The first has the data, and the last is the newest. Of the tenant's log only that one stays.
    assert archives(server, main) == [before[0], before[2]]
    assert len(tenant_archives(server)) == 1 < len(tenant_before)
    assert collected["deleted_objects"] == len(tenant_before) and collected["deleted_bytes"] > 0
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


def test_of_a_deleted_timeline_only_the_last_commit_stays(varve, server, small_pgdata, folder):
    main = server.import_cluster("acme", "main", small_pgdata)
    server.import_cluster("acme", "other", small_pgdata)
    server.succeed("timeline", "delete", "acme/main")
    assert len(archives(server, main)) == 2
    two_hours_ago = time.time() - 7200
    for path in server.storage.folder.rglob("*"):
        os.utime(path, (two_hours_ago, two_hours_ago))
    stored = server.json("status")["stored_bytes"]
    collected = server.json("timeline", "gc", "acme/other")
    assert len(archives(server, main)) == 1
    assert server.json("status")["stored_bytes"] == stored - collected["deleted_bytes"]
    assert server.varve.run("remote", "verify", "--deep", "--remote", server.remote).code == 0
    # Its ID is taken for ever, its name is free.
    assert server.run("timeline", "show", f"acme/{main['timeline_id']}").code == 1
    server.import_cluster("acme", "main", small_pgdata)
