"""Whether a run may change an environment that only version tags change, or merges. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dbtdeploy.base import errors
from dbtdeploy.store import environment_settings
from dbtdeploy.store.environment_settings import EnvironmentSettings
from dbtdeploy.store.publication.versions import Index

NOT_DONE = "Nothing was built, nothing was published."
SHORT = 7


def not_now(decided: EnvironmentSettings, *, event: str, current: str | None) -> str | None:
    """Why a deploy has nothing to do here, which is no failure; None where it has.

    Args:
        decided: who drives the environment.
        event: GitHub's name of what started the run.
        current: the version that is live.
    """
    if decided.driver != environment_settings.RELEASE:
        return None
    if event == "push":
        return "Releases drive this environment: this push goes live with the next version tag."
    if current is None:
        return (
            "Releases drive this environment, and nothing is released yet: there is nothing to "
            "build again. The first version tag goes live."
        )
    return None


def check_commit(
    decided: EnvironmentSettings, *, checked_out: str, index: Index | None, name: str
) -> None:
    """Refuse to build another commit than the one that releases made live.

    Args:
        decided: who drives the environment.
        checked_out: the commit that would be built.
        index: of the current version.
        name: GitHub's name of the environment.

    Raises:
        WrongCommit: the checkout is another one, or nobody knows which is live.
    """
    if decided.driver != environment_settings.RELEASE:
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


def refuse_merges(decided: EnvironmentSettings, *, name: str) -> None:
    """Refuse a release where merges drive: the next one would build over it.

    Raises:
        WrongDriver: they do.
    """
    if decided.driver == environment_settings.RELEASE:
        return
    raise errors.WrongDriver(
        f"Each merge goes live in {name}, so the next one would build over this release.",
        not_done=NOT_DONE,
        remedy="Let version tags drive it (`command: drive` with `driver: release`), then run "
        "this again.",
    )


def refuse_moved(tag: str, *, checked_out: str, known: Iterable[Index]) -> None:
    """Refuse a tag that was released from another commit.

    Args:
        tag: its name.
        checked_out: the commit that it names now.
        known: indexes of versions that are or were current.

    Raises:
        TagRefused: names both commits.
    """
    for index in known:
        if index.tag == tag and index.commit is not None and index.commit != checked_out:
            version = f"version {index.version}"
            raise _moved(tag, index.commit, checked_out, f"was released ({version})")


def refuse_moved_while_releasing(tag: str, *, checked_out: str, began_with: str | None) -> None:
    """Refuse to go on with a tag that was moved while its release was stopped.

    Raises:
        TagRefused: names both commits.
    """
    if began_with is not None and began_with != checked_out:
        raise _moved(tag, began_with, checked_out, "began to be released")


def _moved(tag: str, before: str, now: str, what: str) -> errors.TagRefused:
    return errors.TagRefused(
        f"{tag} {what} from commit {before[:SHORT]}, and names {now[:SHORT]} now: it was moved.",
        not_done=NOT_DONE,
        remedy="Put the tag back, and give the new commit a tag of its own.",
    )


def released(tag: str, *, checked_out: str, lineage: Iterable[Index]) -> Index | None:
    """The version by which a tag is live, or was until a newer one; None where it is still to come.

    Args:
        tag: its name.
        checked_out: the commit that it names.
        lineage: indexes of the current version, of the one before it, and so on.
    """
    for number, index in enumerate(lineage):
        if index.tag == tag and index.commit == checked_out:
            # What is to be built in place has not been, if the run was stopped there.
            return None if number == 0 and index.pending else index
    return None
