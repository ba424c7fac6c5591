"""What a power cut leaves: of what was done, only that which was synced is certain to be there."""

import os
import shutil
from pathlib import Path


def cut_power(root, steps, *, keep_names):
    """Takes from the files below `root` what no fsync had made durable when `steps` ended: contents
    always, names (creations, renames, removals) only without `keep_names`, since a file system may
    write a name at any time before it is asked to."""
    unsynced = _unsynced_contents(steps)
    for path in _files_below(root, *{step.stash.parent for step in steps}):
        size = unsynced.get(path.lstat().st_ino)
        if size is not None and not path.is_symlink():
            os.truncate(path, size)
    if not keep_names:
        _undo(*_unsynced_names(steps))


def _carried_out(steps):
    return [step for step in steps if step.error == 0]


def _files_below(*folders):
    return [Path(folder) / name for top in folders for folder, _, names in os.walk(top)
            for name in names]


def _unsynced_contents(steps):
    """By inode, how many bytes are left of each file that was changed after its last fsync."""
    durable = {}
    changed = set()
    for step in _carried_out(steps):
        match step.call:
            case "create" | "truncate" | "ftruncate":
                durable[step.inode] = min(step.size, durable.get(step.inode, step.size))
                changed.add(step.inode)
            case "write":
                # Whatever is overwritten in place may be torn.
                durable[step.inode] = min(step.offset, durable.get(step.inode, step.offset))
                changed.add(step.inode)
            case "fallocate":
                durable.setdefault(step.inode, 0)
                changed.add(step.inode)
            case "fsync":
                durable[step.inode] = step.size
                changed.discard(step.inode)
            case "syncfs":
                changed.clear()
    return {inode: durable[inode] for inode in changed}


def _moved(path, rename):
    """The name that `path` had after the rename of it or of a folder above."""
    if path == rename.path or path.startswith(rename.path + "/"):
        return rename.other + path[len(rename.path):]
    return path


def _unsynced_names(steps):
    """The steps whose changed names are not durable, and the renames that are, each with its place
    among `steps`."""
    pending = []
    renames = []
    for place, step in enumerate(steps):
        if step.error != 0 or step.call in ("write", "truncate", "ftruncate", "fallocate"):
            continue
        if step.call == "syncfs":
            pending.clear()
        elif step.call == "fsync":
            pending = [entry for entry in pending if entry[2] != step.path]
        else:
            if step.call == "rename":
                # What was done below goes along with a folder.
                pending = [(*entry, _moved(folder, step)) for *entry, folder in pending]
                renames.append((place, step))
            pending.append((place, step, os.path.dirname(step.other or step.path)))
    unsynced = [(place, step) for place, step, _ in pending]
    return unsynced, [rename for rename in renames if rename not in unsynced]


def _undo(unsynced, durable_renames):
    for place, step in reversed(unsynced):
        if any(rename.path == step.path for later, rename in durable_renames if later > place):
            continue  # What it made is durable under its later name.

        def now(path, place=place):
            for later, rename in durable_renames:
                path = _moved(path, rename) if later > place else path
            return Path(path)

        match step.call:
            case "create" | "symlink":
                now(step.path).unlink(missing_ok=True)
            case "link":
                now(step.other).unlink(missing_ok=True)
            case "mkdir":
                shutil.rmtree(now(step.path), ignore_errors=True)
            case "rename":
                if os.path.lexists(now(step.other)):
                    now(step.other).rename(now(step.path))
                if step.stash.exists():
                    os.link(step.stash, now(step.other))
            case "unlink":
                if step.stash.exists() and now(step.path).parent.exists():
                    os.link(step.stash, now(step.path))
            case "rmdir":
                now(step.path).mkdir(exist_ok=True)
            case call:
                raise ValueError(f"it is not known how to undo {call}")
