"""The files that the scripts of ``deploy`` and the store's commands hand each other.

As in ``work_files.py``: all live in the work folder; ``hand_over.py`` writes and reads them.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from dbtdeploy.base.git_client import Relation
from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import HandOver
from dbtdeploy.context.work_files import Event

STATIC_DOCS = "static_index.html"
"""What ``dbt docs generate --static`` writes into the target folder."""


class StoreCommand(Struct, frozen=True, kw_only=True):
    """A command that needs the store only, no dbt and no project."""

    command: str
    event: Event
    location: str
    environment: str
    reason: str | None = None
    """Why, for ``hold`` and ``break-lease``."""
    driver: str | None = None
    retention_days: int = 30
    keep_versions: int = 5
    keep_hours: int = 24
    """How long a release's replaced relations are kept, so that ``prune`` keeps its versions."""
    dry_run: bool = True


class CommitOrder(Struct, frozen=True, kw_only=True):
    """How the commit that this run brings stands to one that ran in the environment."""

    commit: str
    """The one that ran; empty where nobody wrote it down."""
    where: str
    """What says so, ``version <id>`` or ``a failed run``, with its address."""
    standing: Relation
    """Of what this run brings."""


class HeldLease(HandOver, frozen=True, kw_only=True):
    """The lease that this run took."""

    FILE: ClassVar[str] = hand_over.ADMISSION

    nonce: str
    """Proves ownership; no secret, for every write compares it."""
    purpose: str
    taken_at: str
    """ISO 8601, UTC."""
    seconds: int
    """How long it lasts after each renewal."""
    broken_in: str | None = None
    """Whose expired lease was taken over, a run's address or a person."""
    finished: str | None = None
    """The version that a killed run had left unpublished, now published."""
    taken_over: str | None = None
    """The version made of the plain artifacts that were there before any version."""
    commit: str | None = None
    """What is checked out: not GITHUB_SHA where a schedule rebuilds the current version."""
    orders: tuple[CommitOrder, ...] = ()
    """How that stands to the live commit, and to what else may turn out to be live."""


class NotNow(HandOver, frozen=True, kw_only=True):
    """A push that take_lease.py lets pass, for releases drive the environment."""

    FILE: ClassVar[str] = hand_over.ADMISSION

    driver: str
    version: str | None = None
    """The current one."""


class SourceFreshness(Struct, frozen=True, kw_only=True):
    """One source table as ``dbt source freshness`` found it."""

    unique_id: str
    name: str
    """``source.table``."""
    status: str
    """dbt's: ``pass``, ``warn``, ``error``, ``runtime error``."""
    max_loaded_at: str | None = None
    age_seconds: float | None = None
    message: str | None = None


class Freshness(HandOver, frozen=True, kw_only=True):
    """Every source that has a freshness to check."""

    FILE: ClassVar[str] = hand_over.BUILT

    sources: tuple[SourceFreshness, ...] = ()


class Dependent(Struct, frozen=True, kw_only=True):
    """Something that dbt's ``drop ... cascade`` would take along.

    ``statements`` make it again, in order: definition, indexes, comments, owner, grants.
    """

    kind: str
    """``view``, ``materialized view``, ``function``, ``foreign key or constraint``, ..."""
    schema: str
    name: str
    """Of a part of a table, ``table.name``."""
    owner: str
    statements: tuple[str, ...]
    full_name: str = ""
    """For messages, quoted where it must be."""
    there: str = ""
    """An SQL expression: it is there, or not wanted any more."""
    depends_on: tuple[str, ...] = ()
    """What it hangs on, full names."""
    unique_id: str | None = None
    """The node of this project that it is, if it is one."""
    ours: bool = True
    """Whether this role may make it again. Others' things are kept only where a table that stays
    could lose them, for the message."""
    removed: bool = False
    """Whether it is a node that the project has no longer, so that it need not come back."""
    failed_before: bool = False
    """Whether an earlier run has failed over it; from then on it is tried, and warned of."""


class Dependents(HandOver, frozen=True, kw_only=True):
    """What was kept before the build, parents first.

    ``leftovers`` are half-built relations of an earlier, killed dbt.
    """

    FILE: ClassVar[str] = hand_over.PLAN

    kept: tuple[Dependent, ...] = ()
    leftovers: tuple[str, ...] = ()


class NotRestored(Struct, frozen=True, kw_only=True):
    """One object that could not be made again, and the warehouse's words."""

    name: str
    message: str
    statements: tuple[str, ...] = ()


class Restored(HandOver, frozen=True, kw_only=True):
    """What was made again after the build."""

    FILE: ClassVar[str] = hand_over.BUILT

    restored: tuple[str, ...] = ()
    failed: tuple[NotRestored, ...] = ()


class Docs(HandOver, frozen=True, kw_only=True):
    """The page that ``dbt docs generate --static`` wrote; ``Publication`` says where it went."""

    FILE: ClassVar[str] = hand_over.BUILT

    file: str
    bytes: int


class Publication(HandOver, frozen=True, kw_only=True):
    """Where the artifacts of this run went.

    ``version`` is None for a failed run: its artifacts then lie under ``failed``, for reading.
    """

    FILE: ClassVar[str] = hand_over.PUBLISHED

    location: str
    version: str | None = None
    previous: str | None = None
    failed: str | None = None
    """Key prefix of a failed run's artifacts."""
    pending: tuple[str, ...] = ()
    """Unique ids of modified nodes that this partial build left out; the state keeps their old
    definition, so that the next build still counts them as modified."""
    carried: int = 0
    """Results of other nodes that were carried over from the version before."""
    docs: str | None = None
    """Where the documentation was uploaded to."""
    docs_url: str | None = None
