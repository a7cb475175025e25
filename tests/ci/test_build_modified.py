"""build_modified.py on a command that stands where dbt would, for ends that dbt rarely has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbtdeploy.context import work_files
from dbtdeploy.context.work_files import PlannedNode
from standins import entry, runs

SCRIPT = entry.script("ci/build_modified")

DBT = """#!{python}
import json, os, sys
name = "DBT_DEPLOY_BUILD"
proof = {{name: os.environ["DBT_ENV_CUSTOM_ENV_" + name]}}
target = sys.argv[sys.argv.index("--target-path") + 1]
os.makedirs(target, exist_ok=True)
results = [{{"unique_id": i, "status": s}} for i, s in {results!r}.items()]
with open(target + "/run_results.json", "w") as file:
    json.dump({{"metadata": {{"env": proof}}, "results": results}}, file)
"""


def build(
    work: Path, results: dict[str, str], *, fail_on_warnings: bool = False
) -> subprocess.CompletedProcess[str]:
    """Build model a, with ephemeral model b inlined, by a dbt that exits with 0."""
    command = work.parent / "dbt"
    command.write_text(DBT.format(python=sys.executable, results=results))
    command.chmod(0o755)
    project = work_files.DbtProject(
        command=str(command),
        project_dir=str(work.parent),
        repository_path=".",
        name="shop",
        profiles_dir=None,
        profile="shop",
        target=None,
        target_path=str(work.parent / "target"),
        packages_path=str(work.parent / "dbt_packages"),
    )
    run = runs.run(
        runs.ci(state="s", fail_on_warnings=fail_on_warnings),
        event=runs.event(pull_request=7),
        dbt=project,
        selection=work_files.Selection(select="a"),
        schema="pr_7_shop",
    )
    kinds = {"model.shop.a": "table", "model.shop.b": "ephemeral", "test.shop.t": "test"}
    nodes = tuple(
        PlannedNode(unique_id=i, resource_type="model", name=i, materialized=kind)
        for i, kind in kinds.items()
    )
    work_files.write(work / work_files.RUN, run)
    work_files.write(work / work_files.STATE, work_files.State(location="s", found=False))
    work_files.write(work / work_files.PLAN, work_files.Plan(nodes=nodes))
    work_files.write(work / work_files.SCHEMAS, work_files.Schemas())
    return subprocess.run(
        SCRIPT,
        env={"PATH": os.environ["PATH"], "HOME": str(work), "DBT_DEPLOY_WORK": str(work)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_build_of_which_all_passed_is_green(work: Path) -> None:
    done = build(work, {"model.shop.a": "success", "test.shop.t": "warn"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_warning_fails_where_the_input_says_so(work: Path) -> None:
    results = {"model.shop.a": "success", "test.shop.t": "warn"}
    assert build(work, results, fail_on_warnings=True).returncode == 1


@pytest.mark.fault(22)
@pytest.mark.parametrize("status", ["partial success", "evaporated", "skipped", ""])
def test_exit_code_0_does_not_make_a_status_good(work: Path, status: str) -> None:
    done = build(work, {"model.shop.a": "success", "test.shop.t": status})
    assert done.returncode == 1
    assert f"test.shop.t: {status}" in done.stdout


@pytest.mark.fault(20)
def test_exit_code_0_does_not_make_up_for_a_missing_result(work: Path) -> None:
    done = build(work, {"model.shop.a": "success"})
    assert done.returncode == 1
    assert "test.shop.t: no result" in done.stdout
