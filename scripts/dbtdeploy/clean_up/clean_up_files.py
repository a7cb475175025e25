"""The file that ``clean-up`` leaves."""

from __future__ import annotations

from typing import ClassVar, Literal

from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import HandOver
from dbtdeploy.warehouse.release_macro_types import CleanedUp


class CleanUpDone(HandOver, frozen=True, kw_only=True):
    """``CleanUpDone``."""

    FILE: ClassVar[str] = hand_over.PUBLISHED

    environment: str
    outcomes: tuple[CleanedUp, ...] = ()
    dry_run: bool = False
    held: str = ""
    """Reason of the hold that made it a dry run."""
    finished_at: str = ""

    def of(
        self, *words: Literal["dropped", "stays", "busy", "failed", "would drop"]
    ) -> tuple[CleanedUp, ...]:
        """The outcomes with one of these words."""
        return tuple(one for one in self.outcomes if one.outcome in words)
