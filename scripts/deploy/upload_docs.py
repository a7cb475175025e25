"""docs.json -> the documentation and the plain catalog of a release that is current already."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context import deploy_files, work_files
from dbtdeploy.context.deploy_files import STATIC_DOCS, HeldLease, Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.deploy import collect_artifacts, docs_step
from dbtdeploy.store import lease, store_location, versions

PHASE = Phase.UPLOAD


def main() -> None:
    """Lay both where people and tools read them; the version itself never changes."""
    work = settings.work_folder()
    run = work_files.read(work / work_files.RUN, work_files.Run)
    held = work_files.read(work / deploy_files.LEASE, HeldLease)
    made = collect_artifacts.documentation(work, Path(run.dbt.target_path), settings.redactor())
    if not made:
        print("No documentation was made.")
        return
    opened = store_location.opened(run.policy.state)
    done = work_files.read(work / deploy_files.PUBLICATION, Publication)
    lease.renew(opened, held.nonce)
    opened.put(versions.LATEST + collect_artifacts.CATALOG, made[collect_artifacts.CATALOG])
    shown = docs_step.upload(run, opened, made[STATIC_DOCS], done)
    work_files.write(work / deploy_files.PUBLICATION, shown)
    outputs = {"docs-url": shown.docs_url or ""}
    actions_runner.set_outputs(settings.Runner.from_environ().output, outputs)
