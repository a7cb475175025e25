"""The commit in a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbtdeploy.artifacts import artifact_check, commit_mark

SCHEMA = "https://schemas.getdbt.com/dbt/manifest/v12.json"


@pytest.mark.parametrize("env", [None, {}, {"DBT_DEPLOY_COMMIT": "0ld0ld0", "OTHER": "x"}])
def test_it_is_the_one_that_was_built(tmp_path: Path, env: dict[str, str] | None) -> None:
    path = tmp_path / "manifest.json"
    metadata: dict[str, object] = {"dbt_schema_version": SCHEMA, "dbt_version": "1.11.0"}
    metadata |= {"env": env} if env is not None else {}
    path.write_text(json.dumps({"metadata": metadata, "nodes": {"a": {"x": 1.50}}}))
    commit_mark.write(path, "abcdef1")
    assert artifact_check.read_manifest(path.read_bytes(), source="x").commit == "abcdef1"
    assert b'{"a": {"x": 1.5}}' in path.read_bytes()
    kept = json.loads(path.read_bytes())["metadata"]["env"]
    assert set(kept) == {"DBT_DEPLOY_COMMIT", *(env or {})}


def test_without_a_commit_or_a_manifest_nothing_is_done(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    commit_mark.write(path, "abcdef1")
    assert not path.exists()
    path.write_text("{}")
    commit_mark.write(path, "")
    assert path.read_text() == "{}"
