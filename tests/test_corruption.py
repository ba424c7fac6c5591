"""Damage in the remote storage is found, named, and never passed on."""

import contextlib
import os
import re

import pytest

from support import noise, trees
from support.postgres import Cluster
from support.varve import Server

OFFSETS_AN_OBJECT = 16


class Store:
    """A remote storage with a timeline in one archive, and one whose data lies in packs."""

    def __init__(self, server, sources):
        self.server = server
        self.sources = sources  # name of the timeline -> digests of its files

    def objects(self, kind):
        patterns = {"tenant archive": "tenants/*/tenant/*.archive",
                    "timeline archive": "tenants/*/timelines/*/*.archive",
                    "pack": "tenants/*/timelines/*/*.pack"}
        found = sorted(self.server.remote_folder.glob(patterns[kind]))
        assert found, f"the remote storage has no {kind}"
        return found

    def key(self, path):
        return str(path.relative_to(self.server.remote_folder))

    def timeline_of(self, path):
        """The name of the timeline whose data the object holds; None for the tenant's log."""
        for timeline in self.server.timelines("acme"):
            if timeline["timeline_id"] in str(path):
                return timeline["name"]
        return None

    def verify(self):
        return self.server.varve.run("remote", "verify", "--deep", "--json",
                                     "--remote", self.server.remote)

    def assert_found(self, path, when):
        """Verification fails and names the object; gives the members named with it."""
        outcome = self.verify()
        assert outcome.code == 1, f"{when}: {outcome}"
        findings = [finding for finding in outcome.document()["findings"]
                    if finding["object"] == self.key(path)]
        assert findings, f"{when}: {outcome}"
        assert {finding["kind"] for finding in findings} <= {"corrupt", "missing"}, outcome
        return {finding["member"] for finding in findings}

    def assert_restores_right_or_not_at_all(self, path, folder, names=None):
        """Restores the timelines that the damaged object matters to, or those named: each is right to
        the byte, or refused naming the object. Returns the names of those refused."""
        refused = set()
        for name in names or [self.timeline_of(path) or "small"]:
            expected = self.sources[name]
            target = folder / f"{name}.restored"
            outcome = self.server.restore_from_remote(f"acme/{name}", target)
            if outcome.code == 0:
                assert trees.main_forks(target) == expected
                trees.remove(target)
            else:
                assert outcome.code == 1, outcome
                assert re.search("Corrupted|NotFound", outcome.stderr), outcome
                assert self.key(path) in outcome.stderr, outcome
                assert not target.exists(), outcome
                refused.add(name)
        return refused


@pytest.fixture(scope="module", name="store")
def fixture_store(varve, module_folder, small_pgdata):
    server = Server.init(varve, module_folder)
    server.create_tenant("acme")
    server.import_cluster("acme", "small", small_pgdata)
    large = Cluster.create(module_folder / "large", settings=noise.SETTINGS)
    with large.running():
        noise.fill(large, 34 * 2**20)
    server.import_cluster("acme", "large", large.pgdata)
    return Store(server, {"small": trees.main_forks(small_pgdata),
                          "large": trees.main_forks(large.pgdata)})


@contextlib.contextmanager
def flipped(path, offset, mask=0x01):
    """One byte of an object changed, and changed back."""
    with open(path, "r+b", buffering=0) as file:
        def flip():
            byte = os.pread(file.fileno(), 1, offset)[0]
            os.pwrite(file.fileno(), bytes([byte ^ mask]), offset)
        flip()
        try:
            yield
        finally:
            flip()


