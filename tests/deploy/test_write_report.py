"""write_report.py as the action runs it: a process, its files, its outputs, its words."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.context.phases import Phase
from standins import entry
from standins.jobs import builds, deploy_builds
from standins.jobs.builds import Built, model, result

SCRIPT = entry.script("deploy/write_report")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run of the script ended."""

    work: Path
    code: int
    out: str
    outputs: Mapping[str, str]
    step_summary: str

    def text(self, name: str) -> str:
        return (self.work / name).read_text(encoding="utf-8")

    @property
    def everything(self) -> str:
        names = (work_files.REPORT, work_files.COMMENT, work_files.SUMMARY)
        written = [self.text(name) for name in names if (self.work / name).exists()]
        return "\n".join([*written, self.out, self.step_summary, *self.outputs.values()])


def run(work: Path, **environment: str) -> Ended:
    folder = work.parent
    output, summary = folder / "output", folder / "summary"
    done = subprocess.run(
        SCRIPT,
        cwd=folder,
        env={
            "PATH": os.defpath,
            "GITHUB_ACTIONS": "true",
            "DBT_DEPLOY_WORK": str(work),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    return Ended(
        work=work,
        code=done.returncode,
        out=done.stdout,
        outputs=_outputs(output.read_text(encoding="utf-8")) if output.exists() else {},
        step_summary=summary.read_text(encoding="utf-8") if summary.exists() else "",
    )


def _outputs(text: str) -> dict[str, str]:
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        name, mark, delimiter = line.partition("<<")
        if mark:
            found[name] = "\n".join(iter(lambda: next(lines), delimiter))
    return found


def test_everything_is_written_and_named(tmp_path: Path) -> None:
    ended = run(builds.failed().write(tmp_path))
    assert ended.code == 0, ended.out
    assert ended.outputs["status"] == "failed"
    assert json.loads(ended.outputs["counts"])["nodes_failed"] == 1
    assert Path(ended.outputs["report"]) == ended.work / work_files.REPORT
    assert Path(ended.outputs["comment-file"]) == ended.work / work_files.COMMENT
    assert Path(ended.outputs["artifact-folder"]) == ended.work / work_files.ARTIFACT_FOLDER
    assert json.loads(ended.text(work_files.REPORT))["status"] == "failed"
    assert ended.text(work_files.COMMENT).startswith("### ❌ dbt: 1 model and 1 test failed")
    assert ended.step_summary.strip() == ended.text(work_files.SUMMARY).strip()


def test_annotations_stand_at_the_line_in_the_repository(tmp_path: Path) -> None:
    ended = run(builds.failed().write(tmp_path))
    errors = [line for line in ended.out.splitlines() if line.startswith("::")]
    assert errors[0].startswith(
        "::error title=fct_orders did not build,file=models/fct_orders.sql,line=3::"
        'column "amont" does not exist%0ALINE 14:'
    )
    assert errors[1].startswith(
        "::error title=unique_stg_payments_id failed,file=models/_models.yml,line=6::"
    )
    assert len(errors) == 2


@pytest.mark.fault(44, 45)
def test_a_hostile_name_gives_no_workflow_command_and_no_output(tmp_path: Path) -> None:
    evil = "x\n::error::owned\n##[error]y\nstatus<<E\npassed\nE"
    bad = {**model("bad"), "name": evil}
    built = replace(
        builds.passed(),
        now=[bad],
        results=[result(bad, "error", message=evil)],
        build=replace(builds.BUILD, exit_code=1),
    )
    ended = run(built.write(tmp_path))
    assert ended.code == 0, ended.out
    assert ended.outputs["status"] == "failed"
    assert len([line for line in ended.out.splitlines() if line.lstrip().startswith("::")]) == 1


@pytest.mark.fault(51)
def test_a_secret_in_a_database_error_is_nowhere(tmp_path: Path) -> None:
    built = builds.failed()
    results = [dict(entry) for entry in built.results or ()]
    results[1]["message"] = "Database Error\n  FATAL: password hunter22 refused"
    now = [{**entry, "relation_name": '"hunter22"."x"'} for entry in built.now]
    stopped = builds.failure("DbtStopped", "dbt stopped", "could not log in with hunter22")
    work = replace(built, results=results, now=now, failure=stopped).write(tmp_path)
    ended = run(work, DB_PASSWORD="hunter22", DBT_ENV_SECRET_ANY="1")
    assert ended.code == 0, ended.out
    assert "FATAL" in ended.everything
    assert "hunter22" not in ended.everything


@pytest.mark.fault(18)
def test_what_an_older_build_left_in_target_is_not_read(tmp_path: Path) -> None:
    said = "Compilation Error in model x (models/x.sql)\n  unexpected\n    line 2\n"
    passed = builds.passed()
    built = replace(
        passed,
        before=[*(passed.before or ()), builds.LEGACY],
        failure=builds.failure("DbtStopped", "dbt stopped before it built anything", said),
        planned=False,
        build=None,
        sources={"models/x.sql": "\nselect 1,\n{{ a }"},
    )
    work = built.write(tmp_path)
    older = json.dumps({"results": list(builds.passed().results or ())})
    (tmp_path / "checkout" / "target" / "run_results.json").write_text(older)
    (work / work_files.RUN_RESULTS).write_text(older)
    ended = run(work)
    assert ended.outputs["status"] == "error"
    assert "[`models/x.sql:3`](" in ended.text(work_files.COMMENT)
    assert (
        "::error title=dbt stopped before it built anything,file=models/x.sql,line=3::" in ended.out
    )
    report = json.loads(ended.text(work_files.REPORT))
    assert (report["nodes"], report["tests"], report["removed"]) == ([], [], [])


@pytest.mark.fault(40)
@pytest.mark.parametrize(
    ("skip", "says"), [("fork", "comes from a fork"), ("dependabot", "Dependabot")]
)
def test_a_pull_request_without_secrets_has_a_summary(skip: str, says: str, tmp_path: Path) -> None:
    run_file = replace(builds.RUN, event=replace(builds.RUN.event, skip=skip))
    built = Built(run=run_file, state=None, schemas=None, build=None, planned=False)
    ended = run(built.write(tmp_path))
    assert ended.code == 0, ended.out
    assert ended.outputs["status"] == "skipped"
    assert says in ended.step_summary
    assert "For a maintainer" in ended.step_summary


def test_with_nothing_but_run_json_there_is_a_report(tmp_path: Path) -> None:
    built = Built(state=None, schemas=None, build=None, planned=False)
    ended = run(built.write(tmp_path))
    assert ended.code == 0, ended.out
    assert ended.outputs["status"] == "error"
    assert "### ❌ dbt did not run" in ended.text(work_files.COMMENT)


@pytest.mark.parametrize("broken", ["target", "state", "results"])
def test_an_artifact_that_cannot_be_read_makes_the_report_shorter(
    broken: str, tmp_path: Path
) -> None:
    work = builds.failed().write(tmp_path)
    path = {
        "target": tmp_path / "checkout" / "target" / "manifest.json",
        "state": work / "state" / "manifest.json",
        "results": work / work_files.RUN_RESULTS,
    }[broken]
    path.write_bytes(path.read_bytes()[:-20])
    ended = run(work)
    assert ended.code == 0, ended.out
    assert ended.outputs["status"] in ("failed", "error")


def test_outside_actions_the_outputs_are_printed(tmp_path: Path) -> None:
    ended = run(builds.passed().write(tmp_path), GITHUB_OUTPUT="", GITHUB_STEP_SUMMARY="")
    assert ended.code == 0
    assert "status: passed" in ended.out


@pytest.mark.fault(20)
def test_a_job_cancelled_between_two_steps_is_cancelled(tmp_path: Path) -> None:
    built = replace(builds.passed(), build=None, results=None, schemas=None)
    ended = run(built.write(tmp_path), DBT_DEPLOY_JOB_STATUS="cancelled")
    assert ended.outputs["status"] == "cancelled"
    # post_comment reads it there, and leaves a newer run's comment alone.
    assert hand_over.read(ended.work, work_files.Failure).kind == "Cancelled"


def test_a_job_cancelled_after_the_build_failed_keeps_what_failed(tmp_path: Path) -> None:
    work = builds.passed().write(tmp_path)
    first = work_files.Failure(
        kind="StateCorrupt",
        title="t",
        what="w",
        not_done="n",
        remedy="r",
        phase=Phase.STATE,
        exit_code=15,
    )
    hand_over.write(work, first)
    run(work, DBT_DEPLOY_JOB_STATUS="cancelled")
    assert hand_over.read(work, work_files.Failure) == first


def test_a_job_cancelled_after_a_whole_build_keeps_its_verdict(tmp_path: Path) -> None:
    ended = run(builds.passed().write(tmp_path), DBT_DEPLOY_JOB_STATUS="cancelled")
    assert ended.outputs["status"] == "passed"


# Deploy


def test_a_deploy_has_a_summary_and_no_comment(tmp_path: Path) -> None:
    built = replace(
        deploy_builds.deployed(), run=deploy_builds.MODIFIED, again=[builds.DIM_CUSTOMERS]
    )
    ended = run(built.write(tmp_path))
    assert ended.code == 0, ended.out
    assert ended.outputs["status"] == "passed"
    assert ended.outputs["comment-file"] == ""
    assert not (ended.work / work_files.COMMENT).exists()
    assert ended.step_summary.strip() == ended.text(work_files.SUMMARY).strip()
    assert ended.step_summary.startswith("### ✅ production is new: 4 models built, 2 tests passed")
    made = json.loads(ended.text(work_files.REPORT))
    assert (made["mode"], made["deploy"]["version"]) == ("deploy", deploy_builds.VERSION)
    why = {node["name"]: node["why"]["kind"] for node in made["nodes"]}
    assert why["dim_customers"] == "again"


def test_all_that_a_deploy_left_is_read(tmp_path: Path) -> None:
    source = deploy_files.SourceFreshness(unique_id="source.a.b.c", name="b.c", status="warn")
    view = deploy_files.Dependent(kind="view", schema="bi", name="v", owner="o", statements=())
    built = replace(
        deploy_builds.deployed(),
        lease=replace(deploy_builds.LEASE, broken_in="ana"),
        freshness=deploy_files.Freshness(sources=(source,)),
        dependents=deploy_files.Dependents(kept=(view,)),
        restored=deploy_files.Restored(restored=("bi.v",)),
    )
    made = json.loads(run(built.write(tmp_path)).text(work_files.REPORT))["deploy"]
    assert made["lease_taken_from"] == "ana"
    assert [source["name"] for source in made["sources"]] == ["b.c"]
    assert [dependent["name"] for dependent in made["dependents"]] == ["bi.v"]
    assert made["restored"] == ["bi.v"]
    assert made["previous"] == deploy_builds.BEFORE


def test_the_commit_is_the_one_that_lay_there(tmp_path: Path) -> None:
    """Where releases drive, a scheduled build checks out what is live, not the event's commit."""
    other = "b" * 40
    lease = replace(deploy_builds.LEASE, commit=other)
    ended = run(replace(deploy_builds.failed(), lease=lease).write(tmp_path))
    made = json.loads(ended.text(work_files.REPORT))
    assert made["commit"] == other
    assert f"/blob/{other}/models/fct_orders.sql#L3" in ended.step_summary
    assert builds.RUN.event.sha[:7] not in ended.step_summary


def test_a_push_that_waits_for_a_tag(tmp_path: Path) -> None:
    waits = replace(
        deploy_builds.refused("x", "x", "x"),
        failure=None,
        state=None,
        lease=None,
        not_now=deploy_files.NotNow(driver="release", version=deploy_builds.BEFORE),
    )
    ended = run(waits.write(tmp_path))
    assert ended.outputs["status"] == "skipped"
    assert ended.step_summary.startswith("### ⚪ production is unchanged: it waits for a version")


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    ("began", "says"),
    [(True, "production is perhaps partly new: cancelled"), (False, "production is unchanged: ")],
)
def test_a_deploy_whose_job_was_cancelled(began: bool, says: str, tmp_path: Path) -> None:
    killed = replace(
        deploy_builds.deployed(), results=None, build=None, publication=None, began=began
    )
    ended = run(killed.write(tmp_path), DBT_DEPLOY_JOB_STATUS="cancelled")
    assert ended.outputs["status"] == "cancelled"
    assert says in ended.step_summary
    left = hand_over.read(ended.work, work_files.Failure)
    assert (left.not_done == "Nothing was built.") != began


@pytest.mark.fault(51)
def test_a_secret_is_nowhere_in_a_deploys_summary(tmp_path: Path) -> None:
    lost = deploy_files.NotRestored(name="bi.v", message="hunter22 refused", statements=("x",))
    built = replace(
        deploy_builds.deployed(),
        restored=deploy_files.Restored(failed=(lost,)),
        lease=replace(deploy_builds.LEASE, broken_in="https://me:hunter22@host/"),
        build=replace(
            builds.BUILD,
            attempts=(work_files.Attempt(exit_code=1, seconds=1, nodes=1, reason="hunter22"),),
        ),
    )
    ended = run(built.write(tmp_path), DB_PASSWORD="hunter22", DBT_ENV_SECRET_ANY="new")
    assert ended.code == 0, ended.out
    assert " refused" in ended.step_summary
    assert "hunter22" not in ended.everything


def test_with_nothing_but_run_json_there_is_a_report_of_a_deploy(tmp_path: Path) -> None:
    built = deploy_builds.Deployed(
        state=None, lease=None, build=None, publication=None, planned=False, began=False
    )
    ended = run(built.write(tmp_path))
    assert ended.code == 0, ended.out
    assert ended.outputs["status"] == "error"
    assert ended.step_summary.startswith("### ❌ production is unchanged: dbt did not run")
