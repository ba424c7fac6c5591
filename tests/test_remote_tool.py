"""The archive tool reads a remote storage with nothing else at hand."""

import re
import subprocess

import pytest

from support import noise
from support.postgres import Cluster
from support.varve import Server


@pytest.fixture(scope="module", name="stored")
def fixture_stored(varve, module_folder):
    """acme/main, large enough for packs."""
    server = Server.init(varve, module_folder)
    server.create_tenant("acme")
    source = Cluster.create(module_folder / "source", settings=noise.SETTINGS)
    with source.running():
        noise.fill(source, 40 * 2**20)
    server.import_cluster("acme", "main", source.pgdata)
    return server


def objects(server):
    return {str(path.relative_to(server.remote_folder)): path
            for path in server.remote_folder.rglob("*") if path.is_file()}


def remote(server, command, *arguments):
    return server.varve.succeed("remote", command, "--remote", server.remote, *arguments)


def test_ls_lists_every_object_with_its_size(stored):
    listed = remote(stored, "ls").stdout
    for key, path in objects(stored).items():
        assert re.search(rf"{re.escape(key)}", listed), listed
        assert str(path.stat().st_size) in listed, listed


def test_b4_ls_json_lists_every_object_with_its_size(stored):
    listed = stored.varve.json("remote", "ls", "--remote", stored.remote)
    assert ({entry["key"]: entry["size"] for entry in listed}
            == {key: path.stat().st_size for key, path in objects(stored).items()})


def test_b4_show_tells_what_each_object_is(stored):
    for key in objects(stored):
        document = stored.varve.json("remote", "show", "--remote", stored.remote, key)
        assert isinstance(document, dict)


def test_b4_extract_gives_the_layers_as_they_were_and_sst_dump_reads_them(stored, folder):
    local = {path.name: path for path in stored.workdir.rglob("*.sst")}
    layers = 0
    for number, key in enumerate(objects(stored)):
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
    before = {key: path.stat().st_mtime_ns for key, path in objects(stored).items()}
    remote(stored, "ls")
    remote(stored, "verify")
    remote(stored, "verify", "--deep")
    stored.restore_from_remote("acme/main", folder / "data")
    assert {key: path.stat().st_mtime_ns for key, path in objects(stored).items()} == before
