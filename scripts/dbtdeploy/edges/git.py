"""The command ``git``, asked one thing."""

from __future__ import annotations

import subprocess
from pathlib import Path

SECONDS = 30


def checked_out(folder: Path) -> str | None:
    """The commit that is checked out in the repository around a folder.

    Not GITHUB_SHA: a schedule rebuilds the commit that the environment runs, while GITHUB_SHA is
    the newest of the default branch.

    Returns:
        Its SHA; None where there is no git, or no repository with a commit.
    """
    # In a container the checkout often belongs to another user, which git would refuse to read.
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), "rev-parse", "--verify", "HEAD"]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip() or None if ended.returncode == 0 else None
