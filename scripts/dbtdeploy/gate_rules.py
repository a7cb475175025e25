"""Each gate by itself: figures in, a verdict with its sentences out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dbtdeploy.artifacts import RunResults
from dbtdeploy.moments import DAY, HOUR
from dbtdeploy.outcomes import OUTCOMES
from dbtdeploy.release_files import Gate, ReleaseNode, ReleasePlan
from dbtdeploy.release_warehouse_types import MeasuredNode, QueryResult
from dbtdeploy.report import GOOD

TEST_IDS = ("test.", "unit_test.")

ROWS_COUNTED = 1000
"""Of a check's rows; the warehouse counts no further."""

NOT_ASKED = {
    "row counts": "nothing that is replaced is counted",
    "rows kept": "no incremental model and no snapshot is replaced",
    "freshness": "no column is named for it",
    "checks": "no folder of checks is named",
}

Figures = MeasuredNode | None


def keeps_rows(node: ReleaseNode) -> bool:
    """Whether a node's rows are history: they may grow and never shrink."""
    return node.materialized in ("incremental", "snapshot") and node.kind != "A"


def plural(count: int, one: str) -> str:
    """``1 test``, ``2 tests``; of several words the first noun bears the plural."""
    if count == 1:
        return f"1 {one}"
    head, _, rest = one.partition(" or ")
    return f"{count:,} {head}s" + (f" or {rest}s" if rest else "")


def tests(plan: ReleasePlan, results: RunResults | None, *, fail_on_warnings: bool) -> Gate:
    """The tests of dbt, in staging; and that every staged node was built."""
    name = "dbt tests"
    ended = {one.unique_id: one.status for one in results.results} if results else {}
    statuses = {i: OUTCOMES.get(s, "unknown") for i, s in ended.items() if i.startswith(TEST_IDS)}
    found = Counter(statuses.values())
    bad = [i for i, how in statuses.items() if how not in GOOD]
    unbuilt = [n.name for n in plan.staged if OUTCOMES.get(ended.get(n.unique_id, "")) not in GOOD]
    total = max(plan.tests, len(statuses))
    figures = f"{found['passed']:,} of {plural(total, 'test')} passed"
    if found["warned"]:
        figures += f", {found['warned']:,} warned"
    details = tuple(
        [f"`{_test_name(i)}`: {statuses[i]}" for i in bad]
        + [f"`{one}` was not built" for one in unbuilt]
        + [f"`{_test_name(i)}` warned" for i, how in statuses.items() if how == "warned"]
    )
    missing = plan.tests > len(statuses)
    if bad or unbuilt or missing or (fail_on_warnings and found["warned"]):
        remedy = "Mend what failed, and release the mended commit by a new tag."
        return Gate(name=name, outcome="blocked", figures=figures, details=details, remedy=remedy)
    if not total:
        return Gate(name=name, outcome="warned", figures="no test covers what this release brings")
    return Gate(
        name=name,
        outcome="warned" if found["warned"] else "passed",
        figures=figures,
        details=details,
    )


def breaking(plan: ReleasePlan, allowed_by: str | None, label: str) -> Gate:
    """What readers of production would lose."""
    name = "breaking changes"
    broken = [node for node in plan.nodes if node.breaking]
    if not broken:
        return Gate(name=name, outcome="passed", figures="no column is removed or retyped")
    details = tuple(f"`{node.name}`: {said}" for node in broken for said in node.breaking)
    figures = f"{plural(len(details), 'breaking change')} in {plural(len(broken), 'model')}"
    if allowed_by is not None:
        allowed = f"{figures}, allowed by {allowed_by}"
        return Gate(name=name, outcome="warned", figures=allowed, details=details)
    return Gate(
        name=name,
        outcome="blocked",
        figures=figures,
        details=details,
        remedy="If it is meant, tell those who read these models, then give the pull request that "
        f"brings it the label `{label}`, or set the input `allow-breaking`, and run this job "
        "again. If not, mend it and release the mended commit by a new tag.",
    )


