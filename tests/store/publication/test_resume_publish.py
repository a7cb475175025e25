"""What the next owner makes of a publication that was stopped."""

from __future__ import annotations

import signal
from datetime import datetime, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import fencing, publish, resume_publish, versions
from dbtdeploy.store.publication.versions import Index
from standins.jobs import deploys
from standins.store import leases, s3, stores
from standins.store.leases import record, take


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> stores.Place:
    if request.param == "folder":
        return stores.in_folder(tmp_path / "store")
    server: s3.Store = request.getfixturevalue("s3_open")
    return stores.in_bucket(server)


CONTENTS = {name: deploys.artifacts_of(2)[name] for name in deploys.NAMES}


def stopped(store: Store, *, moved: bool = False, released: bool = False) -> Index:
    """Deploy 1, then all of deploy 2 but its last writes. The lease is broken, or released."""
    deploys.publish_at_once(store, 1)
    nonce = take(store, "stopped")
    fencing.fence(store, nonce)
    before = store.get(versions.POINTER)
    assert before is not None
    draft = Index(
        version="",
        environment="production",
        project="shop",
        kind=versions.DEPLOYED,
        created_at="",
        objects={},
        commit=deploys.commit_of(2),
    )
    published = publish.publish(
        store,
        draft,
        CONTENTS,
        moment=datetime.now(timezone.utc),
        nonce=nonce,
        by="stopped",
        claim=lambda version: lease.renew(store, nonce, publishing=version),
    )
    if not moved:
        store.put(versions.POINTER, before.body)
    if released:
        lease.release(store, nonce)
    else:
        lease.mark_broken(store, by="octocat", reason="dead")
        fencing.shut_out(store, nonce)
    return published.index


def finished(store: Store) -> resume_publish.Resumed | None:
    """What the next owner does, as take_lease.py does it."""
    nonce = take(store, "next")
    done = resume_publish.begin(store, nonce, by="next")
    assert record(store).publishing is None
    return done


def pointer(store: Store) -> versions.Pointer:
    found = store.get(versions.POINTER)
    assert found is not None
    return versions.decode_pointer(found.body, source="current.json")


def latest(store: Store) -> set[int]:
    found = [store.get(versions.LATEST + name) for name in deploys.NAMES]
    return {deploys.number_in(item.body) for item in found if item}


def test_nothing_was_under_way(place: stores.Place) -> None:
    store = place.open()
    deploys.publish_at_once(store, 1)
    assert finished(store) is None


@pytest.mark.fault(8)
@pytest.mark.parametrize("released", [False, True], ids=["broken", "released"])
def test_a_whole_version_becomes_current(place: stores.Place, released: bool) -> None:
    store = place.open()
    index = stopped(store, released=released)
    assert pointer(store).version == index.previous
    done = finished(store)
    assert done is not None
    assert done.version == index.version
    assert done.said == (
        f"A run was stopped while it published version {index.version}. It was whole, and is "
        "current now."
    )
    assert pointer(store).version == index.version
    assert pointer(store).history[0] == index.previous
    assert latest(store) == {2}


@pytest.mark.fault(8)
def test_a_version_that_is_current_already_gets_its_plain_copies(place: stores.Place) -> None:
    store = place.open()
    index = stopped(store, moved=True)
    before = pointer(store)
    assert latest(store) == {1}
    done = finished(store)
    assert done is not None
    assert done.version == index.version
    assert "It is current; its plain copies are whole now." in done.said
    assert replace(pointer(store), fence="") == replace(before, fence="")
    assert latest(store) == {2}


@pytest.mark.fault(8)
@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("index.json", "Its index was not written. It was given up."),
        ("catalog.json.gz", "catalog.json.gz is not there. It was given up."),
    ],
)
def test_a_version_that_is_not_whole_is_given_up(
    missing: str, said: str, place: stores.Place
) -> None:
    store = place.open()
    index = stopped(store)
    store.delete(versions.prefix_of(index.version) + missing)
    done = finished(store)
    assert done is not None
    assert done.version is None
    assert said in done.said
    assert pointer(store).version == index.previous
    assert latest(store) == {1}


