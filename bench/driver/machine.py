"""The machine and its programs: what they are, running and timing them."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass


def bench_binary(arguments):
    return arguments.binary.parent / "varve_bench"


def bench(arguments, *words, **options):
    """One measurement of varve_bench; the options are those of subprocess.run."""
    result = subprocess.run([bench_binary(arguments), *map(str, words)], check=True,
                            stdout=subprocess.PIPE, **options)
    return json.loads(result.stdout)


def has(program):
    return shutil.which(program) is not None


@dataclass
class Run:
    seconds: float
    peak_memory: int  # bytes resident at most, of the first process


def timed(*command, then=None, **options):
    """Runs a command that must succeed; `then` is part of what is timed."""
    start = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    errors = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command}: exit code {process.returncode}\n{errors.decode()}")
    if then is not None:
        then()
    return Run(time.monotonic() - start, usage.ru_maxrss * 1024)


def sync_path(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder):
    """fsync of every file and directory."""
    for path, _, names in os.walk(folder):
        for name in names:
            entry = os.path.join(path, name)
            if not os.path.islink(entry):
                sync_path(entry)
        sync_path(path)


def warm(folder):
    """Reads every file, so that no contender is the first to do so."""
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


def tree_size(folder):
    """Number and bytes of the files below it."""
    sizes = [os.lstat(os.path.join(path, name)).st_size
             for path, _, names in os.walk(folder) for name in names]
    return len(sizes), sum(sizes)


def _cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return os.uname().machine


def print_description(arguments):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    filesystem = subprocess.run(["stat", "-f", "-c", "%T", arguments.folder], check=True,
                                stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"{os.cpu_count()} CPUs ({_cpu()}), {memory / 2**30:.0f} GiB, "
          f"Linux {os.uname().release}, {filesystem}; "
          f"load average before: {os.getloadavg()[0]:.1f}\n", flush=True)
