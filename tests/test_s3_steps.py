"""A command that is disturbed at any of its requests to S3 leaves everything or nothing.

A command is run once undisturbed to count its requests, then over and over from the same state: killed
before or after the server has carried one out, or with one that fails as networks and servers do, which
it must survive. By default some requests are drawn; --every-step tries them all in every way.
"""

import shutil
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from support import fault_proxy
from support.fault_proxy import FaultProxy
from support.remotes import S3Remote
from support.scenarios import SCENARIOS, ImportIntoPacks, Stage
from support.varve import Outcome

NAMES = ["tenant create", "import", "import into packs", "delete", "upload",
         "restore from the remote"]

FAILURES = {"the connection is reset": fault_proxy.reset,
            "the request breaks off": fault_proxy.break_upload,
            "the answer is lost": fault_proxy.lose_answer,
            "the answer breaks off": fault_proxy.break_answer,
            "the server asks to slow down": fault_proxy.slow_down}


def kill_before(process):
    def fault(exchange):
        process.result().kill()
        exchange.break_off()

    return fault


def kill_after(process):
    def fault(exchange):
        exchange.forward()
        process.result().kill()
        exchange.break_off()

    return fault


KILLS = {"killed before it was sent": kill_before, "killed once it was carried out": kill_after}


@dataclass(repr=False)
class Disturbed:
    """How a command ended that was disturbed at a request."""

    outcome: Outcome
    request: tuple
    way: str

    @property
    def acknowledged(self):
        return self.outcome.code == 0

    def __str__(self):
        return f"{self.way}: {' '.join(self.request)}\n{self.outcome}"

    __repr__ = __str__


@pytest.fixture(scope="module", name="proxy")
def fixture_proxy(s3):
    with FaultProxy(s3.settings.port) as proxy:
        yield proxy


@pytest.fixture(name="scenario", params=NAMES)
def fixture_scenario(request, varve, library, fast_folder, s3, proxy):
    folder = fast_folder / "scenario"
    root = folder / "stage"
    root.mkdir(parents=True)
    kind = SCENARIOS[request.param]
    pgdata = request.getfixturevalue("large" if kind is ImportIntoPacks else "tiny")
    remote = S3Remote(s3, endpoint=proxy.endpoint)
    yield kind(Stage(varve, library, root, remote), pgdata)
    remote.remove()
    shutil.rmtree(folder)


def requests_of(scenario, proxy):
    scenario.stage.put_back()
    proxy.restart_with(fault_proxy.pass_on)
    scenario.stage.varve.succeed(*scenario.command)
    assert proxy.requests
    return list(proxy.requests)


def run_disturbed(scenario, proxy, number, fault_of):
    """The outcome with the fault that `fault_of` makes for the process at this request."""
    scenario.stage.put_back()
    process = Future()
    proxy.restart_with(fault_proxy.at(number, fault_of(process)))
    process.set_result(scenario.stage.varve.start(*scenario.command))
    outcome = process.result().wait()
    proxy.restart_with(fault_proxy.pass_on)
    return outcome


def draw(pytestconfig, chance, requests, ways):
    """Numbers of requests, and in which of the ways each is disturbed."""
    pairs = [(number, way) for number in range(1, len(requests) + 1) for way in ways]
    if pytestconfig.getoption("--every-step"):
        return pairs
    return chance.sample(pairs, min(len(pairs), pytestconfig.getoption("--crash-rounds") // 2))


def test_a_command_killed_at_any_request_leaves_all_or_nothing(scenario, proxy, pytestconfig,
                                                               chance):
    requests = requests_of(scenario, proxy)
    for number, way in draw(pytestconfig, chance, requests, KILLS):
        outcome = run_disturbed(scenario, proxy, number, KILLS[way])
        when = Disturbed(outcome, requests[number - 1], way)
        assert outcome.code == -9, when
        scenario.check(when, thorough=chance.randrange(6) == 0)


def test_a_request_that_fails_is_repeated_and_nothing_happens_twice(scenario, proxy, pytestconfig,
                                                                    chance):
    requests = requests_of(scenario, proxy)
    undisturbed = sorted(map(shape_of, scenario.server.storage.objects()))
    for number, way in draw(pytestconfig, chance, requests, FAILURES):
        outcome = run_disturbed(scenario, proxy, number, lambda _, fault=FAILURES[way]: fault)
        when = Disturbed(outcome, requests[number - 1], way)
        assert outcome.code == 0, when
        assert sorted(map(shape_of, scenario.server.storage.objects())) == undisturbed, when
        scenario.check(when, thorough=chance.randrange(6) == 0)


def shape_of(key):
    """A key without what is random in it."""
    parts = key.split("/")
    name = parts[-1] if parts[-1].endswith(".archive") else parts[-1].split(".", 1)[1]
    return (len(parts), parts[2] if len(parts) > 2 else "", name)
