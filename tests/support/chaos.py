"""What a test of chaos kills and brings back: a primary, the server that follows it, its storage."""

import contextlib
import http.client
import re
import threading
import time
from pathlib import Path

from support.daemon import Daemon, until
from support.operated_primary import children, try_to_kill
from support.postgres import PostgresError
from support.wal_records import parse_lsn


class PrimaryVictim:
    """See OperatedPrimary."""

    name = "primary"

    def __init__(self, primary):
        self._primary = primary

    def kill(self, chance):
        how = chance.choice(["all", "postmaster", "child"])
        match how:
            case "all":
                self._primary.kill_all()
            case "postmaster":
                self._primary.kill_postmaster()
            case "child":
                self._primary.kill_child(chance)
        return how

    def restart(self):
        if not self._primary.is_running():
            self._primary.start()
        until(self._primary.answers, "the primary answers")


class S3Victim:
    """A real S3 server, or some of the processes that it consists of."""

    name = "storage"

    def __init__(self, storage):
        self._server = storage.server

    def kill(self, chance):
        parts = chance.choice([("mon", "osd", "rgw"), ("rgw",), ("osd",)])
        self._server.kill(parts)
        return " ".join(parts)

    def restart(self):
        self._server.resume()


class DirectoryVictim:
    """A directory that goes away for a while, as one does that another machine serves."""

    name = "storage"

    def __init__(self, storage):
        self._folder = storage.folder
        self._away = storage.folder.with_name("away")

    def kill(self, _):
        self._folder.rename(self._away)
        return "taken away"

    def restart(self):
        assert not self._folder.exists(), "an empty storage was made in the place of the one gone"
        self._away.rename(self._folder)


class ServerVictim:
    """A server with its redo processes, which are killed now and then while it runs."""

    name = "server"

    def __init__(self, server, *options):
        self._server = server
        self._options = options
        self.daemon = None  # None while none runs.
        self.logs = []

    def start(self):
        daemon = Daemon(self._server, self._server.start("serve", "--listen", "127.0.0.1:0",
                                                         *self._options))
        daemon.wait_until_ready()
        self.daemon = daemon

    restart = start

    def kill(self, _):
        daemon, self.daemon = self.daemon, None
        assert daemon.process.is_running(), f"it ended by itself: {daemon.process.wait()}"
        daemon.process.kill()
        self.logs.append(daemon.process.wait().stderr)
        return ""

    def stop(self):
        """As an operator does; gives the outcome."""
        daemon, self.daemon = self.daemon, None
        outcome = daemon.stop()
        self.logs.append(outcome.stderr)
        return outcome

    def clean_up(self):
        if self.daemon is not None:
            self.kill(None)


def written_by(pid):
    """How many bytes a process has written: those of redo write pages, and hardly anything else."""
    try:
        return int(re.search(r"^wchar: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.M)[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Sniper:
    """Kills redo processes of commands and servers: one in any state, and later others that work.

    What one process dies at is done by another, and fails when three have died. So there is
    progress in between, however slow the machine is, and time: the other may first have to finish
    what it is at.
    """

    AT_FIRST = (0.05, 1)  # seconds
    THEN = (4, 8)
    PROGRESS = 50 * 8192  # bytes

    def __init__(self, chance):
        self._chance = chance
        self.kills = 0

    @contextlib.contextmanager
    def aiming(self, find_pid):
        """At the children of the process that `find_pid` gives, which may be None."""
        stopped = threading.Event()

        def shoot():
            pause = self.AT_FIRST
            written = None  # By each, at the last kill.
            while not stopped.wait(self._chance.uniform(*pause)):
                pid = find_pid()
                helpers = children(pid) if pid is not None else []
                targets = [helper for helper in helpers if written is None
                           or written_by(helper) - written.get(helper, 0) > self.PROGRESS]
                if targets:
                    written = {helper: written_by(helper) for helper in helpers}
                    try_to_kill(self._chance.choice(targets))
                    self.kills += 1
                    pause = self.THEN

        thread = threading.Thread(target=shoot)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


class Watch:
    """Hears what a server tells of a timeline, and what it confirms to the primary."""

    def __init__(self, victim, timeline, primary):
        self._victim = victim
        self._path = "/v1/tenants/{}/timelines/{}".format(*timeline.split("/"))
        self._primary = primary
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.remote = 0  # The highest LSN that was told to be remote.
        self.looks = 0
        self.wrong = []

    def _run(self):
        while not self._stopped.wait(0.2):
            with contextlib.suppress(OSError, http.client.HTTPException, PostgresError):
                self.look()

    def look(self):
        """Gives what the server tells; fails when it does not run."""
        daemon = self._victim.daemon
        if daemon is None:
            return None
        # In this order: what is confirmed has been remote before.
        try:
            confirmed = self._primary.sql("SELECT restart_lsn FROM pg_replication_slots")
        except PostgresError:
            confirmed = ""
        answer = daemon.get(self._path)
        assert answer.status == 200, answer
        shown = answer.json()
        self.remote = max(self.remote, parse_lsn(shown["remote_consistent_lsn"]))
        if confirmed and parse_lsn(confirmed) > self.remote:
            self.wrong.append(f"the primary need not keep WAL up to {confirmed}, and "
                              f"{shown['remote_consistent_lsn']} is remote")
        self.looks += 1
        return shown

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join()


class Chaos:
    """Kills its victims and brings them back, by turns."""

    def __init__(self, victims, chance):
        self._victims = {victim.name: victim for victim in victims}
        self._chance = chance
        self._down = set()
        self._start = time.monotonic()

    def _tell(self, what):
        print(f"{time.monotonic() - self._start:7.2f} {what}")

    def strike(self):
        """Kills one, or brings one back."""
        name = self._chance.choice(sorted(self._victims))
        if name not in self._down:
            self._kill(name)
        elif name != "server" or "storage" not in self._down:
            # A server does not start without its storage.
            self.restart(name)

    def lose_server(self):
        """The storage goes, the server at work a bit later, and only the storage comes back."""
        self.restart("storage", "primary", "server")
        for name in ("storage", "server"):
            time.sleep(self._chance.uniform(0.5, 3))
            self._kill(name)
        self.restart("storage")

    def restart(self, *names):
        """Those of them that are down."""
        for name in names:
            if name in self._down:
                self._tell(f"restart {name}")
                self._victims[name].restart()
                self._down.remove(name)
                self._tell(f"{name} is back")

    def _kill(self, name):
        self._tell(f"kill {name} {self._victims[name].kill(self._chance)}")
        self._down.add(name)
