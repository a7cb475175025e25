"""After a partial deploy, dbt counts as modified what that deploy left out, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.artifacts import merged_results, partial_manifest, state_diff
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import json_codec

PROFILE = """\
splice:
  target: ci
  outputs:
    ci: {type: postgres, host: 127.0.0.1, port: 1, user: u, password: p, dbname: d, schema: s}
"""

YML = """\
sources:
  - name: raw
    tables: [{name: orders, identifier: orders_1}]
models:
  - name: moved
    config: {alias: one}
  - name: body_left
    columns: [{name: id, data_tests: [unique]}]
  - name: body_built
    columns: [{name: id, data_tests: [unique]}]
  - name: own_left
    data_tests: [own]
  - name: own_built
    data_tests: [own]
unit_tests:
  - name: of_left
    model: body_left
    given: [{input: ref('base'), rows: [{id: 1}]}]
    expect: {rows: [{id: 1}]}
  - name: of_built
    model: body_built
    given: [{input: ref('base'), rows: [{id: 1}]}]
    expect: {rows: [{id: 1}]}
"""

READ_BASE = "select * from {{ ref('base') }}"
BEFORE = {
    "dbt_project.yml": "name: splice\nversion: '1.0'\nprofile: splice\n",
    "profiles.yml": PROFILE,
    "macros/cents.sql": "{% macro cents(x) %}{{ inner(x) }}{% endmacro %}",
    "macros/inner.sql": "{% macro inner(x) %}{{ x }} * 100{% endmacro %}",
    "macros/own.sql": "{% test own(model) %}select 1 where false{% endtest %}",
    "seeds/seed_left.csv": "id\n1\n",
    "seeds/seed_built.csv": "id\n1\n",
    "snapshots/snapped.sql": "{% snapshot snapped %}{{ config(unique_key='id', strategy='check', "
    "check_cols='all', target_schema='s') }} select 1 as id {% endsnapshot %}",
    "models/base.sql": "select 1 as id",
    "models/gone.sql": "select 1 as id",
    "models/same.sql": READ_BASE,
    "models/body_built.sql": READ_BASE,
    "models/body_left.sql": READ_BASE + " join {{ ref('gone') }} using (id)",
    "models/below_left.sql": "select * from {{ ref('body_left') }}",
    "models/own_built.sql": READ_BASE,
    "models/own_left.sql": READ_BASE,
    "models/macro_built.sql": "select {{ cents('1') }} as id",
    "models/macro_left.sql": "select {{ cents('1') }} as id",
    "models/both_left.sql": "select {{ cents('1') }} as id",
    "models/inlined.sql": "{{ config(materialized='ephemeral') }} select 1 as id",
    "models/through.sql": "{{ config(materialized='ephemeral') }} from {{ ref('inlined') }}",
    "models/reads_inlined_built.sql": "select * from {{ ref('inlined') }}",
    "models/reads_through_left.sql": "select * from {{ ref('through') }}",
    "models/reads_source_built.sql": "select * from {{ source('raw', 'orders') }}",
    "models/reads_source_left.sql": "select * from {{ source('raw', 'orders') }}",
    "models/moved.sql": "select 1 as id",
    "models/reads_moved_left.sql": "select * from {{ ref('moved') }}",
    "models/models.yml": YML,
}
AFTER = {
    "macros/inner.sql": "{% macro inner(x) %}{{ x }} * 1000{% endmacro %}",
    "macros/own.sql": "{% test own(model) %}select 2 where false{% endtest %}",
    "seeds/seed_left.csv": "id\n2\n",
    "seeds/seed_built.csv": "id\n2\n",
    "snapshots/snapped.sql": BEFORE["snapshots/snapped.sql"].replace("1 as id", "2 as id"),
    "models/body_built.sql": READ_BASE + " where id > 1",
    "models/body_left.sql": READ_BASE + " where id > 1",
    "models/both_left.sql": "select {{ cents('2') }} as id",
    "models/inlined.sql": "{{ config(materialized='ephemeral') }} select 2 as id",
    "models/new_built.sql": "select 1 as id",
    "models/new_left.sql": "select 1 as id",
    "models/new_inlined.sql": "{{ config(materialized='ephemeral') }} select 2 as id",
    "models/models.yml": YML.replace("orders_1", "orders_2")
    .replace("alias: one", "alias: two")
    .replace("[unique]", "[unique, not_null]")
    .replace("expect: {rows: [{id: 1}]}", "expect: {rows: [{id: 2}]}"),
}

MODELS = ("body", "macro", "both", "reads_through", "reads_source", "reads_moved", "new")
LEFT = {
    *(f"model.splice.{name}_left" for name in MODELS),
    "seed.splice.seed_left",
    "snapshot.splice.snapped",
    "unit_test.splice.body_left.of_left",
    "test.splice.not_null_body_left_id",
    "test.splice.own_own_left_",
}
"""A generic test's id without the digest at its end."""


