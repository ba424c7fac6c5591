"""The archive tool reads a remote storage with nothing else at hand."""

import re
import subprocess

import pytest

from conftest import new_remote
from support import noise
from support.postgres import Cluster
from support.varve import Server


@pytest.fixture(scope="module", name="source")
def fixture_source(module_folder):
    """Large enough for packs."""
    source = Cluster.create(module_folder / "source", settings=noise.SETTINGS)
    with source.running():
        noise.fill(source, 40 * 2**20)
    return source.pgdata


@pytest.fixture(scope="module", params=["file", "s3"], name="stored")
def fixture_stored(request, varve, module_folder, source):
    """The timeline acme/main."""
    folder = module_folder / request.param
    folder.mkdir()
    with new_remote(request, request.param, folder) as remote:
        server = Server.init(varve, folder, remote)
        server.create_tenant("acme")
        server.import_cluster("acme", "main", source)
        yield server


def remote(server, command, *arguments):
    return server.varve.succeed("remote", command, "--remote", server.remote, *arguments)


def test_ls_lists_every_object_with_its_size(stored):
    listed = remote(stored, "ls").stdout
    for key, size in stored.storage.objects().items():
        assert re.search(rf"{re.escape(key)}", listed), listed
        assert str(size) in listed, listed


def test_b4_ls_json_lists_every_object_with_its_size(stored):
    listed = stored.varve.json("remote", "ls", "--remote", stored.remote)
    assert {entry["key"]: entry["size"] for entry in listed} == stored.storage.objects()


def test_b4_show_tells_what_each_object_is(stored):
    for key in stored.storage.objects():
        document = stored.varve.json("remote", "show", "--remote", stored.remote, key)
        assert isinstance(document, dict)


def test_b4_extract_gives_the_layers_as_they_were_and_sst_dump_reads_them(stored, folder):
    local = {path.name: path for path in stored.workdir.rglob("*.sst")}
    layers = 0
    for number, key in enumerate(stored.storage.objects()):
        target = folder / str(number)
        remote(stored, "extract", key, "--to", target)
        for extracted in target.rglob("*.sst"):
            layers += 1
            assert extracted.read_bytes() == local[extracted.name].read_bytes()
            assert_sst_dump_accepts(extracted)
    assert layers > 0


def assert_sst_dump_accepts(layer):
    result = subprocess.run(["sst_dump", f"--file={layer}", "--command=verify"],
                            capture_output=True, text=True, check=False)
    text = result.stdout + result.stderr
    assert result.returncode == 0 and "The file is ok" in text, text


def test_layer_show_tells_what_a_layer_holds(stored):
    layers = list(stored.workdir.rglob("*.sst"))
    assert layers
    for layer in layers:
        document = stored.varve.json("layer", "show", layer)
        assert isinstance(document, dict)
        assert stored.varve.succeed("layer", "show", layer).stdout


def test_layer_show_refuses_what_is_no_layer(stored, folder):
    (folder / "file").write_text("no layer")
    outcome = stored.varve.run("layer", "show", folder / "file")
    assert outcome.code == 1, outcome
    assert str(folder / "file") in outcome.stderr, outcome


@pytest.mark.parametrize("command", ["show", "extract"])
def test_an_unknown_object_is_named(stored, folder, command):
    options = ["--to", folder / "out"] if command == "extract" else []
    outcome = stored.varve.run("remote", command, "tenants/none", "--remote", stored.remote,
                               *options)
    assert outcome.code == 1, outcome
    assert "tenants/none" in outcome.stderr, outcome


def test_b4_the_tool_writes_nothing_to_the_remote_storage(stored, folder):
    before = stored.storage.versions()
    remote(stored, "ls")
    remote(stored, "verify")
    remote(stored, "verify", "--deep")
    stored.restore_from_remote("acme/main", folder / "data")
    assert stored.storage.versions() == before
