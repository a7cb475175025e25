"""publish_artifacts.py killed at every point where it may be, and the normal deploy after it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from dbtdeploy.context import deploy_files, hand_over
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import versions
from standins.jobs.deploys import NAMES, Environment, publish_at_once
from standins.selection import some_of
from standins.store import s3

OBJECTS = {f"{name}.gz" for name in (*NAMES, "static_index.html")}


@pytest.fixture(params=some_of(["folder", "s3"], "s3"))
def place(request: pytest.FixtureRequest, tmp_path: Path, s3_open: s3.Store) -> Environment:
    if request.param == "s3":
        location = f"s3://{s3_open.create_bucket()}/prod"
        return Environment(location=location, temp=tmp_path, variables=s3_open.environ)
    (tmp_path / "store").mkdir()
    return Environment(location=str(tmp_path / "store"), temp=tmp_path)


def crash(place: Environment, point: str) -> None:
    """Deploy 1, then deploy 2 until it is killed, and leave its lease as the real world would."""
    publish_at_once(place.open(), 1)
    work = place.prepare(2)
    ended = place.deploy(work, crash_at=point)
    assert ended.code == -signal.SIGKILL, ended.out
    if place.location.startswith("s3://"):
        # The script was killed, and the job's last steps run all the same.
        assert place.script("deploy/release_lease", work).code == 0
    else:
        # The machine went away: the lease expires.
        before = time.time() - lease.SECONDS - 60
        os.utime(Path(place.location) / lease.KEY, (before, before))


def next_deploy(place: Environment) -> deploy_files.HeldLease:
    """A normal deploy 3, which must come out right whatever happened before it."""
    work = place.prepare(3)
    ended = place.deploy(work)
    assert ended.code == 0, ended.out
    all_of_it = dict.fromkeys(NAMES, 3)
    assert place.current(place.temp / "after") == all_of_it
    assert place.latest() == all_of_it
    assert place.docs() == 3
    seen = lease.read(place.open())
    assert seen is not None
    assert seen.is_open
    assert seen.lease.publishing is None
    return hand_over.read(work, deploy_files.HeldLease)


def history(place: Environment) -> list[str]:
    """Commits' beginnings of all versions that were current, newest first."""
    pointer = place.pointer()
    return [str(version).rpartition("-")[2] for version in (pointer.version, *pointer.history)]


def stored(place: Environment, version: str) -> set[str]:
    prefix = versions.prefix_of(version)
    return {entry.key.removeprefix(prefix) for entry in place.open().list(prefix)}


def second(place: Environment) -> str | None:
    """The version that deploy 2 began to write."""
    for entry in place.open().list(versions.VERSIONS):
        if "-0000002/" in entry.key:
            return entry.key.split("/")[1]
    return None


@pytest.mark.fault(7)
@pytest.mark.parametrize("point", ["before-objects", "between-objects", "before-index"])
def test_killed_before_the_version_is_whole(place: Environment, point: str) -> None:
    crash(place, point)
    version = second(place)
    there = stored(place, version) if version else set()
    assert {
        "before-objects": not there,
        "between-objects": there and there < OBJECTS,
        "before-index": there == OBJECTS,
    }[point], there
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)
    assert place.latest() == dict.fromkeys(NAMES, 1)
    held = next_deploy(place)
    assert held.finished is None
    assert history(place) == ["0000003", "0000001"]


@pytest.mark.fault(8)
def test_killed_just_before_the_pointer_moves(place: Environment) -> None:
    crash(place, "before-pointer")
    version = second(place)
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)
    held = next_deploy(place)
    assert held.finished == version
    assert history(place) == ["0000003", "0000002", "0000001"]


@pytest.mark.fault(8)
@pytest.mark.parametrize("point", ["after-pointer", "between-latest"])
def test_killed_just_after_the_pointer_moved(place: Environment, point: str) -> None:
    crash(place, point)
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 2)
    assert place.latest()["manifest.json"] == 1
    # The next run finishes before it does anything else.
    work = place.prepare(9)
    taken = place.script("deploy/take_lease", work)
    assert taken.code == 0, taken.out
    assert place.latest() == dict.fromkeys(NAMES, 2)
    held = hand_over.read(work, deploy_files.HeldLease)
    assert held.finished == second(place)
    assert place.script("deploy/release_lease", work).code == 0
    next_deploy(place)
    assert history(place) == ["0000003", "0000002", "0000001"]


@pytest.mark.fault(8)
@pytest.mark.parametrize(("point", "docs"), [("before-docs", None), ("before-release", 2)])
def test_killed_when_all_was_published(place: Environment, point: str, docs: int | None) -> None:
    crash(place, point)
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 2)
    assert place.latest() == dict.fromkeys(NAMES, 2)
    assert place.docs() == docs
    held = next_deploy(place)
    assert held.finished is None
    assert history(place) == ["0000003", "0000002", "0000001"]


@pytest.mark.fault(7, 8)
def test_a_crash_point_needs_the_mode_for_tests(place: Environment) -> None:
    work = place.prepare(1)
    ended = place.deploy(work, DBT_DEPLOY_CRASH_AT="before-pointer")
    assert ended.code == 0, ended.out
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)
