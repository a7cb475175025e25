"""Dependents -> Restored: what the build took along is made again."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from dbtdeploy.artifacts import artifacts
from dbtdeploy.base import actions_runner, crash, errors, json_codec, settings
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import Dependent, Dependents, HeldLease
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease_renewal
from dbtdeploy.store.object_store import Store
from dbtdeploy.warehouse import dependents, dependents_result, run_job_macro

PHASE = Phase.RESTORE


def main() -> None:
    """Make again what is missing, whether the build succeeded or not."""
    ctx = RunContext.open(BuildsProduction)
    work, run = ctx.work, ctx.run
    kept = ctx.read(Dependents).kept
    opened = store_location.opened(run.policy.state)
    with _lease(opened, work):
        ends = _make_again(run, work, kept)
    crash.point("restored")
    redact = settings.redactor()
    result = dependents_result.result(kept, ends)
    ctx.write(result)
    for name in result.restored:
        actions_runner.say(f"Made again: {name}")
    _keep(opened, dependents_result.to_try_again(kept, ends))
    for failed in dependents_result.warned(kept, ends):
        actions_runner.warning(
            "Still missing in production", redact(f"{failed.name}: {failed.message}")
        )
    dependents_result.refuse(kept, ends, address=opened.address(dependents.KEY))


def _make_again(run: work_files.Run, work: Path, kept: tuple[Dependent, ...]) -> list[str]:
    if not kept:
        return []
    results = artifacts.read_run_results(work / work_files.RUN_RESULTS)
    built = {r.unique_id for r in results.results if r.status == "success"} if results else set()
    job = {
        "dependents": [
            # What dbt has just built is not to be the old one again.
            {"there": t.there, "statements": t.statements if _may_make(t, built) else ()}
            for t in kept
        ]
    }
    (ends,) = run_job_macro.run_job(
        invoke.dbt_of(run, work),
        "restore_dependents",
        job,
        work=work,
        name="restore",
        not_done="What the build took along was not made again. The next deploy does it.",
    )
    return json_codec.decode(ends, list[str])


def _may_make(dependent: Dependent, built: Collection[str | None]) -> bool:
    return dependent.ours and dependent.unique_id not in built


@contextlib.contextmanager
def _lease(opened: Store, work: Path) -> Iterator[None]:
    """Keep the lease, but let a store that cannot be reached not keep views from coming back.

    After hours of building the store's credentials may be expired.
    """
    held = hand_over.read(work, HeldLease)
    with contextlib.ExitStack() as stack:
        try:
            keeper = stack.enter_context(lease_renewal.kept(opened, held))
        except errors.LeaseLost:
            # Whoever has it now has read kept.json, and does all this.
            raise
        except errors.DbtDeployError as trouble:
            actions_runner.warning(
                "The lease could not be renewed", f"{trouble.what}\n{trouble.remedy}"
            )
            yield
            return
        yield
        keeper.refuse_if_lost()


def _keep(opened: Store, again: tuple[Dependent, ...]) -> None:
    """Leave in kept.json what is still to be made, for the next deploy to try."""
    try:
        dependents.write(opened, again, dependents.read_earlier(opened).etag)
    except errors.DbtDeployError as trouble:
        # The next deploy reads it, and finds all of it there.
        actions_runner.warning(f"{opened.address(dependents.KEY)} is left as it was", trouble.what)
