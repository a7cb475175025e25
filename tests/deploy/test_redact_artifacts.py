"""What is published holds no value of dbt-env, and dbt compares with it as with its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import make_environments
from dbtdeploy.base import redact
from dbtdeploy.deploy import redact_artifacts

PLANTED = {
    "IN_CONFIG": "planted-in-config",
    "IN_YAML": "planted/in=yaml",
    "IN_PROJECT": "planted in project",
    "IN_DESCRIPTION": "planted_in_description",
    "IN_PERSISTED": "planted_in_persisted",
    "IN_EXPOSURE": "planted.in.exposure@example.com",
    "IN_SOURCE": "planted_in_source",
    "IN_SQL": "planted-in-sql",
    "IN_META": "planted-in-meta",
    # As it is in a macro's text, by chance.
    "DBT_TARGET_NAME": "production",
    # As it is in a model's text.
    "IN_RAW_CODE": "four_as_written",
    "IN_SOURCES_SCHEMA": "planted_schema",
}
FILES = {
    "profiles.yml": "shop: {target: ci, outputs: {ci: {type: postgres, host: nowhere.invalid, "
    "port: 1, user: u, password: p, dbname: d, schema: s}}}",
    "dbt_project.yml": """
name: shop
profile: shop
models:
  shop:
    +meta: {project: "{{ env_var('IN_PROJECT') }}"}
""",
    "macros/limit.sql": "{% macro limit() %}{{ 'x' if target.name == 'production' }}{% endmacro %}",
    "models/one.sql": "{{ config(meta={'name': env_var('IN_CONFIG')}) }} select 1 as id "
    "{{ limit() }}",
    "models/two.sql": "select '{{ env_var('IN_SQL') }}' as a, id from {{ ref('one') }}",
    "models/four.sql": "select 1 as four_as_written",
    "models/three.sql": "select * from {{ source('raw', 'orders') }}",
    "models/models.yml": """
models:
  - name: two
    description: "by {{ env_var('IN_DESCRIPTION') }}"
    config: {meta: {owner: "{{ env_var('IN_YAML') }}"}}
  - name: three
    description: "by {{ env_var('IN_PERSISTED') }}"
    config: {persist_docs: {relation: true}, meta: {a: "{{ env_var('IN_META') }}"}}
sources:
  - name: raw
    schema: "{{ env_var('IN_SOURCES_SCHEMA') }}"
    tables:
      - name: orders
        meta: {source: "{{ env_var('IN_SOURCE') }}"}
exposures:
  - name: board
    type: dashboard
    owner: {name: "{{ env_var('IN_EXPOSURE') }}", email: "a@example.com"}
    depends_on: [ref('two')]
