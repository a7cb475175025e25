"""Where an environment's artifacts are kept: picks the client by the location's form.

The one door through which objects leave: what is opened here writes no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dbtdeploy.base import errors, settings, stored_records
from dbtdeploy.base.redact import Redact
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store import conditional_write_check
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.object_store import ListedObject, Store, Stored
from dbtdeploy.store.publication import versions
from dbtdeploy.store.s3.s3_client import Bucket

PACKED, HTML = "application/gzip", "text/html"

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def local_folder(location: str, workspace: Path) -> Path | None:
    """The folder that a location names, absolute; None for a URL."""
    return None if URL.match(location) else workspace / location


def opened(location: str) -> Store:
    """The store at a location, with this job's keys; nothing is asked of it yet.

    Whatever is written to it goes through ``RedactedStore``.

    Args:
        location: ``s3://bucket/prefix``, or a folder, absolute or relative to the workspace.

    Raises:
        InvalidInput: the location cannot be understood, or is a folder that is not there.
    """
    store = open_store(
        location,
        workspace=settings.GitHubContext.from_environ().workspace,
        access=settings.StoreAccess.from_environ(),
    )
    return RedactedStore(store, settings.redactor())


def open_store(location: str, *, workspace: Path, access: StoreAccess) -> Store:
    """The store that a location names. Nothing is asked of S3 yet; a folder must be there.

    Args:
        location: ``s3://bucket/prefix`` or a folder, absolute or relative to ``workspace``.
        workspace: the folder that relative paths start from.
        access: how to reach S3.

    Raises:
        InvalidInput: the location cannot be understood, or there is no such folder; a wrong path
            must not pass for a first run.
    """
    source = local_folder(location, workspace)
    if source is not None:
        return Folder(_checked(source))
    if location.startswith("s3://"):
        return Bucket(location, access)
    scheme = location.split("://", 1)[0]
    raise errors.InvalidInput(
        f"{location} is a {scheme}:// address, which dbt-deploy cannot use as a store.",
        not_done="Nothing was read or written.",
        remedy="Use s3://bucket/prefix (any S3-compatible store, by the input `aws-endpoint-url`) "
        "or a folder. To compare with artifacts that are elsewhere, fetch them in a step before "
        "this one and name their folder.",
    )


def _checked(folder: Path) -> Path:
    if folder.is_dir():
        return folder
    raise errors.InvalidInput(
        f"{folder} is a file, not a folder."
        if folder.exists()
        else f"The folder {folder} does not exist.",
        not_done="Nothing was read or written.",
        remedy="Name the folder that is meant. If there is nothing in it yet, make it an empty "
        "folder: a mistyped path must not pass for a store without state.",
    )


class RedactedStore:
    """A store that takes secrets out of each record that is written to it.

    Artifacts of dbt's, packed or plain, and its page come redacted as dbt can read them
    (``deploy/redact_artifacts.py``) and with their digests taken: they pass as they are.

    Args:
        store: the store itself.
        redact: hides every secret there is.
    """

    def __init__(self, store: Store, redact: Redact) -> None:
        self._store = store
        self._redact = redact

    @property
    def location(self) -> str:
        """As of the store itself."""
        return self._store.location

    def address(self, key: str) -> str:
        """An object's full name, for messages."""
        return self._store.address(key)

    def get(self, key: str) -> Stored | None:
        """Read one object; None where there is none."""
        return self._store.get(key)

    def put(
        self,
        key: str,
        body: bytes,
        *,
        only_if: str | None = None,
        content_type: str = "application/json",
    ) -> str:
        """Write one object without secrets; see ``Store.put``."""
        if not _is_artifact(key, content_type):
            body = stored_records.redacted(body, self._redact)
        return self._store.put(key, body, only_if=only_if, content_type=content_type)

    def delete(self, key: str) -> None:
        """Remove one object; no error where there is none."""
        self._store.delete(key)

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """All objects whose key begins so, by key."""
        return self._store.list(prefix)


def _is_artifact(key: str, content_type: str) -> bool:
    """Whether it is dbt's, or the probe, whose bytes no one but us has made."""
    if content_type == PACKED or content_type.startswith(HTML):
        return True
    return key.startswith(versions.LATEST) or bool(conditional_write_check.PROBE_KEY.fullmatch(key))
