"""publish_artifacts.py as the action runs it: what becomes state, what is kept, what is hidden."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.deploy import collect_artifacts
from dbtdeploy.store import failed_nodes
from dbtdeploy.store.lease import lease
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.publication import fencing, publish, version_reader, versions
from standins.jobs import runs
from standins.jobs.deploys import (
    BUILD,
    NAMES,
    PAGE,
    RUN,
    Environment,
    artifacts_of,
    commit_of,
    model,
    number_in,
    publish_at_once,
)
from standins.store import s3


@pytest.fixture
def place(tmp_path: Path) -> Environment:
    (tmp_path / "store").mkdir()
    return Environment(location=str(tmp_path / "store"), temp=tmp_path)


@pytest.fixture
def bucket(tmp_path: Path, s3_open: s3.Store) -> Environment:
    location = f"s3://{s3_open.create_bucket()}/prod"
    return Environment(location=location, temp=tmp_path, variables=s3_open.environ)


def index_of(place: Environment) -> versions.Index:
    return version_reader.read_index(place.open(), place.pointer())


def content(place: Environment, name: str) -> bytes:
    return version_reader.read_object(place.open(), index_of(place), name)


def test_what_a_version_is(bucket: Environment, s3_open: s3.Store) -> None:
    first = publish_at_once(bucket.open(), 1)
    ended = bucket.deploy(bucket.prepare(2))
    assert ended.code == 0, ended.out
    pointer, index = bucket.pointer(), index_of(bucket)
    assert pointer.version == index.version
    assert versions.ID.fullmatch(index.version)
    assert index.version.endswith("-0000002")
    assert pointer.history == (first.version,)
    assert index.previous == first.version
    assert index == replace(
        index,
        kind="deploy",
        environment="production",
        project="shop",
        commit=commit_of(2),
        ref="main",
        created_by="octocat",
        event="push",
        run_url="https://github.com/acme/shop/actions/runs/2",
        run_id=2,
        dbt_version="1.11.16",
        adapter="postgres",
        command="dbt build",
        partial=False,
        counts={"success": 2},
        seconds=41.0,
    )
    assert {name: content(bucket, name) for name in index.objects} == {
        name: artifacts_of(2)[name] for name in (*NAMES, PAGE)
    }
    assert ended.outputs == {"version": index.version, "docs-url": ""}
    assert ended.publication.version == index.version
    assert ended.publication.previous == first.version
    assert bucket.latest() == dict.fromkeys(NAMES, 2)
    name, prefix = bucket.location.removeprefix("s3://").split("/")
    page = s3_open.client().get_object(Bucket=name, Key=f"{prefix}/docs/index.html")
    assert page["ContentType"] == "text/html; charset=utf-8"
    assert page["Body"].read() == artifacts_of(2)[PAGE]


def test_nothing_built_is_nothing_published(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    ended = place.deploy(place.prepare(2, planned=(), statuses={}))
    assert ended.code == 0, ended.out
    assert "nothing is published" in ended.out
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)
    assert not list(place.open().list(versions.FAILED))


CRASHED = work_files.Failure(
    kind="DbtDeployError",
    title="dbt-deploy failed",
    what="dbt-deploy has a fault: KeyError in build_production.py.",
    not_done="",
    remedy="",
    phase=Phase.BUILD,
    exit_code=3,
)
GOOD = {"a": "success", "b": "success"}

FAILED: dict[str, tuple[dict[str, Any], str]] = {
    "a node failed": (
        {"build": replace(BUILD, exit_code=1), "statuses": {"a": "success", "b": "error"}},
        "exit code was 1. model.shop.b: error",
    ),
    "a usage error": ({"build": replace(BUILD, exit_code=2), "statuses": GOOD}, "code was 2"),
    "exit 0 with a skipped node": (
        {"statuses": {"a": "success", "b": "skipped"}},
        "model.shop.b: skipped",
    ),
    "exit 0 without a node's result": ({"statuses": {"a": "success"}}, "model.shop.b: no result"),
    "a status nobody knows": ({"statuses": {**GOOD, "b": "odd"}}, "model.shop.b: odd"),
    "interrupted, the finished subset all success": (
        {"build": replace(BUILD, exit_code=2, interrupted=True), "statuses": {"a": "success"}},
        "The build was interrupted.",
    ),
    "interrupted, with dbt's exit code 0": (
        {"build": replace(BUILD, interrupted=True), "statuses": GOOD},
        "The build was interrupted.",
    ),
    "no results of this build": ({"build": replace(BUILD, results=False)}, "no results"),
    "the build never ended": ({"build": None}, "The build did not end."),
    "a crash of ours after a good build": ({"failure": CRASHED}, "KeyError"),
    "a warning where warnings fail": (
        {
            "statuses": {**GOOD, "b": "warn"},
            "run": replace(RUN, policy=replace(RUN.policy, fail_on_warnings=True)),
        },
        "fail-on-warnings",
    ),
}


@pytest.mark.fault(16)
@pytest.mark.parametrize("case", FAILED)
def test_a_failed_run_is_kept_and_never_state(place: Environment, case: str) -> None:
    given, said = FAILED[case]
    first = publish_at_once(place.open(), 1)
    before = place.pointer()
    work = place.prepare(2, **given)
    results = work / work_files.RUN_RESULTS
    trusted = results.exists()
    if not trusted:  # an older build's, all of them good
        results.write_bytes(artifacts_of(2)["run_results.json"])
    ended = place.deploy(work)
    assert ended.code == 0, ended.out
    assert said in ended.out
    assert "not published as state" in ended.out
    assert replace(place.pointer(), fence="") == replace(before, fence="")
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)
    assert place.latest() == dict.fromkeys(NAMES, 1)
    assert place.docs() is None
    assert {entry.key.split("/")[1] for entry in place.open().list("versions/")} == {first.version}
    assert ended.outputs == {"version": "", "docs-url": ""}
    prefix = ended.publication.failed or ""
    assert ended.publication.version is None
    assert versions.FAILED_NAME.fullmatch(prefix.removeprefix("failed/").rstrip("/"))
    kept = place.open().get(f"{prefix}index.json")
    assert kept is not None
    index = versions.decode_index(kept.body, source="")
    assert index.kind == "failed"
    assert said in (index.problem or "")
    assert index.previous == first.version
    assert index.planned == ("model.shop.a", "model.shop.b")
    statuses = {f"model.shop.{n}": s for n, s in given.get("statuses", GOOD).items()}
    assert index.results == (statuses if trusted else {})
    assert set(index.objects) >= {"manifest.json", "dbt.log"}
    for name, item in index.objects.items():
        stored = place.open().get(prefix + item.key)
        assert stored is not None
        assert versions.unpack(item, stored.body, source=name)


@pytest.mark.fault(16)
def test_a_failed_first_run_leaves_no_state(place: Environment) -> None:
    ended = place.deploy(place.prepare(2, build=replace(BUILD, exit_code=1)))
    assert ended.code == 0, ended.out
    assert place.pointer().version is None
    assert place.current(place.temp / "seen") == {}
    assert place.latest() == {}


SAME = {f"model.shop.{name}": model(name, 1) for name in ("a", "b")}


@pytest.mark.fault(16)
def test_a_failed_run_says_what_it_built_from_other_definitions(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    nodes = {**SAME, "model.shop.a": model("a", 2)}
    work = place.prepare(
        2,
        contents=artifacts_of(2, nodes=nodes),
        build=replace(BUILD, exit_code=1),
        statuses={"a": "success", "b": "error"},
    )
    ended = place.deploy(work)
    assert ended.code == 0, ended.out
    kept = place.open().get(f"{ended.publication.failed}index.json")
    assert kept is not None
    assert versions.decode_index(kept.body, source="").unsettled == ("model.shop.a",)
    assert failed_nodes.failed_since(place.open()) == ("model.shop.a", "model.shop.b")


@pytest.mark.fault(16)
def test_a_partial_deploy_does_not_make_a_failure_forgotten(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    same = artifacts_of(2, nodes=SAME)
    failed, statuses = replace(BUILD, exit_code=1), {"a": "success", "b": "error"}
    work = place.prepare(2, contents=same, build=failed, statuses=statuses)
    assert place.deploy(work).code == 0
    for number, planned in ((3, "a"), (4, "a"), (5, "b")):
        work = place.prepare(
            number, contents=same, planned=(planned,), statuses={planned: "success"}
        )
        ended = place.deploy(work)
        assert ended.code == 0, ended.out
        assert index_of(place).unsettled == (("model.shop.b",) if planned == "a" else ())


def test_what_hangs_on_a_changed_node_and_was_left_out_is_not_forgotten(
    place: Environment,
) -> None:
    below = model("b", 1, depends_on={"nodes": ["model.shop.a"], "macros": []})
    for number in (1, 2):
        nodes = {"model.shop.a": model("a", number), "model.shop.b": below}
        planned = ("a", "b") if number == 1 else ("a",)
        work = place.prepare(
            number,
            contents=artifacts_of(number, nodes=nodes),
            planned=planned,
            statuses=dict.fromkeys(planned, "success"),
        )
        assert place.deploy(work).code == 0
    assert index_of(place).pending == ()
    assert index_of(place).unsettled == ("model.shop.b",)


@pytest.mark.fault(8)
def test_word_of_a_build_that_began_goes_when_it_succeeded(place: Environment) -> None:
    work = place.prepare(2)
    assert place.script("deploy/take_lease", work).code == 0
    run = hand_over.read(work, work_files.Run)
    publish.publish_failed(
        place.open(),
        collect_artifacts.begun(work, run, str),
        {},
        moment=datetime.now(timezone.utc),
        began=collect_artifacts.began(work, run),
    )
    assert failed_nodes.failed_since(place.open()) == ("model.shop.a", "model.shop.b")
    place.fetch(work)
    ended = place.script("deploy/publish_artifacts", work)
    assert ended.code == 0, ended.out
    assert not list(place.open().list(versions.FAILED))
    assert index_of(place).unsettled == ()


@pytest.mark.fault(16)
def test_a_failed_run_that_cannot_be_kept_is_a_warning(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    (Path(place.location) / "failed").write_text("a file where a folder should be")
    ended = place.deploy(place.prepare(2, build=replace(BUILD, exit_code=1)))
    assert ended.code == 0, ended.out
    assert "::warning title=The failed run's artifacts were not kept" in ended.out
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)


@pytest.mark.parametrize("phase", [Phase.RESTORE, Phase.DOCS])
def test_what_fails_after_a_good_build_does_not_undo_it(place: Environment, phase: Phase) -> None:
    failure = replace(CRASHED, phase=phase)
    ended = place.deploy(place.prepare(2, failure=failure, docs=False))
    assert ended.code == 0, ended.out
    assert place.current(place.temp / "seen")["manifest.json"] == 2


def test_without_documentation_none_is_taken_from_an_earlier_run(place: Environment) -> None:
    assert place.deploy(place.prepare(1)).code == 0
    work = place.prepare(2, docs=False, sources=False)
    for name in ("catalog.json", "sources.json", PAGE):
        left = artifacts_of(1)[name]
        (place.temp / "checkout-2" / "target" / name).write_bytes(left)
    assert place.deploy(work).code == 0
    both = {"manifest.json": 2, "run_results.json": 2}
    assert set(index_of(place).objects) == set(both)
    assert place.current(place.temp / "seen") == both
    assert place.latest() == both
    assert place.docs() == 1


def test_documentation_elsewhere(place: Environment, bucket: Environment) -> None:
    run = replace(
        RUN,
        policy=runs.deploy(
            docs_location=f"{bucket.location}/site", docs_url="https://docs.example"
        ),
    )
    both = dataclasses.replace(place, variables=bucket.variables)
    ended = both.deploy(both.prepare(2, run=run))
    assert ended.code == 0, ended.out
    there = dataclasses.replace(bucket, location=f"{bucket.location}/site").open().get("index.html")
    assert there is not None
    assert there.body == artifacts_of(2)[PAGE]
    assert place.docs() is None
    assert ended.outputs["docs-url"] == "https://docs.example"
    assert ended.publication.docs == f"{bucket.location}/site/index.html"


@pytest.mark.fault(64, 69)
def test_a_page_of_an_unknown_form_is_left_out_and_said(place: Environment) -> None:
    page = b"<html><script>n={manifests:{}}</script></html>"
    ended = place.deploy(place.prepare(2, contents={PAGE: page}))
    assert ended.code == 0, ended.out
    assert "The documentation was not written" in ended.out
    assert "The page was not published" in ended.out
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 2)
    assert place.docs() is None
    assert PAGE not in index_of(place).objects
    assert "catalog.json" in index_of(place).objects


def test_documentation_that_cannot_be_uploaded(place: Environment) -> None:
    run = replace(
        RUN,
        policy=runs.deploy(docs_location="/nowhere/docs", docs_url="https://docs.example"),
    )
    ended = place.deploy(place.prepare(2, run=run))
    assert ended.code == errors.DocsFailed.exit_code, ended.out
    assert ended.failure.kind == "DocsFailed"
    assert "/nowhere/docs" in ended.failure.what
    assert "published and current" in ended.failure.not_done
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 2)
    assert place.latest() == dict.fromkeys(NAMES, 2)
    version = place.pointer().version
    assert ended.outputs == {"version": version, "docs-url": ""}
    assert ended.publication.version == version
    seen = lease.read(place.open())
    assert seen is not None
    assert seen.lease.publishing is None


def secretive(place: Environment, **variables: str) -> Environment:
    return dataclasses.replace(place, variables={**place.variables, **variables})


def test_secrets_are_not_published(place: Environment) -> None:
    node = model("a", 2, compiled_code="select 'hunter22' as k", meta={"who": "hunter22, too"})
    manifest = json.loads(artifacts_of(2, nodes={"model.shop.a": node})["manifest.json"])
    manifest["metadata"]["env"] = {"KEY": "hunter22"}
    catalog = json.loads(artifacts_of(2)["catalog.json"]) | {"errors": ["hunter22"]}
    made = {"manifest.json": json.dumps(manifest), "catalog.json": json.dumps(catalog)}
    script = f"n={{manifest:{made['manifest.json']},catalog:{made['catalog.json']}}}"
    made[PAGE] = f"<html>hunter2<script>{script}</script></html>"
    given = secretive(place, DBT_DEPLOY_DBT_ENV="DBT_PASSWORD=hunter22")
    work = given.prepare(2, contents={name: text.encode() for name, text in made.items()})
    ended = given.deploy(work)
    assert ended.code == 0, ended.out
    for entry in place.open().list(""):
        stored = place.open().get(entry.key)
        assert stored is not None
        assert b"hunter22" not in stored.body, entry.key
    for name in index_of(place).objects:
        assert b"hunter22" not in content(place, name), name
    published = json.loads(content(place, "manifest.json"))
    assert published["nodes"]["model.shop.a"]["compiled_code"] == "select '***' as k"
    page = place.open().get(versions.DOCS)
    assert page is not None
    assert page.body.startswith(b"<html>hunter2<script>n={manifest:{")


@pytest.mark.parametrize(
    "variables",
    [
        {"DBT_DEPLOY_DBT_ENV": "DBT_ENV_SECRET_ONE=1"},
        {"DBT_DEPLOY_DBT_ENV": "DBT_PASSWORD=postgres"},
        {"DBT_DEPLOY_REDACT": 'success\n": \n{\nmodel'},
    ],
)
def test_a_state_with_an_odd_secret_is_still_one_that_dbt_reads(
    place: Environment, variables: dict[str, str]
) -> None:
    nodes = {"model.shop.a": model("a", 1, compiled_code="select 1 from postgres where success")}
    nodes["model.shop.b"] = model("b", 1)
    given = secretive(place, **variables)
    contents = artifacts_of(2, nodes=nodes)
    ended = given.deploy(given.prepare(2, contents=contents))
    assert ended.code == 0, ended.out
    published = json.loads(content(place, "manifest.json"))
    original = json.loads(contents["manifest.json"])
    for field in ("unique_id", "checksum", "relation_name", "schema", "database", "config"):
        for unique_id, node in original["nodes"].items():
            assert published["nodes"][unique_id][field] == node[field]
    assert published["metadata"]["adapter_type"] == "postgres"
    statuses = json.loads(content(place, "run_results.json"))["results"]
    assert [result["status"] for result in statuses] == ["success", "success"]


def test_an_artifact_without_secrets_stays_as_dbt_wrote_it(place: Environment) -> None:
    given = secretive(place, DBT_DEPLOY_DBT_ENV="DBT_PASSWORD=hunter22")
    odd = artifacts_of(2)["manifest.json"].replace(b", ", b" ,\n  ")
    assert given.deploy(given.prepare(2, contents={"manifest.json": odd})).code == 0
    assert content(place, "manifest.json") == odd


@pytest.mark.parametrize("damage", [b"", b'{"metadata": {', b"<html>", b'{"nodes": "\xff"}'])
def test_a_manifest_that_is_not_json_is_not_published(place: Environment, damage: bytes) -> None:
    publish_at_once(place.open(), 1)
    ended = place.deploy(place.prepare(2, contents={"manifest.json": damage}))
    assert ended.code == errors.PublishingFailed.exit_code, ended.out
    assert "manifest.json" in ended.failure.what
    assert "still the current one" in ended.failure.not_done
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)


def test_a_manifest_that_is_gone_is_not_published(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    work = place.prepare(2)
    (place.temp / "checkout-2" / "target" / "manifest.json").unlink()
    ended = place.deploy(work)
    assert ended.code == errors.PublishingFailed.exit_code, ended.out
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)


def test_a_partial_build_says_what_it_left_out(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    ended = place.deploy(place.prepare(2, planned=("a",), statuses={"a": "success"}))
    assert ended.code == 0, ended.out
    index = index_of(place)
    assert index.partial
    assert index.pending == ("model.shop.b",) == ended.publication.pending
    assert index.carried == 1 == ended.publication.carried
    assert index.counts == {"success": 1}
    manifest = json.loads(content(place, "manifest.json"))
    code = {name: node["raw_code"] for name, node in manifest["nodes"].items()}
    assert code == {"model.shop.a": "select 2", "model.shop.b": "select 1"}
    results = json.loads(content(place, "run_results.json"))["results"]
    assert [result["unique_id"] for result in results] == ["model.shop.a", "model.shop.b"]


@pytest.mark.fault(4)
@pytest.mark.parametrize("how", ["broken", "stolen"])
def test_a_run_that_lost_its_lease_publishes_nothing(place: Environment, how: str) -> None:
    opened = place.open()
    publish_at_once(opened, 1)
    work = place.prepare(2)
    assert place.script("deploy/take_lease", work).code == 0
    place.fetch(work)
    lease.mark_broken(opened, by="hubot", reason="test")
    if how == "stolen":
        nonce = lease.new_nonce()
        lease.take(opened, Lease(nonce=nonce, holder="hubot", purpose="deploy"))
        fencing.fence(opened, nonce)
    ended = place.script("deploy/publish_artifacts", work)
    assert ended.code == errors.LeaseLost.exit_code, ended.out
    assert place.current(place.temp / "seen") == dict.fromkeys(NAMES, 1)
    assert place.latest() == dict.fromkeys(NAMES, 1)
    assert not hand_over.is_there(work, Publication)


def test_number_in_docs_is_the_manifests(place: Environment) -> None:
    """The stand-in's own promise, on which the tests of crashes rely."""
    assert place.deploy(place.prepare(5)).code == 0
    assert place.docs() == number_in(artifacts_of(5)["manifest.json"]) == 5
