"""What is made of fetched artifacts."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import errors
from standins.dbt.artifacts import SCHEMAS, artifact

SOURCE = "s3://bucket/prod/manifest.json"
NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)


def test_reads_what_a_manifest_says_about_its_making() -> None:
    content = artifact("manifest.json", env={"GITHUB_SHA": "a1b2c3d4"})
    assert artifact_check.read_manifest(content, source=SOURCE) == artifact_check.ManifestMetadata(
        dbt_version="1.11.16",
        schema=12,
        adapter="postgres",
        generated_at="2026-11-20T21:15:17.985+00:00",
        commit="a1b2c3d4",
    )


def test_fields_that_are_missing_or_new_are_no_fault() -> None:
    content = json.loads(
        artifact(
            "manifest.json", adapter_type=None, generated_at=None, env=None, brand_new={"a": 1}
        )
    )
    content["brand_new"] = [1, 2]
    found = artifact_check.read_manifest(json.dumps(content).encode(), source=SOURCE)
    assert (found.adapter, found.generated_at, found.commit) == (None, None, None)


@pytest.mark.parametrize(
    ("env", "commit"),
    [
        ({"GITHUB_SHA": "b" * 40, "DBT_DEPLOY_COMMIT": "a" * 40}, "a" * 40),
        ({"DBT_CLOUD_GIT_SHA": "c" * 40}, "c" * 40),
        ({"DBT_DEPLOY_COMMIT": "", "GITHUB_SHA": "b" * 40}, "b" * 40),
        ({"GITHUB_SHA": "<img src=x>"}, None),
        ({"GITHUB_SHA": 7}, None),
        ({}, None),
    ],
)
def test_commit_comes_from_the_first_variable_that_holds_one(
    env: dict[str, object], commit: str | None
) -> None:
    found = artifact_check.read_manifest(artifact("manifest.json", env=env), source=SOURCE)
    assert found.commit == commit


@pytest.mark.parametrize(("number", "known"), [(8, False), (9, True), (12, True), (13, False)])
def test_a_manifest_schema_nobody_tried_is_seen(number: int, known: bool) -> None:
    address = f"https://schemas.getdbt.com/dbt/manifest/v{number}.json"
    content = artifact("manifest.json", dbt_schema_version=address)
    assert artifact_check.read_manifest(content, source=SOURCE).is_known is known


@pytest.mark.fault(9)
@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_manifest_that_is_cut_short_is_named_with_its_size(cut: int) -> None:
    content = artifact("manifest.json")[:cut]
    with pytest.raises(errors.StateCorrupt) as caught:
        artifact_check.read_manifest(content, source=SOURCE)
    assert caught.value.what == f"{SOURCE} ({len(content):,} bytes) is cut short."
    assert "dbt was not started" in caught.value.not_done
    assert "again" in caught.value.remedy


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>not found</html>", "is not JSON"),
        (artifact("manifest.json") + b"}", "is not JSON"),
        (b'{"metadata": {"dbt_version": "\xff"}, "nodes": {}}', "is not JSON"),
        (b"[]", "is not an artifact of dbt's"),
        (b"{}", "is not an artifact of dbt's"),
        (b'{"metadata": {}, "nodes": {}}', "is not a manifest of dbt's"),
        (artifact("run_results.json").replace(b"results", b"nodes"), "is not a manifest"),
        (artifact("run_results.json"), "is not an artifact of dbt's"),
        (artifact("manifest.json", dbt_version=None), "names no dbt version"),
        (artifact("manifest.json", version="latest"), "names no dbt version"),
        (artifact("manifest.json").replace(b'"nodes": {', b'"nodes": 1, "x": {'), "has no nodes"),
    ],
)
def test_a_manifest_that_is_none_is_named(content: bytes, said: str) -> None:
    with pytest.raises(errors.StateCorrupt) as caught:
        artifact_check.read_manifest(content, source=SOURCE)
    assert caught.value.what.startswith(f"{SOURCE} ({len(content):,} bytes) ")
    assert said in caught.value.what


@pytest.mark.fault(9)
@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "manifest.json"])
def test_the_other_artifacts_are_checked_too(name: str) -> None:
    artifact_check.check_artifact(name, artifact(name), source=name)
    with pytest.raises(errors.StateCorrupt, match=f"{name} .* is cut short"):
        artifact_check.check_artifact(name, artifact(name)[:-1], source=name)
    with pytest.raises(errors.StateCorrupt, match="is not a "):
        artifact_check.check_artifact(name, artifact("manifest.json"), source=name)


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    ("wrote", "reads"),
    [("1.12.0", "1.11.16"), ("1.12.0b1", "1.9.0"), ("2.0.0-preview.9", "1.12.6")],
)
def test_state_of_a_newer_dbt_is_refused_with_both_versions(wrote: str, reads: str) -> None:
    manifest = artifact_check.read_manifest(artifact("manifest.json", version=wrote), source=SOURCE)
    with pytest.raises(errors.StateTooNew) as caught:
        artifact_check.refuse_newer(manifest, reads, source=SOURCE)
    assert wrote in caught.value.what
    assert reads in caught.value.what
    assert "dbt was not started" in caught.value.not_done
    assert "or newer" in caught.value.remedy


@pytest.mark.parametrize(
    ("wrote", "reads"), [("1.11.16", "1.11.2"), ("1.9.4", "1.11.0"), ("1.12.6", "2.0.1")]
)
def test_state_of_the_same_minor_or_an_older_dbt_is_read(wrote: str, reads: str) -> None:
    manifest = artifact_check.read_manifest(artifact("manifest.json", version=wrote), source=SOURCE)
    artifact_check.refuse_newer(manifest, reads, source=SOURCE)


def test_one_line_says_what_was_fetched() -> None:
    content = artifact("manifest.json", env={"DBT_DEPLOY_COMMIT": "a1b2c3d4e5"})
    manifest = artifact_check.read_manifest(content, source=SOURCE)
    found = artifact_check.found_state(
        "s3://bucket/prod",
        manifest,
        artifact_check.Fetched(names=("manifest.json", "catalog.json")),
    )
    assert artifact_check.describe(found, NOW) == (
        "State from s3://bucket/prod: manifest.json, catalog.json; "
        "written by dbt 1.11.16 (postgres), 2 hours ago, commit a1b2c3d."
    )
