"""docs.json -> the documentation and the plain catalog of a release that is current already."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy import (
    cli,
    deploy_files,
    docs_step,
    files,
    gather,
    lease,
    settings,
    store_step,
    versions,
)
from dbtdeploy.deploy_files import STATIC_DOCS, HeldLease, Publication
from dbtdeploy.edges import actions


def main() -> None:
    """Lay both where people and tools read them; the version itself never changes."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    held = files.read(work / deploy_files.LEASE, HeldLease)
    made = gather.documentation(work, Path(run.dbt.target_path), settings.redactor())
    if not made:
        print("No documentation was made.")
        return
    opened = store_step.opened(run.policy.state)
    done = files.read(work / deploy_files.PUBLICATION, Publication)
    lease.renew(opened, held.nonce)
    opened.put(versions.LATEST + gather.CATALOG, made[gather.CATALOG])
    shown = docs_step.upload(run, opened, made[STATIC_DOCS], done)
    files.write(work / deploy_files.PUBLICATION, shown)
    outputs = {"docs-url": shown.docs_url or ""}
    actions.set_outputs(settings.Runner.from_environ().output, outputs)


if __name__ == "__main__":
    cli.run(main)
