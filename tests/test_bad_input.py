"""Whatever is wrong is named, with the right exit code, and nothing has changed."""

import contextlib
import os
import re
import shutil
import signal

import pytest

from support import mounts, trees
from support.postgres import Cluster, as_postgres
from support.varve import Server, Varve

FAILED = 1
USAGE = 2
UNKNOWN_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module", name="settled")
def fixture_settled(varve, module_folder, small_pgdata):
    """A work directory with acme/main. The tests of this file must leave it as it is."""
    server = Server.init(varve, module_folder)
    server.create_tenant("acme")
    server.import_cluster("acme", "main", small_pgdata)
    return server


def contents(server):
    """All that a server keeps, except for its counters of requests."""
    local = trees.snapshot(server.workdir / "tenants")
    settings = (server.workdir / "varve.toml").read_text()
    return local, trees.snapshot(server.remote_folder), settings


@contextlib.contextmanager
def unchanged(server, *folders):
    before = contents(server), [trees.snapshot(folder) for folder in folders]
    yield
    assert (contents(server), [trees.snapshot(folder) for folder in folders]) == before


def assert_refused(outcome, code, *mentioned):
    assert outcome.code == code, outcome
    assert outcome.stdout == "", outcome
    for text in mentioned:
        assert str(text) in outcome.stderr, outcome


@pytest.mark.parametrize("arguments", [
    ["tenant", "show", UNKNOWN_ID],
    ["tenant", "show", "nobody"],
    ["timeline", "list", "nobody"],
    ["timeline", "show", "nobody/main"],
    ["restore", "nobody/main", "--to", "/nonexistent/data"],
    ["timeline", "delete", "nobody/main"],
], ids=" ".join)
def test_an_unknown_tenant_is_named(settled, arguments):
    with unchanged(settled):
        tenant = UNKNOWN_ID if UNKNOWN_ID in arguments else "nobody"
        assert_refused(settled.run(*arguments), FAILED, tenant)


@pytest.mark.parametrize("arguments", [
    ["timeline", "show"],
    ["timeline", "checkpoint"],
    ["timeline", "delete"],
    ["status"],
    ["restore", "--to", "/nonexistent/data"],
    ["wait", "--lsn", "0/1", "--for", "remote"],
], ids=" ".join)
@pytest.mark.parametrize("timeline", ["nothing", UNKNOWN_ID])
def test_an_unknown_timeline_is_named(settled, arguments, timeline):
    words = 2 if arguments[0] == "timeline" else 1
    with unchanged(settled):
        outcome = settled.run(*arguments[:words], f"acme/{timeline}", *arguments[words:])
        assert_refused(outcome, FAILED, timeline)


def test_a_malformed_id_is_named(settled):
    with unchanged(settled):
        outcome = settled.run("tenant", "create", "0123xyz")
        assert_refused(outcome, FAILED, "0123xyz", "32 hex digits")


@pytest.mark.parametrize("timeline", ["acme", "acme/", "/main", "acme/main/more", "", "acme/a b"])
def test_a_malformed_timeline_address_is_refused(settled, timeline, folder):
    with unchanged(settled):
        outcome = settled.run("restore", timeline, "--to", folder / "data")
        assert outcome.code in (FAILED, USAGE), outcome
        assert re.search("TENANT/TIMELINE|is not a name: expected", outcome.stderr), outcome
    assert not (folder / "data").exists()


def test_a_taken_tenant_name_is_refused(settled):
    with unchanged(settled):
        assert_refused(settled.run("tenant", "create", "--name", "acme"), FAILED, "acme")


def test_a_taken_timeline_name_is_refused(settled, small_pgdata):
    with unchanged(settled):
        outcome = settled.try_import("acme", "main", small_pgdata)
        assert_refused(outcome, FAILED, "main")


def import_refused(settled, pgdata, *mentioned):
    with unchanged(settled, pgdata):
        outcome = settled.try_import("acme", "new", pgdata)
        assert_refused(outcome, FAILED, *mentioned)


def test_a_missing_cluster_is_refused(settled, folder):
    import_refused(settled, folder / "nothing", folder / "nothing")


