"""target/ -> dbt docs generate --static -> static_index.html, catalog.json and docs.json.

The build's manifest stays in target/: it is what will be published.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from dbtdeploy import (
    cli,
    dbt_step,
    deploy_files,
    errors,
    files,
    lease_keeper,
    remedies,
    settings,
    site,
    store_step,
)
from dbtdeploy.deploy_files import Docs

NOT_DONE = "The build succeeded and is published; only its documentation is missing."


def main() -> None:
    """Make the documentation, unless nobody wants it."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    (work / deploy_files.DOCS).unlink(missing_ok=True)
    if not (run.deploy or files.Deploy()).docs:
        print("Not made (docs: false).")
        return
    opened = store_step.opened(run.policy.state)
    held = files.read(work / deploy_files.LEASE, deploy_files.HeldLease)
    target = Path(run.dbt.target_path)
    with lease_keeper.kept(opened, held) as keeper, site.manifest_kept(target):
        _generate(run, work, target)
    keeper.refuse_if_lost()
    page = target / deploy_files.STATIC_DOCS
    files.write(work / deploy_files.DOCS, Docs(file=page.name, bytes=page.stat().st_size))


def _generate(run: files.Run, work: Path, target: Path) -> None:
    for name in site.WRITTEN:
        (target / name).unlink(missing_ok=True)
    dbt = dbt_step.dbt_of(run, work)
    arguments = ["docs", "generate", "--static"]
    if site.is_compiled(target):
        # Some 80 % faster at 5,000 models, and the page is the same.
        arguments.append("--no-compile")
    outcome, last = dbt_step.call(
        dbt,
        [*arguments, *dbt.options()],
        name="docs",
        title=shlex.join(["dbt", *arguments]),
        hide_rows=run.policy.hide_row_data,
    )
    if outcome.interrupted:
        raise dbt_step.cancelled()
    missing = [name for name in site.WRITTEN if not (target / name).is_file()]
    if outcome.exit_code != 0 or missing:
        said = remedies.told(outcome.errors, last)
        raise errors.DocsFailed(
            said or f"dbt ended with exit code {outcome.exit_code}.",
            not_done=NOT_DONE,
            remedy=remedies.remedy_for(said),
        )


if __name__ == "__main__":
    cli.run(main)
