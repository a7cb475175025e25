"""Taking the lease, with patience, on a folder and on a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.deploy import lease_acquire
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from standins.store import leases, stores
from standins.store.leases import Interleaved, take, wanted


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> stores.Place:
    if request.param == "folder":
        return stores.in_folder(tmp_path / "store")
    return stores.in_bucket(request.getfixturevalue("s3_open"))


@pytest.fixture
def store(place: stores.Place) -> Store:
    return place.open()


def test_waiting_until_it_is_released(place: stores.Place) -> None:
    store = place.open()
    mine = take(store, "one")
    said: list[str] = []

    def heard(line: str) -> None:
        said.append(line)
        lease.release(store, mine)

    got = lease_acquire.acquire(
        store,
        wanted("two"),
        environment="production",
        wait_seconds=60,
        poll_seconds=0.01,
        say=heard,
    )
    assert got.held.broken_in is None
    assert len(said) == 1
    assert said[0].startswith("Waiting for one, deploy of abc1234, https://github.com/acme/")
    assert "held production since" in said[0]
    assert "UTC (less than a minute)" in said[0]


def test_waiting_until_it_expires(place: stores.Place) -> None:
    store = place.open()
    take(store, "one")
    got = lease_acquire.acquire(
        store,
        wanted("two"),
        environment="production",
        wait_seconds=60,
        poll_seconds=0.01,
        say=lambda _: leases.expire(place),
    )
    assert got.held.broken_in == wanted("one").run_url


def test_waiting_in_vain_looks_with_one_read_each_time(store: Store) -> None:
    take(store, "one")
    counted = Interleaved(store, "", print)
    said: list[str] = []
    with pytest.raises(errors.LeaseHeld, match="This run waited less than a minute for it"):
        lease_acquire.acquire(
            counted,
            wanted("two"),
            environment="production",
            wait_seconds=0.2,
            poll_seconds=0.09,
            say=said.append,
        )
    assert 2 <= counted.reads <= 4
    assert len(said) == 1


def test_without_patience_nothing_is_said(store: Store) -> None:
    take(store, "one")
    with pytest.raises(errors.LeaseHeld) as refused:
        lease_acquire.acquire(store, wanted("two"), environment="production", say=pytest.fail)
    assert "waited" not in refused.value.what
    assert "earlier attempt" not in refused.value.what


def test_an_earlier_attempt_of_the_same_run_is_another_owner(store: Store) -> None:
    take(store, "one")
    with pytest.raises(errors.LeaseHeld, match="earlier attempt of this very run"):
        lease_acquire.acquire(store, wanted("one"), environment="production")