def test_a_directory_that_is_no_cluster_is_refused(settled, folder):
    (folder / "data").mkdir()
    (folder / "data" / "letter.txt").write_text("Dear reader")
    import_refused(settled, folder / "data", folder / "data")


def test_a_file_in_place_of_a_cluster_is_refused(settled, folder):
    (folder / "data").write_text("no directory")
    import_refused(settled, folder / "data", folder / "data")


def test_a_running_cluster_is_refused(settled, folder, small_pgdata):
    cluster = Cluster(trees.copy_tree(small_pgdata, folder / "data"))
    with cluster.running():
        outcome = settled.try_import("acme", "new", cluster.pgdata)
        assert_refused(outcome, FAILED, cluster.pgdata, "stop")
        assert [timeline["name"] for timeline in settled.timelines("acme")] == ["main"]


def crash_immediately(cluster):
    cluster.crash()


def kill_hard(cluster):
    os.kill(cluster.pid, signal.SIGKILL)
    cluster.kill()


@pytest.mark.parametrize("end", [crash_immediately, kill_hard])
def test_a_cluster_that_needs_recovery_is_refused(settled, folder, small_pgdata, end):
    cluster = Cluster(trees.copy_tree(small_pgdata, folder / "data"))
    cluster.start()
    try:
        cluster.sql("CREATE TABLE lost_without_recovery AS SELECT 1 AS n")
        end(cluster)
    finally:
        cluster.kill()
    import_refused(settled, cluster.pgdata, cluster.pgdata, "clean")


def test_a_crashed_cluster_is_refused_without_its_pid_file(settled, folder, small_pgdata):
    cluster = Cluster(trees.copy_tree(small_pgdata, folder / "data"))
    cluster.start()
    cluster.crash()
    (cluster.pgdata / "postmaster.pid").unlink(missing_ok=True)
    import_refused(settled, cluster.pgdata, cluster.pgdata, "clean")


@pytest.mark.parametrize("version", ["14", "16", "9.6", "", "fifteen"])
def test_another_version_of_postgresql_is_refused(settled, folder, small_pgdata, version):
    pgdata = trees.copy_tree(small_pgdata, folder / "data")
    (pgdata / "PG_VERSION").write_text(version + "\n")
    import_refused(settled, pgdata, pgdata, "PostgreSQL 15")


@pytest.mark.parametrize("offset", [0, 8, 40, 100, 288])
def test_a_corrupted_control_file_is_refused(settled, folder, small_pgdata, offset):
    pgdata = trees.copy_tree(small_pgdata, folder / "data")
    flip_byte(pgdata / "global" / "pg_control", offset)
    import_refused(settled, pgdata, "pg_control")


def test_a_truncated_control_file_is_refused(settled, folder, small_pgdata):
    pgdata = trees.copy_tree(small_pgdata, folder / "data")
    os.truncate(pgdata / "global" / "pg_control", 100)
    import_refused(settled, pgdata, "pg_control")


def test_a_corrupted_page_of_a_cluster_with_checksums_is_refused(settled, folder, small_pgdata):
    pgdata = trees.copy_tree(small_pgdata, folder / "data")
    # Some table or index of the database postgres.
    relation = max((pgdata / "base" / "5").iterdir(), key=lambda path: path.stat().st_size)
    flip_byte(relation, 8192 * 3 + 5000)
    import_refused(settled, pgdata, relation.name, "checksum")


def test_a_relation_file_that_ends_within_a_page_is_refused(settled, folder, small_pgdata):
    pgdata = trees.copy_tree(small_pgdata, folder / "data")
    relation = max((pgdata / "base" / "5").iterdir(), key=lambda path: path.stat().st_size)
    os.truncate(relation, relation.stat().st_size - 100)
    import_refused(settled, pgdata, relation.name)