@pytest.mark.fault(8, 9)
def test_a_damaged_version_is_given_up(place: stores.Place) -> None:
    store = place.open()
    index = stopped(store)
    store.put(versions.prefix_of(index.version) + "manifest.json.gz", b"damaged")
    done = finished(store)
    assert done is not None
    assert done.version is None
    assert "manifest.json.gz has 7 bytes" in done.said
    assert pointer(store).version == index.previous


@pytest.mark.fault(8)
def test_the_index_of_another_version_is_given_up(place: stores.Place) -> None:
    store = place.open()
    index = stopped(store)
    there = store.get(versions.index_key(index.version))
    assert there is not None
    other = replace(index, version="20261121T060000Z-aaaaaaa", objects={})
    store.put(versions.index_key(index.version), versions.encode(other))
    done = finished(store)
    assert done is not None
    assert "is the index of 20261121T060000Z-aaaaaaa. It was given up." in done.said
    assert pointer(store).version == index.previous


@pytest.mark.fault(8)
def test_a_version_that_another_one_overtook_is_given_up(place: stores.Place) -> None:
    store = place.open()
    index = stopped(store)
    there = pointer(store)
    store.put(versions.POINTER, versions.encode(replace(there, version=None, index_sha256=None)))
    done = finished(store)
    assert done is not None
    assert done.version is None
    assert "Another version is current by now" in done.said
    assert pointer(store).version is None
    assert index.previous is not None


def test_a_current_version_that_is_damaged_does_not_stop_the_next_deploy(
    place: stores.Place,
) -> None:
    store = place.open()
    index = stopped(store, moved=True)
    store.delete(versions.prefix_of(index.version) + "manifest.json.gz")
    done = finished(store)
    assert done is not None
    assert done.version is None
    assert "manifest.json.gz is not there. It is current." in done.said


FINISH = """
import os
os.environ.update(DBT_DEPLOY_TEST="1", DBT_DEPLOY_CRASH_AT=sys.argv[1])
from dbtdeploy.store.publication import resume_publish
from standins.store.leases import take
resume_publish.begin(store, take(store, "killed too"), by="killed too")
"""


@pytest.mark.fault(8)
@pytest.mark.parametrize("point", ["finished-pointer", "between-latest"])
def test_who_finishes_is_killed_and_the_next_one_finishes(point: str, place: stores.Place) -> None:
    store = place.open()
    index = stopped(store)
    process = place.start(FINISH, point)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    leases.expire(place)
    done = finished(store)
    assert done is not None
    assert done.version == index.version
    assert pointer(store).version == index.version
    assert pointer(store).history[:1] == (index.previous,)
    assert latest(store) == {2}


@pytest.mark.fault(4, 8)
def test_whoever_lost_the_lease_finishes_nothing(place: stores.Place) -> None:
    store = place.open()
    index = stopped(store)
    late = take(store, "late")
    fencing.fence(store, late)
    leases.expire(place)
    fencing.fence(store, take(store, "next"))
    with pytest.raises(errors.LeaseLost):
        resume_publish.resume(store, late, index.version, by="late")
    assert pointer(store).version == index.previous
    assert record(store).publishing == index.version


@pytest.mark.fault(4)
def test_a_late_owner_lays_no_plain_copies_over_newer_ones(place: stores.Place) -> None:
    """It moved the pointer, and stopped before a plain copy while others went on.

    The one write that was on its way cannot be called back; the next deploy writes over it.
    """
    store = place.open()
    nonce = take(store, "late")
    fencing.fence(store, nonce)

    def overtaken() -> None:
        leases.expire(place)
        new = take(store, "next")
        fencing.fence(store, new)
        lease.release(store, new)
        deploys.publish_at_once(store, 3)

    late = leases.Interleaved(store, versions.LATEST + "run_results.json", overtaken)
    with pytest.raises(errors.LeaseLost):
        publish.copy_latest(late, CONTENTS, prove=lambda: lease.renew(store, nonce))
    manifest, catalog = (
        store.get(versions.LATEST + name) for name in ("manifest.json", "catalog.json")
    )
    assert manifest is not None
    assert catalog is not None
    assert deploys.number_in(manifest.body) == deploys.number_in(catalog.body) == 3
