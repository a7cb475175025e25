"""dbt's artifacts at random: read, refused by a named error, or passed over as not understood."""

from __future__ import annotations

import contextlib
import json
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbtdeploy.artifacts import (
    artifact_check,
    artifacts,
    node_listing,
    node_status,
    run_results,
    source_location,
    state_diff,
)
from dbtdeploy.artifacts.artifact_check import Fetched
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import errors, json_codec
from standins.dbt.artifacts import artifact
from standins.jobs.deploys import artifacts_of
from standins.text.hostile import texts
from standins.text.mutants import DEEP, mutated

pytestmark = pytest.mark.fuzz

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
WHOLE = artifacts_of(1)
LISTED = {
    "unique_id": "model.shop.a",
    "resource_type": "model",
    "name": "a",
    "database": "prod",
    "schema": "marts",
    "alias": "a",
    "config": {"materialized": "table", "enabled": True},
    "original_file_path": "models/a.sql",
}


@given(content=mutated(artifact("manifest.json")))
def test_a_manifest_s_head(content: bytes) -> None:
    with contextlib.suppress(errors.DbtDeployError):
        found = artifact_check.read_manifest(content, source="s3://b/prod/manifest.json")
        artifact_check.refuse_newer(found, "1.11.16", source="s")
        state = artifact_check.found_state("s3://b", found, Fetched(names=("manifest.json",)))
        artifact_check.describe(state, NOW)
        msgspec.json.encode(state)


@pytest.mark.parametrize("name", ["run_results.json", "catalog.json", "sources.json"])
@given(data=st.data())
def test_other_artifacts_heads(name: str, data: st.DataObject) -> None:
    with contextlib.suppress(errors.StateCorrupt):
        artifact_check.check_artifact(name, data.draw(mutated(artifact(name))), source="s")


@given(content=mutated(WHOLE["manifest.json"]))
def test_a_manifest_s_nodes(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.json"
        path.write_bytes(content)
        found = artifacts.read_manifest(path)
    if found is None:
        return
    whole = json_codec.decode(WHOLE["manifest.json"], Manifest)
    for new, old in ((found, whole), (whole, found)):
        reasons = state_diff.Reasons(new, old)
        for unique_id in new.nodes:
            reasons.of(unique_id)


@given(content=mutated(WHOLE["run_results.json"]))
def test_results(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run_results.json"
        path.write_bytes(content)
        found = artifacts.read_run_results(path)
        run_results.statuses(path, proof="x")
    for result in found.results if found else ():
        node_status.outcome(result)
        node_status.rows(result, "table")


@given(content=mutated(json.dumps(LISTED).encode()))
def test_what_dbt_lists(content: bytes) -> None:
    with contextlib.suppress(errors.DbtStopped):
        msgspec.json.encode(node_listing.read_listing([content.decode("utf-8", "replace")]))


@given(text=texts, line=st.sampled_from(("line 3", "line " + "9" * 5_000, "line \u0663")))
@example(text=DEEP, line="line 1")
def test_places_in_messages(text: str, line: str) -> None:
    source_location.place_in_message(
        f"Database Error in model a (models/a.sql)\n{line}: {text}", str
    )
    source_location.place_in_message(f"{line}: {text}", lambda _path: None)
    source_location.line_of_error(f"{line}: {text}", text)
