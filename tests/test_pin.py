"""A pin keeps a place in the history, wherever the tenant is attached."""

from conftest import on_both_remotes
from support.daemon import starting
from support.varve import Server


def lsns(server):
    return [pin["lsn"] for pin in server.json("timeline", "pins", "acme/main")]


@on_both_remotes
def test_a_pin_goes_where_the_tenant_goes(varve, server, small_pgdata, folder):
    main = server.import_cluster("acme", "main", small_pgdata)
    pinned = server.json("timeline", "pin", "acme/main")
    assert pinned["lsn"] == main["last_record_lsn"]
    assert pinned["timeline_id"] == main["timeline_id"]
    # Once more is no other pin, and costs nothing.
    puts = server.puts()
    assert server.json("timeline", "pin", "acme/main", "--lsn", pinned["lsn"]) == pinned
    assert server.puts() == puts
    other = Server.init(varve, folder / "other", server.storage)
    other.succeed("tenant", "attach", "acme")
    assert lsns(other) == [pinned["lsn"]]
    # Who lost the tenant changes nothing.
    refused = server.run("timeline", "unpin", "acme/main", "--lsn", pinned["lsn"])
    assert refused.code == 1 and "(Conflict)" in refused.stderr
    assert other.json("timeline", "unpin", "acme/main", "--lsn", pinned["lsn"])["unpinned"] is True
    assert lsns(other) == []


def test_the_tenants_log_shows_what_is_pinned(server, small_pgdata):
    server.import_cluster("acme", "main", small_pgdata)
    pinned = server.json("timeline", "pin", "acme/main")
    shown = [server.varve.json("remote", "show", "--remote", server.remote, key)
             for key in server.storage.objects()]
    commits = sorted((document for document in shown if "timelines" in document),
                     key=lambda document: document["sequence"])
    assert commits[-1]["pins"] == [pinned]
    assert all(commit["pins"] == [] for commit in commits[:-1])


def test_what_is_not_kept_or_not_pinned_is_refused(server, small_pgdata):
    server.import_cluster("acme", "main", small_pgdata)
    refused = server.run("timeline", "pin", "acme/main", "--lsn", "0/10")
    assert refused.code == 1 and "0/10" in refused.stderr and "(NotFound)" in refused.stderr
    refused = server.run("timeline", "unpin", "acme/main", "--lsn", "0/10")
    assert refused.code == 1 and "not pinned at 0/10" in refused.stderr
    assert server.run("timeline", "unpin", "acme/main").code == 2


def test_a_running_server_pins(server, small_pgdata):
    main = server.import_cluster("acme", "main", small_pgdata)
    with starting(server):
        pinned = server.json("timeline", "pin", "acme/main")
        assert lsns(server) == [main["last_record_lsn"]] == [pinned["lsn"]]
        assert "LSN" in server.run("timeline", "pins", "acme/main").stdout
    assert lsns(server) == [pinned["lsn"]]
