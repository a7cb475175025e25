"""target/ + the work folder -> a version and the pointer, or failed/; then the documentation.

Only a build that succeeded becomes production's state. What is killed here leaves the version
before, whole; the next run finishes or gives up what was begun.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.artifacts import artifact_check, artifacts, build_success
from dbtdeploy.base import actions_runner, crash, errors, settings
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import STATIC_DOCS, HeldLease, Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction, Release
from dbtdeploy.context.release_files import ReleasePlan, ReleaseRecord
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import installed_version, partial_parse_upload
from dbtdeploy.deploy import collect_artifacts, docs_step, redact_artifacts
from dbtdeploy.deploy.collect_artifacts import CollectedArtifacts
from dbtdeploy.store import failed_nodes, store_location
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import publish, versions

PHASE = Phase.PUBLISH


def main() -> None:
    """Decide what the run was, and publish it as that."""
    ctx = RunContext.open(BuildsProduction)
    work, run = ctx.work, ctx.run
    ctx.remove(Publication)
    plan = ctx.read_if_there(work_files.Plan) or work_files.Plan()
    if not plan.nodes:
        print("Nothing was built, so nothing is published.")
        return
    results = artifacts.read_run_results(work / work_files.RUN_RESULTS)
    problem = build_success.why_not(
        plan=plan,
        build=ctx.read_if_there(work_files.Build),
        statuses={r.unique_id: r.status for r in results.results} if results else None,
        failure=ctx.read_if_there(work_files.Failure),
        fail_on_warnings=run.policy.fail_on_warnings,
    )
    opened = store_location.opened(run.policy.state)
    if problem is not None:
        _keep_failed(work, run, opened, problem)
        return
    gathered = collect_artifacts.success(
        work, run, settings.redactor(), unsettled=_unsettled(opened)
    )
    redact_artifacts.warn(gathered.secrets_left)
    gathered = replace(gathered, contents={**gathered.contents, **_of_release(work, run)})
    done = _publish(work, run, opened, gathered)
    if STATIC_DOCS in gathered.contents:
        _tell(work, docs_step.upload(run, opened, gathered.contents[STATIC_DOCS], done))
    crash.point("before-release")


def _of_release(work: Path, run: work_files.Run) -> dict[str, bytes]:
    """What a rollback and the notes need of a release whose last nodes were built in place."""
    names = (ReleaseRecord.FILE, ReleasePlan.FILE) if isinstance(run.policy, Release) else ()
    return {name: (work / name).read_bytes() for name in names if (work / name).is_file()}


def _unsettled(opened: Store) -> tuple[str, ...]:
    try:
        return failed_nodes.failed_since(opened)
    except (errors.StateCorrupt, errors.StateVersionMissing) as damage:
        # What is built is built; a whole deploy must be able to leave damage behind it.
        actions_runner.warning("What failed before this deploy could not be read", damage.what)
        return ()


def _publish(
    work: Path, run: work_files.Run, opened: Store, gathered: CollectedArtifacts
) -> Publication:
    """Version, pointer, plain copies."""
    nonce = hand_over.read(work, HeldLease).nonce
    try:
        index = publish.publish(
            opened,
            replace(gathered.draft, adapter_version=_adapter_version(run, gathered.draft)),
            gathered.contents,
            moment=datetime.now(timezone.utc),
            nonce=nonce,
            by=run.event.run_url or run.event.actor,
            claim=lambda version: lease.renew(opened, nonce, publishing=version),
            parse=partial_parse_upload.beside(
                work, gathered.contents[artifact_check.MANIFEST], say=actions_runner.say
            ),
        ).index
    except (errors.LeaseLost, errors.PublishingFailed):
        raise
    except errors.DbtDeployError as cause:
        raise errors.PublishingFailed(
            f"The build is done, and publishing its artifacts failed. {cause.what}",
            not_done="What production builds next compares with the version that is current now; "
            "`command: versions` shows which that is.",
            remedy=f"{cause.remedy} Then deploy again: what was built is built once more.",
        ) from None
    actions_runner.say(f"Version {index.version} is now the current one in {opened.location}.")
    done = Publication(
        location=opened.location,
        version=index.version,
        previous=index.previous,
        pending=index.pending,
        carried=index.carried,
    )
    _tell(work, done)
    with contextlib.suppress(errors.DbtDeployError):
        # It follows another version by now, so it hurts nobody if it stays.
        event, began = run.event, collect_artifacts.began(work, run)
        publish.forget_failed(opened, began=began, run_id=event.run_id, attempt=event.run_attempt)
    try:
        publish.copy_latest(opened, gathered.contents, prove=lambda: lease.renew(opened, nonce))
        lease.renew(opened, nonce, done=True)
    except errors.DbtDeployError as cause:
        raise errors.PublishingFailed(
            f"Version {index.version} is current, and its plain copies under "
            f"{opened.address(versions.LATEST)} are not all written. {cause.what}",
            not_done="Readers of the plain copies may see some artifacts of the version before.",
            remedy=f"{cause.remedy} The next deploy writes them anew.",
        ) from None
    return done


def _keep_failed(work: Path, run: work_files.Run, opened: Store, problem: str) -> None:
    """Keep a failed run for reading. The run has its verdict: nothing here changes it."""
    actions_runner.say(
        f"{problem}\nIt is not published as state; the version before stays current."
    )
    try:
        gathered = collect_artifacts.failed(work, run, settings.redactor(), problem=problem)
        prefix = publish.publish_failed(
            opened,
            gathered.draft,
            gathered.contents,
            moment=datetime.now(timezone.utc),
            began=collect_artifacts.began(work, run),
        )
    except errors.DbtDeployError as cause:
        actions_runner.warning(
            "The failed run's artifacts were not kept", f"{cause.what}\n{cause.remedy}"
        )
        return
    actions_runner.say(f"What it left is kept for reading: {opened.address(prefix)}")
    _tell(work, Publication(location=opened.location, failed=prefix))


def _tell(work: Path, done: Publication) -> None:
    """Leave word for the report and the workflow, at once: what follows may fail."""
    hand_over.write(work, done)
    outputs = {"version": done.version or "", "docs-url": done.docs_url or ""}
    actions_runner.set_outputs(settings.Runner.from_environ().output, outputs)


def _adapter_version(run: work_files.Run, draft: versions.Index) -> str | None:
    variables = settings.DbtEnvironment.from_environ().variables
    folder = Path(run.dbt.project_dir)
    try:
        found = installed_version.find(run.dbt.command, folder=folder, variables=variables)
    except errors.DbtNotFound:
        return None
    return found.adapters.get(draft.adapter or "")
