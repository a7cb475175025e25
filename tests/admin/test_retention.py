from __future__ import annotations

from datetime import datetime, timedelta, timezone

from dbtdeploy.admin import retention
from dbtdeploy.admin.retention import RetentionPolicy
from dbtdeploy.base import timestamps
from dbtdeploy.store import inventory
from dbtdeploy.store.inventory import Inventory, VersionFolder
from dbtdeploy.store.object_store import ListedObject
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Index, Pointer

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=timezone.utc)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def folder(
    name: str,
    days: float,
    *,
    above: str = "versions/",
    previous: str | None = None,
    index: bool = True,
    kind: str = "deploy",
    problem: str | None = None,
) -> VersionFolder:
    """Made so long ago. Its objects were written today if it has an index: a copied bucket."""
    entry = ListedObject(
        key=f"{above}{name}/manifest.json.gz",
        size=100,
        modified=NOW if index else ago(days),
    )
    made = Index(
        version=name,
        environment="production",
        project="shop",
        kind=kind,
        created_at=timestamps.written(ago(days)),
        objects={},
        previous=previous,
    )
    return VersionFolder(
        name=name,
        prefix=f"{above}{name}/",
        entries=(entry,),
        index=made if index and not problem else None,
        problem=problem,
    )


def store(
    *found: VersionFolder,
    current: str | None,
    history: tuple[str, ...] = (),
    moved: float = 0,
    **more: object,
) -> Inventory:
    pointer = Pointer(version=current, history=history, moved_at=timestamps.written(ago(moved)))
    failed = more.get("failed", ())
    assert isinstance(failed, tuple)
    return Inventory(pointer=pointer, versions=found, failed=failed)


def goes(found: Inventory, *, days: int = 30, keep: int = 1) -> dict[str, str]:
    decided = retention.decide(found, RetentionPolicy(days=days, keep=keep), NOW)
    return {item.folder.name: item.why for item in decided.going}


def stays(found: Inventory, *, days: int = 30, keep: int = 1) -> dict[str, str]:
    decided = retention.decide(found, RetentionPolicy(days=days, keep=keep), NOW)
    return {item.folder.name: item.why for item in decided.versions if not item.goes}


def chain(*days: float, moved: float | None = None) -> Inventory:
    """Versions that were deployed one after the other, newest first: ``v0``, ``v1``, ..."""
    names = [f"v{number}" for number in range(len(days))]
    before = [*names[1:], None]
    made = [folder(n, d, previous=b) for n, d, b in zip(names, days, before, strict=True)]
    last = days[0] if moved is None else moved
    return store(*made, current=names[0], history=tuple(names[1:]), moved=last)


def test_age_alone() -> None:
    found = chain(1, 10, 29, 31, 60)
    assert goes(found) == {"v4": "older than 30 days"}
    assert stays(found)["v3"] == "was current within 30 days"
    assert goes(found, days=5, keep=1) == {
        "v2": "older than 5 days",
        "v3": "older than 5 days",
        "v4": "older than 5 days",
    }


def test_current_stays_however_old_it_is() -> None:
    found = chain(400, 500, 600, 700)
    assert stays(found) == {"v0": "is current", "v1": "was current before this one"}


def test_the_newest_few_stay() -> None:
    found = chain(100, 200, 300, 400, 500)
    assert set(stays(found, keep=4)) == {"v0", "v1", "v2", "v3"}
    assert stays(found, keep=4)["v3"] == "one of the newest 4"


def test_what_was_current_within_the_time_stays_though_it_is_older() -> None:
    """v2 was made 90 days ago and replaced 20 days ago: it is what ran three weeks ago."""
    found = chain(1, 20, 90, 200)
    assert stays(found)["v2"] == "was current within 30 days"
    assert goes(found) == {"v3": "older than 30 days"}


