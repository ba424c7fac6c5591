"""What a user does, on a real S3 server; and what is said when S3 does not play along."""

import shutil
import socket

import pytest

from support import radosgw, trees
from support.postgres import Cluster
from support.remotes import S3Remote
from support.varve import Server


@pytest.fixture(name="on_s3")
def fixture_on_s3(s3):
    """A prefix of its own."""
    remote = S3Remote(s3)
    yield remote
    remote.remove()


@pytest.fixture(name="bucket_server")
def fixture_bucket_server(varve, folder, on_s3):
    """A new work directory with the tenant `acme`, on S3."""
    server = Server.init(varve, folder, on_s3)
    server.create_tenant("acme")
    return server


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_w7_a_cluster_is_stored_in_s3_lost_and_restored(varve, folder, s3, tls):
    source = Cluster.create(folder / "source")
    with source.running():
        source.sql("CREATE TABLE notes AS SELECT i, md5(i::text) FROM generate_series(1, 1000) i")
        dump = source.dump()
    expected = trees.main_forks(source.pgdata)
    server = Server.init(varve, folder, S3Remote(s3, tls=tls))
    server.create_tenant("acme")
    timeline = server.import_cluster("acme", "main", source.pgdata)
    server.json("wait", "acme/main", "--lsn", timeline["last_record_lsn"], "--for", "remote",
                "--timeout", "60")
    before = server.puts()
    server.succeed("timeline", "checkpoint", "acme/main")
    status = server.json("status")
    # The tenant, once more to see that the server keeps the condition, the timeline, its commit.
    assert status["requests"]["put"] == before == 4, status
    assert status["stored_bytes"] == sum(size for key, size in server.storage.objects().items()
                                         if key.endswith(".archive"))

    # The archive tool needs nothing else.
    keys = {entry["key"] for entry in server.varve.json("remote", "ls", "--remote", server.remote)}
    assert keys == server.storage.objects().keys()
    for key in keys:
        assert server.varve.json("remote", "show", key, "--remote", server.remote)
    commit, = [key for key in keys if "/timelines/" in key]
    server.varve.succeed("remote", "extract", commit, "--remote", server.remote,
                         "--to", folder / "extracted")
    assert list((folder / "extracted").rglob("*.sst"))
    server.varve.succeed("remote", "verify", "--deep", "--remote", server.remote)

    shutil.rmtree(source.pgdata)
    shutil.rmtree(server.workdir)
    outcome = server.restore_from_remote("acme/main", folder / "data")
    assert outcome.code == 0, outcome
    assert trees.main_forks(folder / "data") == expected
    restored = Cluster(folder / "data")
    with restored.running():
        same = restored.dump() == dump
    assert same


def test_a_second_work_directory_takes_over_and_deletes(folder, bucket_server, small_pgdata):
    bucket_server.import_cluster("acme", "main", small_pgdata)
    bucket_server.import_cluster("acme", "other", small_pgdata)
    second = Server.init(bucket_server.varve, folder / "second", bucket_server.storage)
    assert {entry["state"] for entry in second.timelines("acme")} == {"CloudOnly"}
    assert second.json("tenant", "attach", "acme")["owned"] is True
    second.succeed("timeline", "delete", "acme/other")
    refused = bucket_server.try_import("acme", "third", small_pgdata)
    assert refused.code == 1 and "taken over" in refused.stderr, refused
    assert second.restore_from_remote("acme/other", folder / "gone").code == 1
    assert second.restore_from_remote("acme/main", folder / "data").code == 0
    assert trees.main_forks(folder / "data") == trees.main_forks(small_pgdata)


def test_s3_prefixes_of_one_bucket_never_see_each_other(varve, folder, s3, on_s3, small_pgdata):
    # One is the beginning of the other, and each is no folder of it.
    servers = []
    for name in ("a", "ab"):
        remote = S3Remote(s3, prefix=f"{on_s3.prefix}/{name}")
        servers.append(Server.init(varve, folder / name, remote))
        servers[-1].create_tenant("acme")
    first, second = servers
    first.import_cluster("acme", "main", small_pgdata)
    assert second.timelines("acme") == []
    second.import_cluster("acme", "main", small_pgdata)
    ids = {server.timelines("acme")[0]["timeline_id"] for server in servers}
    assert len(ids) == 2
    for server in servers:
        listed = server.varve.json("remote", "ls", "--remote", server.remote)
        assert {entry["key"] for entry in listed} == server.storage.objects().keys()
        assert len(listed) == 3
    first.succeed("timeline", "delete", "acme/main")
    assert second.restore_from_remote("acme/main", folder / "data").code == 0


