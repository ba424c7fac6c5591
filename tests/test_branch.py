"""A branch is its parent at an LSN, costs nothing, and lives on its own."""

import shutil

import pytest

from conftest import on_both_remotes
from support import trees


@pytest.fixture(name="acme")
def fixture_acme(server, small_pgdata):
    server.import_cluster("acme", "main", small_pgdata)
    return server


def branch(server, parent, name, *options):
    return server.json("timeline", "branch", parent, "--name", name, *options)


def restore(server, timeline, to):
    server.succeed("restore", timeline, "--to", to)
    return trees.snapshot_of_restored(to)


@on_both_remotes
def test_a_branch_is_what_its_parent_was_and_copies_nothing(acme, folder):
    main = acme.timelines("acme")[0]
    before, stored = acme.puts(), sum(acme.storage.objects().values())
    made = branch(acme, "acme/main", "copy")
    assert made["ancestor_timeline_id"] == main["timeline_id"]
    assert made["ancestor_lsn"] == made["disk_consistent_lsn"] == main["last_record_lsn"]
    assert made["remote_consistent_lsn"] == made["ancestor_lsn"]
    assert made["layers"] == 0 and made["state"] == "Ready"
    # Its registration, and its own log.
    assert acme.puts() == before + 2
    assert sum(acme.storage.objects().values()) - stored < 4096
    assert restore(acme, "acme/copy", folder / "a") == restore(acme, "acme/main", folder / "b")


@on_both_remotes
def test_a_branch_of_a_branch_comes_back_from_the_remote_storage_alone(acme, folder):
    branch(acme, "acme/main", "copy")
    branch(acme, "acme/copy", "again")
    expected = restore(acme, "acme/main", folder / "expected")
    shutil.rmtree(acme.workdir)
    outcome = acme.restore_from_remote("acme/again", folder / "data")
    assert outcome.code == 0, outcome
    assert trees.snapshot_of_restored(folder / "data") == expected


def test_a_parent_is_kept_for_its_branch(acme):
    branch(acme, "acme/main", "copy")
    refused = acme.run("timeline", "delete", "acme/main")
    assert refused.code == 1 and "copy" in refused.stderr
    acme.succeed("timeline", "delete", "acme/copy")
    acme.succeed("timeline", "delete", "acme/main")
    assert acme.timelines("acme") == []


def test_what_cannot_be_branched_from_is_refused_with_what_can(acme):
    last = acme.timelines("acme")[0]["last_record_lsn"]
    for lsn in ("0/1", "FF/1"):
        refused = acme.run("timeline", "branch", "acme/main", "--lsn", lsn)
        assert refused.code == 1 and lsn in refused.stderr and last in refused.stderr
    assert acme.run("timeline", "branch", "acme/main", "--lsn", "x").code == 2
    assert acme.run("timeline", "branch", "acme/absent").code == 1
    taken = acme.run("timeline", "branch", "acme/main", "--name", "main")
    assert taken.code == 1 and "'main' is taken" in taken.stderr
    assert len(acme.timelines("acme")) == 1


def test_a_branch_at_an_lsn_begins_there(acme):
    last = acme.timelines("acme")[0]["last_record_lsn"]
    assert branch(acme, "acme/main", "copy", "--lsn", last)["ancestor_lsn"] == last
