"""A release's plan and outcome -> what its pages show. Pure.

The summary answers, in this order: what does the environment run now, what went wrong, what to do,
what changed. ``plan_view`` is the part that the GitHub release's notes show too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from dbtdeploy import files, moments, phrases
from dbtdeploy.gates import TESTS
from dbtdeploy.release_files import Gate, Released, ReleaseNode, ReleasePlan, RemovedNode
from dbtdeploy.report import Report
from dbtdeploy.view import SUMMARY, Limits, Part, View, part, view

RELEASE = replace(
    SUMMARY, in_full=5, message_lines=60, message_chars=6000, names=12, changed=1000, warned=100
)
NOTES = replace(RELEASE, changed=300, downstream=300, warned=50, names=20)

ROWS_OPEN = 25
"""Rows of the table that stand open; the rest is folded."""

Case = Literal[
    "live",
    "finished",
    "already",
    "unpublished",
    "unsure",
    "taken back",
    "cancelled",
    "empty",
    "gate",
    "failed",
    "plan",
    "stopped",
]
Swap = Literal["", "begun", "done"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the steps of a release left; None for what they did not get to."""

    run: files.Run
    plan: ReleasePlan | None = None
    report: Report | None = None
    """Of the newest build: in staging, or of what is built in place."""
    released: Released | None = None
    failure: files.Failure | None = None
    swap: Swap = ""
    """``begun``: it was tried, and nothing says how it ended."""
    before_tag: str | None = None
    """Tag of the version that was live before."""
    github_release: str | None = None
    """Its address."""
    docs_url: str | None = None

    @property
    def tag(self) -> str:
        """What is released."""
        return self.run.release.tag if self.run.release else ""


@dataclass(frozen=True, kw_only=True)
class Back:
    """Names, by what a rollback would do with them."""

    restore: tuple[str, ...]
    recreate: tuple[str, ...]
    remove: tuple[str, ...]
    leave: tuple[str, ...]
    rebuild: tuple[str, ...]

    @property
    def at_once(self) -> int:
        """How many a rollback moves or makes in its transaction."""
        return len(self.restore) + len(self.recreate) + len(self.remove)


@dataclass(frozen=True, kw_only=True)
class PlanView:
    """What a page shows of a plan."""

    plan: ReleasePlan
    limits: Limits
    rows: tuple[ReleaseNode, ...]
    folded: Part[ReleaseNode]
    counts: dict[str, int]
    """Nodes by ``change``."""
    noun: str
    broken: Part[ReleaseNode]
    breaking: int
    """Sentences of all broken nodes."""
    broken_readers: tuple[str, ...]
    """Exposures and objects outside that read a broken node."""
    closed: tuple[Gate, ...]
    gates: tuple[Gate, ...]
    """All that are on."""
    warned: tuple[Gate, ...]
    verdicts: tuple[tuple[int, str], ...]
    """How many gates ended how, for those that did."""
    off: tuple[Gate, ...]
    tests_passed: bool
    """All of them, without a warning."""
    removed: Part[RemovedNode]
    exposures: Part[str]
    outside: Part[str]
    readers: Part[ReleaseNode]
    """Nodes that an exposure or something outside reads."""
    back: Back
    has_why: bool
    has_rows: bool
    has_time: bool
    has_method: bool


@dataclass(frozen=True, kw_only=True)
class ReleaseView:
    """What the summary shows besides the plan."""

    facts: Facts
    case: Case
    but: bool
    """It is live, and something is wrong all the same."""
    environment: str
    before: str | None
    """What was live before: its tag, or its version."""
    cause: files.Failure | None
    build_failed: bool
    kept_until: str
    docs_link: str | None
    seconds: float | None
    """Of dbt's build."""


def release_view(facts: Facts, limits: Limits) -> tuple[ReleaseView, PlanView | None, View | None]:
    """Choose what a summary shows: of the run, of its plan, and of dbt's build."""
    case = _case(facts)
    deploy = facts.run.deploy or files.Deploy()
    before = facts.before_tag or (facts.plan.before if facts.plan else None)
    failed = _build_failed(facts)
    return (
        ReleaseView(
            facts=facts,
            case=case,
            but=case == "live" and (facts.failure is not None or failed),
            environment=deploy.environment,
            before=before,
            cause=facts.failure,
            build_failed=failed,
            kept_until=_kept_until(facts),
            docs_link=facts.docs_url if phrases.WEB.fullmatch(facts.docs_url or "") else None,
            seconds=facts.report.build_seconds if facts.report else None,
        ),
        plan_view(facts.plan, limits) if facts.plan else None,
        view(_without_commands(facts.report), limits) if facts.report and failed else None,
    )


