"""A report -> what one page shows of it, within limits. Pure.

Whole entries are left out, the least telling first, and counted; text is never chopped in mid-row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.artifacts.node_status import GOOD, WAITING
from dbtdeploy.report.cautions import Caution
from dbtdeploy.report.release_preview_report import NodeWhenReleased
from dbtdeploy.report.report import NodeReport, Removed, Report, TestReport
from dbtdeploy.report.report_status import LOST

T = TypeVar("T")


class Limits(Struct, frozen=True, kw_only=True):
    """How many entries of each kind a page shows."""

    failing: int
    in_full: int
    """Of the failing ones, how many show their message; the others get a line each."""
    message_lines: int
    message_chars: int
    changed: int
    downstream: int
    warned: int
    passed: int
    names: int


COMMENT = Limits(
    failing=50,
    in_full=4,
    message_lines=16,
    message_chars=3000,
    changed=60,
    downstream=25,
    warned=20,
    passed=200,
    names=15,
)
SUMMARY = Limits(
    failing=1000,
    in_full=200,
    message_lines=200,
    message_chars=20_000,
    changed=2000,
    downstream=2000,
    warned=500,
    passed=20_000,
    names=100,
)

ORDER_OF_CUTS: tuple[tuple[str, int], ...] = (
    ("passed", 0),
    ("downstream", 0),
    ("warned", 3),
    ("message_lines", 12),
    ("message_chars", 600),
    ("names", 3),
    ("changed", 10),
    ("in_full", 2),
    ("failing", 3),
    ("changed", 0),
    ("warned", 0),
    ("message_chars", 100),
    ("failing", 1),
)
"""Each kind is halved down to its floor before the next one gives way."""


@dataclass(frozen=True)
class Part(Generic[T]):
    """Some entries, and how many more there are."""

    shown: Sequence[T]
    left: int

    def __bool__(self) -> bool:
        return bool(self.shown) or self.left > 0

    def __len__(self) -> int:
        return len(self.shown) + self.left


class Queue(Struct, frozen=True, kw_only=True):
    """Nodes that wait for the same failures."""

    causes: tuple[str, ...]
    nodes: tuple[NodeReport, ...]


class ReleasePreview(Struct, frozen=True, kw_only=True):
    """What a release of these nodes would do."""

    nodes: Part[NodeWhenReleased]
    counts: tuple[tuple[int, str], ...]
    """How many of which sort, in words."""
    exposures: tuple[str, ...]
    broken: tuple[NodeWhenReleased, ...]
    has_method: bool
    refused: str | None


class View(Struct, frozen=True, kw_only=True):
    """One page's content."""

    report: Report
    limits: Limits
    failed_nodes: Part[NodeReport]
    all_failed_nodes: tuple[NodeReport, ...]
    skipped_nodes: tuple[NodeReport, ...]
    failed_tests: Part[TestReport]
    waiting: Mapping[str, Sequence[str]]
    """The names of the nodes that wait for each failure, by its name."""
    queues: tuple[Queue, ...]
    changed: Part[NodeReport]
    downstream: Part[NodeReport]
    changed_nodes: tuple[NodeReport, ...]
    new_names: tuple[str, ...]
    changed_names: tuple[str, ...]
    changed_above: tuple[str, ...]
    """Changed sources and ephemeral models, which have no row of their own."""
    warned: Part[TestReport]
    passed: Part[TestReport]
    odd_rows: tuple[NodeReport, ...]
    lost_rows: int
    """Tables that are empty or have lost most of their rows."""
    baselines: tuple[NodeReport, ...]
    unbased: tuple[NodeReport, ...]
    removed: Part[Removed]
    is_behind: bool
    """Production runs a commit that is not part of what was built."""
    is_ahead: bool
    """The branch that the pull request goes to has commits that production does not run."""
    cautions: Part[Caution]
    renamed: Mapping[str, str]
    """Old name by new name."""
    released: ReleasePreview | None
    only_models: bool
    noun: str
    """What to call the nodes: models when they all are."""
    has_icons: bool
    has_why: bool
    has_materialized: bool
    has_rows: bool
    has_time: bool
    has_production: bool


