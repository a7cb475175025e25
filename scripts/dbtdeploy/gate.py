"""Whether a run may deploy to an environment that only version tags change. Pure."""

from __future__ import annotations

from dbtdeploy import environment, errors
from dbtdeploy.environment import Environment
from dbtdeploy.versions import Index

NOT_DONE = "Nothing was built, nothing was published."
SHORT = 7


def not_now(decided: Environment, *, event: str, current: str | None) -> str | None:
    """Why a deploy has nothing to do here, which is no failure; None where it has.

    Args:
        decided: who drives the environment.
        event: GitHub's name of what started the run.
        current: the version that is live.
    """
    if decided.driver != environment.RELEASE:
        return None
    if event == "push":
        return "Releases drive this environment: this push goes live with the next version tag."
    if current is None:
        return (
            "Releases drive this environment, and nothing is released yet: there is nothing to "
            "build again. The first version tag goes live."
        )
    return None


def check_commit(decided: Environment, *, checked_out: str, index: Index | None, name: str) -> None:
    """Refuse to build another commit than the one that releases made live.

    Args:
        decided: who drives the environment.
        checked_out: the commit that would be built.
        index: of the current version.
        name: GitHub's name of the environment.

    Raises:
        WrongCommit: the checkout is another one, or nobody knows which is live.
    """
    if decided.driver != environment.RELEASE:
        return
    live = index.commit if index else None
    if live is None:
        version = index.version if index else "none"
        raise errors.WrongCommit(
            f"Releases drive {name}, and its current version ({version}) names no commit.",
            not_done=NOT_DONE,
            remedy="Release once by a version tag, or let merges drive it (`command: drive` with "
            "`driver: deploy`).",
        )
    if live != checked_out:
        raise errors.WrongCommit(
            f"Releases drive {name}, which runs commit {live[:SHORT]}; {checked_out[:SHORT]} is "
            "checked out.",
            not_done=NOT_DONE,
            remedy="Check out the output `ref` of `command: status`, as the reusable workflow "
            "deploy.yml does. To bring a new commit live, push a version tag.",
        )
