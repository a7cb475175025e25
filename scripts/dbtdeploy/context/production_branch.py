"""Whether a run may change production, by the branch that it runs on. Pure.

A release is known by its tag, which must be on the main branch. What else changes production runs
code of the branch that it was started on, so that must be the main branch itself: whoever can push
a branch can also start a workflow on it by hand.
"""

from __future__ import annotations

from dbtdeploy.base import errors
from dbtdeploy.context.work_files import Event

COMMANDS = ("deploy", "rollback", "clean-up")

BRANCHES = "refs/heads/"

ON_DEFAULT_BRANCH = ("schedule", "repository_dispatch", "workflow_run")
"""Events that GitHub starts on the default branch only
(https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows)."""


def check(command: str, event: Event, *, ref: str, main_branch: str) -> None:
    """Refuse to change production from another branch than the main one.

    Args:
        command: of the run.
        event: what started it; outside Actions nothing is checked.
        ref: GITHUB_REF, the branch or tag in full.
        main_branch: the input; the repository's default branch if empty.

    Raises:
        BranchRefused: the run is on another branch, on a tag or on a pull request.
    """
    if command not in COMMANDS or event.name == "local":
        return
    wanted = main_branch or event.default_branch
    if wanted is None:
        if event.name in ON_DEFAULT_BRANCH:
            return
        raise _refused(
            command,
            f"Which branch is the main one is not in the event `{event.name}`",
            "Name it in the input `main-branch`.",
        )
    if ref != BRANCHES + wanted:
        raise _refused(
            command,
            f"This run is on `{ref.removeprefix(BRANCHES)}`, and production is changed from "
            f"`{wanted}` only",
            f"Merge into `{wanted}` and run it there. If production comes from another branch, "
            "name that in the input `main-branch`. A version tag goes live by a release.",
        )


def _refused(command: str, what: str, remedy: str) -> errors.BranchRefused:
    return errors.BranchRefused(
        f"{what}.",
        not_done=f"`{command}` did nothing; production and its state are as they were.",
        remedy=remedy,
    )
