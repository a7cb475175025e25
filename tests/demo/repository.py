"""A real git repository of the example shop: ``main``, and a branch for each pull request."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo import processes

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "examples" / "shop"
PATCHES = ROOT / "examples" / "pull-requests"
NAME = "copperpot/shop"
WHEN = "2026-06-15T09:00:00+02:00"
"""Every commit's date, so that commits are named the same on every machine."""

NOT_SOURCE = shutil.ignore_patterns("target", "logs", "dbt_packages", "__pycache__")


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What actions/checkout leaves for a pull request: its merge into ``main``, checked out."""

    folder: Path
    head_sha: str
    merge_sha: str


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository on disk, with ``main`` checked out."""

    folder: Path

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git; gives what it printed, without the last newline."""
        environment = processes.clean_environment(
            GIT_AUTHOR_NAME="Ida Keller",
            GIT_AUTHOR_EMAIL="ida@example.com",
            GIT_AUTHOR_DATE=WHEN,
            GIT_COMMITTER_NAME="Ida Keller",
            GIT_COMMITTER_EMAIL="ida@example.com",
            GIT_COMMITTER_DATE=WHEN,
            # The machine's own hooks, signing keys and templates stay out of it.
            GIT_CONFIG_GLOBAL="/dev/null",
            GIT_CONFIG_NOSYSTEM="1",
        )
        # Two checkouts at once would both want the repository's maintenance lock.
        command = ["git", "-c", "maintenance.auto=false", "-c", "gc.auto=0", *arguments]
        out = processes.run(command, cwd=cwd or self.folder, environment=environment)
        return out.rstrip("\n")

    def sha(self, ref: str = "main") -> str:
        """The commit a branch points to."""
        return self.git("rev-parse", ref)

    def branch_from_patch(self, patch: Path) -> str:
        """Make the branch that a patch of ``examples/pull-requests`` is; gives its name."""
        self.git("checkout", "--quiet", "-b", patch.stem, "main")
        self.git("am", "--quiet", str(patch))
        self.git("checkout", "--quiet", "main")
        return patch.stem

    def commit(self, branch: str, message: str, files: Mapping[str, str | None]) -> str:
        """Add a commit to a branch, made from ``main`` if it is new.

        Args:
            branch: its name.
            message: the commit's.
            files: path to content; None deletes the file.

        Returns:
            The commit's name.
        """
        known = self.git("branch", "--list", branch)
        self.git("checkout", "--quiet", *([branch] if known else ["-b", branch, "main"]))
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        sha = self.sha("HEAD")
        self.git("checkout", "--quiet", "main")
        return sha

    def merge(self, branch: str) -> str:
        """Merge a branch into ``main``; gives the merge commit's name."""
        message = f"Merge {branch}"
        self.git("merge", "--quiet", "--no-ff", "-m", message, branch)
        return self.sha()

    def check_out(self, branch: str, folder: Path) -> Checkout:
        """Clone into ``folder`` and merge the branch into ``main`` there, as GitHub does."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.git("clone", "--quiet", "--branch", "main", str(self.folder), str(folder))
        if branch != "main":
            message = f"Merge {branch} into main"
            self.git("merge", "--quiet", "--no-ff", "-m", message, f"origin/{branch}", cwd=folder)
        head = self.sha(branch)
        return Checkout(
            folder=folder, head_sha=head, merge_sha=self.git("rev-parse", "HEAD", cwd=folder)
        )

    def check_out_only(self, ref: str, folder: Path) -> Checkout:
        """Clone into ``folder`` and check a branch or a commit out there, merging nothing."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        sha = self.sha(ref)
        self.git("clone", "--quiet", "--no-checkout", str(self.folder), str(folder))
        self.git("checkout", "--quiet", "--detach", sha, cwd=folder)
        return Checkout(folder=folder, head_sha=sha, merge_sha=sha)


def create(folder: Path) -> Repository:
    """Make the repository from ``examples/shop``, with ``main`` only."""
    shutil.copytree(SHOP, folder, ignore=NOT_SOURCE)
    repository = Repository(folder=folder)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "Sell coffee and tea by mail")
    return repository


def patches() -> list[Path]:
    """The pull requests of the demo, in the order they are opened."""
    return [PATCHES / f"{name}.patch" for name in ("good-change", "broken-change", "docs-only")]


def subject(patch: Path) -> str:
    """A patch's subject line, which becomes the pull request's title."""
    found = re.search(r"^Subject: \[PATCH\] (.+)$", patch.read_text(), re.MULTILINE)
    assert found is not None, f"{patch} has no subject"
    return found[1]
