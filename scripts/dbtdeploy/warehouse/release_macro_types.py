"""What a release and a rollback ask of the warehouse, and what it answers: types. Pure.

``release_macros.py`` asks, the macros ``release_*.sql`` of templates/dbt_package/ answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from msgspec import Struct

from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import HandOver
from dbtdeploy.context.release_files import Column, NewSchema, Spot
from dbtdeploy.warehouse.preflight import Preflight

SwapOutcome = Literal["done", "busy", "changed", "unfit", "fenced", "failed"]
"""``busy``: readers held a lock each time. ``changed``: production is not what was looked at.
``unfit``: an outside object cannot be made on the new columns. ``fenced``: another run took over.
But for ``done``, nothing changed."""

ReleaseState = Literal["none", "live", "taken back"]


class ReleaseScope(Struct, frozen=True, kw_only=True):
    """Whose release it is: rows and marks in the warehouse bear both."""

    environment: str
    project: str


class ProductionRelation(Struct, frozen=True, kw_only=True):
    """A node's relation in production, there or not."""

    unique_id: str
    spot: Spot


class LiveRelation(Struct, frozen=True, kw_only=True):
    """A relation that is in production now."""

    unique_id: str
    spot: Spot
    kind: str
    """``table``, ``view``, ``materialized_view`` or another word of the warehouse's."""
    oid: int
    owner: str
    ours: bool
    """Whether this role may move it: it is its owner, or a member of the owner."""
    columns: tuple[Column, ...] = ()
    parts: tuple[str, ...] = ()
    """What goes with it when it is replaced, such as ``trigger audit``; see release_losses.sql."""
    constraints: tuple[str, ...] = ()
    """Their names."""
    publications: tuple[str, ...] = ()
    """Those that keep rows of it from being changed, for it has no replica identity."""
    referenced_by: tuple[str, ...] = ()
    """Foreign keys of other tables that reference it, as ``orders_fk of marts.orders``."""
    row_triggers: tuple[str, ...] = ()
    """Enabled ones that may change a row as it is inserted or updated."""
    rows_estimate: int | None = None
    bytes: int | None = None
    statements: tuple[str, ...] = ()
    """Of a view: what makes it again, by name, with its grants."""


class LeftRelation(Struct, frozen=True, kw_only=True):
    """A relation that is in production, and of which no node has the place any more."""

    unique_id: str
    spot: Spot
    readers: tuple[str, ...] = ()
    """Full names of views, materialized views and tables with a foreign key that read it."""


class KnownRelease(Struct, frozen=True, kw_only=True):
    """A release of this place that the warehouse remembers."""

    release_id: str
    tag: str
    state: ReleaseState
    swapped_at: str


class LiveProduction(HandOver, frozen=True, kw_only=True):
    """Production before a release."""

    FILE: ClassVar[str] = hand_over.PLAN

    role: str
    database: str
    look: Preflight
    """What hangs on the wanted relations, and which rights are missing; see ``preflight.py``."""
    live: tuple[LiveRelation, ...] = ()
    left: tuple[LeftRelation, ...] = ()
    new_schemas: tuple[NewSchema, ...] = ()
    releases: tuple[KnownRelease, ...] = ()


class StagingBaseline(Struct, frozen=True, kw_only=True):
    """Production's rows to lay under a staged incremental model, snapshot or seed."""

    unique_id: str
    staging: Spot
    production: Spot
    seed: bool = False
    """Whether dbt empties it before it loads it."""


class Prepared(Struct, frozen=True, kw_only=True):
    """Staging schemas as they stand; with ``foreign`` ones nothing was made."""

    foreign: tuple[str, ...] = ()
    """Schemas that exist and do not bear this release's mark, with whose they are."""
    foreign_names: tuple[str, ...] = ()
    """Their names alone, quoted."""
    dropped: tuple[str, ...] = ()
    """Staging schemas that earlier, dead releases had left."""
    rows: Mapping[str, int | None] | None = None
    """By unique id, rows laid under it; None for a node that production has no table for."""
    fenced: bool = False
    """Whether another run's fence is newer, so that nothing was made."""