""",
}


def dbt(command: Path, project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [command, "--quiet", *arguments, "--target-path", "target"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project), **PLANTED},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.fault(64)
@pytest.mark.parametrize(("version", "needs"), [("1.11", True), ("1.12", False)])
def test_a_redacted_state_selects_nothing(tmp_path: Path, version: str, needs: bool) -> None:
    command = make_environments.dbt_command(version)
    if not command.is_file():
        pytest.skip(f"no dbt {version}")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    dbt(command, tmp_path, "parse")
    made = (tmp_path / "target" / "manifest.json").read_bytes()
    assert [name for name, value in PLANTED.items() if value.encode() not in made] == ["IN_SQL"]

    hide = redact.Redactor(redact.secret_values({}, given=PLANTED))
    state, left = redact_artifacts.state(made, hide)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "manifest.json").write_bytes(state)
    selected = ("ls", "--select", "state:modified", "--state", "state", "--output", "name")
    assert dbt(command, tmp_path, *selected).split() == []

    # What only 1.11 compares by its value is told by name; all else is nowhere.
    names = set(redact_artifacts.names(left, hide))
    assert {"IN_EXPOSURE", "DBT_TARGET_NAME", "IN_RAW_CODE", "IN_SOURCES_SCHEMA"} <= names
    assert ({"IN_CONFIG", "IN_YAML", "IN_META"} <= names) is needs
    assert names.isdisjoint({"IN_DESCRIPTION", "IN_SQL", "IN_PROJECT"})
    for name, value in PLANTED.items():
        assert (value.encode() in state) is (name in names), name

    # The documentation and what is attached to a release hold none of them at all.
    shown = redact_artifacts.artifact("manifest.json", made, hide)
    assert [name for name, value in PLANTED.items() if value.encode() in shown] == []


S = "zone_nine"
PLACES = {
    "metadata": {"adapter_type": S, "env": {"adapter_type": S}},
    "nodes": {
        S: {
            "name": S,
            "schema": S,
            "resource_type": "model",
            "raw_code": f"from {S}",
            "compiled_code": f"from {S}",
            "depends_on": {"nodes": [S]},
            "config": {"schema": S, "materialized": S, "meta": {"schema": S, S: 1}, "tags": [S]},
            "meta": {"name": S},
            "columns": {S: {"name": S, "meta": {"name": S}}},
            "test_metadata": {"name": "unique", "kwargs": {"name": S, "path": [S]}},
        }
    },
    "parent_map": {S: [S]},
    "disabled": {S: [{"path": S, "docs": {"path": S}}]},
}


@pytest.mark.fault(64)
def test_a_name_stays_where_dbt_finds_something_by_it_and_nowhere_else() -> None:
    hide = redact.Redactor(redact.secret_values({}, given={"ZONE": S}))
    content = json.dumps(PLACES).encode()
    state, left = redact_artifacts.state(content, hide)
    hidden = "***"
    expected = json.loads(json.dumps(PLACES))
    expected["metadata"]["env"]["adapter_type"] = hidden
    node = expected["nodes"][S]
    node["compiled_code"] = f"from {hidden}"
    node["config"] |= {"meta": {"schema": hidden, hidden: 1}, "tags": [hidden]}
    node["meta"] = {"name": hidden}
    node["columns"][S]["meta"] = {"name": hidden}
    node["test_metadata"]["kwargs"] = {"name": hidden, "path": [hidden]}
    expected["disabled"][S][0]["docs"] = {"path": hidden}
    assert json.loads(state) == expected
    assert redact_artifacts.names(left, hide) == ("ZONE",)

    # What people read: names of files and nodes, and no names of relations or columns.
    node |= {"schema": hidden, "raw_code": f"from {hidden}"}
    node["config"]["schema"] = hidden
    node["columns"] = {hidden: {"name": hidden, "meta": {"name": hidden}}}
    shown = redact_artifacts.artifact("manifest.json", content, hide)
    assert json.loads(shown) == expected


@pytest.mark.fault(64)
def test_the_warning_names_variables_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    redact_artifacts.warn(["IN_CONFIG", "IN_YAML"])
    said = capsys.readouterr().out
    assert "`IN_CONFIG`, `IN_YAML`" in said
    assert "planted" not in said
    redact_artifacts.warn([])
    assert capsys.readouterr().out == ""


@pytest.mark.fault(64)
@pytest.mark.parametrize("secret", ["O'Brien\"s", "ab\"cd'ef", "a\\b'c<d"])
@pytest.mark.parametrize("sql", [("'", "''"), ('"', '""')])
@pytest.mark.parametrize("escaped", [("", ""), ("<", "\\u003c"), ("'", "\\u0027")])
def test_a_value_is_found_in_sql_in_json_however_it_is_escaped(
    secret: str, sql: tuple[str, str], escaped: tuple[str, str]
) -> None:
    text = json.dumps({"nodes": {"m": {"compiled_code": f"a {secret.replace(*sql)} b"}}})
    text = text.replace(*escaped) if escaped[0] else text
    hide = redact.Redactor(redact.secret_values({}, given={"A": secret}))
    made = json.loads(redact_artifacts.artifact("manifest.json", text.encode(), hide))
    assert made["nodes"]["m"]["compiled_code"] == "a *** b"


def test_an_artifact_without_secrets_stays_byte_for_byte() -> None:
    content = b'{"nodes": {"m": {"description": "hunter 22 \\u003c"} } }'
    hide = redact.Redactor(redact.secret_values({}, given={"A": "hunter22", "B": "<hunter>"}))
    assert redact_artifacts.artifact("manifest.json", content, hide) is content


@pytest.mark.fault(64)
def test_a_number_stays_in_the_state_is_named_and_is_not_shown() -> None:
    pins = {"pin": 483920, "ratio": 12.75, "other": 4839201, "on": True}
    content = json.dumps({"nodes": {"m": {"config": {"limit": pins}}}}).encode()
    hide = redact.Redactor(redact.secret_values({}, given={"PIN": "483920", "RATIO": "12.75"}))
    state, left = redact_artifacts.state(content, hide)
    assert json.loads(state) == json.loads(content)
    assert redact_artifacts.names(left, hide) == ("PIN", "RATIO")
    shown = json.loads(redact_artifacts.artifact("manifest.json", content, hide, numbers=True))
    assert shown["nodes"]["m"]["config"]["limit"] == pins | {"pin": "***", "ratio": "***"}
