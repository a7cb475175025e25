"""What a store of objects can do; ``s3_client.py`` and ``folder_client.py`` implement it.

Keys are relative to the store's location. A write may carry a condition; that is all the locking
there is, and all that is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from msgspec import Struct

ABSENT = "*absent*"
"""As ``only_if``: write only where no such object is."""

LARGEST = 512 * 1024 * 1024
"""Bytes of one artifact, unpacked; the manifest of 5,000 models has 44 MB. Nothing larger is read:
a small object that unpacks to gigabytes would end the runner's memory."""


class Stored(Struct, frozen=True, kw_only=True):
    """One object, whole. ``now`` is the store's clock when it answered; ages are by that clock."""

    body: bytes
    etag: str
    modified: datetime
    now: datetime


class ListedObject(Struct, frozen=True, kw_only=True):
    """One line of a listing."""

    key: str
    size: int
    modified: datetime


class Conflict(Exception):
    """The condition of a write did not hold: somebody else wrote first."""


class Store(Protocol):
    """One environment's objects. Every method may raise the failures of ``s3_client.py``."""

    @property
    def location(self) -> str:
        """``s3://bucket/prefix`` or the folder, without a slash at its end."""

    def address(self, key: str) -> str:
        """An object's full name, for messages."""

    def get(self, key: str) -> Stored | None:
        """Read one object; None where there is none."""

    def put(
        self,
        key: str,
        body: bytes,
        *,
        only_if: str | None = None,
        content_type: str = "application/json",
    ) -> str:
        """Write one object, whole or not at all; safe to repeat.

        Args:
            key: the object's.
            body: its content.
            only_if: ``ABSENT``, or the ETag that the object must still have.
            content_type: as a browser will be told.

        Returns:
            The new ETag.

        Raises:
            Conflict: the condition does not hold. A write of ours that was made though its answer
                was lost is no conflict: the object is read again and compared.
        """

    def delete(self, key: str) -> None:
        """Remove one object; no error where there is none."""

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """All objects whose key begins so, by key; every page is read."""
