"""A local folder as a store, with S3's promises: writes whole or not at all, and conditions.

Conditions hold between processes of one machine, by ``flock``; not on a network file system that
lacks it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy.base import errors
from dbtdeploy.store.object_store import ABSENT, Conflict, ListedObject, Stored

PARTIAL = ".partial-"
LOCK = ".lock"
NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


class Folder:
    """A folder as a store. ``store_location.open_store`` refuses one that is not there."""

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
        """Read one file; None where there is none.

        Raises:
            StateAccessDenied: it may not be read.
            StateUnreachable: the file system failed.
        """
        try:
            with (self._root / key).open("rb") as file:
                # Of the open file: the name may be another's by now.
                modified = os.fstat(file.fileno()).st_mtime
                body = file.read()
        except OSError as cause:
            if cause.errno in NO_FILE:
                return None
            raise _failure(cause, "read", self.address(key)) from None
        return Stored(body=body, etag=_etag(body), modified=_utc(modified), now=_now())

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
            StateAccessDenied: it may not be written.
            StateUnreachable: the file system failed, for instance because it is full.
        """
        path = self._root / key
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if only_if is not None:
                    there = _etag(path.read_bytes()) if path.is_file() else ABSENT
                    # As S3 does it: finding what it wanted to write, a write has been made.
                    if there not in (only_if, _etag(body)):
                        raise Conflict(key)
                path.parent.mkdir(parents=True, exist_ok=True)
                self._replace(path, body)
        except OSError as cause:
            raise _failure(cause, "written", self.address(key)) from None
        return _etag(body)

    def delete(self, key: str) -> None:
        """Remove one file and what folders it leaves empty; no error where there is none."""
        path = self._root / key
        try:
            with self._locked():
                path.unlink(missing_ok=True)
                for parent in path.parents:
                    if parent == self._root or any(parent.iterdir()):
                        break
                    parent.rmdir()
        except OSError as cause:
            if cause.errno not in NO_FILE:
                raise _failure(cause, "deleted", self.address(key)) from None

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """All files whose key begins so, by key."""
        for key in sorted(self._keys(prefix)):
            # Others may delete meanwhile, and some files are being written.
            with contextlib.suppress(FileNotFoundError):
                info = (self._root / key).stat()
                yield ListedObject(key=key, size=info.st_size, modified=_utc(info.st_mtime))

    def _keys(self, prefix: str) -> Iterator[str]:
        def refuse(cause: OSError) -> None:
            if cause.errno not in NO_FILE:
                raise _failure(cause, "read", self.location) from None

        top = self._root / prefix.rpartition("/")[0]
        for folder, _, names in os.walk(top, onerror=refuse):
            for name in names:
                key = (Path(folder) / name).relative_to(self._root).as_posix()
                if key.startswith(prefix) and key != LOCK and not key.startswith(PARTIAL):
                    yield key

    def _replace(self, path: Path, body: bytes) -> None:
        for left in self._root.glob(f"{PARTIAL}*"):
            left.unlink()  # by someone who was killed, for we hold the lock
        partial = self._root / f"{PARTIAL}{secrets.token_hex(8)}"
        try:
            with partial.open("xb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._root / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go by the system, even after kill -9
            yield


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _utc(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, timezone.utc)


def _failure(cause: OSError, done: str, address: str) -> errors.DbtDeployError:
    not_done = "It was not read, and this was not taken for a first run."
    if done != "read":
        not_done = f"Nothing was {done}."
    if isinstance(cause, PermissionError):
        return errors.StateAccessDenied(
            f"{cause.filename} may not be {done} by this user.",
            not_done=not_done,
            remedy="Let the job's user read and write the folder and the files in it.",
        )
    return errors.StateUnreachable(
        f"{cause.filename or address} could not be {done}: {cause.strerror}.",
        not_done=not_done,
        remedy="Look at the disk that holds the folder, then run this job again.",
    )