class Pair(Struct, frozen=True, kw_only=True):
    """A staged relation and what it replaces."""

    unique_id: str
    staging: Spot
    production: Spot | None = None
    """None for a new one."""
    unique_key: tuple[str, ...] = ()
    """Columns that must stay unique; empty to check none."""
    fresh_column: str | None = None
    count: bool = True


class Query(Struct, frozen=True, kw_only=True):
    """SQL with a name for people, such as its file's."""

    name: str
    sql: str


class MeasuredNode(Struct, frozen=True, kw_only=True):
    """Figures of one pair."""

    unique_id: str
    columns_before: tuple[Column, ...] = ()
    columns_after: tuple[Column, ...] = ()
    rows_before: int | None = None
    rows_after: int | None = None
    duplicate_keys: int | None = None
    losses: tuple[str, ...] = ()
    """What production's has and staging's has not, as of ``LiveRelation.parts``."""
    newest: str | None = None
    """Of ``fresh_column``, ISO 8601."""
    age_seconds: float | None = None
    """By the warehouse's clock."""
    error: str | None = None


class QueryResult(Struct, frozen=True, kw_only=True):
    """How a query ended: rows it returned (at most 1,000 are counted), or the warehouse's words."""

    name: str
    rows: int | None = None
    error: str | None = None


class Measured(HandOver, frozen=True, kw_only=True):
    """Staging beside production."""

    FILE: ClassVar[str] = hand_over.BUILT

    nodes: tuple[MeasuredNode, ...] = ()
    checks: tuple[QueryResult, ...] = ()


class SwapPair(Struct, frozen=True, kw_only=True):
    """One relation to bring live."""

    unique_id: str
    name: str
    method: str
    production: Spot
    staging: Spot
    expected_oid: int | None = None
    """Of what is live; None where nothing may be."""
    expected_columns: tuple[Column, ...] = ()
    managed_privileges: tuple[str, ...] = ()
    """Privileges that the node's config ``grants`` names: those of the old relation lapse."""
    keys: tuple[str, ...] = ()
    """Of a table that is changed in place: columns by which rows of others are told from those that
    the release changes. Empty where nobody else may have written at all."""
    updates: tuple[str, ...] | None = None
    """The columns that an UPDATE of dbt's sets, all of them if empty; None where it is not known,
    and those are meant that it changed."""
    seed: bool = False
    """Whether dbt empties the table before it loads it, so that its file alone says what it
    holds."""
    rows_before: int | None = None
    rows_after: int | None = None
    seconds: float | None = None


class Swapped(HandOver, frozen=True, kw_only=True):
    """How a swap or a take-back ended."""

    FILE: ClassVar[str] = hand_over.LIVE

    outcome: SwapOutcome
    detail: tuple[str, ...] = ()
    """What differs, who waits, the warehouse's words: a line each."""
    attempts: int = 1
    seconds: float = 0.0
    """Of the last attempt: how long readers may have waited."""
    at: str | None = None
    """When it happened, by the warehouse's clock."""
    repointed: tuple[str, ...] = ()
    """Outside objects that read what is live now."""
    left_behind: tuple[str, ...] = ()
    """Views of removed nodes that stay on the kept relations, for they fit no more."""


class TookBack(Struct, frozen=True, kw_only=True):
    """How a take-back ended, or with ``dry_run`` would; full names."""

    swapped: Swapped
    restored: tuple[str, ...] = ()
    recreated: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Kept relations that are gone: it cannot be taken back."""
    columns_dropped: tuple[str, ...] = ()
    """Those that the releases added to tables which stay."""
    columns_stay: tuple[str, ...] = ()
    """The same where something else uses them: ``analytics.events.amount: `` and what."""


class CleanedUp(Struct, frozen=True, kw_only=True):
    """What a clean-up did with one thing."""

    name: str
    """``schema analytics__kept_…`` or ``table analytics.old_model``."""
    outcome: Literal["dropped", "stays", "busy", "failed", "would drop"]
    why: str
    detail: tuple[str, ...] = ()
