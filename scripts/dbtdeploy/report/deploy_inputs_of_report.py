"""What the steps of a deploy left in the work folder; any of it may be missing."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.artifacts import artifacts
from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.report.build_deploy_report import Steps
from dbtdeploy.store import failed_nodes


def read(work: Path) -> Steps:
    """Read every file that is there."""
    retry = artifacts.read_run_results(work / failed_nodes.FOLDER / "run_results.json")
    return Steps(
        not_now=hand_over.read_if_there(work, deploy_files.NotNow),
        lease=hand_over.read_if_there(work, deploy_files.HeldLease),
        freshness=hand_over.read_if_there(work, deploy_files.Freshness),
        dependents=hand_over.read_if_there(work, deploy_files.Dependents),
        restored=hand_over.read_if_there(work, deploy_files.Restored),
        docs=hand_over.read_if_there(work, deploy_files.Docs),
        publication=hand_over.read_if_there(work, deploy_files.Publication),
        build=hand_over.read_if_there(work, work_files.Build),
        state=hand_over.read_if_there(work, work_files.State),
        began=building(work),
        again=frozenset(r.unique_id for r in retry.results if r.status == "error")
        if retry
        else frozenset(),
    )


def building(work: Path) -> bool:
    """Whether dbt's build began: its log is opened first."""
    return (work / work_files.LOG).exists()
