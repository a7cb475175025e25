"""What a release or rollback left -> the tag's GitHub release, and GitHubRelease.

    python write_github_release.py draft         a draft with notes and plan, before the swap
    python write_github_release.py publish       published once it is live; gone if it is not
    python write_github_release.py rolled-back   a line on top, and inactive deployments

Nothing is decided here: what is live stays live whatever GitHub says, so a failure is a warning,
and the exit code 0. The next run with the same tag writes what is missing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.context import (
    cli,
    deploy_files,
    hand_over,
    rollback_files,
    work_files,
)
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Released
from dbtdeploy.github import deployments_api, release_body, releases_api
from dbtdeploy.github.release_body import GitHubRelease
from dbtdeploy.release.pages import release_notes

PHASE = Phase.REPORT


def main() -> None:
    """Write it, or say why it is not written."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("when", choices=["draft", "publish", "rolled-back"])
    when = parser.parse_args().when
    # What is live stays live: not even a fault of ours may turn the release red.
    cli.attempt_or_warn(
        lambda: _write(when), title=errors.ReleaseNotWritten.title, stays=releases_api.NOT_DONE
    )


def _write(when: str) -> None:
    work = settings.work_folder()
    run = hand_over.read(work, work_files.Run)
    access = GitHubAccess.from_environ()
    if not settings.on_github(run.event.repository, access):
        print("There is no GitHub to write a release on.")
        return
    written = {"draft": _draft, "publish": _publish, "rolled-back": _roll_back}[when](
        run, work, access
    )
    if written is not None:
        _tell(written, work)


def _draft(run: work_files.Run, work: Path, access: GitHubAccess) -> GitHubRelease | None:
    if run.of(Release).dry_run:
        return None
    notes = release_notes.of(run, work, settings.redactor())
    return releases_api.Releases(access, run.event.repository).draft(notes)


def _publish(run: work_files.Run, work: Path, access: GitHubAccess) -> GitHubRelease | None:
    policy = run.of(Release)
    if policy.dry_run or not hand_over.is_there(work, deploy_files.HeldLease):
        print("No release: this run released nothing, or the environment was another's.")
        return None
    fate = release_body.fate(
        hand_over.read_if_there(work, Released),
        hand_over.read_if_there(work, deploy_files.Publication),
        hand_over.read_if_there(work, work_files.Failure),
        built_in_place=release_notes.is_built_in_place(work),
    )
    there = releases_api.Releases(access, run.event.repository)
    if fate == "leave":
        print("The draft stays: the next run of this tag finds out whether it is live.")
        return None
    if fate == "remove":
        gone = there.remove_draft(policy.tag, release_notes.section(run))
        actions_runner.say(
            "The draft was removed: nothing of it is live." if gone else "There is no draft."
        )
        return GitHubRelease(tag=policy.tag, state="removed") if gone else None
    return there.publish(release_notes.of(run, work, settings.redactor()))


def _roll_back(run: work_files.Run, work: Path, access: GitHubAccess) -> None:
    done = hand_over.read_if_there(work, rollback_files.RolledBack)
    if done is None:
        print("No release is marked: nothing was taken back.")
        return
    there = releases_api.Releases(access, run.event.repository)
    text = settings.redactor()(release_notes.rolled_back(done))
    for tag in dict.fromkeys(taken.tag for taken in done.plan.releases):
        marked = there.crown(tag, release_notes.section(run), text)
        actions_runner.say(f"Release {tag}: {marked.url or 'there is none on GitHub'}")
    if done.plan.to_tag:
        there.make_latest(done.plan.to_tag)
    try:
        count = deployments_api.mark_inactive(
            access,
            run.event.repository,
            environment=done.plan.environment,
            commits=dict.fromkeys(one.commit for one in done.plan.releases if one.commit),
            said=f"Rolled back to {done.plan.to}",
            run_url=run.event.run_url,
        )
        actions_runner.say(f"Deployments that are inactive now: {count}")
    except errors.GitHubFailed as failure:
        actions_runner.annotate("notice", "Deployments stay as they are", str(failure))


def _tell(written: GitHubRelease, work: Path) -> None:
    hand_over.write(work, written)
    url = written.url if written.state in ("published", "appended") else ""
    actions_runner.set_outputs(settings.Runner.from_environ().output, {"release-url": url})
    actions_runner.say(f"Release {written.tag}: {written.state}. {written.url}")
