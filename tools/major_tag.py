"""The tag ``v1``, which moves with the releases: a plain tag, moved by git, only forwards.

git compares and swaps: a push names the object that it expects to replace, and is refused if the
tag points to another one by then. GitHub's API has no such condition.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from dbtdeploy.base import errors, git_client, settings  # noqa: E402  found by the line above
from dbtdeploy.base.settings import GitHubAccess  # noqa: E402

SECONDS = 120
AGAIN = "Then run this job again."


def move(access: GitHubAccess, repository: str, name: str, commit: str) -> None:
    """Let the tag point to a commit that has the commit before among its ancestors.

    Args:
        access: the token.
        repository: ``owner/name`` on GITHUB_SERVER_URL.
        name: of the tag.
        commit: the release's; it and its history are in this clone.

    Raises:
        TagRefused: that would not be forwards, or GitHub refused it.
    """
    url = f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}"
    ref = f"refs/tags/{name}"
    listed = _git(access, url, "ls-remote", url, ref, f"{ref}^{{}}")
    if listed.returncode != 0:
        raise _refused(
            f"Where {name} points to could not be read: {_said(listed)}",
            name,
            "Run this job again.",
        )
    there = dict(line.split("\t")[::-1] for line in listed.stdout.splitlines())
    # An annotated tag is an object of its own; the commit stands behind it.
    current = there.get(f"{ref}^{{}}", there.get(ref))
    if current == commit:
        print(f"{name} points to {commit[:12]} already.")
        return
    by_hand = f"`git push --force origin {commit}:{ref}`"
    if current is not None and not git_client.is_on(Path.cwd(), current, commit):
        raise _refused(
            f"{name} points to {current}, which is not part of {commit[:12]}: that would not be a "
            "move forwards.",
            name,
            f"Find out why it points there. If it should not, a maintainer can move it: {by_hand}.",
        )
    expected = f"--force-with-lease={ref}:{there.get(ref, '')}"
    pushed = _git(access, url, "push", "--quiet", expected, url, f"{commit}:{ref}")
    if pushed.returncode != 0:
        raise _refused(
            f"{name} could not be moved: {_said(pushed)}",
            name,
            # Not documented: the answer names a permission that a job cannot ask for.
            "If GitHub names the permission `workflows`: GITHUB_TOKEN may not move a tag to a "
            f"commit whose workflows no branch has. A maintainer can: {by_hand}. {AGAIN}",
        )
    print(f"{name} points to {commit[:12]} now.")


def _git(access: GitHubAccess, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    signed = base64.b64encode(f"x-access-token:{access.token}".encode()).decode()
    # By the environment: what is on the command line can be seen by every process.
    config = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {signed}",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    return subprocess.run(
        ["git", *arguments],
        env={**settings.without_the_runners(), **config},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def _said(ended: subprocess.CompletedProcess[str]) -> str:
    return ended.stderr.strip() or f"git ended with {ended.returncode}"


def _refused(what: str, name: str, remedy: str) -> errors.TagRefused:
    not_done = f"The release is published; {name} was not moved."
    return errors.TagRefused(what, not_done=not_done, remedy=remedy)