def row_counts(counted: Sequence[tuple[ReleaseNode, Figures, str, float]]) -> Gate:
    """Rows of staging against production's, within each node's tolerance in per cent."""
    name = "row counts"
    if not counted:
        return Gate(name=name, outcome="off", figures=NOT_ASKED[name])
    odd: list[tuple[str, str]] = []
    for node, figure, mode, tolerance in counted:
        said = _rows_differ(node, figure, tolerance)
        if said:
            odd.append((mode, said))
    limits = {tolerance for *_, tolerance in counted}
    within = f"±{limits.pop():g} %" if len(limits) == 1 else "what each may differ"
    blocking = [said for mode, said in odd if mode == "block"]
    details = (*blocking, *(said for mode, said in odd if mode != "block"))
    if not odd:
        what = "1 table has" if len(counted) == 1 else f"all {len(counted):,} tables have"
        figures = f"{what} production's rows within {within}"
        return Gate(name=name, outcome="passed", figures=figures)
    figures = f"{len(odd):,} of {plural(len(counted), 'table')} beyond {within} of production"
    if not blocking:
        return Gate(name=name, outcome="warned", figures=figures, details=details)
    return Gate(
        name=name,
        outcome="blocked",
        figures=figures,
        details=details,
        remedy="If these numbers are right, raise the input `row-count-tolerance`, or that model's "
        "`row_count_tolerance` in `meta`, for this release, or let the gate warn. If not, mend the "
        "model and release the mended commit by a new tag.",
    )


def rows_kept(kept: Sequence[tuple[ReleaseNode, Figures]], allowed_by: str | None) -> Gate:
    """History: no row of an incremental table or a snapshot is lost, and no key is there twice.

    Rows may go only where the plan says that a table is built in full, and somebody allowed it.
    """
    name = "rows kept"
    if not kept:
        return Gate(name=name, outcome="off", figures=NOT_ASKED[name])
    wrong: list[str] = []
    allowed: list[str] = []
    for node, figure in kept:
        shrunk, doubled = _lost_rows(node, figure), _doubled(node, figure)
        if shrunk:
            (allowed if node.full_refresh and allowed_by else wrong).append(shrunk)
        if doubled:
            wrong.append(doubled)
    if wrong:
        return Gate(
            name=name,
            outcome="blocked",
            figures=f"{len(wrong):,} of {plural(len(kept), 'table')} would lose rows or uniqueness",
            details=(*wrong, *allowed),
            remedy="Mend the model, and release the mended commit by a new tag. Where a key was "
            "doubled in production before, mend it there first.",
        )
    if allowed:
        figures = f"{len(allowed):,} of {plural(len(kept), 'table')} loses rows by a full refresh"
        return Gate(name=name, outcome="warned", figures=figures, details=tuple(allowed))
    unique = sum(figure is not None and figure.duplicate_keys == 0 for _, figure in kept)
    figures = f"no row lost in {plural(len(kept), 'table')}"
    figures += f", keys unique in {unique:,}" if unique else ""
    return Gate(name=name, outcome="passed", figures=figures)


def freshness(
    dated: Sequence[tuple[ReleaseNode, Figures, float, str | None]], everywhere: str | None
) -> Gate:
    """How old the newest row is, by a chosen column.

    Args:
        dated: node, figures, the hours it may be old, and the column that its ``meta`` names.
        everywhere: the column that the input names; a model without it is passed over.
    """
    name = "freshness"
    if not dated:
        return Gate(name=name, outcome="off", figures=NOT_ASKED[name])
    stale: list[str] = []
    fresh: list[float] = []
    for node, figure, hours, own in dated:
        column = own or everywhere or ""
        there = {c.name.lower() for c in figure.columns_after} if figure else set[str]()
        if own is None and column.lower() not in there:
            continue
        if figure is None or figure.error or column.lower() not in there:
            stale.append(f"`{node.name}`: column `{column}` {_why_not_read(figure)}")
        elif figure.age_seconds is None:
            stale.append(f"`{node.name}`: no row has a `{column}`")
        elif figure.age_seconds > hours * HOUR:
            old = f"{_lasted(figure.age_seconds)} old, allowed {hours:g} h"
            stale.append(f"`{node.name}`: the newest `{column}` is {old}")
        else:
            fresh.append(figure.age_seconds)
    if stale:
        return Gate(
            name=name,
            outcome="blocked",
            figures=f"{len(stale):,} of {plural(len(stale) + len(fresh), 'model')} not fresh",
            details=tuple(stale),
            remedy="Load the sources, then run this job again; or allow more hours, by the input "
            "`freshness-hours` or the model's `fresh_hours`.",
        )
    if not fresh:
        return Gate(
            name=name, outcome="passed", figures=f"no model of this release has `{everywhere}`"
        )
    newest = f"the oldest is {_lasted(max(fresh))} old"
    return Gate(
        name=name, outcome="passed", figures=f"{plural(len(fresh), 'model')} fresh, {newest}"
    )


