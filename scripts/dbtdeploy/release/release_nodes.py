"""One node of a release: why it comes, of which type, by which method, and how it goes back. Pure.

Two manifests say it, and a look at production where there is one: what is live there decides
whether a node is new, for a relation may have been dropped by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dbtdeploy.artifacts.artifacts import TESTS, Manifest, Node
from dbtdeploy.artifacts.state_diff import NEW, Reasons
from dbtdeploy.context import work_files
from dbtdeploy.context.release_files import BackBy, Change, Kind, Method, ReleaseNode, Spot
from dbtdeploy.context.work_files import PlannedNode
from dbtdeploy.release import in_place, node_meta
from dbtdeploy.release.gates import downstream_check, losses
from dbtdeploy.report import node_report
from dbtdeploy.warehouse.release_macro_types import LiveProduction, LiveRelation

BUILDS_ON_ITSELF = frozenset({"incremental", "snapshot"})
"""What adds to the rows it has; moving an older one back would lose rows."""

KEPT_IN_PLACE = frozenset({*BUILDS_ON_ITSELF, "seed", "view", "materialized_view"})

VIEW = "view"


@dataclass(frozen=True, kw_only=True)
class ReleaseNodeInputs:
    """What describing any one node needs."""

    run: work_files.Run
    manifest: Manifest
    """Of the tagged commit."""
    production: Manifest | None
    look: LiveProduction | None
    method: Method
    """For a node that does not say it."""
    again: frozenset[str]
    seed_headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The columns of seeds' files, where they are known."""
    reasons: Reasons | None = field(init=False)
    changed: frozenset[str] = field(init=False)
    """At or below something that changed itself."""
    live: Mapping[str, LiveRelation] | None = field(init=False)
    exposures: Mapping[str, Sequence[str]] = field(init=False)
    outside: Mapping[str, Sequence[str]] = field(init=False)
    materializations: frozenset[str] = field(init=False)
    """The project's own."""

    def __post_init__(self) -> None:
        """Work out once what all nodes share."""
        state = self.production
        derived = {
            "reasons": Reasons(self.manifest, state) if state is not None else None,
            "live": {one.unique_id: one for one in self.look.live} if self.look else None,
            "exposures": exposures(self.manifest),
            "materializations": losses.makers(self.manifest).materializations,
            "outside": outside(self.look, self.manifest, state) if self.look else {},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "changed", _below_changed(self.manifest, self.reasons))


def node(planned: PlannedNode, facts: ReleaseNodeInputs) -> ReleaseNode:
    """Describe a model, seed, snapshot or function that a release brings.

    Raises:
        InvalidInput: its ``meta`` says what dbt-deploy does not know.
    """
    unique_id = planned.unique_id
    known = facts.manifest.find(unique_id) or Node(
        name=planned.name, resource_type=planned.resource_type
    )
    materialized = planned.materialized or known.materialized or planned.resource_type
    model_meta = node_meta.of(known)
    itself = in_place.builds_on_itself(known, materialized, facts.materializations, facts.manifest)
    method = "direct" if planned.resource_type == "function" else model_meta.method or facts.method
    return ReleaseNode(
        unique_id=unique_id,
        resource_type=planned.resource_type,
        name=label(known),
        materialized=materialized,
        change=_change(unique_id, facts),
        reasons=facts.reasons.of(unique_id) if facts.reasons else (),
        kind=_kind(unique_id, materialized, facts),
        method=method,
        production=spot(known, planned),
        full_refresh=_full_refresh(planned, materialized, facts),
        builds_on_itself=itself,
        exposures=tuple(facts.exposures.get(unique_id, ())),
        outside=tuple(facts.outside.get(unique_id, ())),
        back_by=_back_by(unique_id, materialized, method, facts, itself=itself),
    )


def spot(known: Node, planned: PlannedNode | None = None) -> Spot:
    """Where production has a node."""
    return Spot(
        database=known.database or (planned.database if planned else None) or "",
        schema=known.schema or (planned.schema if planned else None) or "",
        identifier=known.alias
        or known.identifier
        or (planned.identifier if planned else None)
        or known.name,
    )


def label(known: Node) -> str:
    """A node's name for people; a versioned model's as dbt selects it."""
    return node_report.label(known.name, known.version)