class Project:
    """A project before and after a change, and the dbt that judges it."""

    def __init__(self, folder: Path, dbt: Path) -> None:
        self.folder = folder
        self._dbt = dbt
        (folder / "state").mkdir()
        self.write(BEFORE)
        self.old = self.parse()

    def write(self, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def change(self) -> None:
        self.write(AFTER)
        (self.folder / "models" / "gone.sql").unlink()

    def parse(self) -> bytes:
        self.dbt("parse")
        return (self.folder / "target" / "manifest.json").read_bytes()

    def modified(
        self, state: bytes, select: str = "state:modified", tests: str = "empty"
    ) -> set[str]:
        """What dbt finds modified against a state.

        Args:
            state: the manifest.
            select: in dbt's syntax.
            tests: ``eager`` to list every test on what is selected, too.
        """
        (self.folder / "state" / "manifest.json").write_bytes(state)
        chosen = ("--select", select, "--state", "state", "--indirect-selection", tests)
        lines = self.dbt("ls", *chosen, "--output", "json", "--output-keys", "unique_id")
        return {json.loads(line)["unique_id"] for line in lines.splitlines() if "{" in line}

    def dbt(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._dbt, "--quiet", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "DBT_SEND_ANONYMOUS_USAGE_STATS": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def manifest_of(content: bytes) -> Manifest:
    return json_codec.decode(content, Manifest)


def everything(content: bytes) -> set[str]:
    read = manifest_of(content)
    return {*read.nodes, *read.unit_tests}


def is_left(unique_id: str) -> bool:
    return unique_id in LEFT or unique_id.rpartition(".")[0] in LEFT


def built_of(content: bytes) -> set[str]:
    """All but what is left out, and two that are left out and did not change."""
    out = {"model.splice.below_left", "model.splice.own_left", "model.splice.same"}
    purposely = {"unit_test.splice.body_built.of_built"}
    return {
        unique_id
        for unique_id in everything(content) - out - purposely
        if not is_left(unique_id) and "not_null_body_built" not in unique_id
    }


@pytest.fixture
def project(tmp_path: Path, any_imported_dbt: Path) -> Project:
    made = Project(tmp_path, any_imported_dbt)
    made.change()
    return made


def test_dbt_finds_modified_what_was_left_out_and_nothing_else(project: Project) -> None:
    new = project.parse()
    built = built_of(new)
    pending = partial_manifest.pending(manifest_of(new), manifest_of(project.old), built)
    assert {i if i in LEFT else i.rpartition(".")[0] for i in pending} == LEFT

    published = partial_manifest.manifest(new, project.old, pending)
    assert project.modified(published) == set(pending)
    assert "model.splice.below_left" in project.modified(published, "state:modified+", "eager")
    explained = state_diff.Reasons(manifest_of(new), manifest_of(published))
    assert {i for i in everything(new) if explained.of(i)} == set(pending)

    # The next partial deploy builds some of it, and the one after it the rest.
    first = {i for i in pending if i.endswith(("macro_left", "body_left"))}
    rest = partial_manifest.pending(manifest_of(new), manifest_of(published), first)
    assert set(rest) == set(pending) - first - {"unit_test.splice.body_left.of_left"} - {
        i for i in pending if "not_null_body_left" in i
    }
    published = partial_manifest.manifest(new, published, rest)
    assert project.modified(published) == set(rest)
    done = partial_manifest.pending(manifest_of(new), manifest_of(published), set(rest))
    assert done == ()
    assert partial_manifest.manifest(new, published, done) == new


def test_a_change_taken_back_does_not_hide_the_macro_that_stays_changed(project: Project) -> None:
    new = project.parse()
    pending = partial_manifest.pending(manifest_of(new), manifest_of(project.old), built_of(new))
    published = partial_manifest.manifest(new, project.old, pending)
    project.write({"models/both_left.sql": BEFORE["models/both_left.sql"]})
    project.write({"models/body_left.sql": BEFORE["models/same.sql"]})
    project.parse()
    assert "model.splice.both_left" in project.modified(published)


def test_without_state_what_was_not_built_stays_new(project: Project) -> None:
    new = project.parse()
    pending = partial_manifest.pending(manifest_of(new), None, {"model.splice.base"})
    published = partial_manifest.manifest(new, None, pending)
    assert "model.splice.same" in pending
    assert project.modified(published, "state:new") == set(pending)


def test_the_maps_agree_with_the_entries(project: Project) -> None:
    new = project.parse()
    pending = partial_manifest.pending(manifest_of(new), manifest_of(project.old), built_of(new))
    published = json.loads(partial_manifest.manifest(new, project.old, pending))
    there = {i for name in ("nodes", "sources", "unit_tests") for i in published[name]}
    assert set(published["parent_map"]) == set(published["child_map"]) == there
    links = {(p, c) for c, parents in published["parent_map"].items() for p in parents}
    assert links == {(p, c) for p, found in published["child_map"].items() for c in found}
    assert ("model.splice.base", "model.splice.body_left") in links
    assert {i for link in links for i in link} <= there


@pytest.mark.parametrize("which", ["build", "generate"])
def test_results_of_what_was_not_built_are_carried_over(which: str) -> None:
    def results(which: str, **statuses: str) -> str:
        listed = [{"unique_id": i, "status": s, "x": [1.50]} for i, s in statuses.items()]
        return json.dumps({"metadata": {"m": which}, "args": {"which": which}, "results": listed})

    new = results("build", a="success").encode()
    old = results(which, a="pass", b="success", c="warn", d="error", gone="success").encode()
    nodes: dict[str, Any] = {i: {} for i in "abcd"}
    content, carried = merged_results.run_results(new, old, json.dumps({"nodes": nodes}).encode())
    found = {r["unique_id"]: r["status"] for r in json.loads(content)["results"]}
    assert json.loads(content)["metadata"] == {"m": "build"}
    if which == "generate":
        assert (content, carried) == (new, 0)
        return
    assert (found, carried) == ({"a": "success", "b": "success", "c": "warn"}, 2)
    assert merged_results.run_results(new, None, b"{}") == (new, 0)
