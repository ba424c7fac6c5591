"""Runs the varve command as a user would, and measures what it needed."""

import json
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from support.remotes import FileRemote

TIMEOUT = 600


class VarveError(Exception):
    pass


@dataclass(repr=False)
class Outcome:
    arguments: list
    code: int  # negative: ended by that signal
    stdout: str
    stderr: str
    peak_memory: int  # bytes resident at most; what the Python process itself had is included

    @property
    def text(self):
        return self.stdout + self.stderr

    def document(self):
        """The one JSON document that --json prints; anything more or less is an error."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise VarveError(f"{self}: stdout is not one JSON document: {error}") from error

    def __str__(self):
        return (f"varve {' '.join(self.arguments)} -> {self.code}\n"
                f"--- stdout\n{self.stdout[-4000:]}\n--- stderr\n{self.stderr[-4000:]}")

    __repr__ = __str__


class Process:
    """A running varve command; its output is collected while it runs."""

    def __init__(self, command, environment, run_as):
        self._arguments = command[1:]
        self._popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd="/", env=environment, **run_as)
        self._output = {"out": [], "err": []}
        self._readers = [
            threading.Thread(target=self._read, args=(name, pipe), daemon=True)
            for name, pipe in (("out", self._popen.stdout), ("err", self._popen.stderr))]
        for reader in self._readers:
            reader.start()

    def _read(self, name, pipe):
        for line in pipe:
            self._output[name].append(line)
        pipe.close()

    def _text(self, name):
        return b"".join(self._output[name]).decode(errors="replace")

    @property
    def log(self):
        """What stands on stderr by now."""
        return self._text("err")

    @property
    def output(self):
        """What stands on stdout by now."""
        return self._text("out")

    @property
    def pid(self):
        return self._popen.pid

    def is_running(self):
        """Without taking the exit status, which is for wait()."""
        if self._popen.returncode is not None:
            return False
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        # Not Popen.kill: it would take the exit status of a process that has just ended, and its
        # resource usage with it.
        if self._popen.returncode is None:
            os.kill(self._popen.pid, signal.SIGKILL)

    def wait(self, timeout=TIMEOUT):
        """Waits for the end, by wait4, which also tells the peak memory of just this process."""
        timer = threading.Timer(timeout, self.kill)
        timer.daemon = True  # An interruption must not wait for it.
        timer.start()
        try:
            _, status, usage = os.wait4(self._popen.pid, 0)
        finally:
            timer.cancel()
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        for reader in self._readers:
            reader.join()
        return Outcome(self._arguments, self._popen.returncode, self._text("out"),
                       self._text("err"), usage.ru_maxrss * 1024)


class Varve:
    """The binary, with the same options for every command."""

    def __init__(self, binary, *, run_as=None, environment=None):
        self.binary = str(Path(binary).absolute())
        self._run_as = run_as or {}
        self.environment = environment or {}

    def with_environment(self, environment):
        """The same binary, given these variables too."""
        return Varve(self.binary, run_as=self._run_as,
                     environment=self.environment | environment)

    def sibling(self, name):
        """Another program of the build, run in the same way."""
        return Varve(Path(self.binary).parent / name, run_as=self._run_as,
                     environment=self.environment)

    def start(self, *arguments, keep_environment=False):
        """Starts a command; settings in the environment reach it only with `keep_environment`."""
        environment = {name: value for name, value in os.environ.items()
                       if keep_environment or not name.startswith(("VARVE_", "AWS_"))}
        return Process([self.binary, *map(str, arguments)], environment | self.environment,
                       self._run_as)

    def run(self, *arguments):
        """Runs to the end, whatever the exit code."""
        return self.start(*arguments).wait()

    def succeed(self, *arguments):
        outcome = self.run(*arguments)
        if outcome.code != 0:
            raise VarveError(str(outcome))
        return outcome

    def json(self, *arguments):
        """Runs with --json; gives what the document holds."""
        return self.succeed(*arguments, "--json").document()


class Server:
    """A work directory and its remote storage: a FileRemote, an S3Remote, or the path of a directory."""

    def __init__(self, varve, workdir, storage):
        self.workdir = Path(workdir)
        self.storage = FileRemote(storage) if isinstance(storage, (str, Path)) else storage
        self.varve = varve.with_environment(self.storage.environment)

    @classmethod
    def init(cls, varve, folder, storage=None):
        """A new work directory in `folder`, and a new directory as remote storage unless one is given."""
        folder = Path(folder)
        server = cls(varve, folder / "work", storage or folder / "remote")
        server.succeed("init", "--remote", server.remote)
        return server

    @property
    def remote(self):
        """The URL of the remote storage."""
        return self.storage.url

    @property
    def remote_folder(self):
        return self.storage.folder

    def start(self, *arguments):
        return self.varve.start(*arguments, "--workdir", self.workdir)

    def run(self, *arguments):
        return self.varve.run(*arguments, "--workdir", self.workdir)

    def succeed(self, *arguments):
        return self.varve.succeed(*arguments, "--workdir", self.workdir)

    def json(self, *arguments):
        return self.varve.json(*arguments, "--workdir", self.workdir)

    def create_tenant(self, name):
        return self.json("tenant", "create", "--name", name)

    def start_import(self, tenant, name, pgdata):
        return self.start("timeline", "import", tenant, "--name", name, "--pgdata", pgdata,
                          "--json")

    def try_import(self, tenant, name, pgdata):
        return self.start_import(tenant, name, pgdata).wait()

    def import_cluster(self, tenant, name, pgdata):
        """A successful import; gives the timeline it made."""
        outcome = self.try_import(tenant, name, pgdata)
        if outcome.code != 0:
            raise VarveError(str(outcome))
        return outcome.document()

    def timelines(self, tenant):
        return self.json("timeline", "list", tenant)

    def puts(self):
        return self.json("status")["requests"]["put"]

    def restore_from_remote(self, timeline, to):
        """The disaster path: nothing but the remote storage is used."""
        return self.varve.run("restore", timeline, "--remote", self.remote, "--to", to)
