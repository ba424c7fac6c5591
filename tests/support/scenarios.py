"""Commands that are interrupted, the state they start from, and what must hold however they ended."""

import pytest

from support import file_steps, postgres, trees
from support.postgres import Cluster
from support.remotes import S3Remote
from support.trees import copy_tree
from support.varve import Server


class Stage:
    """A work directory and its remote storage that are put back before each attempt."""

    def __init__(self, varve, library, root, storage):
        """`storage` is a FileRemote in the folder `root`, or an S3Remote."""
        self.root = root
        self._kept = root.with_name("kept")
        self._stored = {}
        self._recorder = file_steps.Recorder(varve.with_environment(storage.environment), library,
                                             root, root.with_name("recordings"))
        self.varve = self._recorder.varve()
        self.server = Server(self.varve, root / "work", storage)

    def keep(self):
        """From now on every attempt starts from the present state."""
        trees.remove(self._kept)
        copy_tree(self.root, self._kept)
        if isinstance(self.server.storage, S3Remote):
            self._stored = self.server.storage.keep()

    def put_back(self):
        trees.remove(self.root)
        copy_tree(self._kept, self.root)
        if isinstance(self.server.storage, S3Remote):
            self.server.storage.put_back(self._stored)
        self._recorder.forget()

    def attempt(self, command, interruption=None, **options):
        self.put_back()
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
        other = Server.init(self.stage.varve, self.stage.root / "other", self.server.storage)
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
        keys = self.server.storage.objects()
        assert any(key.endswith(".pack") for key in keys), "no pack was needed"
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
        self.server.storage.make()

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
                with Cluster(self.target).running() as cluster:
                    cluster.sql("SELECT count(*) FROM pg_class")
        else:
            assert not when.acknowledged, when
            assert when.outcome.code < 0 or not self.target.exists(), when
            if thorough and self.target.exists():
                with pytest.raises(postgres.PostgresError):
                    with Cluster(self.target).running():
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
