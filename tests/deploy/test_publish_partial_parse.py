"""publish_artifacts.py and the parse that dbt left: an extra, without secrets, that fails alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dbtdeploy.admin import prune_versions
from dbtdeploy.context import deploy_files, work_files
from dbtdeploy.store import partial_parse
from dbtdeploy.store.publication import resume_publish, version_reader, versions
from standins.dbt import parses
from standins.jobs import deploys
from standins.jobs.deploys import NAMES, PAGE, Environment, artifacts_of, model, publish_at_once
from standins.store import iam_policies, s3, stores

NOT_KEPT = "The parse of this run is not kept"


@pytest.fixture
def place(tmp_path: Path) -> Environment:
    (tmp_path / "store").mkdir()
    return Environment(location=str(tmp_path / "store"), temp=tmp_path)


@pytest.fixture(params=["folder", "bucket"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    if request.param == "folder":
        folder: Environment = request.getfixturevalue("place")
        return folder
    server: s3.Store = request.getfixturevalue("s3_open")
    location = f"s3://{server.create_bucket()}/prod"
    return Environment(location=location, temp=tmp_path, variables=server.environ)


def current(place: Environment) -> versions.Index:
    return version_reader.read_index(place.open(), place.pointer())


def kept(place: Environment, tmp_path: Path) -> dict[str, bytes] | None:
    """The files of the current version's saved parse."""
    item = current(place).objects.get(versions.SAVED_PARSE)
    if item is None:
        return None
    stored = place.open().get(versions.object_key(current(place).version, item))
    assert stored is not None
    partial_parse.prove(item, stored.body, source="")
    partial_parse.unpack(stored.body, tmp_path / "kept", source="")
    return parses.read(tmp_path / "kept")


def left_out(place: Environment, out: str) -> None:
    """It is not in the store, and all else is."""
    assert out.count(NOT_KEPT) == 1, out
    assert "::warning" not in out
    assert versions.SAVED_PARSE not in current(place).objects
    assert not [e.key for e in place.open().list("") if versions.SAVED_PARSE in e.key]
    assert set(current(place).objects) == {*NAMES, PAGE}
    assert place.latest() == dict.fromkeys(NAMES, 2)


def test_a_version_has_the_parse_that_dbt_left(either: Environment, tmp_path: Path) -> None:
    work = either.prepare(2)
    folder = parses.laid(work / work_files.KEPT_PARSE)
    ended = either.deploy(work)
    assert ended.code == 0, ended.out
    assert kept(either, tmp_path) == parses.read(folder)
    # A reader that knows of none sees a version as before.
    assert either.current(tmp_path / "seen") == dict.fromkeys(NAMES, 2)
    assert either.latest() == dict.fromkeys(NAMES, 2)
    listed = either.command("versions")
    assert listed.code == 0, listed.out


def test_without_one_a_version_is_as_before(place: Environment, tmp_path: Path) -> None:
    ended = place.deploy(place.prepare(2))
    assert ended.code == 0, ended.out
    assert NOT_KEPT not in ended.out
    assert kept(place, tmp_path) is None


