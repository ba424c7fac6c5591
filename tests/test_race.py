"""Two work directories that both want a tenant: every commit has one winner, and the loser is told."""

import shutil

import pytest

from conftest import new_remote
from support.varve import Server


class Race:
    """Two servers of one tenant, and what either was told is in the remote storage."""

    def __init__(self, varve, folder, remote, pgdata):
        self.pgdata = pgdata
        first = Server.init(varve, folder / "first", remote)
        first.create_tenant("acme")
        self.servers = [first, Server.init(varve, folder / "second", remote)]
        self.acknowledged = set()

    def start_attach(self, server):
        return server.start("tenant", "attach", "acme", "--json")

    def finish_import(self, name, process):
        """Whether it was done; else it must say why not."""
        outcome = process.wait()
        if outcome.code == 0:
            self.acknowledged.add(name)
            return True
        assert_fenced(outcome)
        return False

    def settle(self, number):
        """After all is quiet: one of the two owns the tenant, and nothing acknowledged is lost."""
        won = [server for index, server in enumerate(self.servers)
               if self.finish_import(f"settled-{number}-{index}", server.start_import(
                   "acme", f"settled-{number}-{index}", self.pgdata))]
        assert len(won) == 1, f"round {number}: {len(won)} of two servers could write"
        for server in self.servers:
            assert server.json("tenant", "show", "acme")["owned"] is (server is won[0])
        listed = {timeline["name"] for timeline in won[0].timelines("acme")}
        assert listed == self.acknowledged, f"round {number}"
        for name in sorted(self.acknowledged):
            won[0].succeed("timeline", "delete", f"acme/{name}")
        self.acknowledged.clear()
        return won[0]


def assert_fenced(outcome):
    assert outcome.code == 1, outcome
    assert "taken over" in outcome.stderr or "varve tenant attach" in outcome.stderr, outcome
    assert "(Conflict)" in outcome.stderr, outcome


@pytest.fixture(name="rounds")
def fixture_rounds(request):
    # Two tests, two kinds of storage.
    return range(request.config.getoption("--race-rounds") // 4)


@pytest.fixture(name="race", params=["file", "s3"])
def fixture_race(request, varve, fast_folder, tiny):
    folder = fast_folder / f"race-{request.param}"
    folder.mkdir()
    with new_remote(request, request.param, folder) as remote:
        race = Race(varve, folder, remote, tiny)
        yield race
        race.servers[0].varve.succeed("remote", "verify", "--deep", "--remote", remote.url)
    shutil.rmtree(folder)


def test_two_that_attach_at_the_same_moment_leave_one_owner(race, rounds):
    for number in rounds:
        for process in [race.start_attach(server) for server in race.servers]:
            outcome = process.wait()
            if outcome.code != 0:
                assert_fenced(outcome)
        race.settle(number)


def test_an_owner_that_writes_while_it_is_replaced_is_done_or_fenced(race, rounds, chance):
    owner, other = race.servers
    for number in rounds:
        name = f"moving-{number}"
        processes = [("write", owner), ("attach", other)]
        chance.shuffle(processes)  # Who is started first is a millisecond ahead.
        started = {what: race.start_attach(server) if what == "attach"
                   else server.start_import("acme", name, race.pgdata)
                   for what, server in processes}
        race.finish_import(name, started["write"])
        attached = started["attach"].wait()
        if attached.code != 0:
            # Overtaken by the owner's own commit: then the owner has remained the owner.
            assert_fenced(attached)
        winner = race.settle(number)
        assert winner is (other if attached.code == 0 else owner), f"round {number}\n{attached}"
        owner, other = winner, owner if winner is other else other
