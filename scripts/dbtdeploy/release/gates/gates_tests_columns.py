"""Gates on tests, columns and the team's own checks: results in, a verdict out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from dbtdeploy.artifacts.artifacts import RunResults, is_test
from dbtdeploy.artifacts.node_status import GOOD, OUTCOMES
from dbtdeploy.base.text import plural
from dbtdeploy.context.release_files import Gate, ReleasePlan
from dbtdeploy.warehouse.release_macro_types import MeasuredNode, QueryResult

ROWS_COUNTED = 1000
"""Of a check's rows; the warehouse counts no further."""

NOT_ASKED = {
    "breaking changes": "nothing is staged, so no columns can be compared",
    "losses": "nothing is replaced",
    "row counts": "nothing that is replaced is counted",
    "rows kept": "no incremental model and no snapshot is replaced",
    "freshness": "no column is named for it",
    "checks": "no folder of checks is named, or nothing is staged",
}

Figures = MeasuredNode | None


def tests(plan: ReleasePlan, results: RunResults | None, *, fail_on_warnings: bool) -> Gate:
    """The tests of dbt, in staging; and that every staged node was built."""
    name = "dbt tests"
    ended = {one.unique_id: one.status for one in results.results} if results else {}
    statuses = {i: OUTCOMES.get(s, "unknown") for i, s in ended.items() if is_test(i)}
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


def breaking(
    plan: ReleasePlan, figures: Mapping[str, MeasuredNode], allowed_by: str | None, label: str
) -> Gate:
    """What readers of production would lose; columns that nobody could compare count as lost."""
    name = "breaking changes"
    unread = [
        node
        for node in plan.staged
        if node.unique_id not in figures or not figures[node.unique_id].columns_after
    ]
    if unread:
        return Gate(
            name=name,
            outcome="blocked",
            figures=f"the columns of {plural(len(unread), 'node')} could not be read",
            details=tuple(
                f"`{node.name}`: {why_not_read(figures.get(node.unique_id))}" for node in unread
            ),
            remedy="See what the warehouse says of them, and run this job again.",
        )
    broken = [node for node in plan.nodes if node.breaking]
    beside = f"; {len(plan.direct):,} built in place not compared" if plan.direct else ""
    if not broken:
        kept = f"no column is removed or retyped{beside}"
        return Gate(name=name, outcome="passed", figures=kept)
    details = tuple(f"`{node.name}`: {said}" for node in broken for said in node.breaking)
    said = f"{plural(len(details), 'breaking change')} in {plural(len(broken), 'model')}{beside}"
    if allowed_by is not None:
        allowed = f"{said}, allowed by {allowed_by}"
        return Gate(name=name, outcome="warned", figures=allowed, details=details)
    return Gate(
        name=name,
        outcome="blocked",
        figures=said,
        details=details,
        remedy="If it is meant, tell those who read these models, then give the pull request that "
        f"brings it the label `{label}`, or set the input `allow-breaking`, and run this job "
        "again. If not, mend it and release the mended commit by a new tag.",
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


def why_not_read(figure: Figures) -> str:
    """Why a node has no figures, as the end of a sentence."""
    if figure is None:
        return "the warehouse gave no figures for it"
    return f"the warehouse says: {figure.error}" if figure.error else "it gave none"


def _test_name(unique_id: str) -> str:
    parts = unique_id.split(".")
    hashed = unique_id.startswith("test.") and len(parts) > 3  # noqa: PLR2004 test.package.name.hash
    return parts[-2] if hashed else parts[-1]
