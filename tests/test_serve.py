"""`varve serve`: the daemon, its HTTP API, and the commands as its clients."""

import contextlib
import json
import signal
import socket
import subprocess
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support import daemon, fault_proxy, trees
from support.daemon import TOKEN, starting, token_file, until
from support.fault_proxy import FaultProxy
from support.remotes import FileRemote, S3Remote
from support.varve import Server


@pytest.fixture(name="filled")
def fixture_filled(server, small_pgdata):
    server.import_cluster("acme", "main", small_pgdata)
    return server


def import_without_remote(varve, folder, remote, pgdata):
    """A work directory with the timeline acme/main that is only local; the LSN that it has."""
    server = Server(varve, folder / "work", remote)
    varve.succeed("init", "--workdir", server.workdir)
    server.create_tenant("acme")
    return server, server.import_cluster("acme", "main", pgdata)["last_record_lsn"]


# --- the process ---


def test_it_starts_answers_and_stops_leaving_no_pid_file(filled):
    with starting(filled) as running:
        assert running.get("/v1/live").json() == {"live": True}
        assert [tenant["name"] for tenant in running.get("/v1/tenants").json()] == ["acme"]
        outcome = running.stop()
    assert outcome.code == 0, outcome
    assert outcome.stdout == ""
    assert not running.pid_file.exists()
    # The work directory is free again.
    assert filled.timelines("acme")[0]["name"] == "main"


def test_an_interruption_stops_it_as_well(server):
    with starting(server) as running:
        running.signal(signal.SIGINT)
        assert running.process.wait(30).code == 0


def test_an_upload_that_was_pending_becomes_remote_by_itself(varve, folder, remote, small_pgdata):
    server, lsn = import_without_remote(varve, folder, remote, small_pgdata)
    remote.make()
    with starting(server, "--remote", server.remote) as running:
        def is_remote():
            shown = running.get("/v1/tenants/acme/timelines/main").json()
            return shown["remote_consistent_lsn"] == lsn
        until(is_remote, "the upload")
        status = running.get("/v1/status").json()
        assert status["queue_length"] == 0
        assert status["stored_bytes"] == sum(remote.objects().values())
        assert running.stop().code == 0
    assert server.restore_from_remote("acme/main", folder / "data").code == 0


@pytest.fixture(name="proxy")
def fixture_proxy(s3):
    with FaultProxy(s3.settings.port) as proxy:
        yield proxy


@pytest.fixture(name="refusing")
def fixture_refusing(varve, folder, s3, proxy, small_pgdata):
    """A storage that takes nothing for now, a work directory, and the LSN that is to become remote."""
    storage = S3Remote(s3, endpoint=proxy.endpoint)
    server, lsn = import_without_remote(varve, folder, storage, small_pgdata)
    proxy.fault = fault_proxy.on_put(fault_proxy.reset)
    return server, lsn


def test_a_storage_that_comes_back_is_noticed_by_itself(proxy, refusing):
    server, lsn = refusing
    with starting(server, "--remote", server.remote) as running:
        until(lambda: "is repeated" in running.process.log, "the first failure")
        refused = running.post("/v1/tenants/acme/timelines/main/wait",
                               {"lsn": lsn, "for": "remote", "timeout_seconds": 0.1})
        assert refused.status == 504 and refused.problem()["code"] == "Cancelled"
        assert running.get("/v1/status").json()["queue_length"] == 1
        # The command waits for as long as it takes, by several requests.
        command = server.start("wait", "acme/main", "--lsn", lsn, "--for", "remote", "--json")
        proxy.fault = fault_proxy.pass_on
        assert command.wait().document()["remote_consistent_lsn"] == lsn


