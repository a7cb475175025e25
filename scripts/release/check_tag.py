"""run.json -> Tag: the version tag, proven to be where it should be.

    python check_tag.py tag      it is there, is what is checked out, and is on the main branch
    python check_tag.py label    whether merged pull requests allow breaking changes and losses

The first is asked before anything is done. The second needs state.json, which tells from where on
pull requests count, and refuses nothing: without an answer neither is allowed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, errors, git_client, settings
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Tag
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.github import tags_api, version_tag

PHASE = Phase.ADMISSION


def main() -> None:
    """Check the tag, or ask for the label."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["tag", "label"])
    what = parser.parse_args().what
    ctx = RunContext.open(Release)
    work, run = ctx.work, ctx.run
    checked = {"tag": _tag, "label": _label}[what](run, ctx.policy, work)
    ctx.write(checked)


def _tag(run: work_files.Run, policy: Release, _work: Path) -> Tag:
    version_tag.check_name(policy.tag)
    access = settings.GitHubAccess.from_environ()
    folder = Path(run.dbt.project_dir)
    if settings.on_github(run.event.repository, access):
        found = tags_api.Tags(access, run.event.repository).look(policy.tag, policy.main_branch)
    else:
        print("There is no GitHub to ask, so the tag is checked by git alone, in this clone.")
        found = _in_clone(folder, policy)
    checked = version_tag.check(policy.tag, found, git_client.checked_out(folder) or run.event.sha)
    actions_runner.say(f"{checked.name} is {checked.commit[:12]}, and on {checked.main_branch}.")
    return replace(
        checked,
        breaking_allowed_by=version_tag.BY_INPUT if policy.allow_breaking else None,
        loss_allowed_by=version_tag.LOSS_BY_INPUT if policy.allow_loss else None,
    )


def _in_clone(folder: Path, policy: Release) -> version_tag.Found:
    commit = git_client.tagged(folder, policy.tag)
    branch = git_client.branch(folder, policy.main_branch)
    shallow = " This clone holds only the newest commits: `git fetch --unshallow --tags`."
    return version_tag.Found(
        where="this clone",
        commit=commit,
        main_branch=branch[0] if branch else policy.main_branch or "",
        branch_there=branch is not None,
        on_main=bool(commit and branch and git_client.is_on(folder, commit, branch[1])),
        hint=shallow if git_client.is_shallow(folder) else "",
    )


def _label(run: work_files.Run, policy: Release, work: Path) -> Tag:
    checked = hand_over.read(work, Tag)
    state = hand_over.read_if_there(work, work_files.State)
    before = state.commit if state and state.found else None
    access = settings.GitHubAccess.from_environ()
    if checked.breaking_allowed_by and checked.loss_allowed_by:
        return checked
    if not before or not settings.on_github(run.event.repository, access):
        print("No label is asked for: the current version's commit or GitHub is not known.")
        return checked
    labels = (policy.breaking_label, policy.loss_label)
    try:
        breaking, loss = tags_api.Tags(access, run.event.repository).allowing(
            before, checked.commit, labels
        )
    except errors.GitHubFailed as failure:
        title = "Whether breaking changes and losses are allowed could not be asked"
        actions_runner.warning(title, settings.redactor()(str(failure)))
        return checked
    made = replace(
        checked,
        breaking_allowed_by=checked.breaking_allowed_by or breaking,
        loss_allowed_by=checked.loss_allowed_by or loss,
    )
    actions_runner.say(f"Breaking changes are allowed by {made.breaking_allowed_by or 'nobody'}.")
    actions_runner.say(f"Losses are allowed by {made.loss_allowed_by or 'nobody'}.")
    return made
