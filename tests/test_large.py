"""A cluster too large for one object."""

import shutil

from support import noise, trees
from support.postgres import Cluster

GIB = 2**30
MEMORY_LIMIT = 256 * 2**20


def test_two_gibibytes_go_through_packs_in_bounded_memory(folder, server):
    source = Cluster.create(folder / "source", settings=noise.SETTINGS)
    with source.running():
        noise.fill(source, 2 * GIB)
    expected = trees.main_forks(source.pgdata)

    imported = server.try_import("acme", "main", source.pgdata)
    assert imported.code == 0, imported
    packs = list(server.remote_folder.rglob("*.pack"))
    assert sum(pack.stat().st_size for pack in packs) > 1.9 * GIB
    shutil.rmtree(source.pgdata)
    shutil.rmtree(server.workdir)

    restored = server.restore_from_remote("acme/main", folder / "data")
    assert restored.code == 0, restored
    assert trees.main_forks(folder / "data") == expected
    assert imported.peak_memory < MEMORY_LIMIT
    assert restored.peak_memory < MEMORY_LIMIT
