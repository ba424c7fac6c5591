"""Runs varve commands whose changes to files are counted, and interrupted at any one of them.

What counts and interrupts is file_steps.c, preloaded into the process.
"""

import errno
import itertools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.varve import Outcome

SOURCE = Path(__file__).with_name("file_steps.c")


def compile_library(folder):
    library = Path(folder) / "file_steps.so"
    subprocess.run(["cc", "-std=c17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    SOURCE, "-o", library], check=True)
    return library


@dataclass(frozen=True)
class Step:
    """A call that changes files; the columns of note() in file_steps.c."""

    number: int
    call: str
    error: int  # 0: carried out; -1: the process died before it.
    inode: int
    size: int
    offset: int
    path: str
    other: str
    stash: Path  # Where a file that lost its last name is kept, if it did by this step.

    def __str__(self):
        return f"step {self.number}, {self.call} {self.path}" + (f" to {self.other}" if self.other
                                                               else "")


@dataclass(frozen=True)
class Interruption:
    """What happens at a step; see FILE_STEPS_ACTION in file_steps.c."""

    at: int
    action: str
    error: int = 0

    def __str__(self):
        return {"before": "killed before", "after": "killed after",
                "torn": "killed in the middle of",
                "fail": f"{errno.errorcode.get(self.error)} at",
                "full": f"{errno.errorcode.get(self.error)} from"}[self.action]


@dataclass(repr=False)
class Recording:
    """How a command ended, and what it did until then."""

    outcome: Outcome
    steps: list
    interruption: Interruption = None
    power_cut: bool = False
    repeated: Outcome = None  # Of the same command, before the power was cut.

    @property
    def acknowledged(self):
        """Whether what the command is for was said to be done."""
        return self.outcome.code == 0 or self.repeated is not None

    @property
    def step(self):
        """The step that was interrupted; None when the command never came to it."""
        return next((step for step in self.steps if step.number == self.interruption.at), None)

    def __str__(self):
        if self.interruption is None:
            return str(self.outcome)
        text = f"{self.interruption} {self.step or self.interruption.at}"
        if self.repeated is not None:
            text += ", repeated"
        if self.power_cut:
            text += ", the power cut"
        return "\n".join([text, str(self.outcome), *filter(None, [self.repeated and
                                                                  str(self.repeated)])])

    __repr__ = __str__


class Recorder:
    """Runs commands with all they do below `root` recorded."""

    def __init__(self, varve, library, root, folder):
        self._varve = varve
        self._library = library
        self._root = Path(root)
        self._folder = Path(folder)
        self._numbers = itertools.count(1)

    def run(self, arguments, interruption=None, *, hiccups=False):
        """With `hiccups`, every write is first interrupted and then cut short."""
        folder = self._folder / f"recording-{next(self._numbers)}"
        (folder / "stash").mkdir(parents=True)
        settings = {"ROOT": self._root, "LOG": folder / "log", "STASH": folder / "stash"}
        if interruption is not None:
            settings |= {"AT": interruption.at, "ACTION": interruption.action,
                         "ERRNO": interruption.error}
        if hiccups:
            settings["HICCUPS"] = 1
        outcome = self.varve(**settings).run(*arguments)
        return Recording(outcome, _read(folder), interruption)

    def varve(self, **settings):
        """The command, with the library told these settings; without any, it spares the fsyncs."""
        # What a killed command leaves in TMPDIR is seen, and removed with the rest.
        return self._varve.with_environment({
            "LD_PRELOAD": str(self._library), "TMPDIR": str(self._root),
            **{f"FILE_STEPS_{name}": str(value) for name, value in settings.items()}})

    def forget(self):
        """Frees what earlier recordings keep."""
        if self._folder.exists():
            shutil.rmtree(self._folder)


def _read(folder):
    log = folder / "log"
    lines = os.fsdecode(log.read_bytes()).split("\n") if log.exists() else []
    steps = []
    for line in filter(None, lines):
        number, call, error, inode, size, offset, path, other = line.split("\t")
        steps.append(Step(int(number), call, int(error), int(inode), int(size), int(offset), path,
                          other, folder / "stash" / number))
    return steps
