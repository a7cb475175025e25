"""plan.json -> dbt source freshness -> freshness.json and target/sources.json: is the input stale.

Runs before the build, after ``dbt ls`` has left a manifest that says which sources are watched.
"""

from __future__ import annotations

from pathlib import Path

from dbtdeploy import (
    cli,
    dbt_step,
    deploy_files,
    errors,
    files,
    freshness,
    lease_keeper,
    settings,
    store_step,
)
from dbtdeploy.deploy_files import Freshness, SourceFreshness
from dbtdeploy.edges import actions
from dbtdeploy.outcomes import NODE_FAILED

NOTHING_BUILT = "Nothing was built, and nothing was written to the warehouse."


def main() -> None:
    """Ask dbt how old the sources are, and say so or refuse."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    policy = (run.deploy or files.Deploy()).source_freshness
    target = Path(run.dbt.target_path)
    (work / deploy_files.FRESHNESS).unlink(missing_ok=True)
    if policy == "off":
        print("Not checked (source-freshness: off).")
        return
    watched = freshness.watched(target / "manifest.json")
    if watched is not None and not watched:
        print("No source has a freshness to check.")
        return
    sources = _check(run, work, target / freshness.SOURCES, watched or frozenset())
    if sources is None:
        return
    files.write(work / deploy_files.FRESHNESS, Freshness(sources=sources))
    for source in sources:
        print(freshness.line(source))
    _judge(sources, policy)


def _check(
    run: files.Run, work: Path, written: Path, watched: frozenset[str]
) -> tuple[SourceFreshness, ...] | None:
    """Run dbt; None where it could not check and the policy is only to warn."""
    written.unlink(missing_ok=True)
    opened = store_step.opened(run.policy.state)
    held = files.read(work / deploy_files.LEASE, deploy_files.HeldLease)
    with lease_keeper.kept(opened, held) as keeper:
        dbt = dbt_step.dbt_of(run, work)
        outcome, last = dbt_step.call(
            dbt,
            ["source", "freshness", *dbt.options()],
            name="freshness",
            title="dbt source freshness",
            hide_rows=run.policy.hide_row_data,
        )
    keeper.refuse_if_lost()
    if outcome.interrupted:
        raise dbt_step.cancelled()
    redact = dbt_step.redactor(run)
    found = freshness.read(written, expected=watched, said=outcome.errors, redact=redact)
    if outcome.exit_code in (0, NODE_FAILED) and found is not None:
        return found
    stopped = dbt_step.stopped(outcome, last, doing="while it asked how old the sources are")
    if (run.deploy or files.Deploy()).source_freshness == "fail":
        raise stopped
    actions.warning("The sources' freshness could not be checked", stopped.what)
    return None


def _judge(sources: tuple[SourceFreshness, ...], policy: str) -> None:
    old = [source for source in sources if source.status in freshness.STALE]
    refused = [source for source in old if source.status in freshness.REFUSED]
    if policy == "fail" and refused:
        raise errors.SourcesStale(
            "\n".join(freshness.line(source) for source in refused),
            not_done=NOTHING_BUILT,
            remedy="See why these were not loaded, load them and deploy again; or set "
            "`source-freshness` to warn, or change the source's `error_after`.",
        )
    if old:
        actions.warning("Sources are stale", "\n".join(freshness.line(source) for source in old))


if __name__ == "__main__":
    cli.run(main)
