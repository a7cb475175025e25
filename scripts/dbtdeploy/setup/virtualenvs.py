"""The two environments of a run, ours and dbt's: where they lie and what makes them the same again.

Standard library only: ``setup_environment.py`` runs before anything is installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dbtdeploy.setup.dbt_requirement import DbtRequirement

STAMP = ".dbt-deploy-key"


@dataclass(frozen=True, kw_only=True)
class Virtualenv:
    """One folder with a Python environment, complete once its stamp says so."""

    folder: Path
    key: str

    @property
    def bin(self) -> Path:
        """Where its commands are."""
        return self.folder / "bin"

    def is_complete(self) -> bool:
        """It was finished, from the same sources, and its Python is still there."""
        stamp = self.folder / STAMP
        return (
            stamp.is_file()
            and stamp.read_text(encoding="utf-8") == self.key
            and (self.bin / "python").exists()
        )

    def mark_complete(self) -> None:
        """Leave the stamp; last, so that a half-made folder is never taken for a whole one."""
        (self.folder / STAMP).write_text(self.key, encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What an environment cannot be carried away from."""

    system: str
    architecture: str
    python: str
    """Version and real path: an environment holds links to it."""

    def words(self) -> tuple[str, ...]:
        """The parts of a key."""
        return (self.system, self.architecture, self.python)


def own_key(machine: Machine, lock: Path) -> str:
    """The key of our environment, made on this machine of what a lock file says."""
    return digest([*machine.words(), lock.read_bytes()])


def dbt_key(machine: Machine, requirement: DbtRequirement, today: date) -> str:
    """The key of dbt's environment.

    Args:
        machine: where it is made.
        requirement: what is in it.
        today: counts only where a version is left open; then a week's environment is kept, so
            that a new release is met within days and not in every run.
    """
    parts: list[str | bytes] = [*machine.words(), *requirement.arguments]
    parts += [path.read_bytes() for path in requirement.files]
    if not requirement.pinned:
        year, week, _ = today.isocalendar()
        parts.append(f"{year}-W{week}")
    return digest(parts)


def digest(parts: Iterable[str | bytes]) -> str:
    """One SHA-256 of all parts; no two lists of parts run together."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()