def test_nobody_waits_for_one_who_waits_and_a_stop_ends_the_waiting(refusing):
    server, lsn = refusing
    with starting(server, "--remote", server.remote) as running:
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(running.post(
            "/v1/tenants/acme/timelines/main/wait", {"lsn": lsn, "for": "remote"})))
        waiting.start()
        command = server.start("wait", "acme/main", "--lsn", lsn, "--for", "remote")
        in_flight = 'varve_http_requests_in_flight 3'
        until(lambda: in_flight in running.get("/metrics").body.decode(), "both wait")
        assert running.get("/v1/tenants/acme/timelines/main").status == 200
        assert running.stop(timeout=10).code == 0
        waiting.join()
        assert answers[0].status == 503 and answers[0].problem()["code"] == "Unavailable"
        assert command.wait().code == 1


def test_a_client_that_sends_half_a_request_does_not_hold_up_a_stop(server):
    with starting(server) as running:
        connection = running.connect()
        connection.putrequest("POST", "/v1/tenants")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "20")
        connection.endheaders(b'{"name"')
        # And one that keeps its connection for later.
        idle = running.connect()
        idle.request("GET", "/v1/live")
        assert idle.getresponse().read()
        outcome = running.stop(timeout=5)
        assert outcome.code == 0, outcome
        connection.close()
        idle.close()


def test_after_a_kill_it_starts_again_and_commands_work_without_it(filled):
    with starting(filled) as running:
        running.process.kill()
        running.process.wait()
    assert running.pid_file.exists()
    with starting(filled) as again:
        assert again.get("/v1/tenants/acme/timelines/main").status == 200
        again.process.kill()
        again.process.wait()
    assert filled.timelines("acme")[0]["name"] == "main"
    assert not running.pid_file.exists()


def test_a_second_one_in_the_same_work_directory_names_the_first(server):
    with starting(server) as running:
        outcome = server.run("serve", "--listen", "127.0.0.1:0")
        assert outcome.code == 1
        assert str(running.process.pid) in outcome.stderr and "(Conflict)" in outcome.stderr
        assert running.get("/v1/ready").status == 200


