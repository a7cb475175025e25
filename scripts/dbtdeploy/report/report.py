"""The report, as types: what ``report.json`` holds. ``docs/report.md`` describes every field.

``VERSION`` rises when a field changes its meaning or goes; new fields may come without it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dbtdeploy.artifacts.node_status import NodeOutcome
from dbtdeploy.artifacts.row_changes import RowChange
from dbtdeploy.base.git_client import Relation
from dbtdeploy.context.built_with import UnseenKind
from dbtdeploy.report.cautions import Caution
from dbtdeploy.report.deploy_report import DeployReport
from dbtdeploy.report.release_preview_report import WhenReleased

VERSION = 1

ReportStatus = Literal["passed", "warned", "failed", "error", "cancelled", "nothing", "skipped"]
Mode = Literal["ci", "deploy", "release"]
WhyKind = Literal["changed", "downstream", "selected", "all", "again"]
AgainstProduction = Literal[
    "passed", "same", "fewer", "more", "failing", "new", "not_run", "unknown"
]


class Place(Struct, frozen=True, kw_only=True):
    """Where to click."""

    file: str
    line: int | None = None
    url: str | None = None


class Why(Struct, frozen=True, kw_only=True):
    """Why a node was selected."""

    kind: WhyKind
    reasons: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()


class BaselineReport(Struct, frozen=True, kw_only=True):
    """What of production's rows lay under a node before it was built."""

    how: str
    rows: int | None = None
    order_by: str | None = None
    reason: str | None = None


class NodeReport(Struct, frozen=True, kw_only=True):
    """A model, seed, snapshot or function; a hook only when it failed."""

    unique_id: str
    resource_type: str
    name: str
    relation: str | None
    materialized: str | None
    outcome: NodeOutcome
    dbt_status: str | None
    why: Why
    seconds: float | None
    production_seconds: float | None
    rows: int | None
    rows_written: int | None
    production_rows: int | None
    row_change: RowChange | None
    message: str | None
    message_hidden: bool
    place: Place | None
    baseline: BaselineReport | None
    waits_for: tuple[str, ...]
    command: str | None


class TestReport(Struct, frozen=True, kw_only=True):
    """A data test or a unit test."""

    __test__ = False  # pytest: this is no test class

    unique_id: str
    resource_type: str
    name: str
    on: tuple[str, ...]
    outcome: NodeOutcome
    dbt_status: str | None
    failures: int | None
    in_production: AgainstProduction
    production_failures: int | None
    seconds: float | None
    message: str | None
    message_hidden: bool
    place: Place | None
    waits_for: tuple[str, ...]
    show_command: str | None
    command: str | None


class Removed(Struct, frozen=True, kw_only=True):
    """A model, seed or snapshot that production has and this project no longer."""

    unique_id: str
    resource_type: str
    name: str
    relation: str | None
    disabled: bool
    renamed_to: str | None


class UnseenReport(Struct, frozen=True, kw_only=True):
    """What dbt reads and does not compare, and is not what production was built with."""

    kind: UnseenKind
    name: str
    nodes: tuple[str, ...]
    added: bool


class History(Struct, frozen=True, kw_only=True):
    """How what was built stands to the commit that production runs; null where nobody asked."""

    to_production: Relation | None
    base_to_production: Relation | None


class Problem(Struct, frozen=True, kw_only=True):
    """Why dbt did not build, or did not finish."""

    kind: str
    title: str
    what: str
    not_done: str
    remedy: str
    step: str
    words_of_dbt: bool
    place: Place | None


class Counts(Struct, frozen=True, kw_only=True):
    """How many of what. ``nodes`` are models, seeds, snapshots and functions."""

    nodes: int = 0
    nodes_passed: int = 0
    nodes_failed: int = 0
    nodes_skipped: int = 0
    nodes_missing: int = 0
    tests: int = 0
    tests_passed: int = 0
    tests_warned: int = 0
    tests_failed: int = 0
    tests_skipped: int = 0
    tests_missing: int = 0
    removed: int = 0


class Production(Struct, frozen=True, kw_only=True):
    """What this build was compared with and reads from."""

    found: bool
    location: str
    commit: str | None = None
    generated_at: str | None = None
    age_seconds: int | None = None
    dbt_version: str | None = None
    run_results: bool = False
    version: str | None = None
    unchanged: bool = False
    """Whether this checkout holds for dbt what that version was built from; dbt was not run."""


class Report(Struct, frozen=True, kw_only=True):
    """Everything the comment, the summary and the annotations are made of."""

    version: int
    mode: Mode
    status: ReportStatus
    skip_reason: str | None
    project: str
    target: str | None
    repository_path: str
    repository: str
    server_url: str
    commit: str
    ref: str
    pull_request: int | None
    event: str
    run_url: str
    schema: str
    schemas: tuple[str, ...]
    inlined: tuple[str, ...]
    started_at: str
    build_seconds: float | None
    exit_code: int | None
    dbt_version: str | None
    adapter: str | None
    command: str | None
    warnings_fail: bool
    row_data_hidden: bool
    counts: Counts
    problem: Problem | None
    prepare_commands: tuple[str, ...]
    nodes: tuple[NodeReport, ...]
    tests: tuple[TestReport, ...]
    removed: tuple[Removed, ...]
    cautions: tuple[Caution, ...]
    history: History
    unseen: tuple[UnseenReport, ...]
    unseen_unknown: bool
    production: Production | None
    deploy: DeployReport | None
    when_released: WhenReleased | None