def checks(results: Sequence[QueryResult], asked: bool) -> Gate:
    """The team's own queries, each of which must return no rows."""
    name = "checks"
    if not asked:
        return Gate(name=name, outcome="off", figures=NOT_ASKED[name])
    details: list[str] = []
    for one in results:
        if one.error is not None or one.rows is None:
            details.append(f"`{one.name}` could not run: {one.error or 'no answer'}")
        elif one.rows:
            more = " or more" if one.rows >= ROWS_COUNTED else ""
            details.append(f"`{one.name}` found {plural(one.rows, 'row')}{more}")
    if not details and results:
        ran = plural(len(results), "check")
        return Gate(name=name, outcome="passed", figures=f"{ran} found no rows")
    failed = f"{len(details):,} of {plural(len(results), 'check')} found rows or could not run"
    return Gate(
        name=name,
        outcome="blocked",
        figures=failed if results else "no check was run",
        details=tuple(details),
        remedy="Look at the rows that these queries find in staging's relations, mend the model, "
        "and release the mended commit by a new tag.",
    )


def _rows_differ(node: ReleaseNode, figure: Figures, tolerance: float) -> str | None:
    if figure is None or figure.error:
        return f"`{node.name}` could not be counted: {figure.error if figure else 'no answer'}"
    before, after = figure.rows_before, figure.rows_after
    if before is None or after is None or before == after or not before:
        # From nothing to something is no loss, and has no percentage.
        return None
    change = 100 * (after - before) / before
    if abs(change) <= tolerance:
        return None
    sign = "+" if change > 0 else "−"  # noqa: RUF001 a true minus lines up with the plus
    much = f"{abs(change):,.1f}" if abs(change) < ROWS_COUNTED else f"{abs(change):,.0f}"
    return f"`{node.name}`: {before:,} → {after:,} rows ({sign}{much} %, allowed ±{tolerance:g} %)"


def _lost_rows(node: ReleaseNode, figure: Figures) -> str | None:
    if figure is None or figure.error or figure.rows_after is None or figure.rows_before is None:
        return f"`{node.name}`: rows not counted, {_why_not_read(figure)}"
    if figure.rows_after >= figure.rows_before:
        return None
    lost = figure.rows_before - figure.rows_after
    return (
        f"`{node.name}`: {figure.rows_before:,} → {figure.rows_after:,} rows, "
        f"{plural(lost, 'row')} lost"
    )


def _doubled(node: ReleaseNode, figure: Figures) -> str | None:
    if figure is None or not figure.duplicate_keys:
        return None
    count = figure.duplicate_keys
    return f"`{node.name}`: {plural(count, 'key')} {'is' if count == 1 else 'are'} there twice"


def _why_not_read(figure: Figures) -> str:
    if figure is None:
        return "the warehouse gave no figures for it"
    return f"the warehouse says: {figure.error}" if figure.error else "is not there"


def _lasted(seconds: float) -> str:
    return f"{seconds / HOUR:.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"


def _test_name(unique_id: str) -> str:
    parts = unique_id.split(".")
    hashed = unique_id.startswith("test.") and len(parts) > 3  # noqa: PLR2004 test.package.name.hash
    return parts[-2] if hashed else parts[-1]
