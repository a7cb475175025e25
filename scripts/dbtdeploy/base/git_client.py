"""The command ``git``, asked what is checked out, where a tag points and what a branch holds."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from dbtdeploy.base import settings

SECONDS = 30

Relation = Literal["same", "newer", "older", "diverged", "unknown"]
"""Of one commit to another."""


def checked_out(folder: Path) -> str | None:
    """The commit that is checked out in the repository around a folder.

    Not GITHUB_SHA: a schedule rebuilds the commit that the environment runs, while GITHUB_SHA is
    the newest of the default branch.

    Returns:
        Its SHA; None where there is no git, or no repository with a commit.
    """
    return _said(folder, "rev-parse", "--verify", "HEAD")


def tagged(folder: Path, tag: str) -> str | None:
    """The commit that a tag points to, through annotated tags; None where there is none."""
    return _said(folder, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}")


def branch(folder: Path, name: str | None) -> tuple[str, str] | None:
    """A branch as the remote has it, or as it is here.

    Args:
        folder: in the repository.
        name: of the branch; the remote's default one if None, else ``main`` or ``master``.

    Returns:
        Its name and its commit; None where there is no such branch.
    """
    if name is None:
        head = _said(folder, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
        names = [head.removeprefix("refs/remotes/origin/")] if head else ["main", "master"]
    else:
        names = [name]
    for one in names:
        for ref in (f"refs/remotes/origin/{one}", f"refs/heads/{one}"):
            if commit := _said(folder, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"):
                return one, commit
    return None


def is_on(folder: Path, commit: str, branch_commit: str) -> bool:
    """Whether a commit is part of a branch; a shallow clone may not know of it."""
    ended = _run(folder, "merge-base", "--is-ancestor", commit, branch_commit)
    return ended is not None and ended.returncode == 0


def order(folder: Path, commit: str, other: str) -> Relation:
    """How a commit stands to another one.

    A shallow clone knows of some ancestors only, so that what it does not find says nothing.
    """
    if is_on(folder, other, commit):
        return "newer"
    if is_on(folder, commit, other):
        return "older"
    known = all(_said(folder, "cat-file", "-t", one) == "commit" for one in (commit, other))
    return "diverged" if known and not is_shallow(folder) else "unknown"


def is_shallow(folder: Path) -> bool:
    """Whether the clone holds only the newest commits."""
    return _said(folder, "rev-parse", "--is-shallow-repository") == "true"


def top(folder: Path) -> Path | None:
    """The topmost folder of the repository around one, resolved; None where there is none."""
    found = _said(folder, "rev-parse", "--show-toplevel")
    return Path(found).resolve() if found else None


def listing(folder: Path, paths: Iterable[str]) -> str | None:
    """The index, as ``ls-files -v -s -z`` prints it, of what the pathspecs match."""
    ended = _run(folder, "ls-files", "-v", "-s", "-z", "--full-name", "--", *paths)
    return ended.stdout if ended is not None and ended.returncode == 0 else None


def is_clean(folder: Path, paths: Iterable[str]) -> bool:
    """Whether the work tree is as the commit has it and holds nothing else, ignored or not."""
    others = ("--untracked-files=all", "--ignored=matching", "--ignore-submodules=none")
    ended = _run(folder, "status", "--porcelain", *others, "--", *paths)
    return ended is not None and ended.returncode == 0 and not ended.stdout


def _said(folder: Path, *arguments: str) -> str | None:
    ended = _run(folder, *arguments)
    if ended is None or ended.returncode != 0:
        return None
    return ended.stdout.strip() or None


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    # In a container the checkout often belongs to another user, which git would refuse to read.
    command = ["git", "--no-optional-locks", "-c", "safe.directory=*", "-C", str(folder)]
    # The project's code may have written into .git/config what git would run for us.
    command += ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    try:
        return subprocess.run(
            [*command, *arguments],
            env=settings.without_the_runners(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
