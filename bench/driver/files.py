"""a: many small layer files to a directory on the same disk."""

import os
import shutil
import subprocess
import time

from driver import contest, machine
from support.postgres import Cluster

FILES = 782
BYTES = 31_000_000
PAGE = 8192


def relation_files(folder):
    """The content of the relation files of a fresh cluster, those with anything in them."""
    pgdata = Cluster.create(folder / "fresh").pgdata
    paths = [path for part in ("base", "global") for path in sorted((pgdata / part).rglob("*"))
             if path.is_file() and path.stat().st_size >= PAGE]
    return [path.read_bytes() for path in paths]


def make_layers(folder, count, size):
    """Files with the names of layers, and the sizes and bytes of relations, scaled to the sum."""
    contents = sorted(relation_files(folder.parent), key=len)
    # Evenly over all sizes, the largest included.
    chosen = [contents[(i * (len(contents) - 1)) // max(1, count - 1)] for i in range(count)]
    factor = size / sum(map(len, chosen))
    folder.mkdir()
    left = size
    for number, content in enumerate(chosen):
        wanted = max(PAGE, round(len(content) * factor / PAGE) * PAGE)
        if number == count - 1:
            wanted = max(PAGE, left)
        left -= wanted
        repeated = (content * (wanted // len(content) + 1))[:wanted]
        name = f"{number:036x}-{number + 1:036x}__{1:016x}.sst"
        (folder / name).write_bytes(repeated)
    machine.sync_tree(folder)


def run(arguments, folder):
    layers = folder / "layers"
    make_layers(layers, 20 if arguments.small else FILES, BYTES // 40 if arguments.small else BYTES)
    count, size = machine.tree_size(layers)
    target = folder / "target"
    stored = {}

    def fresh():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()

    def varve():
        fresh()
        # The upload notes in the directory what it has done.
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(layers, copy)
        machine.sync_tree(copy)
        result = machine.bench(arguments, "upload", copy, f"file://{target}")
        stored["varve"] = (result["requests"].get("put", 0), result["bytes_sent"])
        return result["seconds"]

    def rclone():
        fresh()
        return machine.timed("rclone", "copy", "--transfers", "8", layers, target).seconds

    def rclone_synced():
        fresh()
        return machine.timed("rclone", "copy", "--transfers", "8", layers, target,
                             then=lambda: machine.sync_tree(target)).seconds

    def cp_synced():
        fresh()
        start = time.monotonic()
        subprocess.run(["cp", "-r", layers, target], check=True)
        machine.sync_tree(target)
        return time.monotonic() - start

    contenders = {"varve": varve, "cp + fsync of each": cp_synced}
    if machine.has("rclone"):
        contenders |= {"rclone, 8 transfers, no fsync": rclone,
                       "rclone, 8 transfers + fsync of each": rclone_synced}
    else:
        print("rclone is not installed and left out\n")
    machine.warm(layers)
    results = contest.alternate(contenders, arguments.runs)
    reference = contest.median(results["varve"])
    contest.print_table(
        f"a: {count} files, {contest.mib(size)} MiB, to a directory",
        ["contender", "seconds", "varve is faster by", "objects", "MiB stored"],
        [[name, contest.spread(seconds), contest.ratio(contest.median(seconds), reference),
          stored.get(name, (count, size))[0], contest.mib(stored.get(name, (count, size))[1])]
         for name, seconds in results.items()])
    os.sync()
