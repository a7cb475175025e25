"""target/ + the work folder -> a version and the pointer, or failed/; then the documentation.

Only a build that succeeded becomes production's state. What is killed here leaves the version
before, whole; the next run finishes or gives up what was begun.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy import (
    artifacts,
    cli,
    crash,
    deploy_files,
    docs_step,
    errors,
    files,
    gather,
    kept_parse,
    lease,
    publish,
    release_files,
    retry_state,
    settings,
    state,
    store_step,
    succeeded,
    versions,
)
from dbtdeploy.deploy_files import STATIC_DOCS, HeldLease, Publication
from dbtdeploy.edges import actions, dbt_version
from dbtdeploy.gather import Gathered
from dbtdeploy.objects import Store


def main() -> None:
    """Decide what the run was, and publish it as that."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    (work / deploy_files.PUBLICATION).unlink(missing_ok=True)
    plan = files.read_if_there(work / files.PLAN, files.Plan) or files.Plan()
    if not plan.nodes:
        print("Nothing was built, so nothing is published.")
        return
    results = artifacts.read_run_results(work / files.RUN_RESULTS)
    problem = succeeded.why_not(
        plan=plan,
        build=files.read_if_there(work / files.BUILD, files.Build),
        statuses={r.unique_id: r.status for r in results.results} if results else None,
        failure=files.read_if_there(work / files.FAILURE, files.Failure),
        fail_on_warnings=run.policy.fail_on_warnings,
    )
    opened = store_step.opened(run.policy.state)
    if problem is not None:
        _keep_failed(work, run, opened, problem)
        return
    gathered = gather.success(work, run, settings.redactor(), unsettled=_unsettled(opened))
    gathered = replace(gathered, contents={**gathered.contents, **_of_release(work, run)})
    done = _publish(work, run, opened, gathered)
    if STATIC_DOCS in gathered.contents:
        _tell(work, docs_step.upload(run, opened, gathered.contents[STATIC_DOCS], done))
    crash.point("before-release")


def _of_release(work: Path, run: files.Run) -> dict[str, bytes]:
    """What a rollback and the notes need of a release whose last nodes were built in place."""
    names = (release_files.RECORD, release_files.RELEASE_PLAN) if run.release else ()
    return {name: (work / name).read_bytes() for name in names if (work / name).is_file()}


def _unsettled(opened: Store) -> tuple[str, ...]:
    try:
        return retry_state.failed_since(opened)
    except (errors.StateCorrupt, errors.StateVersionMissing) as damage:
        # What is built is built; a whole deploy must be able to leave damage behind it.
        actions.warning("What failed before this deploy could not be read", damage.what)
        return ()


def _publish(work: Path, run: files.Run, opened: Store, gathered: Gathered) -> Publication:
    """Version, pointer, plain copies."""
    nonce = files.read(work / deploy_files.LEASE, HeldLease).nonce
    try:
        index = publish.publish(
            opened,
            replace(gathered.draft, adapter_version=_adapter_version(run, gathered.draft)),
            gathered.contents,
            moment=datetime.now(timezone.utc),
            nonce=nonce,
            by=run.event.run_url or run.event.actor,
            claim=lambda version: lease.renew(opened, nonce, publishing=version),
            parse=kept_parse.beside(work, gathered.contents[state.MANIFEST], say=print),
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
    print(f"Version {index.version} is now the current one in {opened.location}.")
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
        event, began = run.event, gather.began(work, run)
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


def _keep_failed(work: Path, run: files.Run, opened: Store, problem: str) -> None:
    """Keep a failed run for reading. The run has its verdict: nothing here changes it."""
    print(f"{problem}\nIt is not published as state; the version before stays current.")
    try:
        gathered = gather.failed(work, run, settings.redactor(), problem=problem)
        prefix = publish.publish_failed(
            opened,
            gathered.draft,
            gathered.contents,
            moment=datetime.now(timezone.utc),
            began=gather.began(work, run),
        )
    except errors.DbtDeployError as cause:
        actions.warning("The failed run's artifacts were not kept", f"{cause.what}\n{cause.remedy}")
        return
    print(f"What it left is kept for reading: {opened.address(prefix)}")
    _tell(work, Publication(location=opened.location, failed=prefix))


def _tell(work: Path, done: Publication) -> None:
    """Leave word for the report and the workflow, at once: what follows may fail."""
    files.write(work / deploy_files.PUBLICATION, done)
    outputs = {"version": done.version or "", "docs-url": done.docs_url or ""}
    actions.set_outputs(settings.Runner.from_environ().output, outputs)


def _adapter_version(run: files.Run, draft: versions.Index) -> str | None:
    variables = settings.DbtEnvironment.from_environ().variables
    folder = Path(run.dbt.project_dir)
    try:
        found = dbt_version.find(run.dbt.command, folder=folder, variables=variables)
    except errors.DbtNotFound:
        return None
    return found.adapters.get(draft.adapter or "")


if __name__ == "__main__":
    cli.run(main)
