"""target/ -> dbt docs generate --static -> static_index.html, catalog.json and Docs.

The build's manifest stays in target/: it is what will be published. A release without anything
built in place is current already, so its documentation is uploaded here.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from dbtdeploy.base import errors
from dbtdeploy.context import cli, deploy_files, work_files
from dbtdeploy.context.deploy_files import Docs
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction, Release
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import dbt_error_hints, docs_site, invoke
from dbtdeploy.deploy import docs_step
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease_renewal

PHASE = Phase.DOCS

NOT_DONE = "The build succeeded and is published; only its documentation is missing."


def main() -> int:
    """Make the documentation, unless nobody wants it."""
    ctx = RunContext.open(BuildsProduction)
    return cli.attempt_each(
        (Phase.DOCS, lambda: _make(ctx)),
        (Phase.UPLOAD, lambda: docs_step.upload_of_release(ctx) if _is_current(ctx) else None),
    )


def _is_current(ctx: RunContext[BuildsProduction]) -> bool:
    """Whether the swap has published all of this run; otherwise publish_artifacts.py does."""
    plan = ctx.read_if_there(ReleasePlan) if isinstance(ctx.policy, Release) else None
    return plan is not None and not plan.direct


def _make(ctx: RunContext[BuildsProduction]) -> None:
    work, run = ctx.work, ctx.run
    ctx.remove(Docs)
    if not ctx.policy.docs:
        print("Not made (docs: false).")
        return
    opened = store_location.opened(run.policy.state)
    held = ctx.held
    target = Path(run.dbt.target_path)
    with lease_renewal.kept(opened, held) as keeper, docs_site.manifest_kept(target):
        _generate(run, work, target)
    keeper.refuse_if_lost()
    page = target / deploy_files.STATIC_DOCS
    ctx.write(Docs(file=page.name, bytes=page.stat().st_size))


def _generate(run: work_files.Run, work: Path, target: Path) -> None:
    for name in docs_site.WRITTEN:
        (target / name).unlink(missing_ok=True)
    dbt = invoke.dbt_of(run, work)
    arguments = ["docs", "generate", "--static"]
    if docs_site.is_compiled(target):
        # Some 80 % faster at 5,000 models, and the page is the same.
        arguments.append("--no-compile")
    outcome, last = invoke.call(
        dbt,
        [*arguments, *dbt.options()],
        name="docs",
        title=shlex.join(["dbt", *arguments]),
        hide_rows=run.policy.hide_row_data,
    )
    if outcome.interrupted:
        raise invoke.cancelled()
    missing = [name for name in docs_site.WRITTEN if not (target / name).is_file()]
    if outcome.exit_code != 0 or missing:
        said = dbt_error_hints.message(outcome.errors, last)
        raise errors.DocsFailed(
            said or f"dbt ended with exit code {outcome.exit_code}.",
            not_done=NOT_DONE,
            remedy=dbt_error_hints.remedy_for(said),
        )
