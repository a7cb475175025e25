"""What the project's code finds around it, in each way in which we run dbt. Real dbt, on DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.context import shortcuts, work_files
from dbtdeploy.dbt import dbt_server_client, invoke
from standins.jobs import builds

PROFILE = """
shop:
  target: ci
  outputs: {ci: {type: duckdb, path: shop.duckdb, threads: 1}}
"""
PROJECT = """
name: shop
profile: shop
on-run-start: "{{ print('hook ' ~ env_var('GITHUB_ENV', 'nothing')) }}"
"""
PYTHON = """
import json, os
def model(dbt, session):
    with open("seen.json", "w") as file:
        json.dump(dict(os.environ), file)
    return session.sql("select 1 as id")
"""
MACRO = """
{% macro runners() %}
  {{ return(env_var('ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'nothing')) }}
{% endmacro %}
"""
MODEL = "{% do print('model ' ~ runners()) %} select '{{ env_var('PASSED') }}' as a"

RUNNERS = {
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "plantedtoken",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://planted.invalid",
    "ACTIONS_RUNTIME_TOKEN": "plantedruntime",
    "GITHUB_ENV": "/planted/env",
    "GITHUB_PATH": "/planted/path",
    "GITHUB_OUTPUT": "/planted/output",
    "GITHUB_TOKEN": "plantedgithub",
    "RUNNER_TOOL_CACHE": "/planted/tools",
    "INPUT_TOKEN": "plantedinput",
    "DBT_DEPLOY_GITHUB_TOKEN": "plantedours",
    "DBT_DEPLOY_AWS_SECRET_ACCESS_KEY": "plantedkey",
    "SOME_TOKEN": "plantedother",
}


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    yield
    for warm in dbt_server_client._running.values():
        if isinstance(warm, dbt_server_client.WarmDbt):
            warm.close()
    dbt_server_client._running.clear()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name, text in {
        "profiles.yml": PROFILE,
        "dbt_project.yml": PROJECT,
        "models/seen.py": PYTHON,
        "models/one.sql": MODEL,
        "macros/runners.sql": MACRO,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.fault(65)
@pytest.mark.parametrize("taken", [shortcuts.ALL, ()], ids=["one process", "plain"])
def test_hooks_macros_and_python_models_find_nothing_of_the_runners(
    project: Path,
    work: Path,
    duckdb_command: Path,
    monkeypatch: pytest.MonkeyPatch,
    taken: tuple[str, ...],
) -> None:
    for name, value in RUNNERS.items():
        monkeypatch.setenv(name, value)
    for name in ("DBT_DEFER_STATE", "DBT_ENGINE_DEFER_STATE"):
        # DBT_* is passed on, but for what dbt would take for production.
        monkeypatch.setenv(name, "/planted/state")
    monkeypatch.setenv("DBT_DEPLOY_DBT_ENV", "IN_DBT_ENV=mine")
    monkeypatch.setenv("DBT_DEPLOY_PASS_ENV", "PASSED")
    monkeypatch.setenv("PASSED", "passed")
    monkeypatch.setenv("DBT_DEPLOY_ENV_FOLDER", str(work / "environment"))
    run = replace(
        builds.RUN,
        schema="pr_1",
        dbt=work_files.DbtProject(
            command=str(duckdb_command),
            project_dir=str(project),
            repository_path=".",
            name="shop",
            profiles_dir=str(project),
            profile="shop",
            target=None,
            target_path=str(project / "target"),
            packages_path=str(project / "dbt_packages"),
            shortcuts=taken,
        ),
    )
    dbt = invoke.dbt_of(run, work)
    assert (dbt.why_plain() is None) is bool(taken)
    said: list[str] = []
    outcome = dbt.run(["build", *dbt.options()], name="build", on_line=said.append)
    assert outcome.exit_code == 0, "\n".join(said)

    seen = json.loads((project / "seen.json").read_text())
    assert not [name for name, value in seen.items() if "planted" in value]
    assert (seen["IN_DBT_ENV"], seen["PASSED"], seen["DBT_DEPLOY_SCHEMA"]) == (
        *("mine", "passed"),
        "pr_1",
    )
    assert "hook nothing" in said
    assert "model nothing" in said


@pytest.mark.fault(65)
def test_an_env_var_that_finds_nothing_is_told_of_pass_env(
    project: Path, work: Path, duckdb_command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSED", "in the job's env, and not named in pass-env")
    dbt = replace(builds.RUN.dbt, command=str(duckdb_command), project_dir=str(project))
    dbt = replace(dbt, profiles_dir=str(project), target_path=str(project / "target"))
    run = replace(builds.RUN, dbt=replace(dbt, shortcuts=()))
    edge = invoke.dbt_of(run, work)
    outcome, last = invoke.call(edge, ["parse", *edge.options()], name="parse", title="dbt parse")
    failure = invoke.stopped(outcome, last, doing="while it parsed")
    assert "'PASSED'" in failure.what
    assert "`pass-env`" in failure.remedy