def view(report: Report, limits: Limits) -> View:
    """Choose what a page shows."""
    failed = [n for n in report.nodes if n.outcome not in GOOD | WAITING]
    tests_failed = [t for t in report.tests if t.outcome not in GOOD | WAITING]
    waiting = _waiting(report)
    failed.sort(key=lambda node: -len(waiting.get(node.name, ())))
    rows = [n for n in report.nodes if n.resource_type != "operation"]
    changed = [n for n in rows if n.why.kind != "downstream"]
    based = [n for n in rows if n.baseline is not None and n.outcome not in WAITING]
    # Both kinds of failure get a part of the page.
    room = max(limits.failing - len(tests_failed), -(-limits.failing // 2))
    nodes, tests = part(failed, room), part(tests_failed, limits.failing - min(room, len(failed)))
    shown: list[NodeReport | TestReport] = [
        *nodes.shown[: limits.in_full],
        *tests.shown[: limits.in_full],
    ]
    is_behind = report.history.to_production in ("older", "diverged")
    only_models = all(n.resource_type == "model" for n in rows)
    return View(
        report=report,
        limits=limits,
        failed_nodes=nodes,
        all_failed_nodes=tuple(failed),
        skipped_nodes=tuple(n for n in report.nodes if n.outcome == "skipped"),
        failed_tests=tests,
        waiting=waiting,
        queues=_queues(report, {entry.name for entry in shown}),
        changed=part(changed, limits.changed),
        downstream=part([n for n in rows if n.why.kind == "downstream"], limits.downstream),
        changed_nodes=tuple(n for n in rows if n.why.kind == "changed"),
        new_names=tuple(n.name for n in rows if "new" in n.why.reasons),
        changed_names=tuple(
            n.name for n in rows if n.why.kind == "changed" and "new" not in n.why.reasons
        ),
        changed_above=_changed_above(rows),
        warned=part([t for t in report.tests if t.outcome == "warned"], limits.warned),
        passed=part([t for t in report.tests if t.outcome == "passed"], limits.passed),
        odd_rows=tuple(n for n in rows if n.row_change)[: limits.names],
        lost_rows=sum(n.row_change in LOST for n in rows),
        baselines=tuple(n for n in based if n.baseline and n.baseline.how != "none"),
        unbased=tuple(n for n in based if n.baseline and n.baseline.how == "none"),
        removed=part([] if is_behind else list(report.removed), limits.names),
        is_behind=is_behind,
        is_ahead=report.history.base_to_production == "newer",
        cautions=part(list(report.cautions), limits.names),
        renamed={gone.renamed_to: gone.name for gone in report.removed if gone.renamed_to},
        released=_released(report, limits),
        only_models=only_models,
        noun="model" if only_models else "node",
        has_icons=any(n.outcome != "passed" for n in rows),
        has_why=any(n.why.kind != "all" for n in rows),
        has_materialized=any(n.materialized not in (None, "table", "view") for n in rows),
        has_rows=any(
            n.rows is not None or n.rows_written is not None or n.materialized == "view"
            for n in rows
        ),
        has_time=any(n.seconds for n in rows),
        has_production=any(n.production_seconds is not None for n in rows),
    )


def _changed_above(rows: Sequence[NodeReport]) -> tuple[str, ...]:
    names = {node.name for node in rows}
    upstream = (name for node in rows for name in node.why.upstream)
    return tuple(sorted({name for name in upstream if name not in names}))


def narrower(limits: Limits) -> Limits | None:
    """The next tighter limits; None when nothing is left to cut."""
    for name, floor in ORDER_OF_CUTS:
        now = getattr(limits, name)
        if now > floor:
            return replace(limits, **{name: max(floor, now // 2)})
    return None


def _released(report: Report, limits: Limits) -> ReleasePreview | None:
    if report.when_released is None:
        return None
    nodes = list(report.when_released.nodes)
    sorts = Counter(
        "new" if n.kind == "A" else "replaced" if n.kind == "B" else n.materialized for n in nodes
    )
    return ReleasePreview(
        nodes=part(nodes, limits.changed),
        counts=tuple((count, sort) for sort, count in sorts.items()),
        exposures=tuple(sorted({label for node in nodes for label in node.exposures})),
        broken=tuple(node for node in nodes if node.breaking)[: limits.names],
        has_method=any(node.method == "direct" for node in nodes),
        refused=report.when_released.refused,
    )


def _waiting(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in report.nodes:
        for cause in node.waits_for:
            found.setdefault(cause, []).append(node.name)
    return found


def _queues(report: Report, shown: set[str]) -> tuple[Queue, ...]:
    """Nodes without a result that no failure on the page has named as waiting for it."""
    found: dict[tuple[str, ...], list[NodeReport]] = {}
    for node in report.nodes:
        if node.outcome in WAITING and not shown & set(node.waits_for):
            found.setdefault(node.waits_for, []).append(node)
    return tuple(Queue(causes=causes, nodes=tuple(nodes)) for causes, nodes in found.items())


def part(entries: list[T], most: int) -> Part[T]:
    """The first ``most`` entries, and how many are left."""
    return Part(entries[:most], max(0, len(entries) - most))
