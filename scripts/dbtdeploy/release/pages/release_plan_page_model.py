"""A release's plan -> what a page shows of it: the summary, the GitHub release's notes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.context.release_files import Gate, ReleaseNode, ReleasePlan, RemovedNode
from dbtdeploy.release.gates.gates import TESTS
from dbtdeploy.report.page_model import SUMMARY, Limits, Part, part

RELEASE = replace(
    SUMMARY, in_full=5, message_lines=60, message_chars=6000, names=12, changed=1000, warned=100
)
NOTES = replace(RELEASE, changed=300, downstream=300, warned=50, names=20)

ROWS_OPEN = 25
"""Rows of the table that stand open; the rest is folded."""


class Back(Struct, frozen=True, kw_only=True):
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


class PlanView(Struct, frozen=True, kw_only=True):
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
    moved: Part[RemovedNode]
    """What stays behind of nodes whose alias or schema changed."""
    exposures: Part[str]
    outside: Part[str]
    readers: Part[ReleaseNode]
    """Nodes that an exposure or something outside reads."""
    back: Back
    has_back: bool
    """Whether there is a version that a rollback could go back to."""
    has_why: bool
    has_rows: bool
    has_time: bool
    has_method: bool


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
        removed=part([one for one in plan.removed if one.moved_to is None], limits.names),
        moved=part([one for one in plan.removed if one.moved_to is not None], limits.names),
        exposures=part(_all(node.exposures for node in nodes), limits.names),
        outside=part(_all(node.outside for node in nodes), limits.names),
        readers=part([n for n in nodes if n.exposures or n.outside], limits.warned),
        back=_back(nodes),
        has_back=plan.before is not None,
        has_why=any(node.change != "new" for node in nodes),
        has_rows=any(node.rows_after is not None for node in nodes),
        has_time=any(node.seconds for node in nodes),
        has_method=bool(plan.staged and plan.direct),
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
