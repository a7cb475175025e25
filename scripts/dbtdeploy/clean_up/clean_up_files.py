"""The file that ``clean-up`` leaves."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dbtdeploy.warehouse.release_macro_types import CleanedUp

CLEANED_UP = "cleaned_up.json"


class CleanUpDone(Struct, frozen=True, kw_only=True):
    """``cleaned_up.json``."""

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
