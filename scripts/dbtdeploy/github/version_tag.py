"""A version tag: where it must point to be released, and what allows breaking changes. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from msgspec import Struct

from dbtdeploy.base import errors
from dbtdeploy.context.release_files import Tag

NOTHING_DONE = "Nothing was built, production is as it was."

BY_INPUT = "the input `allow-breaking`"
LOSS_BY_INPUT = "the input `allow-loss`"

NAME = re.compile(r"[\w][\w.+/@-]{0,199}")
NO_NAME = ("..", "//", "/.", "@{", ".lock/")
"""What git allows in no name of a tag (git-check-ref-format), within what ``NAME`` lets pass."""

CANDIDATE = re.compile(r"(?:.*/)?v?\d+\.\d+\.\d+-[\w.-]+(?:\+[\w.-]+)?")
"""A pre-release by https://semver.org/#spec-item-9, such as v2.0.0-rc.1."""


class Found(Struct, frozen=True, kw_only=True):
    """A tag and the main branch as they are now."""

    where: str
    """``acme/shop``, or the clone."""
    commit: str | None = None
    """What the tag points to; None where there is no such tag."""
    kind: str = "commit"
    """Of what it points to."""
    main_branch: str = ""
    branch_there: bool = True
    on_main: bool = False
    """Whether the commit is part of the main branch."""
    hint: str = ""
    """What else may be the reason that something is not found."""


class Merged(Struct, frozen=True, kw_only=True):
    """A pull request that is merged."""

    number: int
    commit: str | None
    """The merge's, or the last one that it put on its branch."""
    labels: tuple[str, ...] = ()


def check_name(name: str) -> None:
    """Refuse what cannot be a tag, before it is looked for.

    Raises:
        TagRefused: git knows no such names.
    """
    ends = name.endswith((".", "/", ".lock"))
    if ends or not NAME.fullmatch(name) or any(part in name for part in NO_NAME):
        raise errors.TagRefused(
            f"{name[:200]!r} is not the name of a tag.",
            not_done=NOTHING_DONE,
            remedy="Name a version tag, such as v1.4.0, in the input `tag`, or push one.",
        )


def check(name: str, found: Found, checked_out: str) -> Tag:
    """The tag, proven to be where it should be.

    Args:
        name: of the tag.
        found: where it is, and where the main branch is.
        checked_out: the commit that would be released; empty if it is not known.

    Raises:
        TagRefused: it is not there, was moved, or is not on the main branch.
    """
    if found.kind != "commit":
        raise _refused(
            f"The tag {name} of {found.where} points to a {found.kind}, not to a commit.",
            "Tag a commit of the main branch.",
        )
    if found.commit is None:
        raise _refused(
            f"There is no tag {name} in {found.where}.",
            f"Push the tag, or name one that is there in the input `tag`.{found.hint}",
        )
    if not checked_out:
        raise _refused(
            f"Which commit is checked out is not known, so it cannot be told from {name}.",
            "Check the tag out with actions/checkout, in the folder that dbt runs in.",
        )
    if found.commit != checked_out:
        raise _refused(
            f"The tag {name} points to {found.commit[:12]}, and {checked_out[:12]} is checked out: "
            "the tag was moved since this run began, or something else was checked out.",
            f"Check out `refs/tags/{name}` and run this again. A version that was shown to people "
            "is better not moved: tag the new commit with a new version.",
        )
    if not found.branch_there:
        raise _refused(
            f"There is no branch {found.main_branch or 'main'} in {found.where} that {name} could "
            "be on.",
            f"Name the branch that releases come from in the input `main-branch`.{found.hint}",
        )
    if not found.on_main:
        raise _refused(
            f"The tag {name} ({found.commit[:12]}) is not on the branch {found.main_branch} of "
            f"{found.where}.",
            f"Merge its commit into {found.main_branch} and tag it there, or name the branch that "
            f"releases come from in the input `main-branch`.{found.hint}",
        )
    return Tag(name=name, commit=found.commit, main_branch=found.main_branch)


def allowing(pulls: Iterable[Merged], commits: Collection[str], label: str) -> str | None:
    """Which pull request bears a label, for a sentence.

    Args:
        pulls: merged ones, the newest first.
        commits: what the release brings.
        label: the label; GitHub tells labels apart whatever their case.
    """
    for pull in pulls:
        if pull.commit in commits and label.lower() in {one.lower() for one in pull.labels}:
            return f"the label `{label}` of #{pull.number}"
    return None


def is_candidate(name: str) -> bool:
    """Whether a tag says of itself that it is a pre-release."""
    return CANDIDATE.fullmatch(name) is not None


def _refused(what: str, remedy: str) -> errors.TagRefused:
    return errors.TagRefused(what, not_done=NOTHING_DONE, remedy=remedy)
