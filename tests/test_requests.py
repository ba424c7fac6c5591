"""What things cost in requests to the remote storage."""


def test_a_tenant_is_one_put_and_an_import_two(small_pgdata, server):
    assert server.puts() == 1
    server.import_cluster("acme", "main", small_pgdata)
    # One registers the timeline with its tenant; one holds the whole cluster.
    assert server.puts() == 3


def test_looking_costs_no_put(small_pgdata, folder, server):
    server.import_cluster("acme", "main", small_pgdata)
    before = server.puts()
    server.succeed("tenant", "list")
    server.succeed("timeline", "show", "acme/main")
    server.succeed("wait", "acme/main", "--lsn", "0/1", "--for", "remote", "--timeout", "30")
    server.succeed("restore", "acme/main", "--to", folder / "data")
    server.succeed("timeline", "checkpoint", "acme/main")
    assert server.puts() == before


def test_the_status_says_what_is_stored_and_what_it_cost(small_pgdata, server):
    server.import_cluster("acme", "main", small_pgdata)
    status = server.json("status")
    stored = sum(path.stat().st_size for path in server.remote_folder.rglob("*.archive"))
    assert status["stored_bytes"] == stored
    # Three PUTs at $0.005 per 1,000 and whatever LIST and GET took.
    assert 3 * 0.005 / 1000 <= status["cost_usd"] < 0.001
    assert status["queue_length"] == 0
    assert [timeline["name"] for timeline in status["timelines"]] == ["main"]


def test_an_imported_timeline_is_remote_when_the_command_returns(small_pgdata, server):
    timeline = server.import_cluster("acme", "main", small_pgdata)
    assert timeline["state"] == "Ready"
    assert (timeline["remote_consistent_lsn"] == timeline["disk_consistent_lsn"]
            == timeline["last_record_lsn"])
    assert timeline["ancestor_timeline_id"] is None


def test_a_restore_straight_from_the_remote_storage_is_one_list_and_four_gets(
        small_pgdata, folder, server):
    server.import_cluster("acme", "main", small_pgdata)
    report = server.varve.json("restore", "acme/main", "--remote", server.remote,
                               "--to", folder / "data")
    # The manifests of tenant and timeline, the end of the layer with its frame table, and the rest.
    assert (report["requests"]["list"], report["requests"]["get"]) == (1, 4)
