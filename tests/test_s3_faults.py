"""An S3 server that stops, dies, refuses or breaks off: nothing is lost, and work goes on by itself."""

import shutil
import time
from dataclasses import dataclass

import pytest

from support import fault_proxy, trees
from support.fault_proxy import FaultProxy
from support.radosgw import Radosgw
from support.remotes import S3Remote
from support.varve import Server

TIMEOUT = 90  # seconds in which an upload must come to its end once the server is well again


@dataclass
class Pending:
    """A timeline that is only local yet, and a storage that it is to go to."""

    server: Server
    lsn: str
    forks: dict

    def wait(self, timeout=TIMEOUT, **environment):
        """Starts the sync loop and waits for the upload."""
        varve = self.server.varve.with_environment(environment)
        return varve.start("wait", "acme/main", "--lsn", self.lsn, "--for", "remote", "--timeout",
                           timeout, "--workdir", self.server.workdir, "--remote",
                           self.server.remote)

    def assert_not_remote(self):
        assert not any("/timelines/" in key for key in self.server.storage.objects())

    def assert_uploaded_once(self, folder):
        """Complete, restorable from the remote storage alone, and without an object too many."""
        verified = self.server.varve.json("remote", "verify", "--deep", "--remote",
                                          self.server.remote)
        assert verified["findings"] == []
        assert len([key for key in self.server.storage.objects() if "/timelines/" in key]) == 1
        shutil.rmtree(self.server.workdir)
        outcome = self.server.restore_from_remote("acme/main", folder / "data")
        assert outcome.code == 0, outcome
        assert trees.main_forks(folder / "data") == self.forks


def make_pending(varve, folder, remote, pgdata):
    server = Server(varve, folder / "work", remote)
    server.succeed("init")
    server.create_tenant("acme")
    lsn = server.import_cluster("acme", "main", pgdata)["last_record_lsn"]
    return Pending(server, lsn, trees.main_forks(pgdata))


@pytest.fixture(name="own_s3")
def fixture_own_s3(request, folder):
    """A server of the test's own, to be stopped and killed."""
    server = Radosgw.start(folder / "s3", store=getattr(request, "param", "memstore"))
    yield server
    server.kill()


@pytest.fixture(name="proxy")
def fixture_proxy(s3):
    with FaultProxy(s3.settings.port) as proxy:
        yield proxy


@pytest.fixture(name="pending")
def fixture_pending(varve, folder, s3, proxy, small_pgdata):
    """By way of the proxy."""
    remote = S3Remote(s3, endpoint=proxy.endpoint)
    yield make_pending(varve, folder, remote, small_pgdata)
    remote.remove()


def test_s11_a_server_that_hangs_is_waited_for(varve, folder, own_s3, small_pgdata):
    pending = make_pending(varve, folder, S3Remote(own_s3), small_pgdata)
    own_s3.pause()
    given_up = pending.wait(timeout=2).wait()
    assert given_up.code == 1, given_up
    process = pending.wait()
    time.sleep(1)
    own_s3.unpause()
    outcome = process.wait()
    assert outcome.code == 0, outcome
    pending.assert_uploaded_once(folder)


@pytest.mark.parametrize("own_s3", ["bluestore"], indirect=True)
def test_s11_a_server_that_dies_is_waited_for_and_has_lost_nothing(varve, folder, own_s3,
                                                                   small_pgdata):
    pending = make_pending(varve, folder, S3Remote(own_s3), small_pgdata)
    done = Server.init(varve, folder / "done", S3Remote(own_s3))
    done.create_tenant("acme")
    done.import_cluster("acme", "main", small_pgdata)
    before = done.storage.objects()

    own_s3.kill()
    process = pending.wait()
    time.sleep(1)
    own_s3.resume()
    outcome = process.wait()
    assert outcome.code == 0, outcome
    pending.assert_uploaded_once(folder)
    # What was acknowledged before the crash is there.
    assert done.storage.objects() == before
    assert done.restore_from_remote("acme/main", folder / "restored").code == 0


@pytest.mark.parametrize("fault", [fault_proxy.slow_down, fault_proxy.reset,
                                   fault_proxy.break_upload, fault_proxy.break_answer],
                         ids=lambda fault: fault.__name__)
def test_s11_a_storage_that_fails_for_a_while_is_tried_until_it_works(folder, proxy, pending,
                                                                      fault):
    # More than what a single request is repeated for: the loop itself has to try again.
    proxy.restart_with(fault_proxy.first(7, fault))
    outcome = pending.wait().wait()
    assert outcome.code == 0, outcome
    pending.assert_uploaded_once(folder)


def test_an_upload_whose_acknowledgement_is_lost_is_recognised_as_its_own(folder, proxy, pending):
    def lose_answers_to_put(exchange):
        lost = exchange.command == "PUT" and seen.setdefault(exchange.path, exchange) is exchange
        (fault_proxy.lose_answer if lost else fault_proxy.pass_on)(exchange)

    seen = {}
    proxy.restart_with(lose_answers_to_put)
    outcome = pending.wait().wait()
    assert outcome.code == 0, outcome
    assert seen
    pending.assert_uploaded_once(folder)


def test_s12_a_storage_that_denies_evicts_nothing(folder, proxy, pending):
    outcome = pending.wait(timeout=3, AWS_SECRET_ACCESS_KEY="of somebody else").wait()
    assert outcome.code == 1, outcome
    assert "Denied" in outcome.stderr, outcome
    pending.assert_not_remote()
    outcome = pending.wait().wait()
    assert outcome.code == 0, outcome
    pending.assert_uploaded_once(folder)


def test_a_slow_down_is_heeded(proxy, pending):
    """Retry-After says one second; without waiting, all attempts would be over at once."""
    proxy.restart_with(fault_proxy.first(1, fault_proxy.slow_down))
    started = time.monotonic()
    outcome = pending.wait().wait()
    assert outcome.code == 0, outcome
    assert time.monotonic() - started >= 1
