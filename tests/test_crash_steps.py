"""A command that ends at any of its steps leaves everything or nothing, and can be repeated.

A step is a call that changes a file. A command is run once undisturbed to count its steps, then over and
over from the same state: killed at one of them, its power cut, or the call failing. By default some
steps are drawn; --every-step tries them all.
"""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from conftest import copy_tree, start_on
from support import file_steps, noise, postgres, power_loss, trees
from support.file_steps import Interruption
from support.postgres import Cluster
from support.varve import Server

# Room for the stages of one test; on a disk they take several times as long.
ROOM_IN_MEMORY = 2**30
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module", name="fast_folder")
def fixture_fast_folder():
    """In memory where there is room. Nothing here rests on a disk: power cuts are played."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="varve-", dir=MEMORY if roomy else None))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", name="library")
def fixture_library(fast_folder):
    return file_steps.compile_library(fast_folder)


@pytest.fixture(scope="module", name="tiny")
def fixture_tiny(fast_folder):
    """The data directory of a cluster with a single database."""
    cluster = Cluster.create(fast_folder / "tiny")
    with cluster.running():
        cluster.sql("UPDATE pg_database SET datistemplate = false WHERE datname <> 'postgres'")
        for name in ("template0", "template1"):
            cluster.sql(f"DROP DATABASE {name}")
    return cluster.pgdata


@pytest.fixture(scope="module", name="large")
def fixture_large(fast_folder):
    """The data directory of a cluster that does not fit into one archive."""
    cluster = Cluster.create(fast_folder / "large", settings=noise.SETTINGS)
    with cluster.running():
        noise.fill(cluster, 34 * 2**20)
    return cluster.pgdata


class Stage:
    """A work directory and its remote storage that are put back before each attempt."""

    def __init__(self, varve, library, folder):
        self.root = folder / "stage"
        self.root.mkdir(mode=0o755)
        self._kept = folder / "kept"
        self._recorder = file_steps.Recorder(varve, library, self.root, folder / "recordings")
        self.varve = self._recorder.varve()
        self.server = Server(self.varve, self.root / "work", self.root / "remote")

    def keep(self):
        """From now on every attempt starts from the present state."""
        trees.remove(self._kept)
        copy_tree(self.root, self._kept)

    def attempt(self, command, interruption=None, **options):
        trees.remove(self.root)
        copy_tree(self._kept, self.root)
        self._recorder.forget()
        return self._recorder.run(command, interruption, **options)

    def again(self, command):
        """Goes on where the last attempt ended."""
        return self._recorder.run(command)

    def steps_of(self, command):
        recording = self.attempt(command)
        assert recording.outcome.code == 0, recording
        assert recording.steps, "not a single step was counted"
        return recording.steps

    def assert_verified(self, when):
        outcome = self.varve.run("remote", "verify", "--deep", "--json", "--remote",
                                 self.server.remote)
        assert outcome.code == 0, f"{when}\n{outcome}"
        kinds = {finding["kind"] for finding in outcome.document()["findings"]}
        assert kinds <= {"orphan"}, f"{when}\n{outcome}"

    def assert_restorable(self, timeline, expected, when):
        target = self.root / "restored"
        outcome = self.server.restore_from_remote(timeline, target)
        assert outcome.code == 0, f"{when}\n{outcome}"
        assert_same_forks(target, expected, when)
        trees.remove(target)


def assert_same_forks(target, expected, when):
    same = trees.main_forks(target) == expected  # Apart: the difference would be a long text.
    assert same, when


class Scenario:
    """A command, the state it starts from, and what must hold however it ended."""

    # At how many steps it ends in a normal run, for each of --crash-rounds.
    share = 0.8
    # With --every-step, whether it ends in every way at each step, or in one that is drawn.
    every_way = True

    def __init__(self, stage, pgdata):
        self.stage = stage
        self.server = stage.server
        self.pgdata = pgdata
        self.forks = trees.main_forks(pgdata)
        self.prepare()
        stage.keep()

    def prepare(self):
        self.server.succeed("init", "--remote", self.server.remote)
        self.server.create_tenant("acme")

    @property
    def command(self):
        """Its arguments."""
        raise NotImplementedError

    def check(self, when, thorough):
        """`when` is the Recording of what happened."""
        raise NotImplementedError

    def names(self):
        return [timeline["name"] for timeline in self.server.timelines("acme")]


class Init(Scenario):
    share = 3

    def prepare(self):
        pass

    @property
    def command(self):
        return ["init", "--workdir", self.server.workdir, "--remote", self.server.remote]

    def check(self, when, thorough):
        again = self.stage.varve.run(*self.command)
        if (self.server.workdir / "varve.toml").exists() and again.code != 0:
            assert "already" in again.stderr, f"{when}\n{again}"
        else:
            assert again.code == 0 and not when.acknowledged, f"{when}\n{again}"
        self.server.create_tenant("acme")
        assert [tenant["name"] for tenant in self.server.json("tenant", "list")] == ["acme"], when


class CreateTenant(Scenario):
    share = 1.5

    @property
    def command(self):
        return ["tenant", "create", "--name", "new", "--workdir", self.server.workdir]

    def check(self, when, thorough):
        self.stage.assert_verified(when)
        names = [tenant["name"] for tenant in self.server.json("tenant", "list")]
        assert "new" in names or not when.acknowledged, when
        again = self.stage.varve.run(*self.command)
        assert again.code == (1 if "new" in names else 0), f"{when}\n{again}"
        names = [tenant["name"] for tenant in self.server.json("tenant", "list")]
        assert sorted(names) == ["acme", "new"], when
        # Whoever sees the remote storage alone sees the same.
        other = Server(self.stage.varve, self.stage.root / "other", self.server.remote_folder)
        other.succeed("init", "--remote", other.remote)
        names = [tenant["name"] for tenant in other.json("tenant", "list")]
        assert sorted(names) == ["acme", "new"], when
        if thorough:
            self.server.import_cluster("new", "main", self.pgdata)
            self.stage.assert_restorable("new/main", self.forks, when)
        self.stage.assert_verified(when)


class Import(Scenario):
    def prepare(self):
        super().prepare()
        self.server.import_cluster("acme", "old", self.pgdata)

    @property
    def command(self):
        return ["timeline", "import", "acme", "--name", "new", "--pgdata", self.pgdata,
                "--workdir", self.server.workdir]

    def check(self, when, thorough):
        self.stage.assert_verified(when)
        # First who knows nothing but the remote storage, then the work directory.
        target = self.stage.root / "restored"
        restored = self.server.restore_from_remote("acme/new", target)
        if restored.code == 0:
            assert_same_forks(target, self.forks, when)
            trees.remove(target)
        else:
            assert "NotFound" in restored.stderr and not target.exists(), f"{when}\n{restored}"
        timelines = {timeline["name"]: timeline for timeline in self.server.timelines("acme")}
        assert ("new" in timelines) == (restored.code == 0), when
        assert "new" in timelines or not when.acknowledged, when
        for timeline in timelines.values():
            assert timeline["state"] in ("Ready", "CloudOnly"), f"{when}\n{timeline}"
            assert timeline["remote_consistent_lsn"] == timeline["last_record_lsn"], when

        again = self.stage.varve.run(*self.command)
        assert again.code == (1 if "new" in timelines else 0), f"{when}\n{again}"
        assert sorted(self.names()) == ["new", "old"], when
        self.stage.assert_verified(when)
        if thorough:
            self.stage.assert_restorable("acme/new", self.forks, when)
            self.stage.assert_restorable("acme/old", self.forks, when)


class ImportIntoPacks(Import):
    share = 0.35

    def prepare(self):
        Scenario.prepare(self)  # Nothing old: it would only have to be copied each time.

    def check(self, when, thorough):
        self.stage.assert_verified(when)
        before = self.names()
        assert before == ["new"] or (before == [] and not when.acknowledged), when
        again = self.stage.varve.run(*self.command)
        assert again.code == (1 if before else 0), f"{when}\n{again}"
        assert self.names() == ["new"], when
        assert list(self.server.remote_folder.rglob("*.pack")), "no pack was needed"
        self.stage.assert_verified(when)
        if thorough:
            self.stage.assert_restorable("acme/new", self.forks, when)


class Delete(Scenario):
    def prepare(self):
        super().prepare()
        self.server.import_cluster("acme", "old", self.pgdata)
        self.server.import_cluster("acme", "doomed", self.pgdata)

    @property
    def command(self):
        return ["timeline", "delete", "acme/doomed", "--workdir", self.server.workdir]

    def check(self, when, thorough):
        self.stage.assert_verified(when)
        if "doomed" in self.names():
            assert not when.acknowledged, when
            if thorough:
                self.stage.assert_restorable("acme/doomed", self.forks, when)
            self.server.succeed("timeline", "delete", "acme/doomed")
        assert self.names() == ["old"], when
        # Whoever sees the remote storage alone sees the same.
        gone = self.server.restore_from_remote("acme/doomed", self.stage.root / "restored")
        assert gone.code == 1 and "NotFound" in gone.stderr, f"{when}\n{gone}"
        if thorough:
            self.server.import_cluster("acme", "doomed", self.pgdata)
            self.stage.assert_restorable("acme/doomed", self.forks, when)
            self.stage.assert_restorable("acme/old", self.forks, when)
        self.stage.assert_verified(when)


class Upload(Scenario):
    """A timeline made while no remote storage was configured goes there."""

    def prepare(self):
        self.server.succeed("init")
        self.server.create_tenant("acme")
        self.lsn = self.server.import_cluster("acme", "main", self.pgdata)["last_record_lsn"]
        self.server.remote_folder.mkdir()

    @property
    def command(self):
        return ["wait", "acme/main", "--lsn", self.lsn, "--for", "remote", "--timeout", "60",
                "--workdir", self.server.workdir, "--remote", self.server.remote]

    def check(self, when, thorough):
        self.stage.assert_verified(when)
        timeline, = self.server.json("timeline", "list", "acme", "--remote", self.server.remote)
        assert timeline["state"] == "Ready", f"{when}\n{timeline}"
        if timeline["remote_consistent_lsn"] == self.lsn:
            self.stage.assert_restorable("acme/main", self.forks, when)
        else:
            assert timeline["remote_consistent_lsn"] == "0/0", f"{when}\n{timeline}"
            assert not when.acknowledged, when
        again = self.stage.varve.run(*self.command)
        assert again.code == 0, f"{when}\n{again}"
        self.stage.assert_verified(when)
        if thorough:
            self.stage.assert_restorable("acme/main", self.forks, when)


class Download(Upload):
    """A work directory put back from an old copy, behind the remote storage and without its layers,
    fetches what it lacks."""

    def prepare(self):
        super().prepare()
        copy = copy_tree(self.server.workdir, self.stage.root / "copy")
        self.stage.varve.succeed(*Upload.command.fget(self))
        trees.remove(self.server.workdir)
        copy.rename(self.server.workdir)
        layers = list(self.server.workdir.rglob("*.sst"))
        self.layers = {layer: trees.digest(layer) for layer in layers}
        for layer in layers:
            layer.unlink()
        timeline, = self.server.json("timeline", "list", "acme", "--remote", self.server.remote)
        assert timeline["state"] == "AwaitsDownload", timeline

    @property
    def command(self):
        return ["timeline", "checkpoint", "acme/main", "--workdir", self.server.workdir,
                "--remote", self.server.remote]

    def check(self, when, thorough):
        timeline, = self.server.json("timeline", "list", "acme", "--remote", self.server.remote)
        assert timeline["remote_consistent_lsn"] == self.lsn, f"{when}\n{timeline}"
        # Whatever stands under the name of a layer is whole, even before the download is.
        present = {layer: trees.digest(layer) for layer in self.layers if layer.exists()}
        assert present.items() <= self.layers.items(), when
        assert present == self.layers or timeline["state"] != "Ready", when
        assert timeline["state"] == "Ready" or not when.acknowledged, when
        again = self.stage.varve.run(*self.command)
        assert again.code == 0, f"{when}\n{again}"
        assert {layer: trees.digest(layer) for layer in self.layers} == self.layers, when
        if thorough:
            self.stage.assert_restorable("acme/main", self.forks, when)
            self.server.succeed("restore", "acme/main", "--to", self.stage.root / "local")
            assert_same_forks(self.stage.root / "local", self.forks, when)


class Restore(Scenario):
    every_way = False  # A thousand files, written one like the other.

    def prepare(self):
        super().prepare()
        self.server.import_cluster("acme", "main", self.pgdata)
        self.folder = self.stage.root / "restores"
        self.folder.mkdir()
        self.target = self.folder / "data"

    @property
    def source(self):
        return ["--workdir", self.server.workdir]

    @property
    def command(self):
        return ["restore", "acme/main", "--to", self.target, *self.source]

    def check(self, when, thorough):
        control = self.target / "global" / "pg_control"
        if control.exists() and control.stat().st_size > 0:
            assert_same_forks(self.target, self.forks, when)
            if thorough:
                with start_on(self.target) as cluster:
                    cluster.sql("SELECT count(*) FROM pg_class")
        else:
            assert not when.acknowledged, when
            assert when.outcome.code < 0 or not self.target.exists(), when
            if thorough and self.target.exists():
                with pytest.raises(postgres.PostgresError):
                    with start_on(self.target):
                        pass
        # All that may lie beside it, and with the temporary files.
        for path in [*self.folder.iterdir(), *self.stage.root.iterdir()]:
            assert path.name in ("data", "work", "remote", "restores", "data.log") or (
                path.name.startswith((".varve-scratch-", "varve-", "s54"))), f"{when}\n{path}"
        trees.remove(self.target)
        again = self.stage.varve.run(*self.command)
        assert again.code == 0, f"{when}\n{again}"
        assert_same_forks(self.target, self.forks, when)


class RestoreFromRemote(Restore):
    @property
    def source(self):
        return ["--remote", self.server.remote]


CHANGES = {"init": Init, "tenant create": CreateTenant, "import": Import,
           "import into packs": ImportIntoPacks, "delete": Delete, "upload": Upload,
           "download": Download}
RESTORES = {"restore": Restore, "restore from the remote": RestoreFromRemote}
SCENARIOS = CHANGES | RESTORES


@pytest.fixture(name="scenario", params=SCENARIOS)
def fixture_scenario(request, varve, library, fast_folder):
    folder = fast_folder / "scenario"
    folder.mkdir()
    kind = SCENARIOS[request.param]
    pgdata = request.getfixturevalue("large" if kind is ImportIntoPacks else "tiny")
    yield kind(Stage(varve, library, folder), pgdata)
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
    assert os.strerror(error) in text and kind in text, when
    paths = set()
    for step in when.steps:
        if step.error == error:
            paths |= {step.path, step.other}
            # Of a tree that is removed, the tree.
            paths |= {os.path.dirname(step.path)} if step.call in ("unlink", "rmdir") else set()
    assert any(path and path in text for path in paths), when


@pytest.mark.parametrize("scenario", ["import into packs", "download", "restore from the remote"],
                         indirect=True)
def test_interrupted_and_short_writes_are_survived(scenario):
    when = scenario.stage.attempt(scenario.command, hiccups=True)
    assert when.outcome.code == 0, when
    scenario.check(when, thorough=True)
