"""The files that the scripts of ``rollback`` hand each other.

As in ``work_files.py``: all live in the work folder; ``hand_over.py`` writes and reads them.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import HandOver


class TakenRelease(Struct, frozen=True, kw_only=True):
    """A release that a rollback takes back."""

    version: str
    """That it published."""
    tag: str
    release_id: str
    """By which the warehouse knows it; empty where all of it was built in place."""
    commit: str | None
    at: str
    """When it was published, ISO 8601, UTC."""
    direct: tuple[str, ...] = ()
    """Unique ids of what it built in place."""


class RollbackPlan(HandOver, frozen=True, kw_only=True):
    """``RollbackPlan``. Names of relations are full, as the warehouse writes them."""

    FILE: ClassVar[str] = hand_over.PLAN

    environment: str
    asked: str | None
    """The version or tag that was asked for."""
    from_version: str
    to_version: str
    nothing: str = ""
    """Why there is nothing to take back, which is no failure; the rest is then empty."""
    from_tag: str | None = None
    from_commit: str | None = None
    to_tag: str | None = None
    to_commit: str | None = None
    to_sha256: str = ""
    """Of the version's index as it is stored."""
    releases: tuple[TakenRelease, ...] = ()
    """What is taken back, the newest first."""
    restored: tuple[str, ...] = ()
    """Kept tables that move back at once."""
    recreated: tuple[str, ...] = ()
    """Views that are made again."""
    left: tuple[str, ...] = ()
    """Incremental tables and snapshots that stay as they are."""
    removed: tuple[str, ...] = ()
    """New relations that are moved away."""
    columns_dropped: tuple[str, ...] = ()
    """Columns that the releases added to tables which stay."""
    columns_stay: tuple[str, ...] = ()
    """Such columns that something else uses, each with what."""
    repointed: tuple[str, ...] = ()
    """Objects outside the project that read the old relations again."""
    rebuild: tuple[str, ...] = ()
    """Unique ids of nodes that have to be built again."""
    restore_incremental: bool = False
    dry_run: bool = False

    @property
    def warehouse_id(self) -> str:
        """By which the warehouse knows whether it happened; empty where all was built in place."""
        return next((one.release_id for one in self.releases if one.release_id), "")

    @property
    def tags(self) -> str:
        """``v1.4.0``, or ``v1.4.0, v1.3.0``."""
        return ", ".join(one.tag for one in self.releases)

    @property
    def to(self) -> str:
        """The state to go back to, for people."""
        return self.to_tag or self.to_version


class RolledBack(HandOver, frozen=True, kw_only=True):
    """It is done, in the warehouse and in the store."""

    FILE: ClassVar[str] = hand_over.LIVE

    plan: RollbackPlan
    """With what the warehouse did in place of what it would do."""
    by: str
    run_url: str
    at: str
    seconds: float = 0.0
    """How long readers may have waited."""
    attempts: int = 1
    hold_reason: str = ""
    reason: str | None = None
