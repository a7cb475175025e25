"""release_in_flight.json in the store -> finished or undone: what a stopped run left.

The warehouse says which: its swap is one transaction, and committed or not.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy.base import actions_runner, crash
from dbtdeploy.context import hand_over, release_files, work_files
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction, CleanUp, InProduction, Release, Rollback
from dbtdeploy.context.release_files import Released, ReleaseRecord
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.deploy import admission, commit_order
from dbtdeploy.release import load_release, recover
from dbtdeploy.rollback import rollback_finish
from dbtdeploy.store import environment_settings, in_flight, store_location
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.lease import lease_messages, lease_renewal
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader
from dbtdeploy.warehouse import release_macros
from dbtdeploy.warehouse.release_macro_types import ReleaseScope, ReleaseState

PHASE = Phase.RECOVERY


def main() -> None:
    """Settle what was left, look again at what may have changed, and say how this run goes on."""
    ctx = RunContext.open(InProduction)
    work, run = ctx.work, ctx.run
    held = ctx.held
    opened = store_location.opened(run.policy.state)
    record = in_flight.read(opened)
    goes_on = {"build": "true" if isinstance(run.policy, BuildsProduction) else ""}
    if record is not None and _only_plans(run):
        actions_runner.warning(
            "A release has left its staging" if record.ended else "A run was stopped here",
            f"What it left of {record.tag} is settled by the next run that is no dry run; this "
            "plan is of production as it is.",
        )
    elif record is not None:
        with lease_renewal.kept(opened, held) as keeper:
            goes_on = _settle(opened, run, work, held, record) or goes_on
        keeper.refuse_if_lost()
        _look_again(opened, run, held, record)
    elif _is_live_already(ctx.read_if_there(Released)):
        load_release.fetch(opened, work)
        goes_on = {}
    ctx.set_outputs(goes_on)


def _settle(
    opened: Store, run: work_files.Run, work: Path, held: HeldLease, record: InFlight
) -> dict[str, str] | None:
    """Finish or undo; gives how this run goes on if that is not to build."""
    place = ReleaseScope(environment=record.environment, project=record.project)
    by = run.event.run_url or lease_messages.who(run.event)

    def state() -> ReleaseState:
        return release_macros.settled(
            invoke.dbt_of(run, work),
            work=work,
            place=place,
            release_id=record.release_id,
            nonce=held.nonce,
            taken_at=held.taken_at,
        )

    if record.what == "rollback":
        said = rollback_finish.finish_rollback(opened, record, state=state, nonce=held.nonce, by=by)
        actions_runner.warning("An unfinished rollback was found", said)
        return None
    began = f"A run was stopped while it released {record.tag}"
    live = state() == "live"
    crash.point("settle-asked")
    if not live:
        release_macros.drop_staging(
            invoke.dbt_of(run, work), work=work, place=place, release_id=record.release_id
        )
        recover.undo(opened, record)
        if record.ended:
            actions_runner.say(
                f"The release of {record.tag} did not go live ({record.ended}). Its staging "
                "schemas are dropped; production was not touched."
            )
            return None
        actions_runner.warning(
            "An unfinished release was undone",
            f"{began}. It had not gone live: production is as before, and its staging schemas are "
            "dropped.",
        )
        if _is_ours(run, held, record):
            hand_over.write(work, Released(resumed="undone"))
        return None
    if _is_ours(run, held, record):
        load_release.fetch(opened, work, version=record.version)
        if not hand_over.read(work, ReleaseRecord).direct:
            hand_over.write(work, Released(resumed="finished"))
            actions_runner.say(f"{began}. It is live; this run checks and publishes it.")
            invoke.install_packages(invoke.dbt_of(run, work), run)
            return {"swapped": "true"}
        # What is to be built in place is still missing; this run plans it anew, on the version that
        # becomes current here.
        hand_over.remove(work, ReleaseRecord)
        hand_over.remove(work, release_files.ReleasePlan)
    index = recover.go_live(opened, record, nonce=held.nonce, by=by)
    version = f"version {index.version} is current" if index else "a newer version is current"
    actions_runner.warning(
        "An unfinished release was finished", f"{began}. It is live, and now {version}."
    )
    return None


def _only_plans(run: work_files.Run) -> bool:
    return isinstance(run.policy, Release | Rollback | CleanUp) and run.policy.dry_run


def _is_live_already(there: Released | None) -> bool:
    return there is not None and there.resumed == "nothing"


def _is_ours(run: work_files.Run, held: HeldLease, record: InFlight) -> bool:
    asked = run.policy
    return isinstance(asked, Release) and (record.tag, record.commit) == (asked.tag, held.commit)


def _look_again(opened: Store, run: work_files.Run, held: HeldLease, record: InFlight) -> None:
    """What was settled may have set a hold, or made another commit the live one."""
    if not isinstance(run.policy, BuildsProduction):
        return
    name = run.policy.environment
    decided = environment_settings.read(opened)
    environment_settings.refuse_if_on_hold(decided, name=name, now=datetime.now(timezone.utc))
    if run.command == "deploy" and decided.driver == environment_settings.RELEASE:
        pointer, _ = version_reader.read_current(opened)
        index = version_reader.read_index(opened, pointer) if pointer and pointer.version else None
        admission.check_commit(decided, checked_out=held.commit or "", index=index, name=name)
    live = next(commit_order.ran(opened, failed_too=False), None)
    if live is not None and not _is_ours(run, held, record):
        orders = [order for order in held.orders if order.commit == live[0]]
        commit_order.refuse_older(orders, commit=held.commit or "", policy=run.policy)
