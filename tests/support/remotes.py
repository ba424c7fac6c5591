"""Remote storages of both kinds, as the tests see them: a URL, and the objects behind it."""

import shutil
import uuid
from pathlib import Path

from support.radosgw import BUCKET


class FileRemote:
    """A directory."""

    environment = {}

    def __init__(self, folder):
        self.folder = Path(folder)
        self.url = f"file://{self.folder}"

    def make(self):
        """What an operator does for a storage that `varve init` is not told of."""
        self.folder.mkdir()

    def objects(self):
        """The sizes of all objects, by key."""
        return {key: path.stat().st_size for key, path in self._paths().items()}

    def versions(self):
        """For each key something that changes with the object."""
        return {key: path.stat().st_mtime_ns for key, path in self._paths().items()}

    def keep(self):
        """The present contents, for put_back()."""
        return {key: path.read_bytes() for key, path in self._paths().items()}

    def put_back(self, kept):
        shutil.rmtree(self.folder)
        for key, body in kept.items():
            path = self.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    def _paths(self):
        return {str(path.relative_to(self.folder)): path
                for path in self.folder.rglob("*") if path.is_file()}


class S3Remote:
    """A prefix of its own in the bucket of a server."""

    def __init__(self, server, *, tls=False, endpoint=None, prefix=None):
        self.server = server
        self.prefix = prefix or uuid.uuid4().hex
        self.url = server.url(self.prefix, tls=tls, endpoint=endpoint)
        self.environment = server.environment()

    def make(self):
        pass  # A prefix is there once something has it.

    def objects(self):
        return {key: entry.size for key, entry in self._entries().items()}

    def versions(self):
        return {key: entry.modified for key, entry in self._entries().items()}

    def keep(self):
        client = self.server.client()
        return {key: client.get(BUCKET, f"{self.prefix}/{key}") for key in self._entries()}

    def put_back(self, kept):
        # Objects are never changed: those that are there are as they were.
        client = self.server.client()
        present = self._entries()
        for key in present.keys() - kept.keys():
            client.delete(BUCKET, f"{self.prefix}/{key}")
        for key in kept.keys() - present.keys():
            client.put(BUCKET, f"{self.prefix}/{key}", kept[key])

    def remove(self):
        self.put_back({})

    def _entries(self):
        prefix = self.prefix + "/"
        return {key.removeprefix(prefix): entry
                for key, entry in self.server.client().list(BUCKET, prefix).items()}
