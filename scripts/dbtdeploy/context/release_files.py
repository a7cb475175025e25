"""The files that the scripts of ``release`` and ``rollback`` hand each other, and what they keep.

As in ``work_files.py``: all live in the work folder; ``hand_over.py`` writes and reads them.
``ReleaseRecord`` is also an artifact of the version that a release publishes.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import Alone, HandOver

PRODUCTION_MANIFEST = "production_manifest.json"
"""dbt's manifest of the tagged commit, parsed with production's target."""

DIRECT = "direct_state"
"""In the work folder; there once something is built in place."""

RECORD = "release.json"
"""Name of ``ReleaseRecord`` among a version's artifacts."""

Change = Literal["new", "changed", "downstream", "again"]
"""``again``: it failed, or was not reached, since the current version."""

Kind = Literal["A", "B", "C"]
"""A: new. B: a table that is replaced. C: incremental model, snapshot, seed, view."""

Method = Literal["blue-green", "direct"]

BackBy = Literal["restore", "recreate", "leave", "remove", "rebuild"]
"""What a rollback does with a node: the kept table moves back; a view is made again from its kept
definition; an incremental table or snapshot stays as it is; a new relation is moved away; what was
built in place has to be built again."""


class Tag(HandOver, frozen=True, kw_only=True):
    """The version tag, proven to be where it should be."""

    FILE: ClassVar[str] = hand_over.ADMISSION

    name: str
    commit: str
    main_branch: str
    breaking_allowed_by: str | None = None
    """The input, or the pull request whose label allows breaking changes."""
    loss_allowed_by: str | None = None
    """The same of what replaced relations lose."""


class Spot(Struct, frozen=True, kw_only=True):
    """Where a relation is, unquoted, as the warehouse spells it."""

    database: str
    schema: str
    identifier: str


class Column(Struct, frozen=True, kw_only=True):
    """A column; ``type`` in the warehouse's words, such as ``numeric(12,2)``."""

    name: str
    type: str


class ReleaseNode(Struct, frozen=True, kw_only=True):
    """A model, seed, snapshot or function that a release brings."""

    unique_id: str
    resource_type: str
    name: str
    materialized: str
    change: Change
    reasons: tuple[str, ...]
    """As in ``artifacts/state_diff.py``; empty for what is only downstream."""
    kind: Kind
    method: Method
    production: Spot
    staging: Spot | None = None
    """Known once staging stands."""
    moved_from: Spot | None = None
    """Where it is now, if an alias or a schema of it changed; that relation stays for a while."""
    full_refresh: bool = False
    builds_on_itself: bool = False
    """Whether its build may keep rows that it has, without being incremental: it reads
    ``{{ this }}``, or has a materialization of the project's own."""
    breaking: tuple[str, ...] = ()
    """Sentences, such as ``column amount is removed``."""
    losses: tuple[str, ...] = ()
    """What goes with the relation that is replaced, such as ``trigger audit``."""
    exposures: tuple[str, ...] = ()
    """Labels of exposures that read it, at any distance."""
    outside: tuple[str, ...] = ()
    """Full names of objects outside the project that hang on it."""
    back_by: BackBy = "restore"
    rows_before: int | None = None
    rows_after: int | None = None
    seconds: float | None = None


class RemovedNode(Struct, frozen=True, kw_only=True):
    """A relation whose node left the project, or its place; it stays for a grace period."""

    unique_id: str
    resource_type: str
    name: str
    production: Spot
    moved_to: Spot | None = None
    """Where its node is built from now on, if it is still in the project."""
    readers: tuple[str, ...] = ()
    """Full names of what reads it in the warehouse, directly."""


class NewSchema(Struct, frozen=True, kw_only=True):
    """A schema that a release makes."""

    name: str
    neighbours: int
    """How many schemas production has already."""
    usable_by: tuple[str, ...] = ()
    """The roles that may use all of those, and will be let use this one; or ``public``."""


