"""kill -9 of a primary, of the server that follows it, of its redo processes and of its storage, in any
order, while clients work: what was told to be remote is there, and is right at any LSN."""

import itertools
import shutil
import time

import pytest

from support.bank import Bank, Pgbench, check_balances, ledger
from support.chaos import (Chaos, DirectoryVictim, PrimaryVictim, S3Victim, ServerVictim, Sniper,
                           Watch)
from support.operated_primary import CommitLog, OperatedPrimary
from support.postgres import BIN_DIR, SYSTEM_USER, Cluster, give_to_postgres
from support.radosgw import Radosgw
from support.remotes import FileRemote, S3Remote
from support.varve import Server
from support.wal_records import lsn_text, parse_lsn

TIMELINE = "acme/main"
POSTGRES = ("--pg-bindir", BIN_DIR, "--pg-user", SYSTEM_USER)
# Much is small, so that much happens: checkpoints, compactions, images of pages.
SERVE = ("--rpo", "1", "--memory-limit-mib", "8", *POSTGRES)
SECONDS_BETWEEN_CHECKS = 20
# For all that has to come back by itself, with the pauses between its attempts.
PATIENCE = 180


@pytest.fixture(name="storage", params=["file", "s3"])
def fixture_storage(request, folder):
    """A storage that may be killed, and who does that."""
    if request.param == "file":
        remote = FileRemote(folder / "remote")
        yield remote, DirectoryVictim(remote)
        return
    server = Radosgw.start(folder / "s3", store="bluestore")
    try:
        remote = S3Remote(server)
        yield remote, S3Victim(remote)
    finally:
        server.kill()


class Checks:
    """Restores the timeline and compares it with what its primary has and had."""

    def __init__(self, server, victim, primary, bank, chance, folder):
        self.server = server
        self.victim = victim
        self.primary = primary
        self.bank = bank
        self.chance = chance
        self.sniper = Sniper(chance)
        self.commits = CommitLog(primary, folder / "wal")
        self._folders = (folder / f"restored{number}" for number in itertools.count())
        self.checked = 0

    def restore(self, *options, served=False):
        """Not disturbed by the death of a redo process. The data directory, and its LSN."""
        to = next(self._folders)
        command = ["restore", TIMELINE, "--to", to, "--json", *options]
        if served:  # The processes of the server are under fire all the time.
            outcome = self.server.run(*command)
        else:
            process = self.server.varve.start(*command, *POSTGRES, "--remote", self.server.remote)
            with self.sniper.aiming(lambda: process.pid):
                outcome = process.wait()
        assert outcome.code == 0, outcome
        return to, parse_lsn(outcome.document()["lsn"])

    def remote_alone(self, told, first, *, random):
        """At the LSN that was told last, and at some before."""
        points = [told, *(self.chance.randint(first, told) for _ in range(random))]
        restored = [self.restore("--lsn", lsn_text(lsn)) for lsn in points]
        for wanted, (_, lsn) in zip(points, restored):
            assert lsn <= wanted
        # What is told to be remote ends with a record.
        assert restored[0][1] == told
        self.are_right(restored)

    def are_right(self, restored):
        acknowledged = self.bank.acknowledged()
        there = ledger(self.primary)
        self.commits.read_on()
        assert there.keys() <= self.bank.attempted()
        assert not acknowledged.keys() - there.keys(), "the primary itself has lost transfers"
        for pgdata, lsn in restored:
            cluster = Cluster(pgdata)
            with cluster.running():
                self.is_right(cluster, lsn, there, acknowledged)
            log = cluster.log_text()
            assert "redo starts at" not in log and "was shut down at" in log, log
            shutil.rmtree(pgdata)

    def is_right(self, cluster, lsn, there, acknowledged):
        story = f"at {lsn_text(lsn)}"
        expected = {key: transfer for key, transfer in there.items()
                    if self.commits.ends[transfer.transaction] <= lsn}
        found = ledger(cluster)
        lost = sorted(key for key, end in acknowledged.items() if end <= lsn and key not in found)
        assert not lost, f"{story}: {len(lost)} that were acknowledged before: {lost[:10]}"
        missing = sorted(expected.keys() - found.keys())
        early = sorted(found.keys() - expected.keys())
        assert not missing, f"{story}: {len(missing)} committed before: {missing[:10]}"
        assert not early, f"{story}: {len(early)} committed later: {early[:10]}"
        assert found == expected, story
        check_balances(cluster, found.values())
        histories = Pgbench.check(cluster)
        print(f"        right {story}: {len(found)} transfers, {histories} of pgbench")
        self.checked += 1


def test_what_was_told_to_be_remote_survives_everything(varve, folder, storage, request, chance):
    remote, storage_victim = storage
    primary = OperatedPrimary.create_in(
        folder, settings={"full_page_writes": chance.choice(["on", "off"])})
    give_to_postgres(folder)
    server = Server.init(varve, folder, remote)
    server.create_tenant("acme")
    victim = ServerVictim(server, *SERVE)
    try:
        primary.start()
        bank, pgbench = Bank(primary), Pgbench(primary, "-c", "2", "-R", "100")
        victim.start()
        server.succeed("protect", "acme", "--name", "main", "--primary",
                       f"host={primary.socket_folder} port={primary.port} user=postgres")
        run(server, victim, storage_victim, primary, bank, pgbench, request, chance, folder)
    finally:
        victim.clean_up()
        primary.kill()


def run(server, victim, storage_victim, primary, bank, pgbench, request, chance, folder):
    checks = Checks(server, victim, primary, bank, chance, folder)
    first = parse_lsn(server.json("timeline", "show", TIMELINE)["oldest_lsn"])
    server.succeed("wait", TIMELINE, "--lsn", lsn_text(first), "--for", "remote", "--timeout", PATIENCE)
    chaos = Chaos([PrimaryVictim(primary), victim, storage_victim], chance)
    deadline = time.monotonic() + request.config.getoption("--chaos-seconds")
    next_check = time.monotonic() + SECONDS_BETWEEN_CHECKS
    of_the_server = Sniper(chance)
    try:
        bank.start()
        pgbench.start()
        watch = Watch(victim, TIMELINE, primary)
        watch.look()
        with (watch,
              of_the_server.aiming(lambda: victim.daemon and victim.daemon.process.pid)):
            while time.monotonic() < deadline:
                time.sleep(chance.uniform(0.1, 2.5))
                chaos.strike()
                assert not watch.wrong, watch.wrong
                if time.monotonic() > next_check:
                    chaos.lose_server()
                    checks.remote_alone(watch.remote, first, random=1)
                    chaos.restart("server")
                    checks.are_right([checks.restore(served=True)])
                    next_check = time.monotonic() + SECONDS_BETWEEN_CHECKS
            chaos.restart("storage", "primary", "server")
    finally:
        bank.stop()
        pgbench.stop()
    everything = primary.sql("SELECT pg_current_wal_flush_lsn()")
    server.succeed("wait", TIMELINE, "--lsn", everything, "--for", "remote", "--timeout", PATIENCE)
    watch.look()
    assert not watch.wrong, watch.wrong
    assert watch.remote >= parse_lsn(everything)
    checks.remote_alone(watch.remote, first, random=3)
    last, lsn = checks.restore()
    assert lsn >= watch.remote
    cluster = Cluster(last)
    with cluster.running():
        assert cluster.dump() == primary.dump()
        cluster.amcheck()
    assert of_the_server.kills > 0 and checks.sniper.kills > 0
    outcome = victim.stop()
    assert outcome.code == 0, outcome
    server.varve.succeed("remote", "verify", "--deep", "--remote", server.remote)