def test_an_address_in_use_is_named(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = server.run("serve", "--listen", address)
    assert outcome.code == 1
    assert address in outcome.stderr and "--listen" in outcome.stderr, outcome
    assert not (server.workdir / "varve.pid").exists()


def test_two_servers_do_not_share_a_port(varve, folder, server):
    (folder / "other").mkdir()
    other = Server.init(varve, folder / "other")
    with starting(server) as running:
        address = running.url.removeprefix("http://")
        outcome = other.run("serve", "--listen", address)
        assert outcome.code == 1 and address in outcome.stderr, outcome


def test_the_port_is_free_again_at_once(server):
    with starting(server) as running:
        port = int(running.url.rsplit(":", 1)[1])
        connection = running.connect()
        connection.request("GET", "/v1/live")
        assert connection.getresponse().read()
        assert running.stop().code == 0
    with starting(server, port=port) as again:
        assert again.url == running.url


@pytest.mark.parametrize("option, value, remedy", [
    ("--listen", "localhost", "127.0.0.1:9898"), ("--listen", "example.com:80", "IP-ADDRESS"),
    ("--stop-timeout", "-1", "stop_timeout"), ("--listen", "192.0.2.1:0", "--token-file"),
    ("--token-file", "/nonexistent/token", "/nonexistent/token"),
])
def test_a_setting_that_makes_no_sense_is_refused(server, option, value, remedy):
    outcome = server.run("serve", option, value)
    assert outcome.code == 1 and remedy in outcome.stderr, outcome


def test_a_remote_storage_that_is_absent_is_no_empty_one(server):
    server.remote_folder.rename(server.remote_folder.with_name("away"))
    outcome = server.run("serve", "--listen", "127.0.0.1:0")
    assert outcome.code == 1 and str(server.remote_folder) in outcome.stderr, outcome


def test_a_reload_takes_the_log_level_and_tells_what_needs_a_restart(server):
    settings = server.workdir / "varve.toml"
    original = settings.read_text()
    with starting(server) as running:
        assert running.get("/v1/tenants").status == 200
        settings.write_text(original + 'log_level = "debug"\nstop_timeout = 3\n')
        running.signal(signal.SIGHUP)
        until(lambda: "stop_timeout has changed" in running.process.log, "the reload")
        assert "GET" not in running.process.log
        assert running.get("/v1/tenants").status == 200
        until(lambda: "method=GET target=/v1/tenants" in running.process.log, "the debug line")

        settings.write_text("log_level = oops")
        running.signal(signal.SIGHUP)
        until(lambda: "line 1" in running.process.log, "the complaint")
        assert running.get("/v1/ready").status == 200
        settings.write_text(original)
        assert running.stop().code == 0


# --- the API ---


def test_what_fails_is_told_by_a_problem_document(filled):
    main = "/v1/tenants/acme/timelines/main"
    wait = {"lsn": "0/1", "for": "remote"}
    cases = [
        ("GET", "/v1/tenants/none", {}, 404, "NotFound"),
        ("GET", "/nothing", {}, 404, "NotFound"),
        ("GET", "/v1/tenants/acme/", {}, 404, "NotFound"),
        ("GET", "/v1/tenants//timelines", {}, 404, "NotFound"),
        ("GET", "/v1/tenants/%ff%00", {}, 400, "InvalidArgument"),
        ("GET", "/" + "a" * 3000, {}, 414, "InvalidArgument"),
        ("PUT", "/v1/tenants", {}, 405, "InvalidArgument"),
        ("POST", "/v1/tenants", {"raw": b'{"name'}, 400, "InvalidArgument"),
        ("POST", "/v1/tenants", {"raw": b"[]"}, 400, "InvalidArgument"),
        ("POST", "/v1/tenants", {"body": {"nam": "x"}}, 400, "InvalidArgument"),
        ("POST", "/v1/tenants", {"body": {"name": 7}}, 400, "InvalidArgument"),
        ("POST", "/v1/tenants", {"body": {"name": "-"}}, 400, "InvalidArgument"),
        ("POST", "/v1/tenants", {"body": {"name": "acme"}}, 409, "Conflict"),
        ("POST", "/v1/tenants", {"raw": b" " * 200_000}, 413, "InvalidArgument"),
        ("POST", "/v1/tenants", {"headers": {"Content-Type": "text/plain"}}, 415,
         "InvalidArgument"),
        ("POST", "/v1/tenants", {"headers": {"Content-Encoding": "gzip"}}, 415, "InvalidArgument"),
        ("POST", main + "/wait", {"body": {**wait, "lsn": "1"}}, 400, "InvalidArgument"),
        ("POST", main + "/wait", {"body": {**wait, "for": "tea"}}, 400, "InvalidArgument"),
        ("POST", main + "/wait", {"body": {"for": "remote"}}, 400, "InvalidArgument"),
        ("POST", main + "/wait", {"body": {**wait, "timeout_seconds": 1e9}}, 400,
         "InvalidArgument"),
        ("POST", main + "/wait", {"body": {**wait, "lsn": "FFFF/0"}}, 409, "Conflict"),
        ("GET", "/v1/status?timeline=acme", {}, 400, "InvalidArgument"),
        ("GET", "/v1/tenants", {"headers": {"Host": "attacker.example"}}, 403, "Denied"),
    ]
    with starting(filled) as running:
        for method, path, options, status, code in cases:
            answer = running.request(method, path, **options)
            assert (answer.status, answer.problem()["code"]) == (status, code), (path, answer)
        # None of that has done anything, and the server goes on.
        assert [tenant["name"] for tenant in running.get("/v1/tenants").json()] == ["acme"]


def test_a_request_without_end_is_cut_off(server):
    with starting(server) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(b"GET /v1/live HTTP/1.1\r\n")
            with pytest.raises(OSError):
                for number in range(1_000_000):
                    connection.sendall(b"X-%d: %s\r\n" % (number, b"x" * 1000))
        assert running.get("/v1/live").status == 200


def test_a_body_is_not_taken_for_the_next_request(server):
    with starting(server) as running:
        host, port = running.url.removeprefix("http://").split(":")
        hidden = b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        for method in (b"GET", b"DELETE", b"PUT"):
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                connection.sendall(method + b" /v1/tenants HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                   b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden)
                received = b""
                while part := connection.recv(65536):
                    received += part
            assert received.count(b"HTTP/1.1 ") == 1 and b"Connection: close" in received


def test_a_server_with_a_token_asks_for_it(filled, folder):
    path = token_file(folder)
    with starting(filled, "--token-file", path, token=TOKEN) as running:
        for token in (None, TOKEN[:-1], TOKEN + "0", TOKEN.upper(), ""):
            for method, target in (("GET", "/v1/tenants"), ("GET", "/metrics"),
                                   ("DELETE", "/v1/tenants/acme/timelines/main")):
                refused = running.request(method, target, token=token)
                assert refused.status == 401 and refused.problem()["code"] == "Denied"
                assert refused.headers["www-authenticate"] == "Bearer"
        basic = running.get("/v1/tenants", headers={"Authorization": f"Basic {TOKEN}"})
        assert basic.status == 401
        assert running.get("/v1/live", token=None).status == 200
        assert running.get("/v1/tenants").status == 200
        # The commands find it by themselves.
        assert filled.json("timeline", "show", "acme/main")["name"] == "main"
        path.write_text("another token, just as long as it must")
        refused = filled.run("tenant", "list")
        assert refused.code == 1 and "token" in refused.stderr, refused
        log = running.stop().stderr
    assert TOKEN not in log


@pytest.mark.parametrize("content, mode, remedy", [
    (TOKEN, 0o640, "chmod 600"), (TOKEN, 0o604, "chmod 600"), ("short", 0o600, "openssl rand"),
    (TOKEN + "\n" + TOKEN, 0o600, "openssl rand"), ("", 0o600, "openssl rand"),
])
def test_a_token_file_that_protects_nothing_is_refused(server, folder, content, mode, remedy):
    outcome = server.run("serve", "--listen", "127.0.0.1:0", "--token-file",
                         token_file(folder, content, mode))
    assert outcome.code == 1 and remedy in outcome.stderr, outcome


def test_other_addresses_than_loopback_take_a_token(server, folder):
    refused = server.run("serve", "--listen", "0.0.0.0:0")
    assert refused.code == 1 and "--token-file" in refused.stderr


def test_metrics_are_what_prometheus_reads(filled):
    shown = filled.json("timeline", "show", "acme/main")
    labels = {"tenant": shown["tenant_id"], "timeline": shown["timeline_id"]}
    with starting(filled) as running:
        running.get("/v1/tenants/acme")
        answer = running.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family
                for family in text_string_to_metric_families(answer.body.decode())}
    assert all(name.startswith("varve_") for name in families)
    assert all(family.documentation and family.type != "unknown" for family in families.values())

    def value(family, name, **wanted):
        return next(sample.value for sample in families[family].samples
                    if sample.name == name and wanted.items() <= sample.labels.items())
    assert value("varve_timeline_remote_lag_bytes", "varve_timeline_remote_lag_bytes",
                 **labels) == 0
    assert value("varve_remote_storage_remaining_sync_items",
                 "varve_remote_storage_remaining_sync_items") == 0
    assert value("varve_http_requests", "varve_http_requests_total", method="GET",
                 route="/v1/tenants/{tenant}", status="200") == 1


# --- the commands ---


def comparable(document):
    """Without what counts requests and differs from one process to the next."""
    if isinstance(document, dict) and "metrics" in document:
        return {key: document[key] for key in ("queue_length", "stored_bytes", "timelines")} | {
            "keys": list(document), "kinds": list(document["requests"])}
    return document


def test_every_command_prints_the_same_with_a_server_and_without(filled):
    commands = [
        "tenant list", "tenant show acme", "tenant show none", "tenant attach acme",
        "tenant create --name acme", "tenant create --name -x", "timeline list acme",
        "timeline list none", "timeline show acme/main", "timeline show acme/none",
        "timeline show acme", "timeline delete acme/none", "status", "status acme/main",
        "status none/main", "wait acme/main --lsn 0/1 --for remote",
        "wait acme/main --lsn 0/1 --for checkpointed --timeout 5",
        "wait acme/main --lsn FFFF/0 --for remote", "wait acme --lsn 0/1 --for remote",
    ]

    def outcomes():
        results = []
        for command in commands:
            outcome = filled.run(*command.split(), "--json")
            document = comparable(outcome.document()) if outcome.stdout else None
            results.append((command, outcome.code, document, outcome.stderr))
            plain = filled.run(*command.split())
            text = "" if command.startswith("status") else plain.stdout
            results.append((command, plain.code, text, plain.stderr))
        return results

    alone = outcomes()
    with starting(filled) as running:
        served = outcomes()
        assert running.stop().code == 0
    for without, with_server in zip(alone, served, strict=True):
        assert with_server == without


def test_changes_through_the_server_are_there_without_it(filled, small_pgdata):
    filled.import_cluster("acme", "passing", small_pgdata)
    wanted_id = "00112233445566778899aabbccddeeff"
    passing = filled.json("timeline", "show", "acme/passing")["timeline_id"]
    with starting(filled) as running:
        assert passing in running.get("/metrics").body.decode()
        made = filled.json("tenant", "create", wanted_id, "--name", "other")
        assert made["tenant_id"] == wanted_id and made["name"] == "other"
        deleted = filled.json("timeline", "delete", "acme/passing")
        assert deleted["deleted"] is True
        assert [entry["name"] for entry in filled.timelines("acme")] == ["main"]
        assert deleted["timeline_id"] == passing
        assert passing not in running.get("/metrics").body.decode()
        puts = filled.puts()
        assert running.stop().code == 0
    assert {tenant["name"] for tenant in filled.json("tenant", "list")} == {"acme", "other"}
    assert [entry["name"] for entry in filled.timelines("acme")] == ["main"]
    assert filled.puts() == puts


def test_the_work_of_commands_is_done_through_a_server(filled, folder, small_pgdata):
    """The command reads and writes its files, the server those of the work directory."""
    assert filled.run("restore", "acme/main", "--to", folder / "alone").code == 0
    alone = trees.snapshot_of_restored(folder / "alone")
    with starting(filled) as running:
        imported = filled.import_cluster("acme", "imported", small_pgdata)
        assert imported["remote_consistent_lsn"] == imported["last_record_lsn"]
        for timeline in ("main", "imported"):
            restored = filled.json("restore", f"acme/{timeline}", "--to", folder / timeline)
            assert restored["lsn"] == imported["last_record_lsn"]
            assert restored["timeline"]["name"] == timeline
            assert trees.snapshot_of_restored(folder / timeline) == alone
        branch = filled.json("timeline", "branch", "acme/main", "--name", "branch")
        assert branch["ancestor_lsn"] == imported["last_record_lsn"]
        assert filled.json("timeline", "checkpoint", "acme/branch")["name"] == "branch"
        freed = filled.json("timeline", "drop-local", "acme/main")
        assert freed["freed_layers"] > 0
        restored = filled.json("restore", "acme/branch", "--to", folder / "branch")
        assert restored["layers_fetched"] == freed["freed_layers"]
        assert trees.snapshot_of_restored(folder / "branch") == alone
        assert filled.json("timeline", "prefetch", "acme/main")["state"] == "Ready"
        assert filled.json("restore", "acme/main", "--to",
                           folder / "again")["layers_fetched"] == 0
        assert filled.json("timeline", "gc", "acme/main")["failed_objects"] == 0
        assert running.stop().code == 0
    assert [entry["name"] for entry in filled.timelines("acme")] == ["main", "imported", "branch"]


@pytest.mark.parametrize("served", [False, True])
def test_a_tenant_is_detached_attached_and_deleted(filled, folder, small_pgdata, served):
    with starting(filled) if served else contextlib.nullcontext():
        filled.import_cluster("acme", "second", small_pgdata)
        stored = filled.storage.objects()
        detached = filled.json("tenant", "detach", "acme")
        assert detached["owned"] is False
        assert not list(filled.workdir.rglob("*.sst"))
        assert {entry["state"] for entry in filled.timelines("acme")} == {"CloudOnly"}
        assert filled.storage.objects() == stored
        refused = filled.run("timeline", "delete", "acme/main")
        assert refused.code == 1 and "attach" in refused.stderr
        assert filled.json("tenant", "attach", "acme")["owned"] is True
        assert filled.json("timeline", "branch", "acme/main")["state"] == "Ready"
        assert filled.json("tenant", "delete", "acme")["deleted"] is True
        assert filled.json("tenant", "list") == []
        # The name is free, the ID is not.
        again = filled.json("tenant", "create", "--name", "acme")
        assert again["tenant_id"] != detached["tenant_id"]
        outcome = filled.run("tenant", "create", detached["tenant_id"])
        assert outcome.code == 1 and "deleted" in outcome.stderr, outcome
    other = Server.init(filled.varve, folder / "other", filled.storage)
    assert [entry["tenant_id"] for entry in other.json("tenant", "list")] == [again["tenant_id"]]


def test_an_import_into_a_server_that_is_interrupted_was_never_there(filled, small_pgdata):
    with starting(filled) as running:
        process = filled.start_import("acme", "killed", small_pgdata)
        drafts = filled.workdir / "tenants"
        until(lambda: list(drafts.glob("*/timelines/*.tmp/*")), "the import has begun")
        process.kill()
        process.wait()
        assert [entry["name"] for entry in filled.timelines("acme")] == ["main"]
        outcome = filled.try_import("acme", "main", small_pgdata)
        assert outcome.code == 1 and "is taken" in outcome.stderr
        assert filled.import_cluster("acme", "killed", small_pgdata)["state"] == "Ready"
        assert running.stop().code == 0
    assert not list(drafts.glob("*/timelines/*.tmp"))


def test_a_command_does_not_take_another_remote_storage_for_that_of_the_server(filled, folder):
    other = FileRemote(folder / "other-remote")
    other.make()
    with starting(filled):
        outcome = filled.run("tenant", "list", "--remote", other.url)
        assert outcome.code == 1 and filled.remote in outcome.stderr, outcome
        assert filled.run("tenant", "list", "--remote", filled.remote).code == 0


def test_a_server_attaches_a_tenant_and_goes_on_with_it(varve, folder, filled):
    second = Server.init(varve, folder / "second", filled.storage)
    with starting(second) as running:
        assert running.get("/v1/tenants/acme").json()["owned"] is False
        assert running.get("/v1/tenants/acme/timelines").json()[0]["state"] == "CloudOnly"
        assert running.post("/v1/tenants/acme/attach").json()["owned"] is True
        assert running.get("/v1/tenants/acme/timelines").json()[0]["state"] == "Ready"
        assert running.request("DELETE", "/v1/tenants/acme/timelines/main").status == 200
        assert running.get("/v1/tenants/acme/timelines").json() == []


# --- TLS ---


def certificate(folder, subject_alternative_names):
    """Files of a certificate that nobody else has signed, and of its key."""
    files = folder / "server.crt", folder / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=varve",
                    "-addext", f"subjectAltName={subject_alternative_names}", "-keyout", files[1],
                    "-out", files[0]], check=True, capture_output=True)
    return files


