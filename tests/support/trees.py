"""Comparing directories: snapshots of whole trees, and the relation files of data directories."""

import hashlib
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path


def snapshot(folder):
    """What a tree holds, by relative path: kind, permissions and contents of every entry."""
    folder = Path(folder)
    if not folder.exists():
        return None
    return {str(path.relative_to(folder)): _describe(path) for path in sorted(folder.rglob("*"))}


def snapshot_of_restored(pgdata):
    """A snapshot, but for the WAL, which says what timeline the cluster was restored from."""
    return {path: entry for path, entry in snapshot(pgdata).items()
            if not re.fullmatch("pg_wal/[0-9A-F]{24}", path)}


def _describe(path):
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return ("link", os.readlink(path))
    if stat.S_ISREG(status.st_mode):
        return ("file", stat.S_IMODE(status.st_mode), digest(path))
    return ("other", status.st_mode)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


_RELATION_FILE = re.compile(r"(?P<node>\d+)(_(?P<fork>[a-z]+))?(\.\d+)?$")


def main_forks(pgdata):
    """Digests of the main fork files of all logged relations, by path in the data directory.

    A relation with an init fork is unlogged. Tablespaces are followed.
    """
    pgdata = Path(pgdata)
    files = {}
    unlogged = set()
    folders = [pgdata / "global", *(pgdata / "base").iterdir(),
               *(pgdata / "pg_tblspc").glob("*/PG_15_*/*")]
    for folder in folders:
        for path in folder.iterdir():
            match = _RELATION_FILE.match(path.name)
            if match is None:
                continue
            if match["fork"] == "init":
                unlogged.add((folder, match["node"]))
            elif match["fork"] is None:
                files[folder, match["node"], path.name] = path
    return {str(path.relative_to(pgdata)): digest(path)
            for (folder, node, _), path in files.items() if (folder, node) not in unlogged}


def is_whole(pgdata):
    """Whether a server would take this for a data directory that can be started."""
    return (Path(pgdata) / "global" / "pg_control").exists()


def remove(folder):
    """Removes a tree that may be there."""
    if Path(folder).exists():
        shutil.rmtree(folder)


def copy_tree(source, target):
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)
    return Path(target)
