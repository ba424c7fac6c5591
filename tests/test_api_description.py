"""docs/openapi.json says what the server of `varve serve` does."""

import jsonschema
import pytest

from support.daemon import TOKEN, starting, token_file

# docs/formats/image-batch.md; the checksum is that of no bytes.
EMPTY_BATCH = b"VarveIB1" + bytes.fromhex("c294d3380580062d")
ID = "0" * 32

BODIES = {
    "createTenant": {"name": "made"},
    "waitForLsn": {"lsn": "0/1", "for": "remote"},
    "createBranch": {"name": "branch"},
    "startImport": {"image_lsn": "0/10"},
    "protectPrimary": {"primary": "host=/nowhere user=nobody"},
    "protectRestored": {"primary": "host=/nowhere user=nobody"},
    "commitImport": {"batches": 0, "last_record_lsn": "0/10", "system_identifier": "1"},
}
# Of an LSN that is pinned, see Resources.
PINNED = "PINNED"
QUERIES = {
    "lsnAt": "?time=2100-01-01T00:00:00Z",
    "putImages": "?batch=0",
    "showOperation": "?wait_seconds=20",
    "unpinLsn": f"?lsn={PINNED}",
}


class Described:
    """The description that a running server gives of itself."""

    def __init__(self, running):
        self.running = running
        self.document = running.get("/v1/openapi.json", token=None).json()

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    yield path, method.upper(), operation

    def _resolved(self, part):
        while "$ref" in part:
            target = self.document
            for key in part["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            part = target
        return part

    def success(self, operation):
        (status,) = [int(key) for key in operation["responses"] if key.startswith("2")]
        return status

    def check(self, operation, answer):
        described = self._resolved(operation["responses"][str(answer.status)])
        media_type = answer.headers["content-type"].split(";")[0]
        schema = described["content"][media_type]["schema"]
        required = {name for name, header in described.get("headers", {}).items()
                    if header.get("required", True)}
        assert {name.lower() for name in required} <= answer.headers.keys()
        if media_type.endswith("json"):
            content = answer.json()
        else:
            content = answer.body.decode("latin-1")
        jsonschema.Draft202012Validator({**schema, "components": self.document["components"]},
                                        format_checker=jsonschema.FormatChecker()
                                        ).validate(content)


class Resources:
    """Things that are there, for the names in braces."""

    def __init__(self, running):
        self.running = running

    def _made(self, path, body, key):
        answer = self.running.post(path, body)
        assert answer.status in (201, 202), answer
        return answer.json()[key]

    def fill_query(self, operation):
        query = QUERIES.get(operation["operationId"], "")
        if PINNED in query:
            query = query.replace(PINNED, self._made(
                "/v1/tenants/acme/timelines/main/pins", {}, "lsn"))
        return query

    def fill(self, path):
        filled = path.replace("{tenant}", "acme").replace("{timeline}", "main")
        if "{import}" in path:
            filled = filled.replace("{import}", self._made(
                "/v1/tenants/acme/imports", {"image_lsn": "0/10"}, "import_id"))
        if "{snapshot}" in path:
            filled = filled.replace("{snapshot}", self._made(
                "/v1/tenants/acme/timelines/main/snapshots", {}, "snapshot_id"))
        if "{operation}" in path:
            filled = filled.replace("{operation}", self._made(
                "/v1/tenants/acme/timelines/main/checkpoint", {}, "operation_id"))
        return filled

    @staticmethod
    def miss(path):
        for name in ("{tenant}", "{timeline}"):
            path = path.replace(name, "none")
        for name in ("{import}", "{snapshot}", "{operation}"):
            path = path.replace(name, ID)
        return path


def request_of(operation):
    """How to ask for it."""
    name = operation["operationId"]
    if name == "putImages":
        return {"raw": EMPTY_BATCH, "headers": {"Content-Type": "application/vnd.varve.images"}}
    return {"body": BODIES.get(name, {})}


@pytest.fixture(name="described")
def fixture_described(server, small_pgdata, folder):
    server.import_cluster("acme", "main", small_pgdata)
    with starting(server, "--token-file", token_file(folder), token=TOKEN) as running:
        yield Described(running)


def test_it_answers_as_its_description_says(described):
    running = described.running
    resources = Resources(running)
    # What takes away what the others need comes last.
    last = ["deleteTimeline", "detachTenant", "deleteTenant"]
    operations = sorted(described.operations(), key=lambda each: (
        last.index(each[2]["operationId"]) + 1 if each[2]["operationId"] in last else 0))
    for path, method, operation in operations:
        query = resources.fill_query(operation)
        request = request_of(operation)
        target = resources.fill(path) + query
        if operation.get("security") != []:
            answer = running.request(method, target, **request, token=None)
            assert answer.status == 401
            described.check(operation, answer)
        if "{" in path:
            answer = running.request(method, Resources.miss(path) + query, **request)
            assert answer.status == 404, (method, path, answer)
            described.check(operation, answer)
        if method == "POST":
            damaged = {**request, "raw": b"{"}
            answer = running.request(method, target, **damaged)
            assert answer.status == 400, (path, answer)
            described.check(operation, answer)
            answer = running.post(target, headers={"Content-Type": "text/plain"})
            assert answer.status == 415
            described.check(operation, answer)
        if operation["operationId"] == "deleteTenant":
            # It was detached.
            assert running.post("/v1/tenants/acme/attach").status == 200
        answer = running.request(method, target, **request)
        assert answer.status == described.success(operation), (method, path, answer)
        described.check(operation, answer)
        if operation["operationId"] == "createBranch":
            # It would keep its parent from being deleted.
            assert running.request("DELETE", answer.headers["location"]).status == 200
        if answer.status == 202:
            ended = running.get(answer.headers["location"])
            assert ended.json()["finished"] is True
            described.check(described.document["paths"]["/v1/operations/{operation}"]["get"],
                            ended)
