"""kill -9 at any moment leaves everything or nothing, and the same command works afterwards."""

import shutil
import time

import pytest

from conftest import on_both_remotes, start_on
from support import noise, postgres, trees
from support.postgres import Cluster
from support.varve import Server


@pytest.fixture(name="rounds")
def fixture_rounds(request):
    return range(request.config.getoption("--crash-rounds"))


@pytest.fixture(scope="module", name="source")
def fixture_source(module_folder):
    """Large enough to take a while, and for packs."""
    cluster = Cluster.create(module_folder / "source", settings=noise.SETTINGS)
    with cluster.running():
        noise.fill(cluster, 100 * 2**20)
    return cluster.pgdata


def kill_within(process, seconds, chance):
    """Kills the process at some moment of its usual duration; it may just have finished."""
    moment = chance.uniform(0, seconds)
    time.sleep(moment)
    process.kill()
    return f"killed after {moment:.3f} s of {seconds:.3f}: {process.wait()}"


def seconds_of(action):
    started = time.monotonic()
    action()
    return time.monotonic() - started


def assert_restorable(server, timeline, target, expected):
    outcome = server.restore_from_remote(timeline, target)
    assert outcome.code == 0, outcome
    assert trees.main_forks(target) == expected
    shutil.rmtree(target)


@on_both_remotes
def test_a_killed_import_leaves_a_whole_timeline_or_none(server, folder, source, rounds, chance):
    expected = trees.main_forks(source)
    seconds = seconds_of(lambda: server.import_cluster("acme", "undisturbed", source))
    for number in rounds:
        name = f"round-{number}"
        story = kill_within(
            server.start_import("acme", name, source),
            seconds, chance)

        before = [timeline["name"] for timeline in server.timelines("acme")]
        again = server.try_import("acme", name, source)
        if name in before:
            assert again.code == 1, f"{story}\n{again}"
        else:
            assert again.code == 0, f"{story}\n{again}"
        names = [timeline["name"] for timeline in server.timelines("acme")]
        assert names.count(name) == 1, story
        assert_restorable(server, f"acme/{name}", folder / "restored", expected)

        verified = server.varve.run("remote", "verify", "--remote", server.remote)
        assert verified.code == 0, f"{story}\n{verified}"
        server.succeed("timeline", "delete", f"acme/{name}")
    assert_restorable(server, "acme/undisturbed", folder / "restored", expected)


@on_both_remotes
def test_a_killed_tenant_create_can_be_repeated(varve, folder, remote, rounds, chance):
    server = Server.init(varve, folder, remote)
    seconds = seconds_of(lambda: server.create_tenant("undisturbed"))
    for number in rounds:
        name = f"round-{number}"
        story = kill_within(server.start("tenant", "create", "--name", name), seconds, chance)
        exists = name in [tenant["name"] for tenant in server.json("tenant", "list")]
        again = server.run("tenant", "create", "--name", name)
        assert again.code == (1 if exists else 0), f"{story}\n{again}"
        names = [tenant["name"] for tenant in server.json("tenant", "list")]
        assert names.count(name) == 1, story


@on_both_remotes
def test_a_killed_delete_leaves_a_whole_timeline_or_none(server, folder, small_pgdata, rounds,
                                                         chance):
    expected = trees.main_forks(small_pgdata)
    server.import_cluster("acme", "undisturbed", small_pgdata)
    seconds = seconds_of(lambda: server.succeed("timeline", "delete", "acme/undisturbed"))
    for number in rounds:
        name = f"round-{number}"
        server.import_cluster("acme", name, small_pgdata)
        story = kill_within(server.start("timeline", "delete", f"acme/{name}"), seconds, chance)
        if name in [timeline["name"] for timeline in server.timelines("acme")]:
            assert_restorable(server, f"acme/{name}", folder / "restored", expected)
            server.succeed("timeline", "delete", f"acme/{name}")
        assert server.timelines("acme") == [], story


@pytest.mark.parametrize("straight, remote",
                         [(False, "file"), (True, "file"), (True, "s3")], indirect=["remote"],
                         ids=["workdir", "remote-file", "remote-s3"])
def test_a_killed_restore_is_no_cluster(server, folder, source, rounds, chance, straight):
    expected = trees.main_forks(source)
    server.import_cluster("acme", "main", source)
    where = ["--remote", server.remote] if straight else ["--workdir", server.workdir]

    def restore(target):
        return server.varve.start("restore", "acme/main", "--to", target, *where)

    seconds = seconds_of(lambda: restore(folder / "undisturbed").wait())
    for number in rounds:
        target = folder / f"data-{number}"
        story = kill_within(restore(target), seconds, chance)
        if trees.is_whole(target):
            assert trees.main_forks(target) == expected, story
        elif target.exists():
            with pytest.raises(postgres.PostgresError):
                with start_on(target):
                    pass
        fresh = folder / f"fresh-{number}"
        outcome = restore(fresh).wait()
        assert outcome.code == 0, f"{story}\n{outcome}"
        assert trees.main_forks(fresh) == expected, story
        trees.remove(fresh)
        trees.remove(target)


@on_both_remotes
def test_a_work_directory_lost_in_the_middle_of_an_import_costs_nothing_older(
        server, folder, small_pgdata, source, rounds, chance):
    """While an import is under way, the remote alone restores what it already had."""
    expected = trees.main_forks(small_pgdata)
    server.import_cluster("acme", "main", small_pgdata)
    pristine = trees.copy_tree(server.workdir, folder / "pristine")
    stored = server.storage.keep()
    seconds = seconds_of(lambda: server.import_cluster("acme", "timing", source))
    for _ in rounds:
        trees.remove(server.workdir)
        trees.copy_tree(pristine, server.workdir)
        server.storage.put_back(stored)
        kill_within(server.start_import("acme", "new", source), seconds, chance)
        trees.remove(server.workdir)
        assert_restorable(server, "acme/main", folder / "restored", expected)