def flip_byte(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def test_an_unreadable_cluster_is_refused(varve, folder, small_pgdata):
    # As root, varve runs as the user of PostgreSQL here, and the cluster belongs to root alone.
    binary = shutil.copy(varve.binary, folder / "varve")
    pgdata = trees.copy_tree(small_pgdata, folder / "data")
    if os.geteuid() == 0:
        os.chown(pgdata, 0, 0)
    else:
        pgdata.chmod(0)
    work = folder / "of_postgres"
    work.mkdir()
    work.chmod(0o777)
    server = Server.init(Varve(binary, run_as=as_postgres()), work)
    server.create_tenant("acme")
    outcome = server.try_import("acme", "new", pgdata)
    assert_refused(outcome, FAILED, pgdata, "ermission")
    assert server.timelines("acme") == []
    pgdata.chmod(0o700)


def make_full(target):
    target.mkdir()
    (target / "precious").write_text("keep me")


def make_file(target):
    target.write_text("keep me")


@pytest.mark.parametrize("occupy", [make_full, make_file])
@pytest.mark.parametrize("straight", [False, True], ids=["workdir", "remote"])
def test_an_occupied_target_is_refused(settled, folder, occupy, straight):
    target = folder / "data"
    occupy(target)
    with unchanged(settled, target):
        if straight:
            outcome = settled.restore_from_remote("acme/main", target)
        else:
            outcome = settled.run("restore", "acme/main", "--to", target)
        assert_refused(outcome, FAILED, target)


def test_a_missing_work_directory_is_named(varve, folder):
    outcome = varve.run("tenant", "list", "--workdir", folder / "nothing")
    assert_refused(outcome, FAILED, folder / "nothing", "varve init")
    assert not (folder / "nothing").exists()


def test_a_directory_that_is_not_initialised_is_named(varve, folder):
    (folder / "empty").mkdir()
    outcome = varve.run("tenant", "create", "--name", "acme", "--workdir", folder / "empty")
    assert_refused(outcome, FAILED, folder / "empty", "varve init")
    assert list((folder / "empty").iterdir()) == []


def test_a_work_directory_is_not_initialised_twice(settled):
    with unchanged(settled):
        outcome = settled.run("init", "--remote", settled.remote)
        assert_refused(outcome, FAILED, settled.workdir)


def test_init_makes_only_the_last_component_of_the_remote(varve, folder):
    outcome = varve.run("init", "--workdir", folder / "work", "--remote", f"file://{folder}/a/b")
    assert_refused(outcome, FAILED, folder / "a")
    assert not (folder / "a").exists()


def test_a_remote_that_disappeared_is_an_error_and_not_an_empty_start(settled, small_pgdata):
    away = settled.remote_folder.with_name("away")
    settled.remote_folder.rename(away)
    try:
        outcome = settled.try_import("acme", "new", small_pgdata)
        assert_refused(outcome, FAILED, settled.remote_folder)
        assert not settled.remote_folder.exists()
    finally:
        away.rename(settled.remote_folder)
    assert [timeline["name"] for timeline in settled.timelines("acme")] == ["main"]


@pytest.mark.parametrize("arguments", [
    ["restore", "acme/main", "--to", "/nonexistent/data"],
    ["remote", "ls"],
    ["remote", "verify"],
], ids=" ".join)
def test_a_remote_that_does_not_exist_is_named(varve, folder, arguments):
    outcome = varve.run(*arguments, "--remote", f"file://{folder}/nothing")
    assert_refused(outcome, FAILED, folder / "nothing")
    assert not (folder / "nothing").exists()


@pytest.mark.parametrize("url", ["ftp://host/path", "bucket", "file://relative/path", ""])
def test_a_remote_url_that_is_none_is_refused(varve, folder, url):
    outcome = varve.run("init", "--workdir", folder / "work", "--remote", url)
    assert outcome.code in (FAILED, USAGE), outcome
    assert "file:///" in outcome.stderr, outcome
    assert not (folder / "work" / "varve.toml").exists()


def test_a_remote_that_may_not_be_written_is_named(settled, small_pgdata):
    with unchanged(settled), mounts.read_only(settled.remote_folder):
        outcome = settled.try_import("acme", "new", small_pgdata)
        assert_refused(outcome, FAILED, settled.remote_folder)
    # Nothing stays behind that stands in the way of the next attempt.
    assert [timeline["name"] for timeline in settled.timelines("acme")] == ["main"]


def test_a_remote_that_may_not_be_written_can_be_restored_from(settled, folder, small_pgdata):
    with mounts.read_only(settled.remote_folder):
        outcome = settled.restore_from_remote("acme/main", folder / "data")
    assert outcome.code == 0, outcome
    assert trees.main_forks(folder / "data") == trees.main_forks(small_pgdata)


def retry_after_making_room(server, pgdata, folder):
    """The command that failed for lack of space works once there is some."""
    server.import_cluster("acme", "main", pgdata)
    assert server.restore_from_remote("acme/main", folder / "retried").code == 0
    assert trees.main_forks(folder / "retried") == trees.main_forks(pgdata)


def test_an_import_without_space_in_the_work_directory_leaves_nothing(varve, folder, small_pgdata):
    with mounts.small_disk(folder / "disk", "12m") as disk:
        server = Server(varve, disk / "work", folder / "remote")
        varve.succeed("init", "--workdir", server.workdir, "--remote", server.remote)
        server.create_tenant("acme")
        outcome = server.try_import("acme", "main", small_pgdata)
        assert_refused(outcome, FAILED, "No space left")
        assert server.timelines("acme") == []
        mounts.resize(disk, "200m")
        retry_after_making_room(server, small_pgdata, folder)


def test_an_import_without_space_in_the_remote_storage_leaves_nothing(varve, folder, small_pgdata):
    with mounts.small_disk(folder / "disk", "1m") as disk:
        server = Server(varve, folder / "work", disk / "remote")
        varve.succeed("init", "--workdir", server.workdir, "--remote", server.remote)
        server.create_tenant("acme")
        outcome = server.try_import("acme", "main", small_pgdata)
        assert_refused(outcome, FAILED, "No space left")
        assert server.timelines("acme") == []
        mounts.resize(disk, "200m")
        retry_after_making_room(server, small_pgdata, folder)


def test_a_restore_without_space_leaves_no_directory(settled, folder):
    with mounts.small_disk(folder / "disk", "16m") as disk, unchanged(settled):
        for outcome in (settled.run("restore", "acme/main", "--to", disk / "data"),
                        settled.restore_from_remote("acme/main", disk / "data")):
            assert_refused(outcome, FAILED, "No space left")
            assert list(disk.iterdir()) == []


@pytest.mark.parametrize("arguments", [
    [],
    ["frobnicate"],
    ["tenant"],
    ["tenant", "frobnicate"],
    ["timeline"],
    ["remote"],
    ["layer"],
    ["status", "--frobnicate"],
    ["timeline", "import", "acme"],
    ["restore", "acme/main"],
    ["wait", "acme/main", "--lsn", "0/1", "--for", "luck"],
    ["wait", "acme/main", "--lsn", "zero", "--for", "remote"],
], ids=lambda arguments: " ".join(arguments) or "nothing")
def test_wrong_usage_is_exit_code_2(settled, arguments):
    with unchanged(settled):
        options = ["--workdir", settled.workdir] if len(arguments) > 2 else []
        outcome = settled.varve.run(*arguments, *options)
        assert outcome.code == USAGE, outcome
        assert outcome.stdout == "" and outcome.stderr != "", outcome
        assert "--help" in outcome.stderr, outcome


def test_an_lsn_that_is_not_reached_in_time_is_a_failure(settled):
    outcome = settled.run("wait", "acme/main", "--lsn", "FF/0", "--for", "remote", "--timeout", "1")
    assert_refused(outcome, FAILED, "FF/0")


def test_two_commands_at_once_do_not_get_in_each_others_way(settled, small_pgdata):
    first = settled.start_import("acme", "one", small_pgdata)
    second = settled.try_import("acme", "two", small_pgdata)
    outcomes = [first.wait(), second]
    # One may find the work directory locked; whichever succeeded is there, and nothing else.
    assert any(outcome.code == 0 for outcome in outcomes), outcomes
    done = {name for name, outcome in zip(("one", "two"), outcomes) if outcome.code == 0}
    assert {timeline["name"] for timeline in settled.timelines("acme")} == {"main"} | done
    for name in done:
        settled.succeed("timeline", "delete", f"acme/{name}")
