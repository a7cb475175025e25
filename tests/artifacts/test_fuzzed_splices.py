"""Artifacts of two builds at random, spliced as a partial deploy does: JSON, or a named error."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dbtdeploy.artifacts import merged_results, partial_manifest
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import errors, json_codec
from dbtdeploy.base.redact import Redactor
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.deploy import collect_artifacts
from standins.jobs import runs
from standins.jobs.deploys import BUILD, RUN
from standins.text.mutants import mutated

pytestmark = pytest.mark.fuzz

KINDS = {
    "source.shop.raw": ("source", "source", "raw", []),
    "model.shop.thin": ("model", "ephemeral", "thin", ["source.shop.raw"]),
    "model.shop.a": ("model", "table", "a", ["model.shop.thin"]),
    "model.shop.b": ("model", "view", "b", ["model.shop.a"]),
    "seed.shop.s": ("seed", "seed", "s", []),
    "test.shop.t.1": ("test", "test", "t", ["model.shop.b"]),
    "unit_test.shop.b.u": ("unit_test", "unit", "u", ["model.shop.b"]),
    "function.shop.f": ("function", "function", "f", []),
}
SECTION = {"source": "sources", "unit_test": "unit_tests", "function": "functions"}


def entry(unique_id: str, version: int) -> dict[str, Any]:
    kind, materialized, name, reads = KINDS[unique_id]
    return {
        "unique_id": unique_id,
        "resource_type": kind,
        "name": name,
        "package_name": "shop",
        "database": "db",
        "schema": "marts",
        "alias": name,
        "identifier": name,
        "fqn": ["shop", name],
        "original_file_path": f"models/{name}.sql",
        "raw_code": f"select {version}",
        "checksum": {"name": "sha256", "checksum": f"{version}" * 64},
        "config": {"materialized": materialized},
        "unrendered_config": {"materialized": materialized},
        "depends_on": {"nodes": reads, "macros": ["macro.shop.m"]},
    }


def manifest(version: int) -> bytes:
    """All kinds of nodes; those of version 2 differ from those of version 1."""
    made: dict[str, Any] = {
        "metadata": {"dbt_version": "1.12.6", "adapter_type": "postgres"},
        "macros": {"macro.shop.m": {"name": "m", "macro_sql": str(version)}},
        "parent_map": {unique_id: kind[3] for unique_id, kind in KINDS.items()},
        "child_map": {unique_id: [] for unique_id in KINDS},
        **{name: {} for name in ("nodes", "sources", "unit_tests", "functions")},
    }
    for unique_id, kind in KINDS.items():
        made[SECTION.get(kind[0], "nodes")][unique_id] = entry(unique_id, version)
    return json.dumps(made).encode()


def results(*names: str) -> bytes:
    found = [{"unique_id": n, "status": "success", "execution_time": 1.0} for n in names]
    return json.dumps({"args": {"which": "build"}, "results": found}).encode()


OLD, NEW = manifest(1), manifest(2)
BUILT = st.sets(st.sampled_from(sorted(KINDS)))


def whole(*contents: bytes | None) -> None:
    """Text, as collect_artifacts.py sees to: slices of it go through unread."""
    for content in contents:
        (content or b"").decode()


@given(data=st.data())
def test_a_manifest_that_keeps_old_definitions(data: st.DataObject) -> None:
    new = data.draw(st.one_of(st.just(NEW), mutated(NEW)))
    old = data.draw(st.one_of(st.none(), mutated(OLD)))
    built = data.draw(BUILT)
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        whole(new, old)
        parsed = json_codec.decode(new, Manifest)
        before = json_codec.decode(old, Manifest) if old is not None else None
        pending = partial_manifest.pending(parsed, before, built)
        partial_manifest.behind(parsed, before, built)
        assert not built & set(pending)
        published = json.loads(partial_manifest.manifest(new, old, pending))
        there = {i for name in partial_manifest.SECTIONS for i in published.get(name) or {}}
        known = {i for name in partial_manifest.SECTIONS for i in getattr(before, name, {})}
        assert there & set(pending) <= known


@given(data=st.data())
def test_results_of_two_builds(data: st.DataObject) -> None:
    names = sorted(KINDS)
    new = data.draw(mutated(results(*names[:3])))
    old = data.draw(st.one_of(st.none(), mutated(results(*names))))
    parsed = data.draw(st.one_of(st.just(NEW), mutated(NEW)))
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        whole(new, old, parsed)
        merged, carried = merged_results.run_results(new, old, parsed)
        if carried:
            assert len(json.loads(merged)["results"]) >= carried
        else:
            assert merged == new


@given(data=st.data())
def test_what_a_deploy_publishes_or_keeps_of_a_failed_one(data: st.DataObject) -> None:
    contents = {
        Path("target/manifest.json"): data.draw(st.one_of(st.just(NEW), mutated(NEW))),
        Path("work/run_results.json"): data.draw(
            st.one_of(st.just(results("model.shop.a")), mutated(results("model.shop.a")))
        ),
        Path("work/state/manifest.json"): data.draw(st.one_of(st.just(OLD), mutated(OLD))),
        Path("work/state/run_results.json"): data.draw(mutated(results(*KINDS))),
    }
    with tempfile.TemporaryDirectory() as folder:
        for path, content in contents.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(content)
        work = Path(folder) / "work"
        run = replace(RUN, dbt=replace(runs.project(Path(folder)), target_path=f"{folder}/target"))
        hand_over.write(work, BUILD)
        hand_over.write(work, work_files.Plan())
        with contextlib.suppress(errors.PublishingFailed):
            found = collect_artifacts.success(work, run, Redactor({}))
            assert all(json.loads(content) is not None for content in found.contents.values())
            msgspec.json.encode(found.draft)
        with contextlib.suppress(errors.PublishingFailed):
            msgspec.json.encode(
                collect_artifacts.failed(work, run, Redactor({}), problem="x").draft
            )