def test_after_a_rollback_both_ends_of_it_stay() -> None:
    old = folder("old", 90)
    middle = folder("middle", 60, previous="old")
    bad = folder("bad", 40, previous="middle")
    found = store(bad, middle, old, current="old", history=("bad", "middle", "old"), moved=1)
    assert stays(found) == {"old": "is current", "bad": "was current before this one"}
    assert goes(found) == {"middle": "older than 30 days"}
    assert "middle" in stays(found, days=41)


def test_what_was_never_current_is_none_of_the_newest() -> None:
    orphan = folder("orphan", 40, previous="v1")
    found = chain(100, 200, 300)
    found = Inventory(pointer=found.pointer, versions=(orphan, *found.versions), failed=())
    assert found.state_of(orphan) == "never published"
    assert goes(found, keep=2) == {"orphan": "older than 30 days", "v2": "older than 30 days"}
    young = folder("young", 3, previous="v1")
    found = Inventory(pointer=found.pointer, versions=(young, *found.versions), failed=())
    assert "young" not in goes(found)


def test_what_the_pointer_has_forgotten_was_published_if_the_next_one_says_so() -> None:
    """More than fifty deploys within the retention time."""
    found = chain(*(number / 24 for number in range(60)))
    forgetful = Pointer(version="v0", history=found.pointer.history[: versions.HISTORY])
    found = Inventory(pointer=forgetful, versions=found.versions, failed=())
    assert {found.state_of(item) for item in found.versions} == {"current", "kept"}
    assert goes(found) == {}


def test_leftovers_without_an_index_stay_for_a_day() -> None:
    fresh, left = folder("fresh", 0.9, index=False), folder("left", 1.1, index=False)
    current = folder("v0", 0)
    found = store(current, fresh, left, current="v0", history=("left",))
    assert goes(found) == {"left": "has no index: left by a killed run"}
    assert stays(found)["fresh"] == "has no index yet"


def test_a_damaged_index_is_kept_for_its_time() -> None:
    young, old = folder("young", 3, problem="damaged"), folder("old", 3, problem="damaged")
    old = VersionFolder(
        name=old.name,
        prefix=old.prefix,
        entries=(ListedObject(key=old.entries[0].key, size=1, modified=ago(31)),),
        problem="damaged",
    )
    found = store(folder("v0", 0), young, old, current="v0")
    assert goes(found) == {"old": "older than 30 days"}
    assert found.state_of(young) == "damaged"


def test_failed_runs_go_by_age_and_never_those_that_followed_the_current_version() -> None:
    failed = tuple(
        folder(name, days, above="failed/", kind="failed", previous=previous)
        for name, days, previous in (("new", 29, "v-1"), ("old", 31, "v-1"), ("since", 31, "v0"))
    )
    found = store(folder("v0", 40), current="v0", failed=failed)
    decided = retention.decide(found, RetentionPolicy(days=30, keep=1), NOW)
    gone = {item.folder.name: item.goes for item in decided.failed}
    assert gone == {"new": False, "old": True, "since": False}
    assert (decided.freed, decided.stays) == (100, 300)


def test_nothing_is_current_yet() -> None:
    found = store(folder("orphan", 90), current=None)
    assert goes(found) == {"orphan": "older than 30 days"}
    assert goes(store(current=None)) == {}


def test_probes_that_a_killed_run_left() -> None:
    probes = tuple(
        ListedObject(key=f"probe/{name}", size=1, modified=ago(days))
        for name, days in (("new", 0.5), ("old", 2))
    )
    found = Inventory(pointer=Pointer(), versions=(), failed=(), probes=probes)
    assert retention.decide(found, RetentionPolicy(days=30, keep=1), NOW).probes == ("probe/old",)


def test_an_adopted_version_is_named_so() -> None:
    adopted = folder("v1", 3, kind=versions.ADOPTED)
    found = store(folder("v0", 0, previous="v1"), adopted, current="v0")
    assert found.state_of(adopted) == inventory.ADOPTED
