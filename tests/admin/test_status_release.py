"""The status says which tag is live, and where a rollback would lead."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.admin import status
from dbtdeploy.store import in_flight
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import versions
from standins.store import stores

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return stores.in_folder(tmp_path / "store").open()


def index(day: int, previous: versions.Index | None, **over: object) -> versions.Index:
    version = f"202611{day:02}T090000Z-{day:07}"
    made = versions.Index(
        version=version,
        environment="production",
        project="shop",
        kind=versions.DEPLOYED,
        created_at=f"2026-11-{day:02}T09:00:00+00:00",
        objects={},
        previous=previous.version if previous else None,
    )
    return replace(made, **over)


def released(day: int, previous: versions.Index | None, tag: str) -> versions.Index:
    release_id = f"202611{day:02}t090000"
    return index(day, previous, kind=versions.RELEASED, tag=tag, release_id=release_id)


def publish(store: Store, *indexes: versions.Index, history: tuple[str, ...] = ()) -> None:
    """Write these; the last one is current."""
    for one in indexes:
        store.put(versions.index_key(one.version), versions.encode(one))
    content = versions.encode(indexes[-1])
    pointer = versions.Pointer(
        version=indexes[-1].version, index_sha256=versions.sha256(content), history=history
    )
    store.put(versions.POINTER, versions.encode(pointer))


def shown(store: Store) -> dict[str, str]:
    found = replace(status.read(store), now=NOW)
    return {row.label: row.text for row in status.rows(found)}


FIRST = released(20, None, "v1.3.0")
SECOND = released(23, FIRST, "v1.4.0")


def test_the_live_tag_and_where_a_rollback_would_lead(store: Store) -> None:
    publish(store, FIRST, SECOND)
    said = shown(store)
    assert said["Tag"] == "v1.4.0"
    assert said["Rollback"] == (
        f"would go back to v1.3.0 (version {FIRST.version}), and take back v1.4.0, live since "
        "2026-11-23 09:00 UTC (2 days)"
    )


def test_builds_of_the_live_commit_hide_no_release(store: Store) -> None:
    nightly = index(24, SECOND, tag="v1.4.0")
    publish(store, FIRST, SECOND, nightly)
    said = shown(store)
    assert said["Tag"] == "v1.4.0"
    assert "would go back to v1.3.0" in said["Rollback"]


def test_a_release_that_published_twice_is_one(store: Store) -> None:
    in_place = released(24, SECOND, "v1.4.0")
    publish(store, FIRST, SECOND, replace(in_place, release_id=SECOND.release_id))
    assert "would go back to v1.3.0" in shown(store)["Rollback"]


def test_a_version_without_a_tag_is_named_by_itself(store: Store) -> None:
    before = index(19, None)
    publish(store, before, released(23, before, "v1.4.0"))
    assert shown(store)["Rollback"].startswith(f"would go back to version {before.version}, ")


def test_no_release_no_rollback(store: Store) -> None:
    publish(store, index(19, None), index(20, None))
    assert {"Tag", "Rollback"}.isdisjoint(shown(store))


def test_the_first_release_has_nothing_before_it(store: Store) -> None:
    publish(store, FIRST)
    said = shown(store)
    assert said["Tag"] == "v1.3.0"
    assert "Rollback" not in said


def test_what_was_pruned_cannot_be_gone_back_to(store: Store) -> None:
    publish(store, SECOND)
    assert "Rollback" not in shown(store)


def test_after_a_rollback_it_says_what_was_taken_back(store: Store) -> None:
    publish(store, SECOND, FIRST, history=(SECOND.version, FIRST.version))
    said = shown(store)
    assert said["Tag"] == "v1.3.0"
    assert said["Rollback"] == "v1.4.0 was taken back; to go back further, name a version"


def test_what_is_under_way_is_told(store: Store) -> None:
    publish(store, FIRST)
    record = InFlight(
        what="release",
        release_id="20261125t110000",
        tag="v1.4.0",
        phase="swapping",
        environment="production",
        project="shop",
        by="ana",
        started_at="2026-11-25T11:00:00+00:00",
    )
    in_flight.write(store, record)
    assert shown(store)["In flight"] == (
        "a release of v1.4.0 by ana, begun 11:00 UTC (1 hour); unless it is at work, the next run "
        "finishes or undoes it"
    )


def test_damage_is_told_and_hides_nothing(store: Store) -> None:
    publish(store, FIRST, SECOND)
    store.put(versions.index_key(FIRST.version), b"no index")
    said = shown(store)
    assert said["Tag"] == "v1.4.0"
    assert "Rollback" not in said
    assert FIRST.version in said["Problem"]


def test_what_a_rollback_left_is_no_failed_deploy(store: Store) -> None:
    publish(store, FIRST)
    left = replace(
        index(24, FIRST),
        version="20261124T090000Z-7-1",
        kind=versions.FAILED_RUN,
        event="rollback",
        problem="a rollback left 2 models to be built again",
    )
    store.put(f"{versions.FAILED}{left.version}/index.json", versions.encode(left))
    assert shown(store)["Since then"] == "a rollback left 2 models to be built again"
