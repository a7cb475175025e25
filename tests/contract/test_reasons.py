"""Our reasons against the ones of a real dbt: one change of each kind, one project."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dbtdeploy.artifacts import artifacts, state_diff

SUBSELECTORS = (
    state_diff.BODY,
    state_diff.CONFIGS,
    state_diff.RELATION,
    state_diff.MACROS,
    state_diff.CONTRACT,
    state_diff.PERSISTED_DESCRIPTIONS,
)

PROFILE = """\
reasons:
  target: ci
  outputs:
    ci: {type: postgres, host: 127.0.0.1, port: 1, user: u, password: p, dbname: d, schema: s}
"""

BEFORE = {
    "dbt_project.yml": "name: reasons\nversion: '1.0'\nprofile: reasons\n",
    "profiles.yml": PROFILE,
    "macros/cents.sql": "{% macro cents(x) %}{{ inner(x) }}{% endmacro %}",
    "macros/inner.sql": "{% macro inner(x) %}{{ x }} * 100{% endmacro %}",
    "macros/own_test.sql": "{% test own(model) %}select 1 where false{% endtest %}",
    "seeds/country.csv": "id\n1\n",
    "models/same.sql": "select 1 as id",
    "models/body.sql": "select 1 as id",
    "models/config.sql": "{{ config(materialized='view') }} select 1 as id",
    "models/tagged.sql": "{{ config(tags=['a']) }} select 1 as id",
    "models/relation.sql": "select 1 as id",
    "models/macro.sql": "select {{ cents('1') }} as id",
    "models/contract.sql": "select 1 as id",
    "models/described.sql": "select 1 as id",
    "models/undescribed.sql": "select 1 as id",
    "models/moved.sql": "select 1 as id",
    "models/access.sql": "select 1 as id",
    "models/gone.sql": "select 1 as id",
    "models/below.sql": "select * from {{ ref('body') }}",
    "models/models.yml": """\
models:
  - name: relation
    config: {alias: one}
  - name: contract
    config: {contract: {enforced: true}}
    columns: [{name: id, data_type: integer}]
  - name: described
    config: {persist_docs: {relation: true, columns: true}}
    columns: [{name: id, description: old}]
  - name: undescribed
    description: old
  - name: access
    config: {access: protected}
  - name: same
    data_tests:
      - own
    columns: [{name: id, data_tests: [unique, not_null]}]
unit_tests:
  - name: stays
    model: below
    given: [{input: ref('body'), rows: [{id: 1}]}]
    expect: {rows: [{id: 1}]}
  - name: changes
    model: below
    given: [{input: ref('body'), rows: [{id: 1}]}]
    expect: {rows: [{id: 1}]}
""",
    "tests/singular.sql": "select 1 where false",
}

CHANGED = "name: changes\n    model: below\n    given: [{input: ref('body'), rows: [{id: 2}"

AFTER = {
    "macros/inner.sql": "{% macro inner(x) %}{{ x }} * 1000{% endmacro %}",
    "macros/own_test.sql": "{% test own(model) %}select 2 where false{% endtest %}",
    "seeds/country.csv": "id\n1\n2\n",
    "models/body.sql": "select 2 as id",
    "models/config.sql": "{{ config(materialized='table') }} select 1 as id",
    "models/tagged.sql": "{{ config(tags=['a', 'b']) }} select 1 as id",
    "models/new.sql": "select 1 as id",
    "models/models.yml": BEFORE["models/models.yml"]
    .replace("alias: one", "alias: two")
    .replace("data_type: integer}]", "data_type: integer}, {name: b, data_type: text}]")
    .replace("description: old}", "description: new}")
    .replace("description: old", "description: new")
    .replace("access: protected", "access: public")
    .replace("[unique, not_null]", "[{unique: {config: {severity: warn}}}, not_null]")
    .replace(
        "name: changes\n    model: below\n    given: [{input: ref('body'), rows: [{id: 1}", CHANGED
    ),
    "tests/singular.sql": "select 2 where false",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, imported_dbt: Path) -> Path:
    """The changed project, with the manifest from before in ``state/``."""
    return _changed_project(tmp_path_factory.mktemp("reasons"), imported_dbt)


@pytest.fixture(scope="module")
def ours(project: Path) -> dict[str, tuple[str, ...]]:
    return _ours(project)


@pytest.mark.parametrize("subselector", SUBSELECTORS)
def test_each_subselector_finds_what_dbt_finds(
    subselector: str, project: Path, imported_dbt: Path, ours: dict[str, tuple[str, ...]]
) -> None:
    selected = _selected(imported_dbt, project, f"state:modified.{subselector}")
    # dbt counts what is new under most subselectors; we call it new.
    changed = {node for node in selected if state_diff.NEW not in ours[node]}
    if subselector == state_diff.BODY:
        # Of a generic test dbt compares its config only, though the subselector looks at its body.
        changed = {node for node in changed if not _is_generic(node)}
    assert {node for node, found in ours.items() if subselector in found} == changed
    assert changed, "this project changes something of each kind"


def test_a_reason_for_every_modified_node_and_for_no_other(
    tmp_path: Path, any_imported_dbt: Path
) -> None:
    project = _changed_project(tmp_path, any_imported_dbt)
    explained = {node for node, found in _ours(project).items() if found}
    assert explained == _selected(any_imported_dbt, project, "state:modified")


def test_new_is_what_dbt_calls_new(
    project: Path, imported_dbt: Path, ours: dict[str, tuple[str, ...]]
) -> None:
    new = {node for node, found in ours.items() if state_diff.NEW in found}
    assert new == _selected(imported_dbt, project, "state:new")


def test_the_changed_macro_is_named_through_the_one_that_calls_it(project: Path) -> None:
    current, state = _manifests(project)
    assert state_diff.Reasons(current, state).changed_macros("model.reasons.macro") == ("inner",)


def _changed_project(folder: Path, dbt: Path) -> Path:
    _write(folder, BEFORE)
    _dbt(dbt, folder, "parse")
    (folder / "state").mkdir()
    shutil.copy(folder / "target" / "manifest.json", folder / "state")
    _write(folder, AFTER)
    (folder / "models" / "gone.sql").unlink()
    (folder / "models" / "sub").mkdir()
    (folder / "models" / "moved.sql").rename(folder / "models" / "sub" / "moved.sql")
    _dbt(dbt, folder, "parse")
    return folder


def _manifests(project: Path) -> tuple[artifacts.Manifest, artifacts.Manifest]:
    current = artifacts.read_manifest(project / "target" / "manifest.json")
    state = artifacts.read_manifest(project / "state" / "manifest.json")
    assert current is not None
    assert state is not None
    return current, state


def _ours(project: Path) -> dict[str, tuple[str, ...]]:
    current, state = _manifests(project)
    compared = state_diff.Reasons(current, state)
    return {node: compared.of(node) for node in [*current.nodes, *current.unit_tests]}


def _is_generic(node: str) -> bool:
    return node.startswith("test.") and not node.endswith(".singular")


def _selected(dbt: Path, project: Path, selector: str) -> set[str]:
    out = _dbt(
        dbt, project, "-q", "ls", "--select", selector, "--state", "state",
        "--output", "json", "--output-keys", "unique_id",
    )  # fmt: skip
    return {line.split('"')[3] for line in out.splitlines() if line.startswith("{")}


def _dbt(dbt: Path, project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [dbt, *arguments],
        cwd=project,
        env={
            **os.environ,
            "DBT_PROFILES_DIR": str(project),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