class Gate(Struct, frozen=True, kw_only=True):
    """One check that a release must pass, with its figures."""

    name: str
    """``dbt tests``, ``breaking changes``, ``losses``, ``new schemas``,
    ``row counts``, ``rows kept``, ``freshness``, ``checks``."""
    outcome: Literal["passed", "warned", "blocked", "off", "waiting"]
    """``waiting``: staging does not stand yet."""
    figures: str
    """A sentence with its numbers."""
    details: tuple[str, ...] = ()
    remedy: str = ""


class Wait(Struct, frozen=True, kw_only=True):
    """Something outside that takes long to make again on what a release brings."""

    name: str
    who: Literal["nobody", "writers", "readers"]
    """Who waits for it: those who write to its table, or readers of what is replaced."""


class RowTriggers(Struct, frozen=True, kw_only=True):
    """Triggers that may change rows as a release writes them in place, and do not in staging."""

    name: str
    """Of the node whose table has them."""
    triggers: tuple[str, ...]
    readers: tuple[str, ...]
    """Staged nodes that read it, at any distance."""


class ReleasePlan(Alone, frozen=True, kw_only=True):
    """What a release changes; ``final`` once staging stands."""

    FILE: ClassVar[str] = "release_plan.json"

    tag: str
    commit: str
    environment: str
    project: str
    release_id: str
    """Unique, such as ``20261125t231502``; part of the names of staging and keeping schemas."""
    before: str | None
    """The version that is current."""
    staging_schema: str = ""
    """The one that dbt is given for the build; its custom ones append to it."""
    before_commit: str | None = None
    nodes: tuple[ReleaseNode, ...] = ()
    """In dbt's order."""
    tests: int = 0
    untouched: int = 0
    """How many nodes of the project stay as they are."""
    removed: tuple[RemovedNode, ...] = ()
    new_schemas: tuple[NewSchema, ...] = ()
    waits: tuple[Wait, ...] = ()
    row_triggers: tuple[RowTriggers, ...] = ()
    gates: tuple[Gate, ...] = ()
    final: bool = False

    @property
    def staged(self) -> tuple[ReleaseNode, ...]:
        """What goes live by the swap."""
        return tuple(node for node in self.nodes if node.method == "blue-green")

    @property
    def direct(self) -> tuple[ReleaseNode, ...]:
        """What is built in place after it."""
        return tuple(node for node in self.nodes if node.method == "direct")


class SwappedNode(Struct, frozen=True, kw_only=True):
    """One relation of a release as the swap left it, with what a rollback needs."""

    unique_id: str
    resource_type: str
    name: str
    materialized: str
    production: Spot
    kept_in: str | None
    """Schema that holds the relation that was live before; None where there was none."""
    back_by: BackBy
    columns: tuple[Column, ...] = ()
    """Of the relation that went live."""
    statements: tuple[str, ...] = ()
    """Of a view that was live before: they make it again, by name, with its grants."""


class ReleaseRecord(Alone, frozen=True, kw_only=True):
    """``release.json`` of a version: what the swap does. Written before it, to outlive a kill."""

    FILE: ClassVar[str] = RECORD

    release_id: str
    tag: str
    commit: str
    environment: str
    project: str
    before: str | None
    """The version that was current; a rollback goes back to it."""
    before_tag: str | None = None
    by: str = ""
    run_url: str = ""
    nodes: tuple[SwappedNode, ...] = ()
    direct: tuple[str, ...] = ()
    """Unique ids of what was built in place."""


class Released(HandOver, frozen=True, kw_only=True):
    """How far a release came."""

    FILE: ClassVar[str] = hand_over.LIVE

    version: str | None = None
    """Current now."""
    swapped_at: str | None = None
    swap_seconds: float | None = None
    attempts: int = 0
    taken_back: str | None = None
    """Why it was taken back by itself."""
    resumed: Literal["", "finished", "undone", "nothing"] = ""
    """What became of an earlier, killed run of this tag; ``nothing``: it was live already."""
    repointed: tuple[str, ...] = ()
    """Outside objects that read the new relations now."""
