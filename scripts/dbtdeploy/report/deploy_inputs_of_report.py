"""What the steps of a deploy left in the work folder; any of it may be missing."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.artifacts import artifacts
from dbtdeploy.context import deploy_files, work_files
from dbtdeploy.report.build_deploy_report import Steps
from dbtdeploy.store import failed_nodes


def read(work: Path) -> Steps:
    """Read every file that is there."""
    retry = artifacts.read_run_results(work / failed_nodes.FOLDER / "run_results.json")
    return Steps(
        not_now=work_files.read_if_there(work / deploy_files.NOT_NOW, deploy_files.NotNow),
        lease=work_files.read_if_there(work / deploy_files.LEASE, deploy_files.HeldLease),
        freshness=work_files.read_if_there(work / deploy_files.FRESHNESS, deploy_files.Freshness),
        dependents=work_files.read_if_there(
            work / deploy_files.DEPENDENTS, deploy_files.Dependents
        ),
        restored=work_files.read_if_there(work / deploy_files.RESTORED, deploy_files.Restored),
        docs=work_files.read_if_there(work / deploy_files.DOCS, deploy_files.Docs),
        publication=work_files.read_if_there(
            work / deploy_files.PUBLICATION, deploy_files.Publication
        ),
        build=work_files.read_if_there(work / work_files.BUILD, work_files.Build),
        state=work_files.read_if_there(work / work_files.STATE, work_files.State),
        began=building(work),
        again=frozenset(r.unique_id for r in retry.results if r.status == "error")
        if retry
        else frozenset(),
    )


def building(work: Path) -> bool:
    """Whether dbt's build began: its log is opened first."""
    return (work / work_files.LOG).exists()
