"""A command that ends at any of its steps leaves everything or nothing, and can be repeated.

A step is a call that changes a file. A command is run once undisturbed to count its steps, then over and
over from the same state: killed at one of them, its power cut, or the call failing. By default some
steps are drawn; --every-step tries them all.
"""

import errno
import os
import shutil

import pytest

from conftest import new_remote
from support import power_loss
from support.file_steps import Interruption
from support.scenarios import CHANGES, SCENARIOS, ImportIntoPacks, Stage

# What differs with the kind of storage; the steps are those on the local disk.
ON_S3 = ["import into packs on s3", "delete on s3", "upload on s3", "restore from the remote on s3"]


@pytest.fixture(name="scenario", params=[*SCENARIOS, *ON_S3])
def fixture_scenario(request, varve, library, fast_folder):
    name, _, storage = request.param.partition(" on ")
    folder = fast_folder / "scenario"
    root = folder / "stage"
    root.mkdir(parents=True)
    kind = SCENARIOS[name]
    pgdata = request.getfixturevalue("large" if kind is ImportIntoPacks else "tiny")
    with new_remote(request, storage or "file", root) as remote:
        yield kind(Stage(varve, library, root, remote), pgdata)
    shutil.rmtree(folder)


def without_repetitions(steps):
    """Of a file written in many pieces the first, the middle and the last stand for the others."""
    runs = []
    for step in steps:
        if runs and step.call == "write" and (runs[-1][0].call, runs[-1][0].path) == (
                "write", step.path):
            runs[-1].append(step)
        else:
            runs.append([step])
    return [run[place] for run in runs for place in sorted({0, len(run) // 2, len(run) - 1})]


class Draw:
    """Which steps to try, and how: all with --every-step, otherwise some that chance picks."""

    def __init__(self, config, chance):
        self._every = config.getoption("--every-step")
        self._rounds = config.getoption("--crash-rounds")
        self._chance = chance

    def steps(self, scenario, share=1.0):
        """Steps of the scenario's command, spread evenly; each with whether to check it thoroughly."""
        steps = without_repetitions(scenario.stage.steps_of(scenario.command))
        count = len(steps)
        if not self._every:
            count = min(count, max(1, int(share * scenario.share * self._rounds)))
        bounds = [place * len(steps) // count for place in range(count + 1)]
        return [(steps[self._chance.randrange(first, end)], self._chance.randrange(6) == 0)
                for first, end in zip(bounds, bounds[1:])]

    def ways(self, scenario, ways):
        return ways if self._every and scenario.every_way else [self._chance.choice(ways)]


@pytest.fixture(name="draw")
def fixture_draw(pytestconfig, chance):
    return Draw(pytestconfig, chance)


def cut_power(scenario, when, *more, keep_names=False):
    when.power_cut = True
    steps = [step for recording in (when, *more) for step in recording.steps]
    power_loss.cut_power(scenario.stage.root, steps, keep_names=keep_names)


def kills_at(step):
    """The ways for a process to end at a step: what is done, and whether the power is cut with it;
    then, whether names are there that were not synced."""
    kills = [("before", None), ("after", None), ("before", False), ("before", True)]
    return kills + ([("torn", None)] if step.call == "write" and step.size > 1 else [])


def test_a_command_that_ends_at_any_step_leaves_all_or_nothing(scenario, draw):
    for step, thorough in draw.steps(scenario):
        for action, keep_names in draw.ways(scenario, kills_at(step)):
            when = scenario.stage.attempt(scenario.command, Interruption(step.number, action))
            assert when.outcome.code == -9, when
            if keep_names is not None:
                cut_power(scenario, when, keep_names=keep_names)
            scenario.check(when, thorough)


@pytest.mark.parametrize("scenario", CHANGES, indirect=True)
def test_what_is_done_after_a_kill_outlives_a_power_cut(scenario, draw):
    """A process that is killed leaves names and contents that are not durable yet. Whatever builds on
    them later must make them so."""
    for step, thorough in draw.steps(scenario, 0.25):
        when = scenario.stage.attempt(scenario.command, Interruption(step.number, "before"))
        assert when.outcome.code == -9, when
        repeated = scenario.stage.again(scenario.command)
        when.repeated = repeated.outcome
        cut_power(scenario, when, repeated)
        scenario.check(when, thorough)


FAILURES = {("fail", errno.EIO): "(Unavailable)", ("full", errno.ENOSPC): "(Exhausted)"}


def test_a_call_that_fails_at_any_step_is_named_and_leaves_all_or_nothing(scenario, draw):
    for step, thorough in draw.steps(scenario, 0.3):
        for action, error in draw.ways(scenario, list(FAILURES)):
            interruption = Interruption(step.number, action, error)
            when = scenario.stage.attempt(scenario.command, interruption)
            assert when.outcome.code in (0, 1), when
            if when.outcome.code == 0:
                # It did without, or tried again: then it has made up for all that failed.
                cut_power(scenario, when)
            else:
                assert_explained(when, error, FAILURES[action, error])
            scenario.check(when, thorough)


def assert_explained(when, error, kind):
    """The reason, the kind that docs/operations.md lists, and the path of a step that failed."""
    text = when.outcome.stderr
    assert os.strerror(error) in text and kind in text, str(when)
    paths = set()
    for step in when.steps:
        if step.error == error:
            paths |= {step.path, step.other}
            # Of a tree that is removed, the tree.
            paths |= {os.path.dirname(step.path)} if step.call in ("unlink", "rmdir") else set()
            # Of a file whose name is gone while it is in use, that name.
            paths |= {step.path.removesuffix(" (deleted)")}
    assert any(path and path in text for path in paths), str(when)


@pytest.mark.parametrize("scenario", ["delete"], indirect=True)
@pytest.mark.parametrize("command, stays", [("timeline delete acme/doomed", ".sst"),
                                            ("tenant delete acme", "/timelines")])
def test_a_deletion_holds_where_a_local_file_cannot_be_removed(scenario, command, stays):
    stage = scenario.stage
    command = [*command.split(), "--workdir", stage.server.workdir]
    removals = [step.number for step in stage.steps_of(command)
                if step.call in ("unlink", "rmdir") and step.path.endswith(stays)]
    for number in {removals[0], removals[-1]}:
        when = stage.attempt(command, Interruption(number, "fail", errno.EIO))
        assert when.outcome.code == 0, when
        warnings = [line for line in when.outcome.stderr.splitlines() if " warning " in line]
        assert len(warnings) == 1, when
        assert "was deleted" in warnings[0] and os.strerror(errno.EIO) in warnings[0], when
        # A directory may list its files in another order than before.
        path = when.step.path
        assert os.path.exists(path), when
        # The next start frees it.
        listed = stage.server.json("tenant", "list")
        assert len(listed) == (0 if "tenant" in command else 1), when
        assert not os.path.exists(path), when


@pytest.mark.parametrize("scenario", ["import into packs", "download", "restore from the remote"],
                         indirect=True)
def test_interrupted_and_short_writes_are_survived(scenario):
    when = scenario.stage.attempt(scenario.command, hiccups=True)
    assert when.outcome.code == 0, when
    scenario.check(when, thorough=True)
