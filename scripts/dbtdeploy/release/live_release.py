"""What is live -> production's tests and a reader's queries, then the version made current.

What fails takes the release back.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import actions_runner, crash, errors
from dbtdeploy.context import hand_over, release_files, work_files
from dbtdeploy.context.deploy_files import HeldLease, Publication
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.release import live_checks, recover, release_refusals, staging
from dbtdeploy.store import in_flight, store_location
from dbtdeploy.store.lease import lease_messages, lease_renewal
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication.versions import Index
from dbtdeploy.warehouse import release_macros, release_schemas, sql_files, sql_refs
from dbtdeploy.warehouse.release_macro_types import Swapped, TookBack

TRIES = 60


def check(ctx: RunContext[Release]) -> None:
    """Check what is live, and take it back at once if it is not well.

    Raises:
        TakenBack: it was not, and production is as before.
        ReleaseStepFailed: it was not, and could not be taken back.
    """
    work, run = ctx.work, ctx.run
    policy = ctx.policy
    opened = store_location.opened(run.policy.state)
    held = ctx.held
    with lease_renewal.kept(opened, held) as keeper:
        wrong = _smoke(run, work, policy) if policy.smoke_target else ()
        if not wrong and policy.production_tests:
            wrong = _test(run, work)
        if wrong:
            crash.point("before-take-back")
            _take_back(opened, run, work, wrong)
    keeper.refuse_if_lost()
    crash.point("live-checked")


def _smoke(run: work_files.Run, work: Path, policy: Release) -> tuple[str, ...]:
    plan = hand_over.read(work, ReleasePlan)
    if policy.smoke_queries:
        manifest = artifacts.read_manifest(_manifest(run, work)) or Manifest()
        relations = sql_refs.Relations.of(manifest, staged={})
        asked = sql_files.read(Path(policy.smoke_queries), relations)
    else:
        asked = live_checks.one_row_each(plan)
    reader = replace(run, dbt=replace(run.dbt, target=policy.smoke_target))
    try:
        answers = release_macros.smoke(invoke.dbt_of(reader, work), work=work, queries=asked)
    except errors.ReleaseStepFailed as failure:
        return (f"{policy.smoke_target} could not ask anything: {failure.what}",)
    actions_runner.say(f"{len(asked):,} smoke queries ran as {policy.smoke_target}.")
    return live_checks.failed_queries(answers)


def _manifest(run: work_files.Run, work: Path) -> Path:
    """Of the tagged commit; a run that goes on with a stopped one has it from the store."""
    made = work / release_files.PRODUCTION_MANIFEST
    return made if made.is_file() else Path(run.dbt.target_path) / "manifest.json"


def _test(run: work_files.Run, work: Path) -> tuple[str, ...]:
    results = Path(run.dbt.target_path) / work_files.RUN_RESULTS
    results.unlink(missing_ok=True)
    dbt = invoke.dbt_of(run, work)
    outcome, last = invoke.call(
        dbt,
        ["test", "--no-defer", *live_checks.DATA_TESTS, *dbt.options()],
        name="test",
        title="dbt test, on production",
        hide_rows=run.policy.hide_row_data,
    )
    if outcome.interrupted:
        raise invoke.cancelled()
    if outcome.exit_code == 0:
        return ()
    return live_checks.failed_tests(artifacts.read_run_results(results)) or tuple(last[-3:])


def _take_back(opened: Store, run: work_files.Run, work: Path, wrong: tuple[str, ...]) -> None:
    held = hand_over.read(work, HeldLease)
    record = hand_over.read(work, ReleaseRecord)
    took = _taken_back(held, run, work, record)
    said = "\n".join(f"- {line}" for line in wrong)
    if took.swapped.outcome != "done":
        raise _stays(record, took, said)
    crash.point("taken-back")
    under_way = in_flight.read(opened)
    if under_way is not None:
        recover.undo(opened, under_way)
    there = hand_over.read_if_there(work, Released) or Released()
    hand_over.write(work, replace(there, taken_back=wrong[0]))
    raise errors.TakenBack(
        f"{record.tag} was live, and this failed:\n{said}",
        not_done=release_refusals.AS_BEFORE,
        remedy="What was taken back lies in schemas whose names hold "
        f"__undone_{record.release_id}, until a clean-up drops them. Fix it, and release a new "
        "tag.",
    )


def _taken_back(
    held: HeldLease, run: work_files.Run, work: Path, record: ReleaseRecord
) -> TookBack:
    try:
        return release_macros.take_back(
            invoke.dbt_of(run, work),
            work=work,
            place=staging.place_of(run),
            nonce=held.nonce,
            taken_at=held.taken_at,
            records=[record],
            restore_incremental=True,
            tries=TRIES,
            reader_wait_ms=run.of(Release).reader_wait_ms,
            dry_run=False,
            token=release_schemas.token(),
        )
    except errors.ExposedToOthers as exposed:
        # That it is live all the same has to be said first.
        return TookBack(swapped=Swapped(outcome="failed", detail=(exposed.what, exposed.remedy)))


def _stays(record: ReleaseRecord, took: TookBack, said: str) -> errors.DbtDeployError:
    why = "\n".join(f"- {line}" for line in took.swapped.detail)
    return errors.ReleaseStepFailed(
        f"{record.tag} is live, and this failed:\n{said}\nIt could not be taken back:\n{why}",
        not_done="It is not published: the version before is still the current one in the store.",
        remedy="Run the release again: it checks again, and takes it back or publishes it.",
    )


def publish(ctx: RunContext[Release]) -> None:
    """Let the store say what the warehouse holds.

    Raises:
        EarlierStepMissing: there is no record of a release.
        PublishingFailed: another version is current.
    """
    run = ctx.run
    held = ctx.held
    opened = store_location.opened(run.policy.state)
    record = in_flight.read(opened)
    if record is None:
        raise errors.EarlierStepMissing(
            f"{opened.address(in_flight.KEY)} is not there.",
            not_done="Nothing was published.",
            remedy="Look who works on the environment (`command: status`), then run it again.",
        )
    by = run.event.run_url or lease_messages.who(run.event)
    index = recover.go_live(
        opened,
        record,
        nonce=held.nonce,
        by=by,
        tell=lambda index: _tell(ctx, opened.location, index),
    )
    if index is None:
        raise errors.PublishingFailed(
            f"{record.tag} is live, and another version has become current meanwhile.",
            not_done="The version of this release is not current.",
            remedy="Look who works on the environment (`command: status`).",
        )


def _tell(ctx: RunContext[Release], location: str, index: Index) -> None:
    """Leave word for the summary at once: the plain copies may fail, or the lease be lost."""
    there = ctx.read_if_there(Released) or Released()
    ctx.write(replace(there, version=index.version))
    done = Publication(
        location=location,
        version=index.version,
        previous=index.previous,
        pending=index.pending,
        carried=index.carried,
    )
    ctx.write(done)
    actions_runner.say(f"Version {index.version} is now the current one in {location}.")
    ctx.set_outputs({"version": index.version})
