"""Keeping work directories and remote storage together: uploads, downloads, ownership."""

import shutil

from conftest import on_both_remotes
from support import trees
from support.varve import Server


def values_of(status, name):
    """The values of a metric, by labels."""
    return {tuple(sorted(sample["labels"].items())): sample["value"]
            for sample in status["metrics"] if sample["name"] == name}


def local_only(varve, folder, remote):
    """A work directory without a remote storage, and one that it could use."""
    server = Server(varve, folder / "work", remote)
    varve.succeed("init", "--workdir", server.workdir)
    server.create_tenant("acme")
    return server


@on_both_remotes
def test_s7_what_was_made_without_a_remote_storage_is_uploaded_once_there_is_one(
        varve, folder, remote, small_pgdata):
    expected = trees.main_forks(small_pgdata)
    server = local_only(varve, folder, remote)
    timeline = server.import_cluster("acme", "main", small_pgdata)
    assert timeline["remote_consistent_lsn"] == "0/0"

    server.storage.make()
    option = ["--remote", server.remote]
    before = server.json("status", *option)
    assert before["queue_length"] == 1
    assert values_of(before, "varve_remote_storage_remaining_sync_items") == {(): 1}
    reached = server.json("wait", "acme/main", "--lsn", timeline["last_record_lsn"], "--for",
                          "remote", "--timeout", "60", *option)
    assert reached["remote_consistent_lsn"] == timeline["last_record_lsn"]
    after = server.json("status", *option)
    assert after["queue_length"] == 0
    assert server.restore_from_remote("acme/main", folder / "data").code == 0
    assert trees.main_forks(folder / "data") == expected


def test_b5_the_status_shows_the_lag_and_the_requests_of_its_own(varve, folder, remote,
                                                                  small_pgdata):
    server = local_only(varve, folder, remote)
    timeline = server.import_cluster("acme", "main", small_pgdata)
    server.storage.make()
    labels = (("tenant", timeline["tenant_id"]), ("timeline", timeline["timeline_id"]))
    status = server.json("status", "--remote", server.remote)
    high, low = (int(part, 16) for part in timeline["last_record_lsn"].split("/"))
    assert values_of(status, "varve_timeline_remote_lag_bytes")[labels] == (high << 32) + low
    assert values_of(status, "varve_timeline_remote_lag_seconds")[labels] > 0
    requests = values_of(status, "varve_remote_storage_requests_total")
    assert requests == {(("operation", "list"), ("result", "ok")): 1}

    server.succeed("timeline", "checkpoint", "acme/main", "--remote", server.remote)
    status = server.json("status", "--remote", server.remote)
    assert values_of(status, "varve_timeline_remote_lag_bytes")[labels] == 0
    assert values_of(status, "varve_timeline_remote_lag_seconds")[labels] == 0


@on_both_remotes
def test_s18_a_timeline_that_is_behind_is_downloaded(varve, folder, small_pgdata, server):
    """An old copy of the work directory catches up."""
    server.import_cluster("acme", "old", small_pgdata)
    copy = folder / "old-copy"
    shutil.copytree(server.workdir, copy)
    timeline = server.import_cluster("acme", "new", small_pgdata)
    shutil.rmtree(server.workdir)
    shutil.move(copy, server.workdir)
    states = {entry["name"]: entry["state"] for entry in server.timelines("acme")}
    assert states == {"old": "Ready", "new": "CloudOnly"}
    assert server.json("wait", "acme/new", "--lsn", timeline["last_record_lsn"], "--for", "remote")
    # It is still the owner.
    server.import_cluster("acme", "newest", small_pgdata)


@on_both_remotes
def test_s6_attach_takes_a_tenant_over_and_the_former_owner_is_refused(
        varve, folder, small_pgdata, server):
    expected = trees.main_forks(small_pgdata)
    server.import_cluster("acme", "main", small_pgdata)
    second = Server.init(varve, folder / "second", server.storage)

    refused = second.try_import("acme", "other", small_pgdata)
    assert refused.code == 1 and "varve tenant attach" in refused.stderr
    assert second.json("tenant", "attach", "acme")["owned"] is True
    assert [entry["state"] for entry in second.timelines("acme")] == ["Ready"]
    second.import_cluster("acme", "other", small_pgdata)

    # The former owner finds out by itself, and says who and what to do.
    refused = server.try_import("acme", "third", small_pgdata)
    assert refused.code == 1
    assert "taken over" in refused.stderr and "varve tenant attach" in refused.stderr
    shown = server.json("tenant", "show", "acme")
    assert shown["owned"] is False
    # It can still read, what the new owner has added too.
    for name in ("main", "other"):
        target = folder / f"data-{name}"
        server.succeed("restore", f"acme/{name}", "--to", target)
        assert trees.main_forks(target) == expected

    # And it may take the tenant back.
    assert server.json("tenant", "attach", "acme")["owned"] is True
    server.import_cluster("acme", "third", small_pgdata)
    assert second.try_import("acme", "fourth", small_pgdata).code == 1
    verified = server.varve.run("remote", "verify", "--deep", "--remote", server.remote)
    assert verified.code == 0, verified


def test_s6_attach_by_the_owner_costs_no_put(small_pgdata, server):
    server.import_cluster("acme", "main", small_pgdata)
    before = server.puts()
    assert server.json("tenant", "attach", "acme")["owned"] is True
    assert server.puts() == before


def test_attach_without_a_remote_storage_says_so(varve, folder, remote):
    server = local_only(varve, folder, remote)
    outcome = server.run("tenant", "attach", "acme")
    assert outcome.code == 1 and "no remote storage" in outcome.stderr
