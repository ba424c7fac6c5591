"""kill -9 of a server under load: what it has told to be remote is there, and nothing is wrong."""

import shutil
import threading
import time

from conftest import on_both_remotes
from support.daemon import until

SEED = "7"
# Everything but the last checkpoint may go.
KEEP_LITTLE = ("--retention-hours", "0", "--retention-mib", "0")


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Fed:
    """A timeline acme/main whose content follows from its LSN: see tests/feeder."""

    def __init__(self, server):
        self.server = server
        self.feeder = server.varve.sibling("varve_feeder")
        self.options = ("--workdir", server.workdir, "--seed", SEED)
        self.feeder.succeed("create", "acme", "--name", "main", *self.options)

    def start(self):
        return self.feeder.start("serve", "acme/main", *self.options, "--listen", "127.0.0.1:0",
                                 "--rpo", "1", "--memory-limit-mib", "8", "--pause-micros", "500",
                                 *KEEP_LITTLE)

    def check(self):
        """That all of it is right; the last LSN that there is."""
        outcome = self.feeder.run("check", "acme/main", *self.options)
        assert outcome.code == 0, outcome
        return lsn(outcome.stdout.split()[-1])

    def start_anew(self):
        """With the remote storage alone."""
        shutil.rmtree(self.server.workdir)
        self.server.succeed("init", "--remote", self.server.remote)
        self.server.succeed("tenant", "attach", "acme")
        self.server.succeed("timeline", "prefetch", "acme/main")


class Disturber:
    """Asks a server for everything that changes layers, again and again."""

    def __init__(self, server, chance):
        self.server = server
        self.chance = chance
        self.branches = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stopped.wait(self.chance.uniform(0, 0.1)):
            name = f"branch-{time.monotonic_ns()}"
            command = self.chance.choice([
                ["timeline", "gc", "acme/main"], ["timeline", "drop-local", "acme/main"],
                ["timeline", "checkpoint", "acme/main"], ["timeline", "prefetch", "acme/main"],
                ["timeline", "branch", "acme/main", "--name", name]])
            outcome = self.server.run(*command)
            if command[1] == "branch" and outcome.code == 0:
                self.branches.append(name)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


@on_both_remotes
def test_a_fed_server_that_is_killed_has_what_it_told_to_be_remote(server, request, chance):
    fed = Fed(server)
    rounds = request.config.getoption("--kill-rounds")
    remote = fed.check()
    branches = []
    for number in range(rounds):
        process = fed.start()
        until(lambda: "feeding" in process.output, "the feeding")
        with Disturber(server, chance) as disturber:
            time.sleep(chance.uniform(0, 3))
            process.kill()
            outcome = process.wait()
        told = [lsn(line.split()[1]) for line in outcome.stdout.splitlines()
                if line.startswith("remote ")]
        remote = max([remote, *told])
        branches += disturber.branches
        story = f"round {number} of --seed {request.config.option.seed}: {outcome}"
        if number % 10 == rounds % 10 - 1:
            fed.start_anew()
        assert fed.check() >= remote, story
        there = {timeline["name"] for timeline in server.timelines("acme")}
        assert there >= {"main", *branches}, story
    # It was not idle all the time.
    assert remote > lsn("0/1000")


def test_a_timeline_that_is_fed_is_not_taken_away(server):
    fed = Fed(server)
    process = fed.start()
    until(lambda: "feeding" in process.output, "the feeding")
    for command in (["timeline", "delete", "acme/main"], ["tenant", "attach", "acme"],
                    ["tenant", "detach", "acme"], ["tenant", "delete", "acme"]):
        outcome = server.run(*command)
        assert outcome.code == 1 and "is being fed" in outcome.stderr, outcome
    shown = server.json("timeline", "show", "acme/main")
    reached = server.json("wait", "acme/main", "--lsn", shown["last_record_lsn"], "--for", "remote",
                          "--timeout", "60")
    assert lsn(reached["remote_consistent_lsn"]) >= lsn(shown["last_record_lsn"])
    process.kill()
    process.wait()
    assert fed.check() >= lsn(shown["last_record_lsn"])
