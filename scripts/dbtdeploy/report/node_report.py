"""One planned node and its result -> its part of the report. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping

from msgspec import Struct, field

from dbtdeploy.artifacts import row_changes, state_diff
from dbtdeploy.artifacts.artifacts import Checksum, Manifest, Node, Result, is_test
from dbtdeploy.artifacts.node_status import GOOD, NodeOutcome, Waiting, outcome, rows
from dbtdeploy.context import work_files
from dbtdeploy.context.work_files import PlannedNode
from dbtdeploy.report import repro_commands, source_links
from dbtdeploy.report.report import AgainstProduction, BaselineReport, NodeReport, TestReport, Why

HEADER = re.compile(r"^[A-Z][A-Za-z ]+ in \w+ .*\(.*\)$")
"""dbt's first line, ``Database Error in model x (models/x.sql)``, says what the report says."""

UPSTREAM_KEPT = 6
"""Changed ancestors listed for a node downstream of them; a full list would grow quadratically."""


class NodeReportInputs(Struct, frozen=True, kw_only=True):
    """What describing any one node needs."""

    run: work_files.Run
    state: work_files.State | None
    manifest: Manifest
    production: Manifest | None
    reasons: state_diff.Reasons | None
    selected: frozenset[str]
    waiting: Waiting
    before: Mapping[str, Result] | None
    """Production's results; None when there are none to compare with."""
    baselines: Mapping[str, work_files.Baseline]
    sources: source_links.Sources
    shared_names: frozenset[str] = frozenset()
    """Names that two packages have a node of."""
    again: frozenset[str] = frozenset()
    """What failed in an earlier deploy, and is built again for that."""
    changed_above: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Filled while describing: each node's answer builds on its parents'."""

    def name(self, unique_id: str) -> str:
        """A node's name for people."""
        node = self.manifest.find(unique_id)
        if node is None:
            return unique_id.split(".", 2)[-1]
        if node.resource_type == "source" and node.source_name:
            return f"{node.source_name}.{node.name}"
        return qualified(node, self.shared_names)

    def selector(self, unique_id: str) -> str:
        """What selects this node and no other.

        Source: https://docs.getdbt.com/reference/node-selection/methods#package
        """
        node = self.manifest.find(unique_id)
        if node is None or node.name not in self.shared_names:
            return self.name(unique_id)
        return f"{label(node.name, node.version)},package:{node.package_name}"


def node(planned: PlannedNode, result: Result | None, facts: NodeReportInputs) -> NodeReport:
    """Describe a model, seed, snapshot, function or failed hook."""
    known = facts.manifest.find(planned.unique_id)
    how = outcome(result)
    bad = how not in GOOD
    message = tidied(result.message) if result and result.message and bad else None
    hidden = bool(message) and facts.run.policy.hide_row_data
    before = facts.before.get(planned.unique_id) if facts.before else None
    total, written = rows(result, planned.materialized)
    chosen_by = why(planned.unique_id, facts)
    production_rows = rows(before, planned.materialized)[0]
    name = facts.name(planned.unique_id) if known else planned.name
    return NodeReport(
        unique_id=planned.unique_id,
        resource_type=planned.resource_type,
        name=name,
        relation=planned.relation_name,
        materialized=planned.materialized,
        outcome=how,
        dbt_status=result.status if result else None,
        why=chosen_by,
        seconds=result.execution_time if result else None,
        production_seconds=before.execution_time if before and _ran(before) else None,
        rows=total,
        rows_written=written,
        production_rows=production_rows,
        row_change=None
        if bad
        else row_changes.change(
            production_rows, total, known, is_new=state_diff.NEW in chosen_by.reasons
        ),
        message=None if hidden else message,
        message_hidden=hidden,
        place=source_links.of_node(known, message, facts.run, facts.sources),
        baseline=_baseline(facts.baselines.get(planned.unique_id)),
        waits_for=_waits_for(planned.unique_id, how, facts),
        command=repro_commands.rebuild(facts.run, facts.state, (facts.selector(planned.unique_id),))
        if bad
        else None,
    )