HIDDEN = {
    "a password of dbt-env": {"DBT_DEPLOY_DBT_ENV": "DBT_PASSWORD=hunter22"},
    "another value of dbt-env": {"DBT_DEPLOY_DBT_ENV": "WAREHOUSE=hunter22"},
    "a value of redact": {"DBT_DEPLOY_REDACT": "hunter22"},
    "a variable of the job": {"SOME_TOKEN": "hunter22"},
    "a dbt-env that is none": {"DBT_DEPLOY_DBT_ENV": "hunter22"},
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_holds_a_secret_is_not_kept(place: Environment, case: str) -> None:
    given = dataclasses.replace(place, variables={**place.variables, **HIDDEN[case]})
    work = given.prepare(2)
    parses.laid(work / work_files.KEPT_PARSE, content=b"\xa8hunter22\xff")
    if case == "a dbt-env that is none":
        ended = given.deploy(work)
        assert ended.code != 0 or NOT_KEPT in ended.out
        assert not [e.key for e in place.open().list("") if versions.SAVED_PARSE in e.key]
        return
    ended = given.deploy(work)
    assert ended.code == 0, ended.out
    assert "hunter22" not in ended.out
    left_out(place, ended.out)


def test_a_name_that_the_manifest_shows_is_no_secret(place: Environment, tmp_path: Path) -> None:
    """``DBT_DATABASE=postgres`` stands in every relation, for all who can read the store."""
    given = dataclasses.replace(
        place, variables={**place.variables, "DBT_DEPLOY_DBT_ENV": "WHERE=postgres"}
    )
    work = given.prepare(2)
    parses.laid(work / work_files.KEPT_PARSE, content=b"\xa8postgres\xff")
    ended = given.deploy(work)
    assert ended.code == 0, ended.out
    assert kept(place, tmp_path) is not None


def test_a_secret_that_the_manifest_shows_is_one_all_the_same(place: Environment) -> None:
    nodes = {"model.shop.a": model("a", 2, compiled_code="select 'hunter22'")}
    nodes["model.shop.b"] = model("b", 2)
    given = dataclasses.replace(
        place, variables={**place.variables, "DBT_DEPLOY_DBT_ENV": "A_KEY=hunter22"}
    )
    work = given.prepare(2, contents=artifacts_of(2, nodes=nodes))
    parses.laid(work / work_files.KEPT_PARSE, content=b"\xa8hunter22\xff")
    left_out(place, given.deploy(work).out)


@pytest.mark.parametrize("name", partial_parse.PARTS)
def test_half_a_parse_is_not_kept(place: Environment, name: str) -> None:
    work = place.prepare(2)
    (parses.laid(work / work_files.KEPT_PARSE) / name).unlink()
    ended = place.deploy(work)
    assert ended.code == 0, ended.out
    left_out(place, ended.out)


def test_a_store_that_refuses_it_gets_the_version_all_the_same(
    tmp_path: Path, s3_open: s3.Store
) -> None:
    bucket = s3_open.create_bucket()
    policy = iam_policies.policy_of("deploy", bucket)
    writing = policy["Statement"][0]
    writing["Resource"] = [
        resource.replace("versions/*", f"versions/*{end}")
        for resource in writing["Resource"]
        for end in ((".json.gz", ".html.gz", "index.json") if "versions/" in resource else ("",))
    ]
    with iam_policies.judged_by(policy, s3_open.url) as proxy:
        through = stores.in_bucket(dataclasses.replace(s3_open, url=proxy.url), bucket=bucket)
        keys = {n.removeprefix("DBT_DEPLOY_"): value for n, value in through.environ.items()}
        place = Environment(
            location=through.location, temp=tmp_path, variables=through.environ | keys
        )
        work = place.prepare(2)
        parses.laid(work / work_files.KEPT_PARSE)
        ended = place.deploy(work)
        assert ended.code == 0, ended.out
        assert "Give this job's role s3:PutObject on" in ended.out
    left_out(dataclasses.replace(place, variables=s3_open.environ), ended.out)


def test_a_killed_run_is_finished_without_its_parse(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    work = place.prepare(2)
    parses.laid(work / work_files.KEPT_PARSE)
    place.deploy(work, crash_at="before-pointer")
    (version,) = {
        entry.key.split("/")[1]
        for entry in place.open().list(versions.VERSIONS)
        if "-0000002/" in entry.key
    }
    place.open().delete(f"versions/{version}/{versions.SAVED_PARSE}.gz")
    found = resume_publish.whole(place.open(), version)
    assert isinstance(found, resume_publish.Whole), found


def test_it_goes_with_its_version(place: Environment) -> None:
    for number in (1, 2, 3):
        work = place.prepare(number)
        parses.laid(work / work_files.KEPT_PARSE)
        assert place.deploy(work).code == 0
    before = {e.key for e in place.open().list("versions/") if versions.SAVED_PARSE in e.key}
    assert len(before) == 3
    nothing_old = deploy_files.StoreCommand(
        command="prune",
        event=deploys.RUN.event,
        location=place.location,
        environment="production",
        retention_days=0,
        keep_versions=1,
        dry_run=False,
    )
    prune_versions.run(nothing_old)
    after = {entry.key.split("/")[1] for entry in place.open().list("versions/")}
    there = {e.key.split("/")[1] for e in place.open().list("versions/") if "parse" in e.key}
    assert there == after
