"""The first deploy on plain artifacts makes a version of them before it builds anything."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.policies import AnyPolicy
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import version_reader, versions
from dbtdeploy.store.publication.versions import Index
from standins.dbt.artifacts import artifact
from standins.jobs import deploys, runs
from standins.jobs.deploys import NAMES, Ended, Environment, publish_at_once
from standins.store import leases, s3, stores

pytestmark = pytest.mark.fault(103)

COMMIT = "a1b2c3d4" * 5


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    if request.param == "s3":
        server: s3.Store = request.getfixturevalue("s3_open")
        location = f"s3://{server.create_bucket()}/prod"
        return Environment(location=location, temp=tmp_path, variables=server.environ)
    return in_folder(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Environment:
    return in_folder(tmp_path)


def in_folder(tmp_path: Path) -> Environment:
    (tmp_path / "store").mkdir()
    return Environment(location=str(tmp_path / "store"), temp=tmp_path)


def plain(place: Environment, *names: str) -> dict[str, bytes]:
    made = {name: artifact(name, env={"GITHUB_SHA": COMMIT}, project_name="shop") for name in names}
    for name, body in made.items():
        place.open().put(name, body)
    return made


def take(
    place: Environment, number: int, *, policy: AnyPolicy | None = None, **variables: str
) -> Ended:
    run = replace(deploys.RUN, policy=policy or deploys.RUN.policy)
    return place.script("deploy/take_lease", place.prepare(number, run=run), **variables)


def taken_over(ended: Ended) -> str | None:
    return hand_over.read(ended.work, HeldLease).taken_over


def current(place: Environment) -> Index:
    return version_reader.read_index(place.open(), place.pointer())


def test_what_is_there_becomes_the_first_version_and_stays_where_it_is(place: Environment) -> None:
    made = plain(place, *NAMES)
    ended = take(place, 1)
    assert ended.code == 0, ended.out
    opened, index = place.open(), current(place)
    assert index.kind == "adopted"
    assert index.commit == COMMIT
    assert index.version.endswith("-a1b2c3d")
    assert (index.dbt_version, index.adapter, index.project) == ("1.11.16", "postgres", "shop")
    assert (index.created_by, index.previous) == ("octocat", None)
    for name, body in made.items():
        assert version_reader.read_object(opened, index, name) == body
        for key in (name, f"latest/{name}"):
            there = opened.get(key)
            assert there is not None, key
            assert there.body == body
    said = f"Took over the artifacts that were here as version {index.version}"
    assert said in ended.out
    assert taken_over(ended) == index.version
    seen = lease.read(opened)
    assert seen is not None
    assert seen.lease.is_held
    assert seen.lease.publishing is None


def test_a_deploy_follows_what_it_took_over(folder: Environment) -> None:
    plain(folder, *NAMES)
    ended = folder.deploy(folder.prepare(2))
    assert ended.code == 0, ended.out
    before = current(folder).previous
    assert ended.publication.previous == before
    assert before is not None
    assert before.endswith("-a1b2c3d")
    assert folder.current(folder.temp / "seen") == dict.fromkeys(NAMES, 2)


def test_it_happens_once(folder: Environment) -> None:
    plain(folder, *NAMES)
    assert folder.deploy(folder.prepare(1)).code == 0
    # A job of before still copies its files there.
    plain(folder, *NAMES)
    ended = take(folder, 2)
    assert taken_over(ended) is None
    assert "Took over" not in ended.out
    assert folder.pointer().history[1:] == ()


@pytest.mark.parametrize("policy", [runs.rollback(), runs.clean_up()])
def test_what_publishes_nothing_takes_nothing_over(folder: Environment, policy: AnyPolicy) -> None:
    plain(folder, *NAMES)
    ended = take(folder, 1, policy=policy)
    assert ended.code == 0, ended.out
    assert folder.pointer().version is None


def test_a_store_without_a_manifest_has_nothing_to_take_over(place: Environment) -> None:
    plain(place, "run_results.json")
    ended = take(place, 1)
    assert ended.code == 0, ended.out
    assert taken_over(ended) is None
    assert place.pointer().version is None


@pytest.mark.fault(9)
@pytest.mark.parametrize("name", ["manifest.json", "catalog.json"])
def test_damaged_artifacts_are_not_taken_over(folder: Environment, name: str) -> None:
    made = plain(folder, "manifest.json", "catalog.json")
    folder.open().put(name, made[name][:-9])
    ended = take(folder, 1)
    assert ended.code == errors.StateCorrupt.exit_code, ended.out
    assert name in ended.failure.what
    assert folder.pointer().version is None
    seen = lease.read(folder.open())
    assert seen is not None
    assert seen.is_open


@pytest.mark.fault(7, 8)
@pytest.mark.parametrize(
    "point", ["between-objects", "before-index", "before-pointer", "after-pointer", "taken-over"]
)
def test_killed_while_it_takes_over(folder: Environment, point: str) -> None:
    made = plain(folder, *NAMES)
    killed = take(folder, 1, DBT_DEPLOY_TEST="1", DBT_DEPLOY_CRASH_AT=point)
    assert killed.code == -signal.SIGKILL
    leases.expire(stores.in_folder(Path(folder.location)))
    ended = take(folder, 2)
    assert ended.code == 0, ended.out
    index = current(folder)
    assert index.kind == "adopted"
    opened = folder.open()
    for name, body in made.items():
        assert version_reader.read_object(opened, index, name) == body
        latest = opened.get(f"{versions.LATEST}{name}")
        assert latest is not None
        assert latest.body == body
    assert folder.pointer().history == ()


def test_a_store_that_has_versions_is_left_alone(folder: Environment) -> None:
    there = publish_at_once(folder.open(), 1)
    plain(folder, *NAMES)
    ended = take(folder, 2)
    assert ended.code == 0, ended.out
    assert folder.pointer().version == there.version