def test(planned: PlannedNode, result: Result | None, facts: NodeReportInputs) -> TestReport:
    """Describe a data test or a unit test."""
    known = facts.manifest.find(planned.unique_id)
    how = outcome(result)
    notable = how != "passed"
    message = tidied(result.message) if result and result.message and notable else None
    # "Got 12 results" holds no row; a unit test shows rows, but those that its author wrote.
    hidden = bool(message) and how in ("error", "unknown") and facts.run.policy.hide_row_data
    compared, production_failures = _in_production(planned.unique_id, result, facts)
    on = _tested(known, facts)
    rows_to_show = notable and planned.resource_type == "test" and bool(result and result.failures)
    selectors = _selectors(known, facts) or (facts.selector(planned.unique_id),)
    return TestReport(
        unique_id=planned.unique_id,
        resource_type=planned.resource_type,
        name=facts.name(planned.unique_id) if known else planned.name,
        on=on,
        outcome=how,
        dbt_status=result.status if result else None,
        failures=result.failures if result else None,
        in_production=compared,
        production_failures=production_failures,
        seconds=result.execution_time if result else None,
        message=None if hidden else message,
        message_hidden=hidden,
        place=source_links.of_test(planned.unique_id, facts.manifest, facts.run, facts.sources)
        if notable and how not in ("skipped", "missing")
        else None,
        waits_for=_waits_for(planned.unique_id, how, facts),
        show_command=repro_commands.show(facts.run, facts.state, facts.selector(planned.unique_id))
        if rows_to_show
        else None,
        command=repro_commands.rebuild(facts.run, facts.state, selectors) if notable else None,
    )


def why(unique_id: str, facts: NodeReportInputs) -> Why:
    """Why dbt selected a node."""
    if facts.reasons is None:
        return Why(kind="all")
    own = facts.reasons.of(unique_id)
    if own:
        macros = facts.reasons.changed_macros(unique_id) if state_diff.MACROS in own else ()
        return Why(kind="changed", reasons=own, macros=macros)
    if unique_id in facts.again:
        return Why(kind="again")
    upstream = _changed_above(unique_id, facts, facts.reasons)
    if upstream:
        return Why(kind="downstream", upstream=tuple(facts.name(parent) for parent in upstream))
    chosen = facts.run.selection.select or facts.run.selection.selector or ""
    if facts.run.command == "deploy" and not chosen:
        return Why(kind="all")
    return Why(kind="changed" if not chosen or "state:" in chosen else "selected")


def in_order(nodes: tuple[NodeReport, ...], facts: NodeReportInputs) -> tuple[NodeReport, ...]:
    """Changed before downstream, and each after what it reads."""
    depths = _depths(facts)
    kinds = {"changed": 0, "again": 0, "selected": 0, "all": 0, "downstream": 1}
    return tuple(
        sorted(
            nodes,
            key=lambda n: (kinds[n.why.kind], depths.get(n.unique_id, 0), n.name, n.unique_id),
        )
    )


def tidied(message: str) -> str:
    """A message without dbt's heading and the path of a file on the runner."""
    lines = message.replace("\r\n", "\n").strip("\n").split("\n")
    if len(lines) > 1 and HEADER.match(lines[0].strip()):
        lines = lines[1:]
    kept = [line for line in lines if not line.strip().startswith("compiled code at ")]
    return textwrap.dedent("\n".join(line.rstrip() for line in kept)).strip("\n")


def label(name: str, version: str | int | float | None) -> str:
    """A versioned model's name as dbt selects it."""
    return name if version is None else f"{name}.v{version}"


def qualified(node: Node, shared: frozenset[str]) -> str:
    """A node's name, with its package in front where another package has one of that name."""
    name = label(node.name, node.version)
    return f"{node.package_name}.{name}" if node.name in shared else name


