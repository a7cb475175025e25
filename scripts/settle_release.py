"""unsettled_release.json in the store -> finished or undone: what a stopped run left.

The warehouse says which: its swap is one transaction, and committed or not.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy import (
    cli,
    crash,
    dbt_step,
    deploy_files,
    environment,
    files,
    gate,
    lease_keeper,
    lease_words,
    read_version,
    release_files,
    release_warehouse,
    rollback_finish,
    settings,
    settle,
    store_step,
    stored_release,
    unsettled,
)
from dbtdeploy.deploy_files import HeldLease
from dbtdeploy.edges import actions
from dbtdeploy.objects import Store
from dbtdeploy.release_files import Released, ReleaseRecord
from dbtdeploy.release_warehouse_types import Place, State
from dbtdeploy.unsettled import Unsettled

BUILDS = ("deploy", "release")


def main() -> None:
    """Settle what was left, look again at what may have changed, and say how this run goes on."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    held = files.read(work / deploy_files.LEASE, HeldLease)
    opened = store_step.opened(run.policy.state)
    record = unsettled.read(opened)
    goes_on = {"build": "true" if run.command in BUILDS else ""}
    if record is not None and _only_plans(run):
        actions.warning(
            "A run was stopped here",
            f"What it left of {record.tag} is settled by the next run that is no dry run; this "
            "plan is of production as it is.",
        )
    elif record is not None:
        with lease_keeper.kept(opened, held) as keeper:
            goes_on = _settle(opened, run, work, held, record) or goes_on
        keeper.refuse_if_lost()
        _look_again(opened, run, held)
    elif (work / release_files.RELEASED).exists():
        stored_release.fetch(opened, work)
        goes_on = {}
    actions.set_outputs(settings.Runner.from_environ().output, goes_on)


def _settle(
    opened: Store, run: files.Run, work: Path, held: HeldLease, record: Unsettled
) -> dict[str, str] | None:
    """Finish or undo; gives how this run goes on if that is not to build."""
    place = Place(environment=record.environment, project=record.project)
    by = run.event.run_url or lease_words.who(run.event)

    def state() -> State:
        return release_warehouse.settled(
            dbt_step.dbt_of(run, work),
            work=work,
            place=place,
            release_id=record.release_id,
            nonce=held.nonce,
            taken_at=held.taken_at,
        )

    if record.what == "rollback":
        said = rollback_finish.settle(opened, record, state=state, nonce=held.nonce, by=by)
        actions.warning("An unfinished rollback was found", said)
        return None
    began = f"A run was stopped while it released {record.tag}"
    live = state() == "live"
    crash.point("settle-asked")
    if not live:
        release_warehouse.drop_staging(
            dbt_step.dbt_of(run, work), work=work, place=place, release_id=record.release_id
        )
        settle.undo(opened, record)
        actions.warning(
            "An unfinished release was undone",
            f"{began}. It had not gone live: production is as before, and its staging schemas are "
            "dropped.",
        )
        return None
    if _is_ours(run, held, record):
        stored_release.fetch(opened, work, version=record.version)
        if not files.read(work / release_files.RECORD, ReleaseRecord).direct:
            files.write(work / release_files.RELEASED, Released(resumed="finished"))
            print(f"{began}. It is live; this run checks and publishes it.")
            dbt_step.install_packages(dbt_step.dbt_of(run, work), run)
            return {"swapped": "true"}
        # What is to be built in place is still missing; this run plans it anew, on the version that
        # becomes current here.
        (work / release_files.RECORD).unlink()
        (work / release_files.RELEASE_PLAN).unlink()
    index = settle.go_live(opened, record, nonce=held.nonce, by=by)
    version = f"version {index.version} is current" if index else "a newer version is current"
    actions.warning(
        "An unfinished release was finished", f"{began}. It is live, and now {version}."
    )
    return None


def _only_plans(run: files.Run) -> bool:
    asked = (run.release, run.rollback, run.clean_up)
    return any(one is not None and one.dry_run for one in asked)


def _is_ours(run: files.Run, held: HeldLease, record: Unsettled) -> bool:
    return run.release is not None and (record.tag, record.commit) == (
        run.release.tag,
        held.commit,
    )


def _look_again(opened: Store, run: files.Run, held: HeldLease) -> None:
    """What was settled may have set a hold, or made another commit the live one."""
    if run.command not in BUILDS:
        return
    name = run.deploy.environment if run.deploy else "production"
    decided = environment.read(opened)
    environment.refuse_if_on_hold(decided, name=name, now=datetime.now(timezone.utc))
    if run.command == "deploy" and decided.driver == environment.RELEASE:
        pointer, _ = read_version.read_current(opened)
        index = read_version.read_index(opened, pointer) if pointer and pointer.version else None
        gate.check_commit(decided, checked_out=held.commit or "", index=index, name=name)


if __name__ == "__main__":
    cli.run(main)
