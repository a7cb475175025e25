"""What the steps of a deploy left in the work folder; any of it may be missing."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy import artifacts, deploy_files, files, retry_state
from dbtdeploy.deploy_assemble import Steps


def read(work: Path) -> Steps:
    """Read every file that is there."""
    retry = artifacts.read_run_results(work / retry_state.FOLDER / "run_results.json")
    return Steps(
        not_now=files.read_if_there(work / deploy_files.NOT_NOW, deploy_files.NotNow),
        lease=files.read_if_there(work / deploy_files.LEASE, deploy_files.HeldLease),
        freshness=files.read_if_there(work / deploy_files.FRESHNESS, deploy_files.Freshness),
        dependents=files.read_if_there(work / deploy_files.DEPENDENTS, deploy_files.Dependents),
        restored=files.read_if_there(work / deploy_files.RESTORED, deploy_files.Restored),
        docs=files.read_if_there(work / deploy_files.DOCS, deploy_files.Docs),
        publication=files.read_if_there(work / deploy_files.PUBLICATION, deploy_files.Publication),
        build=files.read_if_there(work / files.BUILD, files.Build),
        state=files.read_if_there(work / files.STATE, files.State),
        began=building(work),
        again=frozenset(r.unique_id for r in retry.results if r.status == "error")
        if retry
        else frozenset(),
    )


def building(work: Path) -> bool:
    """Whether dbt's build began: its log is opened first."""
    return (work / files.LOG).exists()
