"""An S3 server that stops, dies, refuses or breaks off: nothing is lost, and work goes on by itself."""

import shutil
import threading
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


class OwnServer:
    """A server of the test's own and a proxy that does something to it when the first object comes."""

    def __init__(self, server, proxy):
        self.server = server
        self.proxy = proxy
        self.happened = threading.Event()

    @property
    def remote(self):
        return S3Remote(self.server, endpoint=self.proxy.endpoint)

    def at_the_first_put(self, action):
        def fault(exchange):
            action()
            self.happened.set()
            fault_proxy.pass_on(exchange)

        self.proxy.restart_with(fault_proxy.on_put(fault_proxy.first(1, fault)))

    def wait_for_it(self):
        assert self.happened.wait(TIMEOUT), "nothing was stored"


@pytest.fixture(name="own")
def fixture_own(request, folder):
    server = Radosgw.start(folder / "s3", store=getattr(request, "param", "memstore"))
    try:
        with FaultProxy(server.settings.port) as proxy:
            yield OwnServer(server, proxy)
    finally:
        server.kill()


def test_s11_a_server_that_hangs_is_waited_for(varve, folder, own, small_pgdata):
    pending = make_pending(varve, folder, own.remote, small_pgdata)
    own.at_the_first_put(own.server.pause)
    process = pending.wait()
    own.wait_for_it()
    own.server.unpause()
    outcome = process.wait()
    assert outcome.code == 0, outcome
    pending.assert_uploaded_once(folder)


@pytest.mark.parametrize("own", ["bluestore"], indirect=True)
def test_s11_a_server_that_dies_is_waited_for_and_has_lost_nothing(varve, folder, own,
                                                                   small_pgdata):
    done = Server.init(varve, folder / "done", own.remote)
    done.create_tenant("acme")
    done.import_cluster("acme", "main", small_pgdata)
    before = done.storage.objects()

    pending = make_pending(varve, folder, own.remote, small_pgdata)
    own.at_the_first_put(own.server.kill)
    process = pending.wait()
    own.wait_for_it()
    own.server.resume()
    outcome = process.wait()
    assert outcome.code == 0, outcome
    pending.assert_uploaded_once(folder)
    # What was acknowledged before is there.
    assert done.storage.objects() == before
    assert done.restore_from_remote("acme/main", folder / "restored").code == 0


@pytest.mark.parametrize("fault", [fault_proxy.slow_down, fault_proxy.reset,
                                   fault_proxy.break_upload, fault_proxy.lose_answer,
                                   fault_proxy.garble],
                         ids=lambda fault: fault.__name__)
def test_s11_a_storage_that_fails_for_a_while_is_tried_until_it_works(folder, proxy, pending,
                                                                      fault):
    # More often than a single request is repeated: the loop itself has to try again.
    proxy.restart_with(fault_proxy.on_put(fault_proxy.first(7, fault)))
    outcome = pending.wait().wait()
    assert outcome.code == 0, outcome
    pending.assert_uploaded_once(folder)


def test_b1_a_body_that_is_not_signed_does_not_arrive_garbled_either(folder, proxy, pending):
    proxy.restart_with(fault_proxy.on_put(fault_proxy.first(7, fault_proxy.garble)))
    outcome = pending.wait(VARVE_S3_SIGN_PAYLOAD="false").wait()
    assert outcome.code == 0, outcome
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
    proxy.restart_with(fault_proxy.on_put(fault_proxy.first(1, fault_proxy.slow_down)))
    started = time.monotonic()
    outcome = pending.wait().wait()
    assert outcome.code == 0, outcome
    assert time.monotonic() - started >= 1
