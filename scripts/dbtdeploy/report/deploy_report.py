"""What ``report.json`` holds of a deploy beyond nodes and tests, as types.

``docs/report.md`` describes every field, as it does those of ``report.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from dbtdeploy.context.deploy_files import CommitOrder

Tables = Literal["new", "partly", "unchanged", "unknown"]
STATES: Mapping[Tables, str] = {
    "new": "new",
    "partly": "partly new",
    "unchanged": "unchanged",
    "unknown": "perhaps partly new",
}
"""In the words of the summary's title, which notifications use too."""

NotPublished = Literal["nothing", "release", "stopped", "build", "publishing"]


class Named(Struct, frozen=True, kw_only=True):
    """A node that this build did not describe by itself."""

    unique_id: str
    name: str


class AttemptReport(Struct, frozen=True, kw_only=True):
    """One dbt process of the build."""

    exit_code: int
    seconds: float
    nodes: int
    transient: tuple[Named, ...]
    reason: str | None


class SourceReport(Struct, frozen=True, kw_only=True):
    """One source table's freshness."""

    unique_id: str
    name: str
    fresh: bool
    dbt_status: str
    max_loaded_at: str | None
    age_seconds: float | None
    message: str | None


class DependentReport(Struct, frozen=True, kw_only=True):
    """A view or function that hangs on what was rebuilt."""

    kind: str
    name: str
    owner: str
    unique_id: str | None
    depends_on: tuple[str, ...]
    statements: tuple[str, ...]


class NotRestoredReport(Struct, frozen=True, kw_only=True):
    """One of them that could not be made again."""

    name: str
    message: str | None
    statements: tuple[str, ...]
    tolerated: bool


class DeployReport(Struct, frozen=True, kw_only=True):
    """How an environment stands after a deploy."""

    environment: str
    location: str
    tables: Tables
    version: str | None
    previous: str | None
    not_published: NotPublished | None
    failed_artifacts: str | None
    pending: tuple[Named, ...]
    carried: int
    sources: tuple[SourceReport, ...]
    attempts: tuple[AttemptReport, ...]
    dependents: tuple[DependentReport, ...]
    dependents_checked: bool
    restored: tuple[str, ...]
    not_restored: tuple[NotRestoredReport, ...]
    leftovers: tuple[str, ...]
    docs: str | None
    docs_url: str | None
    docs_wanted: bool
    lease_taken_from: str | None
    finished: str | None
    taken_over: str | None
    orders: tuple[CommitOrder, ...]
    time_limit_minutes: int | None
    builds_modified: bool