def exposures(manifest: Manifest) -> Mapping[str, Sequence[str]]:
    """Labels of the exposures that read each node, at any distance."""
    found: dict[str, list[str]] = {}
    for exposure in manifest.exposures.values():
        label = exposure.label or exposure.name
        seen: set[str] = set()
        waiting = [parent for parent in exposure.depends_on.nodes if parent]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            found.setdefault(current, []).append(label)
            parent = manifest.find(current)
            waiting.extend(p for p in (parent.depends_on.nodes if parent else ()) if p)
    return {unique_id: sorted(set(labels)) for unique_id, labels in found.items()}


def outside(
    look: LiveProduction, manifest: Manifest, production: Manifest | None
) -> Mapping[str, Sequence[str]]:
    """Full names of what hangs on each node and belongs to no node, at any distance."""
    own = {
        (known.schema, known.alias or known.name)
        for one in (manifest, production or Manifest())
        for known in one.nodes.values()
        if known.resource_type in downstream_check.RELATIONS
    }
    dependents = {one.key: one for one in look.look.dependents}
    live = {f"c{one.oid}": one.unique_id for one in look.live}
    found: dict[str, list[str]] = {}
    for one in dependents.values():
        if (one.schema, one.name) in own:
            continue
        seen: set[str] = set()
        waiting = list(one.parents)
        while waiting:
            parent = waiting.pop()
            if parent in seen:
                continue
            seen.add(parent)
            if parent in live:
                found.setdefault(live[parent], []).append(one.full_name)
            elif parent in dependents:
                waiting.extend(dependents[parent].parents)
    return {unique_id: sorted(set(names)) for unique_id, names in found.items()}


def _below_changed(manifest: Manifest, reasons: Reasons | None) -> frozenset[str]:
    if reasons is None:
        return frozenset()
    roots = [
        unique_id
        for section in (manifest.nodes, manifest.sources, manifest.functions)
        for unique_id, known in section.items()
        if known.resource_type not in TESTS and reasons.of(unique_id)
    ]
    return frozenset(downstream_check.below(roots, downstream_check.children(manifest)))


def _change(unique_id: str, facts: ReleaseNodeInputs) -> Change:
    if facts.reasons is None:
        return "changed" if _is_live(unique_id, facts) else "new"
    own = facts.reasons.of(unique_id)
    if NEW in own:
        return "new"
    if own:
        return "changed"
    if unique_id in facts.again or unique_id not in facts.changed:
        return "again"
    return "downstream"


def _is_live(unique_id: str, facts: ReleaseNodeInputs) -> bool:
    if facts.live is not None:
        return unique_id in facts.live
    return facts.production is not None and facts.production.find(unique_id) is not None


def _kind(unique_id: str, materialized: str, facts: ReleaseNodeInputs) -> Kind:
    if not _is_live(unique_id, facts):
        return "A"
    return "C" if materialized in KEPT_IN_PLACE else "B"


def _full_refresh(planned: PlannedNode, materialized: str, facts: ReleaseNodeInputs) -> bool:
    """Whether what dbt would write into is built from nothing; a node's config goes first.

    A seed is, too, where its file has a column that its table has not: dbt could not load it.
    """
    if materialized not in ("incremental", "seed") or not _is_live(planned.unique_id, facts):
        return False
    asked = planned.full_refresh
    if asked is None:
        asked = facts.run.selection.full_refresh
    return asked or (materialized == "seed" and _has_new_columns(planned.unique_id, facts))


def _has_new_columns(unique_id: str, facts: ReleaseNodeInputs) -> bool:
    if facts.live is None:
        return False
    there = {column.name for column in facts.live[unique_id].columns}
    header = facts.seed_headers.get(unique_id, ())
    # Unless they are quoted, PostgreSQL folds them.
    return any(name not in there and name.lower() not in there for name in header)


def _back_by(
    unique_id: str, materialized: str, method: str, facts: ReleaseNodeInputs, *, itself: bool
) -> BackBy:
    """By what is live before the release, for that is what a rollback brings back."""
    if method == "direct":
        return "rebuild"
    if not _is_live(unique_id, facts):
        return "remove"
    before = _materialized_before(unique_id, facts)
    if before == VIEW:
        return "recreate"
    if itself or materialized in BUILDS_ON_ITSELF:
        return "leave"
    return "restore"


def _materialized_before(unique_id: str, facts: ReleaseNodeInputs) -> str | None:
    if facts.live is not None and unique_id in facts.live:
        return facts.live[unique_id].kind
    old = facts.production.find(unique_id) if facts.production else None
    return old.materialized if old else None
