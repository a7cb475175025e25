"""build_modified.py on a command that stands where dbt would, for ends that dbt rarely has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from standins import entry
from standins.jobs import plans, runs

SCRIPT = entry.script("ci/build_modified")

DBT = """#!{python}
import json, os, sys
name = "DBT_DEPLOY_BUILD"
proof = {{name: os.environ["DBT_ENV_CUSTOM_ENV_" + name]}}
target = sys.argv[sys.argv.index("--target-path") + 1]
os.makedirs(target, exist_ok=True)
results = [{{"unique_id": i, "status": s}} for i, s in {results!r}.items()]
with open(target + "/run_results.json", "w") as file:
    json.dump({{"metadata": {{"env": proof if {proves} else {{}}}}, "results": results}}, file)
if {schemas!r} is not None:
    nodes = {{i: {{"schema": s, "alias": i.split(".")[-1]}} for i, s in {schemas!r}.items()}}
    with open(target + "/manifest.json", "w") as file:
        json.dump({{"nodes": nodes}}, file)
print("1 of 2 START sql table model pr_7_shop.a")
sys.exit({code})
"""

SCHEMAS = {"model.shop.a": "pr_7_shop", "test.shop.t": "pr_7_shop"}


def build(
    work: Path,
    results: dict[str, str],
    *,
    fail_on_warnings: bool = False,
    schemas: Mapping[str, str] | None = SCHEMAS,
    proves: bool = True,
    code: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Build model a, with ephemeral model b inlined, by a dbt that exits with 0.

    Args:
        work: the work folder.
        results: status by node.
        fail_on_warnings: the input.
        schemas: where the manifest says that each node is; None if dbt writes none.
        proves: whether the results hold what proves that they are this call's.
        code: dbt's exit code.
    """
    command = work.parent / "dbt"
    command.write_text(
        DBT.format(
            python=sys.executable, results=results, schemas=schemas, proves=proves, code=code
        )
    )
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
    nodes = [
        plans.node(
            i.split(".")[-1],
            i.split(".")[0],
            schema="pr_7_shop",
            materialized=kind,
            database=None,
            relation_name=None,
        )
        for i, kind in kinds.items()
    ]
    hand_over.write(work, run)
    hand_over.write(work, plans.state(found=False))
    hand_over.write(work, plans.plan(*nodes))
    hand_over.write(work, work_files.Schemas())
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


PASSED = {"model.shop.a": "success", "test.shop.t": "pass"}


@pytest.mark.fault(112)
def test_a_relation_that_was_not_approved_is_named(work: Path) -> None:
    done = build(work, PASSED, schemas={**SCHEMAS, "model.shop.a": "analytics"})
    assert done.returncode == errors.BuiltElsewhere.exit_code
    assert "- model.shop.a: analytics.a in place of pr_7_shop.a" in done.stdout
    assert "test.shop.t" not in done.stdout


@pytest.mark.fault(112)
def test_a_node_that_was_not_approved_is_named(work: Path) -> None:
    reported = {"operation.shop.hook-0": "success", "exposure.shop.board": "no-op"}
    assert build(work, {**PASSED, **reported}).returncode == 0
    done = build(work, {**PASSED, **reported, "model.shop.c": "success"})
    assert done.returncode == errors.BuiltElsewhere.exit_code
    assert "- model.shop.c: it was not approved" in done.stdout
    assert "shop.hook" not in done.stdout
    assert "shop.board" not in done.stdout


@pytest.mark.fault(112)
def test_a_build_without_a_manifest_was_not_checked(work: Path) -> None:
    (work.parent / "target").mkdir()
    (work.parent / "target" / "manifest.json").write_text('{"nodes": {}}')
    done = build(work, PASSED, schemas=None)
    assert done.returncode == errors.BuiltElsewhere.exit_code
    assert "dbt left no manifest.json" in done.stdout


@pytest.mark.fault(117)
@pytest.mark.parametrize("code", [0, 1, 2])
def test_results_without_our_proof_are_not_told_as_nothing_built(work: Path, code: int) -> None:
    done = build(work, PASSED, proves=False, code=code)
    assert done.returncode == errors.ResultsUnknown.exit_code
    assert "Nothing was built" not in done.stdout
    assert "what it wrote is in the warehouse" in done.stdout


@pytest.mark.fault(63)
@pytest.mark.parametrize(
    ("status", "red"), [("skipped", False), ("success", False), ("error", True), ("odd", True)]
)
def test_an_ephemeral_model_that_dbt_v2_lists_is_judged_as_the_report_judges_it(
    work: Path, status: str, red: bool
) -> None:
    done = build(work, {**PASSED, "model.shop.b": status})
    assert (done.returncode != 0) is red, done.stdout
    kept = json.loads((work / work_files.RUN_RESULTS).read_text())["results"]
    assert ("model.shop.b" in {result["unique_id"] for result in kept}) is red
