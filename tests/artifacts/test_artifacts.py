from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.artifacts import artifacts


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_unknown_fields_statuses_and_kinds_pass_through(tmp_path: Path) -> None:
    results = artifacts.read_run_results(
        write(
            tmp_path / "r.json",
            {
                "results": [{"unique_id": "x.y.z", "status": "brand new", "later": {"a": [1]}}],
                "z": 1,
            },
        )
    )
    assert results is not None
    assert results.by_id()["x.y.z"].status == "brand new"
    assert results.by_id()["x.y.z"].failures is None


@pytest.mark.parametrize(
    ("which", "kept"), [("build", True), ("run", True), ("generate", False), ("compile", False)]
)
def test_results_of_a_command_that_builds_nothing_are_no_results_of_production(
    which: str, kept: bool, tmp_path: Path
) -> None:
    result = {"unique_id": "test.a.b", "status": "success"}
    written = {"args": {"which": which}, "results": [result]}
    results = artifacts.read_production_results(write(tmp_path / "r.json", written))
    assert (results is not None) is kept


def test_a_manifest_of_an_older_dbt_lacks_fields(tmp_path: Path) -> None:
    old = {"nodes": {"model.a.b": {"name": "b", "checksum": {"name": "sha256", "checksum": "c"}}}}
    manifest = artifacts.read_manifest(write(tmp_path / "m.json", old))
    assert manifest is not None
    assert manifest.nodes["model.a.b"].config.materialized is None
    assert artifacts.decoded(manifest.nodes["model.a.b"].unrendered_config) == {}


def test_a_macro_that_was_removed_while_still_called(tmp_path: Path) -> None:
    node = {"depends_on": {"macros": [None, "macro.a.b"], "nodes": [None]}}
    manifest = artifacts.read_manifest(write(tmp_path / "m.json", {"nodes": {"test.a.b": node}}))
    assert manifest is not None
    assert manifest.nodes["test.a.b"].depends_on.macros == [None, "macro.a.b"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"nodes": 3}', b"\xff\xfe"])
def test_what_cannot_be_understood_is_as_if_it_were_not_there(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "m.json").write_bytes(content)
    assert artifacts.read_manifest(tmp_path / "m.json") is None
    assert artifacts.read_run_results(tmp_path / "nowhere.json") is None


def test_sources_and_unit_tests_are_found_like_nodes() -> None:
    node = artifacts.Node(name="x")
    manifest = artifacts.Manifest(sources={"source.a": node}, unit_tests={"unit_test.a": node})
    assert manifest.find("source.a") is node
    assert manifest.find("unit_test.a") is node
    assert manifest.find("model.a") is None
