"""What the steps of a release left in the work folder -> what its GitHub release shall say."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.base import stored_records, timestamps
from dbtdeploy.base.redact import Redact
from dbtdeploy.context import deploy_files, hand_over, release_files, work_files
from dbtdeploy.context.policies import InProduction, Release
from dbtdeploy.context.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.context.rollback_files import RolledBack
from dbtdeploy.deploy import redact_artifacts
from dbtdeploy.github import version_tag
from dbtdeploy.github.release_body import Notes, Section
from dbtdeploy.release.pages import release_render
from dbtdeploy.report import render


def of(run: work_files.Run, work: Path, redact: Redact) -> Notes:
    """The notes and the assets of this run's release.

    Args:
        run: of a release.
        work: what its steps have left; without a plan, as where a killed run's release was live
            already, the draft keeps the words it has.
        redact: takes secrets out of all of it.
    """
    policy = run.of(Release)
    plan = hand_over.read_if_there(work, ReleasePlan)
    text = _text(run, policy, work, plan) if plan is not None else None
    return Notes(
        tag=policy.tag,
        section=section(run),
        text=redact(text) if text is not None else None,
        short=redact(
            short_notes(
                tag=policy.tag,
                environment=_environment(run),
                version=_version(work),
                run_url=run.event.run_url,
                too_long=plan is not None,
            )
        ),
        candidate=version_tag.is_candidate(policy.tag),
        assets=_assets(work, policy, redact) if plan is not None else {},
    )


def section(run: work_files.Run) -> Section:
    """Whose part of the release's text this run writes."""
    return Section(environment=_environment(run), project=run.dbt.name)


def is_built_in_place(work: Path) -> bool:
    """Whether nothing of the release was staged."""
    plan = hand_over.read_if_there(work, ReleasePlan)
    return plan is not None and not plan.staged


def _text(run: work_files.Run, policy: Release, work: Path, plan: ReleasePlan) -> str:
    released = hand_over.read_if_there(work, Released)
    record = hand_over.read_if_there(work, ReleaseRecord)
    published = hand_over.read_if_there(work, deploy_files.Publication)
    configured = policy.docs_url
    return release_render.release_notes(
        plan,
        repository=run.event.repository,
        server_url=run.event.server_url,
        run_url=run.event.run_url,
        docs_url=(published.docs_url if published else None) or configured,
        previous_tag=record.before_tag if record else None,
        version=_version(work),
        swap_seconds=released.swap_seconds if released else None,
        keep_hours=policy.keep_hours,
    )


def _version(work: Path) -> str | None:
    """That is current now, if this run has published one."""
    released = hand_over.read_if_there(work, Released)
    published = hand_over.read_if_there(work, deploy_files.Publication)
    # What is built in place after a swap becomes a version of its own.
    return (published.version if published else None) or (released.version if released else None)


def _environment(run: work_files.Run) -> str:
    return run.of(InProduction).environment


def _assets(work: Path, policy: Release, redact: Redact) -> dict[str, bytes]:
    """The plan, and the manifest if it is asked for: it holds compiled values."""
    names = {ReleasePlan.FILE: ReleasePlan.FILE}
    if policy.attach_manifest:
        names["manifest.json"] = release_files.PRODUCTION_MANIFEST
    found = {name: work / file for name, file in names.items() if (work / file).is_file()}
    return {
        name: stored_records.redacted(path.read_bytes(), redact)
        if name == ReleasePlan.FILE
        else redact_artifacts.artifact(name, path.read_bytes(), redact, numbers=True)
        for name, path in found.items()
    }


def short_notes(
    *, tag: str, environment: str, version: str | None, run_url: str, too_long: bool = False
) -> str:
    """Our part where nothing is known of what the release changed, or it is too much."""
    return render.template(
        "github/short_notes.md.j2",
        tag=tag,
        environment=environment,
        version=version,
        run_url=run_url,
        too_long=too_long,
    )


def rolled_back(done: RolledBack) -> str:
    """The line on top of a release that was taken back."""
    return render.template(
        "github/rolled_back.md.j2",
        when=timestamps.for_people(done.at),
        by=done.by,
        environment=done.plan.environment,
        to=done.plan.to,
        run_url=done.run_url,
        reason=done.reason,
    )