def tls_options(files):
    return "--tls-certificate", files[0], "--tls-key", files[1]


@pytest.mark.parametrize("names", ["IP:127.0.0.1", "DNS:varve.example.com", "DNS:*.example.com"])
def test_over_tls_commands_check_the_certificate_of_their_server(filled, folder, small_pgdata,
                                                                 names):
    files = certificate(folder, names)
    with starting(filled, *tls_options(files)) as running:
        assert running.url.startswith("https://")
        filled.import_cluster("acme", "second", small_pgdata)
        assert filled.run("restore", "acme/second", "--to", folder / "data").code == 0
        # Whoever speaks plain HTTP learns nothing, and holds up nobody.
        with socket.create_connection(("127.0.0.1", running.port)) as plain:
            plain.sendall(b"GET /v1/tenants HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"acme" not in plain.recv(4096)
        # Somebody else's certificate, as the command sees it.
        certificate(folder, names)
        outcome = filled.run("tenant", "list")
        assert outcome.code == 1 and "certificate" in outcome.stderr, outcome
        # The server takes the renewed one.
        running.signal(signal.SIGHUP)
        until(lambda: filled.run("tenant", "list").code == 0, "the certificate is renewed")
        assert running.stop().code == 0


@pytest.mark.parametrize("content, remedy", [
    (None, "No such file"), ("nothing", "holds no certificate in PEM")])
def test_a_certificate_that_cannot_be_used_is_named(server, folder, content, remedy):
    files = certificate(folder, "IP:127.0.0.1")
    if content is None:
        files[0].unlink()
    else:
        files[0].write_text(content)
    outcome = server.run("serve", *tls_options(files))
    assert outcome.code == 1 and remedy in outcome.stderr and str(files[0]) in outcome.stderr


def test_a_key_of_another_certificate_is_refused(server, folder):
    (folder / "other").mkdir()
    files = certificate(folder, "IP:127.0.0.1")[0], certificate(folder / "other", "IP:127.0.0.1")[1]
    outcome = server.run("serve", *tls_options(files))
    assert outcome.code == 1 and "does not hold the key" in outcome.stderr


def test_settings_can_lie_elsewhere(server, folder):
    settings = folder / "elsewhere.toml"
    settings.write_text(f'remote = "{server.remote}"\nlisten = "x"\n')
    outcome = server.run("serve", "--config", settings)
    assert outcome.code == 1 and str(settings) in outcome.stderr
    settings.write_text(f'remote = "{server.remote}"\n')
    with starting(server, "--config", settings) as running:
        settings.write_text(f'remote = "{server.remote}"\nlog_level = "debug"\n')
        running.signal(signal.SIGHUP)
        until(lambda: "log_level=debug" in running.process.log, "the reload")
        assert running.stop().code == 0


# --- what it does by itself ---


def test_local_copies_are_freed_where_they_take_too_much_of_the_disk(filled, folder):
    assert filled.run("restore", "acme/main", "--to", folder / "before").code == 0
    assert list(filled.workdir.rglob("*.sst"))
    with starting(filled, "--disk-high-mib", "1") as running:
        until(lambda: not list(filled.workdir.rglob("*.sst")), "the copies are freed")
        assert "varve_evicted_layers_total" in running.get("/metrics").body.decode()
        restored = filled.json("restore", "acme/main", "--to", folder / "after")
        assert restored["layers_fetched"] > 0
        assert trees.snapshot(folder / "after") == trees.snapshot(folder / "before")
        assert running.stop().code == 0


def test_a_timeline_is_restored_and_branched_as_of_a_time(filled, folder):
    last = filled.json("timeline", "show", "acme/main")["last_record_lsn"]
    for prefix in ([], ["served"]):
        with starting(filled) if prefix else contextlib.nullcontext():
            now = ("--time", "2100-01-01T00:00:00Z")
            restored = filled.json("restore", "acme/main", *now, "--to",
                                   folder / "-".join(["now", *prefix]))
            assert restored["lsn"] == last
            assert filled.json("timeline", "branch", "acme/main", *now)["ancestor_lsn"] == last
            before = ("--time", "2000-01-01T00:00:00Z")
            outcome = filled.run("restore", "acme/main", *before, "--to", folder / "before")
            assert outcome.code == 1 and "2000-01-01" in outcome.stderr, outcome
            assert not (folder / "before").exists()
            both = filled.run("restore", "acme/main", *now, "--lsn", last, "--to", folder / "both")
            assert both.code == 2
    assert filled.varve.run("restore", "acme/main", *now, "--remote", filled.remote, "--to",
                            folder / "straight").code == 0
