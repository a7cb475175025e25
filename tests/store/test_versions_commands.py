"""The commands ``versions`` and ``prune`` as the action runs them."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import publish, versions
from standins.dbt.artifacts import artifact
from standins.jobs.deploys import NAMES, Environment, artifacts_of, commit_of, publish_at_once, take
from standins.store import s3


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, s3_open: s3.Store) -> Environment:
    return make(request.param, tmp_path, s3_open)


@pytest.fixture
def folder(tmp_path: Path, s3_open: s3.Store) -> Environment:
    return make("folder", tmp_path, s3_open)


def make(kind: str, temp: Path, server: s3.Store) -> Environment:
    if kind == "s3":
        location = f"s3://{server.create_bucket()}/prod"
        return Environment(location=location, temp=temp, variables=server.environ)
    (temp / "store").mkdir()
    return Environment(location=str(temp / "store"), temp=temp)


def keys(place: Environment, prefix: str = "versions/") -> set[str]:
    """Names of versions of which anything is there."""
    return {entry.key.split("/")[1] for entry in place.open().list(prefix)}


def deployed(place: Environment, *days: float) -> list[versions.Index]:
    """Versions published so many days ago, oldest first."""
    opened = place.open()
    return [publish_at_once(opened, n, days_ago=ago) for n, ago in enumerate(days, start=1)]


def orphan(place: Environment, number: int, *, days_ago: float = 0) -> versions.Index:
    """A version whose pointer never moved."""
    item, stored = versions.pack("manifest.json", artifacts_of(number)["manifest.json"])
    moment = datetime.now(timezone.utc) - timedelta(days=days_ago)
    index = versions.Index(
        version=versions.version_id(moment, commit_of(number)),
        environment="production",
        project="shop",
        kind="deploy",
        created_at=moment.isoformat(),
        objects={"manifest.json": item},
        commit=commit_of(number),
    )
    place.open().put(versions.object_key(index.version, item), stored)
    place.open().put(versions.index_key(index.version), versions.encode(index))
    return index


def test_the_versions_of_an_empty_store(place: Environment) -> None:
    ended = place.command("versions")
    assert ended.code == 0, ended.out
    assert "holds no version yet" in ended.out
    assert "holds no version yet" in ended.summary
    assert "Plain artifacts" not in ended.summary


def test_that_plain_artifacts_will_be_taken_over_the_list_says(place: Environment) -> None:
    place.open().put("manifest.json", artifact("manifest.json"))
    said = place.command("versions").summary
    assert "the first deploy or release makes them the first version" in said


def test_the_list_of_versions(place: Environment) -> None:
    place.open().put("manifest.json", artifact("manifest.json"))
    assert place.deploy(place.prepare(3)).code == 0
    first, second = deployed(place, 0.002, 0.001)
    lost = orphan(place, 7)
    left = versions.version_id(datetime.now(timezone.utc) - timedelta(days=3), commit_of(8))
    place.open().put(f"versions/{left}/manifest.json.gz", b"half")
    place.open().put("versions/notes.txt", b"somebody's")
    place.open().put("versions/notes/index.json", b"somebody's")
    before = {entry.key: entry for entry in place.open().list("")}
    ended = place.command("versions")
    assert ended.code == 0, ended.out
    assert {entry.key: entry for entry in place.open().list("")} == before
    lines = [line for line in ended.out.splitlines() if "Z-" in line]
    states = {line.split()[0]: line for line in lines}
    assert len(states) == 6
    assert "current" in states[second.version]
    assert f"{commit_of(2)[:7]}" in states[second.version]
    assert "octocat" in states[second.version]
    assert " kB" in states[second.version] or " B" in states[second.version]
    assert "kept" in states[first.version]
    assert "never published" in states[lost.version]
    assert "incomplete" in states[left]
    assert sum("adopted" in line for line in lines) == 1
    order = [
        line.split()[0] for line in lines if line.split()[0] in (first.version, second.version)
    ]
    assert order == [second.version, first.version]
    assert f"`{second.version}`" in ended.summary
    assert "| current |" in ended.summary
    assert "6 versions" in ended.summary


def test_names_out_of_the_store_are_inert(folder: Environment) -> None:
    publish_at_once(folder.open(), 1, created_by="x|`@team`\n::error::<img>")
    ended = folder.command("versions")
    assert ended.code == 0, ended.out
    assert ended.out.startswith("::stop-commands::")
    assert "<img>" not in ended.summary
    assert "@team" not in ended.summary


def test_a_dry_run_removes_nothing_and_says_what_would_go(place: Environment) -> None:
    old, _, _ = deployed(place, 90, 60, 0)
    before = {entry.key: entry for entry in place.open().list("")}
    ended = place.command("prune", keep_versions=1)
    assert ended.code == 0, ended.out
    assert "Would go" in ended.out
    assert "A dry run: nothing was removed." in ended.out
    going, staying = ended.out.split("Stays,")
    assert old.version in going
    assert "older than 30 days" in going
    assert old.version not in staying
    assert "This was a dry run" in ended.summary
    assert {entry.key: entry for entry in place.open().list("")} == before


def test_prune_keeps_what_the_rules_say(place: Environment) -> None:
    opened = place.open()
    indexes = deployed(place, 200, 150, 100, 40, 10, 5, 0)
    for number, days in ((50, 60), (51, 2)):
        place_failed(place, number, days)
    lost_old, lost_new = orphan(place, 8, days_ago=45), orphan(place, 9)
    opened.put("versions/notes.txt", b"somebody's")
    opened.put("docs/index.html", b"docs")
    ended = place.command("prune", dry_run=False, keep_versions=3)
    assert ended.code == 0, ended.out
    kept = {index.version for index in indexes[3:]} | {lost_new.version, "notes.txt"}
    assert keys(place) == kept
    assert lost_old.version in ended.out
    assert {name.split("-")[1] for name in keys(place, "failed/")} == {"51"}
    assert "Removed 5" in ended.out
    assert "production: old versions removed" in ended.summary
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 7)
    assert place.latest() == dict.fromkeys(NAMES, 7)
    assert opened.get("docs/index.html") is not None
    seen = lease.read(opened)
    assert seen is not None
    assert seen.is_open
    again = place.command("prune", dry_run=False, keep_versions=3)
    assert "Removed 0" in again.out
    assert "old enough to go" in again.summary


def place_failed(place: Environment, number: int, days_ago: float) -> None:
    draft = versions.Index(
        version="",
        environment="production",
        project="shop",
        kind="",
        created_at="",
        objects={},
        run_id=number,
    )
    moment = datetime.now(timezone.utc) - timedelta(days=days_ago)
    publish.publish_failed(place.open(), draft, {"dbt.log": b"words"}, moment=moment)


def test_prune_of_an_empty_store(place: Environment) -> None:
    ended = place.command("prune", dry_run=False)
    assert ended.code == 0, ended.out
    assert "Removed 0" in ended.out


@pytest.mark.fault(11)
def test_prune_of_more_than_a_thousand_objects(tmp_path: Path, s3_open: s3.Store) -> None:
    place = make("s3", tmp_path, s3_open)
    opened = place.open()
    publish_at_once(opened, 1)
    moment = datetime.now(timezone.utc) - timedelta(days=60)
    draft = versions.Index(
        version="", environment="p", project="s", kind="", created_at="", objects={}
    )

    def fail(number: int) -> None:
        numbered = replace(draft, run_id=number)
        publish.publish_failed(opened, numbered, {"dbt.log": b"words"}, moment=moment)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, range(510)))
    assert sum(1 for _ in opened.list("failed/")) == 1020
    ended = place.command("prune", dry_run=False)
    assert ended.code == 0, ended.out
    assert "Removed 510" in ended.out
    assert not list(opened.list("failed/"))
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)


@pytest.mark.fault(12)
def test_prune_does_not_start_while_a_rollback_runs(place: Environment) -> None:
    deployed(place, 90, 60, 0)
    before = keys(place)
    nonce = take(place.open(), "rollback to 20260821T000000Z-0000001")
    ended = place.command("prune", dry_run=False, keep_versions=1)
    assert ended.code == errors.LeaseHeld.exit_code, ended.out
    assert "rollback to 20260821T000000Z-0000001" in ended.failure.what
    assert "did nothing" in ended.failure.not_done
    assert keys(place) == before
    lease.release(place.open(), nonce)
    assert place.command("prune", dry_run=False, keep_versions=1).code == 0
    assert len(keys(place)) == 2


@pytest.mark.fault(12)
def test_a_rollback_does_not_start_while_prune_runs(place: Environment) -> None:
    """Whoever rolls back looks at what is there under the lease, and prune decides under it."""
    indexes = deployed(place, 90, 60, 0)
    ended = place.command("prune", dry_run=False, keep_versions=1)
    assert ended.code == 0, ended.out
    opened = place.open()
    target = indexes[1]
    nonce = take(opened, "rollback")
    pointer = place.pointer()
    stored = opened.get(versions.index_key(target.version))
    assert stored is not None
    moved = pointer.moved_to(target.version, versions.sha256(stored.body), at="", by="")
    opened.put(versions.POINTER, versions.encode(moved))
    lease.release(opened, nonce)
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 2)
    # What was rolled back from can be gone back to.
    assert place.command("prune", dry_run=False, keep_versions=1, retention_days=1).code == 0
    assert keys(place) == {indexes[1].version, indexes[2].version}


def test_prune_killed_between_index_and_objects(place: Environment) -> None:
    deployed(place, 90, 60, 0)
    ended = dataclasses.replace(
        place,
        variables={
            **place.variables,
            "DBT_DEPLOY_TEST": "1",
            "DBT_DEPLOY_CRASH_AT": "between-deletes",
        },
    ).command("prune", dry_run=False, keep_versions=1)
    assert ended.code == -signal.SIGKILL, ended.out
    opened = place.open()
    oldest = min(keys(place))
    assert opened.get(versions.index_key(oldest)) is None
    assert opened.get(f"versions/{oldest}/manifest.json.gz") is not None
    lines = {line.split()[0]: line for line in place.command("versions").out.splitlines() if line}
    assert "incomplete" in lines[oldest]
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 3)
    if place.location.startswith("s3://"):
        return  # its clock cannot be set back
    for entry in opened.list(f"versions/{oldest}/"):
        past(Path(place.location) / entry.key, days=2)
    past(Path(place.location) / lease.KEY, days=1)
    again = place.command("prune", dry_run=False, keep_versions=1)
    assert again.code == 0, again.out
    assert "left by a killed run" in again.out
    assert oldest not in keys(place)


def past(path: Path, *, days: float) -> None:
    before = time.time() - days * 86_400
    os.utime(path, (before, before))


@pytest.mark.fault(8, 12)
def test_prune_finishes_what_a_killed_deploy_began(folder: Environment) -> None:
    publish_at_once(folder.open(), 1)
    work = folder.prepare(2)
    assert folder.deploy(work, crash_at="before-pointer").code == -signal.SIGKILL
    past(Path(folder.location) / lease.KEY, days=1)
    ended = folder.command("prune", dry_run=False, keep_versions=1)
    assert ended.code == 0, ended.out
    assert "An expired lease was taken over" in ended.out
    assert "is current now" in ended.out
    assert folder.current(folder.temp / "seen") == dict.fromkeys(NAMES, 2)
    assert folder.latest() == dict.fromkeys(NAMES, 2)


@pytest.mark.fault(79)
@pytest.mark.parametrize("name", ["probe", "versions", "failed", "latest", "docs"])
def test_an_environment_below_this_one_is_not_pruned(folder: Environment, name: str) -> None:
    """Whatever it is named: only what has one of our own names goes."""
    below = Path(folder.location) / name
    below.mkdir()
    stage = dataclasses.replace(folder, location=str(below))
    publish_at_once(stage.open(), 1, days_ago=90)
    publish_at_once(stage.open(), 2, days_ago=60)
    before = {path: path.read_bytes() for path in below.rglob("*") if path.is_file()}
    deployed(folder, 200, 100, 0)
    left = f"probe/{'0' * 32}"
    folder.open().put(left, b"what a killed run left")
    for path in (*before, Path(folder.location) / left):
        past(path, days=50)
    ended = folder.command("prune", dry_run=False, retention_days=1, keep_versions=1)
    assert ended.code == 0, ended.out
    assert folder.open().get(left) is None
    assert {path: path.read_bytes() for path in before} == before
