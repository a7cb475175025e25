"""Our action as the runner downloads it for each job: what is committed, in a new folder."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from demo.repository import ROOT

MAKES_ENVIRONMENTS = ("uv.lock", "scripts", "templates")
"""What the key of the action's cache depends on, and what deploys."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """One commit of ours, however the checkout changes meanwhile."""

    commit: str

    @classmethod
    def of_head(cls) -> Action:
        """What HEAD is now."""
        return cls(commit=_git("rev-parse", "HEAD").decode().strip())

    @property
    def key(self) -> str:
        """Changes with all that an environment or a deploy may hang on."""
        names = [f"{self.commit}:{name}" for name in MAKES_ENVIRONMENTS]
        return _git("rev-parse", *names).decode()

    def unpack(self, folder: Path) -> Path:
        """Write it into a folder that is not there yet; gives that folder.

        Nothing that ran before has left bytecode in it.
        """
        folder.mkdir()
        subprocess.run(
            ["tar", "-xf", "-", "-C", str(folder)], input=_git("archive", self.commit), check=True
        )
        return folder


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout
