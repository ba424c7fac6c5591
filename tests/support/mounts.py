"""Folders that run out of space or may not be written, for tests that run as root."""

import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def _mounted(folder, *arguments):
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    result = subprocess.run(["mount", *arguments, folder], capture_output=True, text=True,
                            check=False)
    if result.returncode != 0:
        pytest.skip(f"this system lets nobody mount: {result.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def small_disk(folder, size):
    """`folder` as a file system with room for `size` bytes."""
    folder.mkdir(exist_ok=True)
    return _mounted(folder, "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs")


def resize(disk, size):
    """Gives a small disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@contextlib.contextmanager
def read_only(folder):
    """`folder` with what it holds, but nobody may write there. Root ignores permission bits, so for
    root it is a read-only mount."""
    if os.geteuid() == 0:
        with _mounted(folder, "--bind", "-o", "ro", folder):
            yield folder
        return
    modes = {path: path.stat().st_mode for path in [folder, *folder.rglob("*")] if path.is_dir()}
    for path in modes:
        path.chmod(0o555)
    try:
        yield folder
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
