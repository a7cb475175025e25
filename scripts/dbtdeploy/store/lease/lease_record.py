"""The record that says who has an environment's lease."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from dbtdeploy.base import versioned_json

HELD, FREE, BROKEN = "held", "free", "broken"


class Lease(Struct, frozen=True, kw_only=True):
    """``lease.json``."""

    nonce: str
    """Proves ownership; no secret, for every write compares it."""
    holder: str
    """Login of who started the run."""
    purpose: str
    run_url: str = ""
    taken_at: str = ""
    """ISO 8601, UTC, by the store's clock where it told one."""
    seconds: Annotated[int, Meta(ge=0, le=100_000)] = 900
    state: str = HELD
    renewals: int = 0
    publishing: str | None = None
    """The version whose objects, index or pointer may be half written."""
    broken_by: str | None = None
    broken_at: str | None = None
    reason: str | None = None
    """Why it was broken."""
    layout: int = versioned_json.LAYOUT

    @property
    def is_held(self) -> bool:
        """Whether somebody has it; a state that a newer dbt-deploy may know counts as held."""
        return self.state not in (FREE, BROKEN)

    @property
    def name(self) -> str:
        """The run's address, or the person."""
        return self.run_url or self.holder

    @property
    def description(self) -> str:
        """Holder, purpose and run, for a sentence."""
        return f"{self.holder}, {self.purpose}" + (f", {self.run_url}" if self.run_url else "")