def test_b5_the_requests_in_the_status_are_those_that_the_server_answered(
        s3, bucket_server, small_pgdata):
    bucket_server.import_cluster("acme", "main", small_pgdata)
    counted = bucket_server.json("status")["requests"]
    answered = radosgw.count(request for request in s3.requests()
                             if bucket_server.storage.prefix in request.target)
    # When 'init' looks at the bucket there is no work directory yet to count in.
    answered["list"] -= 1
    assert {kind: count for kind, count in counted.items() if count} == dict(answered)


def refused(server, *arguments, **environment):
    """A look at the remote storage that must fail, with these variables changed; gives what is said."""
    varve = server.varve.with_environment(environment)
    outcome = varve.run("remote", "ls", "--remote", server.remote, *arguments)
    assert outcome.code == 1, outcome
    for secret in (server.varve.environment["AWS_SECRET_ACCESS_KEY"],
                   *environment.values()):
        assert not secret or secret not in outcome.text, outcome
    return outcome.stderr


def test_w1_a_wrong_secret_is_denied_and_not_repeated(s3, bucket_server):
    before = len(s3.requests())
    text = refused(bucket_server, AWS_SECRET_ACCESS_KEY="a-secret-that-is-wrong")
    assert "(Denied)" in text and radosgw.BUCKET in text and "secret key" in text
    assert len(s3.requests()) == before + 1


def test_w1_an_unknown_access_key_is_denied(bucket_server):
    text = refused(bucket_server, AWS_ACCESS_KEY_ID="nobody")
    assert "(Denied)" in text and "access key" in text


def test_missing_credentials_are_said_to_be_missing(varve, folder, bucket_server):
    environment = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(folder)}
    outcome = varve.with_environment(environment).run("remote", "ls", "--remote",
                                                      bucket_server.remote)
    assert outcome.code == 1, outcome
    assert "credentials" in outcome.stderr and "AWS_ACCESS_KEY_ID" in outcome.stderr, outcome


@pytest.mark.parametrize("command", ["init", "ls"])
def test_w1_a_bucket_that_does_not_exist_is_named(varve, folder, s3, command):
    url = s3.url("prefix", bucket="no-such-bucket")
    arguments = {"init": ["init", "--workdir", folder / "work"], "ls": ["remote", "ls"]}[command]
    outcome = varve.with_environment(s3.environment()).run(*arguments, "--remote", url)
    assert outcome.code == 1, outcome
    assert "no-such-bucket" in outcome.stderr and "create bucket" in outcome.stderr, outcome
    assert not (folder / "work" / "varve.toml").exists()


def test_w1_a_server_that_is_not_there_is_named(varve, s3):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # And no listen: connections are refused.
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        url = s3.url("prefix", endpoint=endpoint)
        outcome = varve.with_environment(s3.environment()).run("remote", "ls", "--remote", url)
    assert outcome.code == 1, outcome
    assert "(Unavailable)" in outcome.stderr and endpoint.split("//")[1] in outcome.stderr, outcome


def test_w1_a_certificate_of_an_unknown_authority_is_refused(varve, folder, s3):
    remote = S3Remote(s3, tls=True)
    before = len(s3.requests())
    (folder / "empty").write_text("")
    for trusted in ({}, {"AWS_CA_BUNDLE": str(folder / "empty")}):
        environment = {name: value for name, value in s3.environment().items()
                       if name != "AWS_CA_BUNDLE"} | trusted
        outcome = varve.with_environment(environment).run("remote", "ls", "--remote", remote.url)
        assert outcome.code == 1, outcome
        assert "AWS_CA_BUNDLE" in outcome.stderr, outcome
    assert len(s3.requests()) == before


def test_the_secret_is_nowhere_in_the_work_directory(s3, bucket_server, small_pgdata):
    bucket_server.import_cluster("acme", "main", small_pgdata)
    secret = s3.settings.secret_key
    for path in bucket_server.workdir.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