def offsets_to_try(path, chance):
    """The first and last bytes of an object, some near its end (manifest and trailer), and any."""
    size = path.stat().st_size
    near_end = [chance.randrange(max(0, size - 400), size) for _ in range(OFFSETS_AN_OBJECT // 4)]
    anywhere = [chance.randrange(size) for _ in range(OFFSETS_AN_OBJECT // 2)]
    return [0, 8, 12, size - 1, *near_end, *anywhere]


KINDS = ["tenant archive", "timeline archive", "pack"]


def test_an_undamaged_storage_passes_verification(store):
    outcome = store.verify()
    assert outcome.code == 0, outcome


@pytest.mark.parametrize("kind", KINDS)
def test_verification_finds_any_flipped_byte(store, kind, chance):
    for path in store.objects(kind):
        for offset in offsets_to_try(path, chance):
            with flipped(path, offset, mask=1 << chance.randrange(8)):
                store.assert_found(path, f"byte {offset} of {store.key(path)}")


@pytest.mark.parametrize("kind", KINDS)
def test_restore_passes_no_flipped_byte_on(store, folder, kind, chance):
    for path in store.objects(kind):
        for offset in offsets_to_try(path, chance)[::3]:
            with flipped(path, offset, mask=1 << chance.randrange(8)):
                refused = store.assert_restores_right_or_not_at_all(path, folder)
            # All of a timeline's archive is read; of packs and older commits, what is needed.
            assert refused or kind != "timeline archive", f"byte {offset} of {store.key(path)}"


@pytest.mark.parametrize("kind", ["timeline archive", "pack"])
def test_a_flipped_byte_in_the_data_is_refused_naming_object_and_member(store, folder, kind):
    # The middle of the largest object is data of some layer.
    path = max(store.objects(kind), key=lambda path: path.stat().st_size)
    name = store.timeline_of(path)
    shown = store.server.varve.json("remote", "show", "--remote", store.server.remote,
                                    store.key(path))
    members = {member["name"] for member in shown["members"]}
    with flipped(path, path.stat().st_size // 2):
        restored = store.server.restore_from_remote(f"acme/{name}", folder / "data")
        found = store.assert_found(path, "the middle")
    assert restored.code == 1 and "Corrupted" in restored.stderr, restored
    assert not (folder / "data").exists()
    assert store.key(path) in restored.stderr, restored
    assert any(member in restored.stderr for member in members), restored
    assert found and found <= members


def test_a_damaged_frame_is_named_with_what_it_held_and_with_a_remedy_that_works(store, folder):
    path = max(store.objects("pack"), key=lambda path: path.stat().st_size)
    name = store.timeline_of(path)
    with flipped(path, path.stat().st_size // 2):
        finding, = store.verify().document()["findings"]
        text = store.server.varve.run("remote", "verify", "--deep", "--jobs", 2,
                                      "--remote", store.server.remote).stdout
        restored = store.server.run("restore", f"acme/{name}", "--to", folder / "data")
    assert finding["severity"] == "data_lost"
    frames = finding["frames"]
    assert frames["first"] == frames["last"]
    assert frames["layer_start"] == frames["first"] * 2**20
    assert frames["layer_start"] < frames["layer_end"] <= frames["layer_start"] + 2**20
    ids = f"{path.parent.parent.parent.name}/{path.parent.name}"
    assert f"varve restore {ids} --workdir" in finding["remedy"]
    assert f"frame {frames['first']} " in text and finding["remedy"] in text, text
    assert restored.code == 0, restored
    assert trees.main_forks(folder / "data") == store.sources[name]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [0, 1, 0.5, -1],
                         ids=["empty", "one byte", "half", "last byte lost"])
def test_a_truncated_object_is_found(store, folder, kind, left):
    for path in store.objects(kind):
        whole = path.read_bytes()
        try:
            os.truncate(path, int(len(whole) * left) if left == 0.5 else left % len(whole))
            store.assert_found(path, f"{left} of {store.key(path)}")
            store.assert_restores_right_or_not_at_all(path, folder)
        finally:
            path.write_bytes(whole)


def test_a_missing_pack_is_found(store, folder):
    for path in store.objects("pack"):
        away = folder / "away"
        path.rename(away)
        try:
            store.assert_found(path, "missing")
            refused = store.assert_restores_right_or_not_at_all(path, folder, list(store.sources))
            assert refused == {"large"}
        finally:
            away.rename(path)


def test_a_missing_tenant_log_is_not_an_empty_storage(store, folder):
    paths = store.objects("tenant archive")
    for path in paths:
        path.rename(folder / path.name)
    try:
        outcome = store.server.restore_from_remote("acme/small", folder / "data")
        assert outcome.code == 1, outcome
        assert not (folder / "data").exists()
    finally:
        for path in paths:
            (folder / path.name).rename(path)


def test_orphaned_packs_are_listed_and_are_no_error(store, folder):
    # Without its only commit a timeline is an import that never finished.
    packs = store.objects("pack")
    commit, = packs[0].parent.glob("*.archive")
    commit.rename(folder / "away")
    try:
        outcome = store.verify()
        assert outcome.code == 0, outcome
        findings = outcome.document()["findings"]
        assert ({finding["object"] for finding in findings if finding["kind"] == "orphan"}
                == {store.key(pack) for pack in packs})
    finally:
        (folder / "away").rename(commit)


def test_an_object_swapped_for_another_is_found(store, folder):
    small, large = (path for path in store.objects("timeline archive"))
    whole = small.read_bytes()
    try:
        small.write_bytes(large.read_bytes())
        store.assert_found(small, "swapped")
        assert store.timeline_of(small) in store.assert_restores_right_or_not_at_all(small, folder)
    finally:
        small.write_bytes(whole)