def plan_view(plan: ReleasePlan, limits: Limits) -> PlanView:
    """Choose what a page shows of a plan: what breaks, what changed itself, what hangs on it."""
    nodes = sorted(plan.nodes, key=lambda n: (not n.breaking, n.change in ("downstream", "again")))
    shown = nodes[: min(ROWS_OPEN, limits.changed)]
    broken = [node for node in nodes if node.breaking]
    return PlanView(
        plan=plan,
        limits=limits,
        rows=tuple(shown),
        folded=part(nodes[len(shown) :], max(0, limits.changed - len(shown))),
        counts={
            change: sum(node.change == change for node in nodes)
            for change in ("new", "changed", "downstream", "again")
        },
        noun="model" if all(node.resource_type == "model" for node in nodes) else "node",
        broken=part(broken, limits.warned),
        breaking=sum(len(node.breaking) for node in broken),
        broken_readers=tuple(_all((*node.exposures, *node.outside) for node in broken)),
        closed=tuple(gate for gate in plan.gates if gate.outcome == "blocked"),
        gates=tuple(gate for gate in plan.gates if gate.outcome != "off"),
        warned=tuple(gate for gate in plan.gates if gate.outcome == "warned"),
        verdicts=tuple((count, word) for word, count in _verdicts(plan.gates).items() if count),
        off=tuple(gate for gate in plan.gates if gate.outcome == "off"),
        tests_passed=any(gate.name == TESTS and gate.outcome == "passed" for gate in plan.gates),
        removed=part(list(plan.removed), limits.names),
        exposures=part(_all(node.exposures for node in nodes), limits.names),
        outside=part(_all(node.outside for node in nodes), limits.names),
        readers=part([n for n in nodes if n.exposures or n.outside], limits.warned),
        back=_back(nodes),
        has_why=any(node.change != "new" for node in nodes),
        has_rows=any(node.rows_after is not None for node in nodes),
        has_time=any(node.seconds for node in nodes),
        has_method=bool(plan.staged and plan.direct),
    )


def _case(facts: Facts) -> Case:
    released, failure = facts.released or Released(), facts.failure
    kind = failure.kind if failure else ""
    asked = facts.run.release
    answers: tuple[tuple[bool, Case], ...] = (
        (released.taken_back is not None, "taken back"),
        (released.resumed == "nothing" and failure is None, "already"),
        (released.resumed == "finished" and released.version is not None, "finished"),
        (released.version is not None, "live"),
        (facts.swap == "done", "unpublished"),
        (facts.swap == "begun", "unsure"),
        (kind == "Cancelled", "cancelled"),
        (kind == "ReleaseEmpty", "empty"),
        (kind == "GateClosed", "gate"),
        (_build_failed(facts), "failed"),
        (failure is None and bool(asked and asked.dry_run) and facts.plan is not None, "plan"),
    )
    return next((case for true, case in answers if true), "stopped")


def _without_commands(report: Report) -> Report:
    """A report that asks nobody to build: staging is in no profile but the release's own."""
    return replace(
        report,
        nodes=tuple(replace(node, command=None) for node in report.nodes),
        tests=tuple(replace(test, command=None, show_command=None) for test in report.tests),
    )


def _build_failed(facts: Facts) -> bool:
    counts = facts.report.counts if facts.report else None
    return counts is not None and counts.nodes_failed + counts.tests_failed > 0


def _kept_until(facts: Facts) -> str:
    swapped = moments.parse(facts.released.swapped_at if facts.released else None)
    if swapped is None or facts.run.release is None:
        return ""
    return moments.for_people(
        moments.written(swapped + timedelta(hours=facts.run.release.keep_hours))
    )


def _verdicts(gates: Sequence[Gate]) -> dict[str, int]:
    words = {"blocked": "closed", "warned": "warned", "passed": "passed"}
    return {word: sum(gate.outcome == outcome for gate in gates) for outcome, word in words.items()}


def _all(groups: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted({name for group in groups for name in group})


def _back(nodes: Sequence[ReleaseNode]) -> Back:
    names: dict[str, list[str]] = {}
    for node in nodes:
        names.setdefault(node.back_by, []).append(node.name)
    return Back(
        restore=tuple(names.get("restore", ())),
        recreate=tuple(names.get("recreate", ())),
        remove=tuple(names.get("remove", ())),
        leave=tuple(names.get("leave", ())),
        rebuild=tuple(names.get("rebuild", ())),
    )
