"""dbt source freshness -> Freshness and target/sources.json: whether the input is stale.

Asked before the build, after ``dbt ls`` has left a manifest that says which sources are watched.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from dbtdeploy.artifacts.node_status import NODE_FAILED
from dbtdeploy.base import actions_runner, errors
from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.context.deploy_files import Freshness, SourceFreshness
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.deploy import freshness
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease_renewal

P = TypeVar("P", bound=BuildsProduction)

NOTHING_BUILT = "Nothing was built, and nothing was written to the warehouse."


def check(ctx: RunContext[P]) -> None:
    """Ask dbt how old the sources are, and say so or refuse.

    Raises:
        SourcesStale: one is, or cannot be asked, and ``source-freshness`` is ``fail``.
    """
    work, run = ctx.work, ctx.run
    policy = ctx.policy.source_freshness
    target = Path(run.dbt.target_path)
    ctx.remove(Freshness)
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
    ctx.write(Freshness(sources=sources))
    for source in sources:
        actions_runner.say(freshness.line(source))
    _judge(sources, policy)


def _check(
    run: work_files.Run, work: Path, written: Path, watched: frozenset[str]
) -> tuple[SourceFreshness, ...] | None:
    """Run dbt; None where it could not check and the policy is only to warn."""
    written.unlink(missing_ok=True)
    opened = store_location.opened(run.policy.state)
    held = hand_over.read(work, deploy_files.HeldLease)
    with lease_renewal.kept(opened, held) as keeper:
        dbt = invoke.dbt_of(run, work)
        outcome, last = invoke.call(
            dbt,
            ["source", "freshness", *dbt.options()],
            name="freshness",
            title="dbt source freshness",
            hide_rows=run.policy.hide_row_data,
        )
    keeper.refuse_if_lost()
    if outcome.interrupted:
        raise invoke.cancelled()
    redact = invoke.redactor(run)
    found = freshness.read(written, expected=watched, said=outcome.errors, redact=redact)
    if outcome.exit_code in (0, NODE_FAILED) and found is not None:
        return found
    stopped = invoke.stopped(outcome, last, doing="while it asked how old the sources are")
    if run.of(BuildsProduction).source_freshness == "fail":
        raise stopped
    actions_runner.warning("The sources' freshness could not be checked", stopped.what)
    return None


def _judge(sources: tuple[SourceFreshness, ...], policy: str) -> None:
    old = [source for source in sources if source.status in freshness.STALE]
    refused = [source for source in old if source.status in freshness.REFUSED]
    if policy == "fail" and refused:
        raise errors.SourcesStale(
            "\n".join(freshness.line(source) for source in refused),
            not_done=NOTHING_BUILT,
            remedy=" ".join(_remedies(refused)),
        )
    if old:
        known = any(source.age_seconds is not None for source in old)
        actions_runner.warning(
            "Sources are stale" if known else "The age of sources could not be read",
            "\n".join(freshness.line(source) for source in old),
        )


def _remedies(refused: list[SourceFreshness]) -> Iterator[str]:
    if any(source.age_seconds is not None for source in refused):
        yield (
            "See why the sources were not loaded, load them and deploy again; or change their "
            "`error_after`."
        )
    if any(source.age_seconds is None for source in refused):
        yield (
            "A source whose age cannot be read needs a `loaded_at_field` and a table that this "
            "job's role may read; or take its `freshness` away."
        )
    yield "`source-freshness: warn` deploys all the same."