def shared_names(*manifests: Manifest | None) -> frozenset[str]:
    """The names that nodes of two packages have."""
    packages: dict[str, str] = {}
    shared: set[str] = set()
    for manifest in filter(None, manifests):
        for section in (manifest.nodes, manifest.unit_tests, manifest.functions):
            for unique_id, node in section.items():
                package = unique_id.split(".")[1]
                if packages.setdefault(node.name, package) != package:
                    shared.add(node.name)
    return frozenset(shared)


def has_digest(known: Node) -> bool:
    """Whether dbt digested a node's file."""
    checksum = known.checksum
    return isinstance(checksum, Checksum) and checksum.name == "sha256"


def _ran(before: Result) -> bool:
    return outcome(before) in GOOD


def _baseline(baseline: work_files.Baseline | None) -> BaselineReport | None:
    if baseline is None:
        return None
    return BaselineReport(
        how=baseline.how, rows=baseline.rows, order_by=baseline.order_by, reason=baseline.reason
    )


def _waits_for(unique_id: str, how: NodeOutcome, facts: NodeReportInputs) -> tuple[str, ...]:
    if how != "skipped":
        return ()
    return tuple(facts.name(cause) for cause in facts.waiting.causes(unique_id))


def _tested(known: Node | None, facts: NodeReportInputs) -> tuple[str, ...]:
    if known is None:
        return ()
    if known.attached_node:
        return (facts.name(known.attached_node),)
    return tuple(facts.name(parent) for parent in known.depends_on.nodes if parent)


def _selectors(known: Node | None, facts: NodeReportInputs) -> tuple[str, ...]:
    """The models, seeds and snapshots that a test reads; sources are not built."""
    parents = [parent for parent in known.depends_on.nodes if parent] if known else []
    if known and known.attached_node:
        parents = [known.attached_node]
    return tuple(facts.selector(p) for p in parents if not p.startswith("source."))


def _in_production(
    unique_id: str, result: Result | None, facts: NodeReportInputs
) -> tuple[AgainstProduction, int | None]:
    """How production's last run saw the same test, and the rows it found."""
    if facts.before is None:
        return "unknown", None
    before = facts.before.get(unique_id)
    if before is None:
        known = facts.production is not None and facts.production.find(unique_id) is not None
        return ("not_run" if known else "new"), None
    if outcome(before) == "passed":
        return "passed", 0
    if outcome(before) not in ("failed", "warned"):
        return "not_run", None
    then, now = before.failures, result.failures if result else None
    if then is None or not now:
        return "failing", then
    return ("same" if now == then else "more" if now > then else "fewer"), then


def _changed_above(
    unique_id: str, facts: NodeReportInputs, compared: state_diff.Reasons
) -> tuple[str, ...]:
    """The nearest changed nodes and sources above one that did not change itself."""
    waiting = [unique_id]
    while waiting:
        current = waiting[-1]
        quiet = [p for p in _parents(current, facts) if not compared.of(p)]
        missing = [parent for parent in quiet if parent not in facts.changed_above]
        if current in facts.changed_above:
            waiting.pop()
        elif missing:
            waiting.extend(missing)
        else:
            own = [p for p in _parents(current, facts) if compared.of(p)]
            far = [above for parent in quiet for above in facts.changed_above[parent]]
            facts.changed_above[current] = tuple(dict.fromkeys(own + far))[:UPSTREAM_KEPT]
            waiting.pop()
    return facts.changed_above[unique_id]


def _parents(unique_id: str, facts: NodeReportInputs) -> list[str]:
    known = facts.manifest.find(unique_id)
    return [parent for parent in known.depends_on.nodes if parent] if known else []


def _depths(facts: NodeReportInputs) -> dict[str, int]:
    """How many selected nodes lie above each, along the longest way."""
    depths: dict[str, int] = {}
    waiting = [node for node in facts.selected if not is_test(node)]
    while waiting:
        current = waiting[-1]
        above = [p for p in _parents(current, facts) if p in facts.selected]
        missing = [parent for parent in above if parent not in depths]
        if current in depths:
            waiting.pop()
        elif missing:
            waiting.extend(missing)
        else:
            depths[current] = 1 + max((depths[p] for p in above), default=-1)
            waiting.pop()
    return depths
