"""Owners of a lease, and ways to let time pass or others act between two requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from dbtdeploy.base import versioned_json
from dbtdeploy.store.lease import lease
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.object_store import ListedObject, Store, Stored
from standins.store import s3


class Place(Protocol):
    """A store, and as many clients of it as wanted."""

    @property
    def location(self) -> str: ...
    def open(self) -> Store: ...


LONG_AGO = 2 * lease.SECONDS


def wanted(name: str, *, seconds: int = lease.SECONDS) -> Lease:
    return Lease(
        nonce=lease.new_nonce(),
        holder=name,
        purpose="deploy of abc1234",
        run_url=f"https://github.com/acme/analytics/actions/runs/{name}",
        seconds=seconds,
    )


def take(store: Store, name: str, *, seconds: int = lease.SECONDS) -> str:
    """Take the lease, which must work; gives the nonce."""
    got = lease.take(store, wanted(name, seconds=seconds))
    assert isinstance(got, lease.Taken), got
    return got.held.nonce


def record(store: Store) -> Lease:
    seen = lease.read(store)
    assert seen is not None
    return seen.lease


def expire(place: Place) -> None:
    """Let the lease expire without waiting: it becomes older. Its owner is none the wiser."""
    if "://" not in place.location:
        path = Path(place.location) / lease.KEY
        then = path.stat().st_mtime - LONG_AGO
        os.utime(path, (then, then))
        return
    store = place.open()
    store.put(lease.KEY, versioned_json.encode(record(store)), content_type=s3.LONG_AGO)


class Interleaved:
    """A store in which something happens just before a write: once, at the first to that key.

    Or, with ``reading``, just before a read.
    """

    def __init__(
        self, store: Store, key: str, happens: Callable[[], object], *, reading: bool = False
    ) -> None:
        self._store = store
        self._key = key
        self._happens: Callable[[], object] | None = happens
        self._reading = reading
        self.reads = 0

    @property
    def location(self) -> str:
        return self._store.location

    def address(self, key: str) -> str:
        return self._store.address(key)

    def get(self, key: str) -> Stored | None:
        self.reads += 1
        if self._reading:
            self._now(key)
        return self._store.get(key)

    def put(
        self,
        key: str,
        body: bytes,
        *,
        only_if: str | None = None,
        content_type: str = "application/json",
    ) -> str:
        if not self._reading:
            self._now(key)
        return self._store.put(key, body, only_if=only_if, content_type=content_type)

    def _now(self, key: str) -> None:
        if key == self._key and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def list(self, prefix: str) -> Iterator[ListedObject]:
        return self._store.list(prefix)
