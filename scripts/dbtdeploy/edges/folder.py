"""A local folder as the store of production's artifacts."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy import errors, state
from dbtdeploy.objects import ABSENT, Conflict, Entry, Stored

PARTIAL = ".partial-"
LOCK = ".lock"


def fetch(source: Path, destination: Path) -> state.Fetched:
    """Copy the artifacts that are there. An empty folder is a store without state yet.

    Raises:
        InvalidInput: there is no such folder; a wrong path must not pass for a first run.
        StateAccessDenied: the folder or an artifact may not be read.
    """
    if not source.is_dir():
        raise errors.InvalidInput(
            f"The state folder {source} is a file."
            if source.exists()
            else f"The state folder {source} does not exist.",
            not_done=state.NOTHING_STARTED,
            remedy="Name the folder that holds production's manifest.json. If there is no state "
            "yet, make it an empty folder.",
        )
    names = []
    try:
        for name in state.ARTIFACTS:
            if (source / name).is_file():
                shutil.copyfile(source / name, destination / name)
                names.append(name)
    except PermissionError as cause:
        raise errors.StateAccessDenied(
            f"{cause.filename} may not be read by this user.",
            not_done=state.NOTHING_STARTED,
            remedy="Let the job's user read the folder and the files in it.",
        ) from None
    return state.Fetched(names=tuple(names))


class Folder:
    """A folder as a store, with S3's promises: writes whole or not at all, and conditions.

    Conditions hold between processes of one machine, by ``flock``; not on a network file system
    that lacks it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def location(self) -> str:
        """The folder."""
        return str(self._root)

    def address(self, key: str) -> str:
        """The file's full path."""
        return str(self._root / key)

    def get(self, key: str) -> Stored | None:
        """Read one file; None where there is none."""
        path = self._root / key
        try:
            body = path.read_bytes()
            modified = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as cause:
            raise _denied(cause) from None
        return Stored(
            body=body, etag=_etag(body), modified=modified, now=datetime.now(timezone.utc)
        )

    def put(
        self,
        key: str,
        body: bytes,
        *,
        only_if: str | None = None,
        content_type: str = "application/json",  # noqa: ARG002 - a file has none
    ) -> str:
        """Write one file; a reader sees the old one or the new one, whole.

        Raises:
            Conflict: the condition does not hold.
        """
        path = self._root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if only_if is not None:
                    there = _etag(path.read_bytes()) if path.is_file() else ABSENT
                    if there != only_if:
                        raise Conflict(key)
                with tempfile.NamedTemporaryFile(dir=self._root, prefix=PARTIAL, delete=False) as f:
                    f.write(body)
                    f.flush()
                    os.fsync(f.fileno())
                Path(f.name).replace(path)
        except PermissionError as cause:
            raise _denied(cause) from None
        return _etag(body)

    def delete(self, key: str) -> None:
        """Remove one file; no error where there is none."""
        try:
            (self._root / key).unlink(missing_ok=True)
        except PermissionError as cause:
            raise _denied(cause) from None

    def list(self, prefix: str) -> Iterator[Entry]:
        """All files whose key begins so, by key."""
        found = (path for path in self._root.rglob("*") if path.is_file())
        keys = sorted(path.relative_to(self._root).as_posix() for path in found)
        for key in keys:
            if key.startswith(prefix) and not key.startswith((PARTIAL, LOCK)):
                info = (self._root / key).stat()
                modified = datetime.fromtimestamp(info.st_mtime, timezone.utc)
                yield Entry(key=key, size=info.st_size, modified=modified)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._root / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go by the system, even after kill -9
            yield


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _denied(cause: PermissionError) -> errors.StateAccessDenied:
    return errors.StateAccessDenied(
        f"{cause.filename} may not be read or written by this user.",
        not_done=state.NOTHING_STARTED,
        remedy="Let the job's user read and write the folder and the files in it.",
    )
