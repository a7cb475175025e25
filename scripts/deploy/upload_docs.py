"""Docs -> the documentation and the plain catalog of a release that is current already."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.base import settings
from dbtdeploy.context.deploy_files import STATIC_DOCS, Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.deploy import collect_artifacts, docs_step
from dbtdeploy.store import lease, store_location, versions

PHASE = Phase.UPLOAD


def main() -> None:
    """Lay both where people and tools read them; the version itself never changes."""
    ctx = RunContext.open(BuildsProduction)
    work, run = ctx.work, ctx.run
    held = ctx.held
    made = collect_artifacts.documentation(work, Path(run.dbt.target_path), settings.redactor())
    if not made:
        print("No documentation was made.")
        return
    opened = store_location.opened(run.policy.state)
    done = ctx.read(Publication)
    lease.renew(opened, held.nonce)
    opened.put(versions.LATEST + collect_artifacts.CATALOG, made[collect_artifacts.CATALOG])
    if STATIC_DOCS not in made:
        return
    shown = docs_step.upload(run, opened, made[STATIC_DOCS], done)
    ctx.write(shown)
    outputs = {"docs-url": shown.docs_url or ""}
    ctx.set_outputs(outputs)
