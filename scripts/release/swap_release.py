"""release_plan.json -> staging live in one transaction, checked there, then its version current.

What fails the checks is taken back. A release that a stopped run has swapped is only checked and
made current.
"""

from __future__ import annotations

from dbtdeploy.context import cli
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Released
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.release import live_release, live_swap

PHASE = Phase.SWAP


def main() -> int:
    """Swap, check and publish; what one of them refuses keeps the others from running."""
    ctx = RunContext.open(Release)
    return cli.attempt_each(
        (Phase.SWAP, lambda: None if _is_live(ctx) else live_swap.swap(ctx)),
        (Phase.LIVE_CHECK, lambda: live_release.check(ctx)),
        (Phase.SWAP, lambda: live_release.publish(ctx)),
    )


def _is_live(ctx: RunContext[Release]) -> bool:
    """Whether this run goes on with a release that a stopped one has swapped."""
    there = ctx.read_if_there(Released)
    return there is not None and there.resumed == "finished"
