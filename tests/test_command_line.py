"""The command line keeps its form: help everywhere, one JSON document, fixed exit codes."""

import json
import re

import pytest

from support.varve import Server

COMMANDS = {
    "": ["init", "tenant", "timeline", "restore", "status", "wait", "remote", "layer", "--version"],
    "init": ["--workdir", "--remote"],
    "tenant": ["list", "create", "show", "attach"],
    "tenant list": ["--workdir", "--json"],
    "tenant create": ["--name", "--workdir", "--json"],
    "tenant show": ["--workdir", "--json"],
    "tenant attach": ["--workdir", "--json"],
    "timeline": ["import", "list", "show", "checkpoint", "delete"],
    "timeline import": ["--name", "--pgdata", "--workdir", "--json"],
    "timeline list": ["--workdir", "--json"],
    "timeline show": ["--workdir", "--json"],
    "timeline checkpoint": ["--workdir", "--json"],
    "timeline delete": ["--workdir", "--json"],
    "restore": ["--to", "--lsn", "--remote", "--workdir", "--db", "--keep-config", "--json"],
    "status": ["--workdir", "--json"],
    "wait": ["--lsn", "--for", "--timeout", "--workdir"],
    "remote": ["ls", "show", "extract", "verify"],
    "remote ls": ["--remote", "--json"],
    "remote show": ["--remote", "--json"],
    "remote extract": ["--remote"],
    "remote verify": ["--remote", "--deep", "--jobs", "--json"],
    "layer": ["show"],
    "layer show": ["--json"],
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "varve")
def test_help_names_what_there_is(varve, command):
    outcome = varve.run(*command.split(), "--help")
    assert outcome.code == 0, outcome
    assert outcome.stderr == "", outcome
    for option in COMMANDS[command]:
        assert option in outcome.stdout, outcome


def test_the_version_is_a_version(varve):
    outcome = varve.succeed("--version")
    assert re.search(r"\d+\.\d+\.\d+", outcome.stdout), outcome


@pytest.fixture(scope="module", name="filled")
def fixture_filled(varve, module_folder, small_pgdata):
    server = Server.init(varve, module_folder)
    server.create_tenant("acme")
    server.import_cluster("acme", "main", small_pgdata)
    return server


@pytest.mark.parametrize("command", [
    "tenant list", "tenant show acme", "timeline list acme", "timeline show acme/main",
    "timeline checkpoint acme/main", "status", "status acme/main",
    "wait acme/main --lsn 0/1 --for remote --timeout 30",
])
def test_json_output_is_exactly_one_document(filled, command):
    outcome = filled.succeed(*command.split(), "--json")
    json.loads(outcome.stdout)


@pytest.mark.parametrize("command", ["ls", "verify", "verify --deep"])
def test_json_output_of_the_remote_commands_is_exactly_one_document(filled, command):
    json.loads(filled.varve.succeed("remote", *command.split(), "--remote", filled.remote,
                                    "--json").stdout)


LSN = re.compile(r"[0-9A-F]+/[0-9A-F]+")
ID = re.compile(r"[0-9a-f]{32}")


def test_a_tenant_is_shown_as_it_was_created(filled):
    created = filled.create_tenant("other")
    assert created["name"] == "other" and ID.fullmatch(created["tenant_id"])
    assert filled.json("tenant", "show", "other")["tenant_id"] == created["tenant_id"]
    assert created["tenant_id"] in [tenant["tenant_id"] for tenant in filled.json("tenant", "list")]


def test_a_tenant_may_be_given_its_id(filled):
    tenant_id = "00112233445566778899aabbccddeeff"
    assert filled.json("tenant", "create", tenant_id)["tenant_id"] == tenant_id
    assert filled.json("tenant", "show", tenant_id)["tenant_id"] == tenant_id


def test_a_timeline_has_the_documented_keys(filled):
    for timeline in (filled.json("timeline", "show", "acme/main"), filled.timelines("acme")[0],
                     filled.json("status")["timelines"][0]):
        assert ID.fullmatch(timeline["tenant_id"]) and ID.fullmatch(timeline["timeline_id"])
        assert timeline["name"] == "main"
        assert timeline["state"] in ("Ready", "AwaitsDownload", "CloudOnly", "Evicted")
        for key in ("last_record_lsn", "disk_consistent_lsn", "remote_consistent_lsn"):
            assert LSN.fullmatch(timeline[key]), key
        assert timeline["ancestor_timeline_id"] is None and timeline["ancestor_lsn"] is None


def test_the_status_counts_requests_by_kind(filled):
    requests = filled.json("status")["requests"]
    assert all(isinstance(requests[kind], int) for kind in ("put", "get", "list", "delete"))


def test_counts_of_requests_are_kept_over_commands(filled):
    assert filled.json("status")["requests"]["put"] >= 3


def test_a_deleted_timeline_is_gone_and_its_name_is_free(filled, small_pgdata):
    filled.import_cluster("acme", "passing", small_pgdata)
    filled.succeed("timeline", "delete", "acme/passing")
    assert "passing" not in [timeline["name"] for timeline in filled.timelines("acme")]
    assert filled.run("timeline", "show", "acme/passing").code == 1
    assert filled.restore_from_remote("acme/passing", "/nonexistent/data").code == 1
    filled.import_cluster("acme", "passing", small_pgdata)
    filled.succeed("timeline", "delete", "acme/passing")


def test_the_work_directory_may_come_from_the_environment(filled, monkeypatch):
    monkeypatch.setenv("VARVE_WORKDIR", str(filled.workdir))
    outcome = filled.varve.start("tenant", "list", "--json", keep_environment=True).wait()
    assert "acme" in [tenant["name"] for tenant in outcome.document()]


def test_logs_do_not_mix_with_results(filled):
    outcome = filled.succeed("timeline", "show", "acme/main", "--json", "--log-level", "trace")
    assert outcome.document()["name"] == "main"
