"""The checks that a release must pass, each with its figures: staging in, verdicts out. Pure.

Each has a default and an input, and some a word in a model's ``meta``, see ``node_meta.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Manifest, Node, RunResults
from dbtdeploy.base import errors, text
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Gate, ReleaseNode, ReleasePlan
from dbtdeploy.release import node_meta
from dbtdeploy.release.gates import gates_rows, gates_tests_columns, losses
from dbtdeploy.release.node_meta import ModelMeta
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Measured, Pair

TESTS, BREAKING, COUNTS = "dbt tests", "breaking changes", "row counts"
NEW_SCHEMAS = "new schemas"
KEPT, FRESH, CHECKS = "rows kept", "freshness", "checks"

VIEWS = frozenset({"view", "materialized_view"})


class Staged(Struct, frozen=True, kw_only=True):
    """One staged node with all that the gates ask about it."""

    node: ReleaseNode
    model_meta: ModelMeta
    known: Node


def waiting(
    plan: ReleasePlan, policy: Release, manifest: Manifest, loss_allowed_by: str | None = None
) -> tuple[Gate, ...]:
    """The gates before staging stands: what each will look at. A loss that is certain blocks now.

    Raises:
        InvalidInput: a model asks for freshness and nobody says how fresh.
    """
    nodes = staged(plan, manifest)
    # Checks read staging: of what is built in place there is none.
    asked = policy.checks is not None and not (plan.direct and not plan.staged)
    counted = [one for one in nodes if _is_counted(one, policy)]
    kept = [one for one in nodes if gates_rows.keeps_rows(one.node)]
    dated = [one for one in nodes if fresh_hours(one, policy) is not None]
    return (
        _waits(TESTS, text.plural(plan.tests, "test")),
        _waits(BREAKING, "columns of staging against production's", on=bool(plan.staged)),
        _losses(plan, loss_allowed_by, policy, final=False),
        *_new_schemas(plan),
        _waits(COUNTS, text.plural(len(counted), "table"), on=bool(counted)),
        _waits(
            KEPT,
            text.plural(
                len(kept), "incremental table or snapshot", "incremental tables or snapshots"
            ),
            on=bool(kept),
        ),
        _waits(FRESH, text.plural(len(dated), "model"), on=bool(dated)),
        _waits(CHECKS, "the queries of the folder `checks`", on=asked),
    )


def pairs(
    plan: ReleasePlan, manifest: Manifest, policy: Release, look: LiveProduction | None
) -> tuple[Pair, ...]:
    """What the warehouse is asked to measure: every staged node, and beside it what it replaces.

    A view is counted only where its ``meta`` says so: that runs it twice.
    """
    live = {one.unique_id for one in look.live} if look else set[str]()
    return tuple(
        Pair(
            unique_id=one.node.unique_id,
            staging=one.node.staging,
            production=one.node.production if one.node.unique_id in live else None,
            unique_key=node_meta.unique_columns(one.known),
            fresh_column=_fresh_column(one, policy),
            count=one.node.materialized not in VIEWS or one.model_meta.row_count is not None,
        )
        for one in staged(plan, manifest)
        if one.node.staging is not None
    )


def judge(
    plan: ReleasePlan,
    *,
    manifest: Manifest,
    measured: Measured,
    results: RunResults | None,
    policy: Release,
    allowed_by: str | None,
    loss_allowed_by: str | None = None,
    fail_on_warnings: bool = False,
) -> tuple[Gate, ...]:
    """The gates once staging stands.

    Args:
        plan: as ``release_plan.finish`` left it.
        manifest: of the tagged commit.
        measured: staging beside production.
        results: of the build in staging.
        policy: the inputs.
        allowed_by: who allows breaking changes, in words; None if nobody does.
        loss_allowed_by: the same of what replaced relations lose.
        fail_on_warnings: whether a test that warns fails the release.
    """
    nodes = staged(plan, manifest)
    figures = {one.unique_id: one for one in measured.nodes}
    counted = [one for one in nodes if _is_counted(one, policy)]
    return (
        gates_tests_columns.tests(plan, results, fail_on_warnings=fail_on_warnings),
        gates_tests_columns.breaking(plan, figures, allowed_by, policy.breaking_label),
        _losses(plan, loss_allowed_by, policy, final=True),
        *_new_schemas(plan),
        gates_rows.row_counts(
            [(one.node, figures.get(one.node.unique_id), *limit(one, policy)) for one in counted]
        ),
        gates_rows.rows_kept(
            [
                (
                    one.node,
                    figures.get(one.node.unique_id),
                    bool(node_meta.unique_columns(one.known)),
                )
                for one in nodes
                if gates_rows.keeps_rows(one.node)
            ],
            allowed_by,
        ),
        gates_rows.freshness(
            [
                (one.node, figures.get(one.node.unique_id), hours, one.model_meta.fresh_column)
                for one in nodes
                if (hours := fresh_hours(one, policy)) is not None
            ],
            policy.freshness_column,
        ),
        gates_tests_columns.checks(measured.checks, policy.checks is not None),
    )


def refuse(gates: Sequence[Gate]) -> None:
    """Stop a release that a gate blocks.

    Raises:
        GateClosed: names each such gate with its figures.
    """
    closed = [gate for gate in gates if gate.outcome == "blocked"]
    if not closed:
        return
    lines = [f"{gate.name}: {gate.figures}" for gate in closed]
    raise errors.GateClosed(
        "\n".join(f"- {line}" for line in lines),
        not_done="Nothing went live: production is as it was.",
        remedy="\n".join(dict.fromkeys(gate.remedy for gate in closed if gate.remedy)),
    )


def staged(plan: ReleasePlan, manifest: Manifest) -> tuple[Staged, ...]:
    """The plan's staged nodes, with what their ``meta`` asks for.

    Raises:
        InvalidInput: a ``meta`` says what dbt-deploy does not know.
    """
    known: Mapping[str, Node] = {
        node.unique_id: manifest.find(node.unique_id) or Node(name=node.name)
        for node in plan.staged
    }
    return tuple(
        Staged(
            node=node,
            model_meta=node_meta.of(known[node.unique_id]),
            known=known[node.unique_id],
        )
        for node in plan.staged
    )


def limit(one: Staged, policy: Release) -> tuple[str, float]:
    """How a node's rows are judged, and how many per cent they may differ."""
    asked = one.model_meta.row_count_tolerance
    tolerance = policy.row_count_tolerance if asked is None else asked
    return one.model_meta.row_count or policy.row_count_gate, tolerance


def fresh_hours(one: Staged, policy: Release) -> float | None:
    """How old a node's newest row may be; None where its freshness is not asked for.

    Raises:
        InvalidInput: a column is named and no hours.
    """
    if one.model_meta.fresh_column is None and policy.freshness_column is None:
        return None
    hours = (
        policy.freshness_hours if one.model_meta.fresh_hours is None else one.model_meta.fresh_hours
    )
    if hours is not None:
        return hours
    where = (
        f"the `meta` of `{one.node.name}`" if one.model_meta.fresh_column else "`freshness-column`"
    )
    raise errors.InvalidInput(
        f"A column for freshness is named by {where}, and nothing says how old it may be.",
        not_done="Nothing was built.",
        remedy="Set the input `freshness-hours`, or `fresh_hours` in that `meta`.",
    )


def _losses(plan: ReleasePlan, allowed_by: str | None, policy: Release, *, final: bool) -> Gate:
    if not any(node.kind != "A" for node in plan.staged):
        return _waits(losses.LOSSES, "", on=False)
    return losses.gate(plan.staged, allowed_by, policy.loss_label, final=final)


def _new_schemas(plan: ReleasePlan) -> tuple[Gate, ...]:
    """Who may use the schemas that the swap makes; nothing of the first release of all."""
    new = [one for one in plan.new_schemas if one.neighbours]
    if not new:
        return ()
    details = tuple(
        f"`{one.name}`: {text.first([f'`{role}`' for role in one.usable_by], 10) or 'nobody'}"
        for one in new
    )
    unused = [one for one in new if not one.usable_by]
    if not unused:
        said = f"{text.plural(len(new), 'schema')} may be used by whom all others may be used by"
        return (Gate(name=NEW_SCHEMAS, outcome="passed", figures=said, details=details),)
    said = "nobody may read {}, unless a hook grants USAGE: no role may use all other schemas"
    named = text.first([f"`{one.name}`" for one in unused], 10)
    return (Gate(name=NEW_SCHEMAS, outcome="warned", figures=said.format(named)),)


def _is_counted(one: Staged, policy: Release) -> bool:
    if one.node.kind == "A" or limit(one, policy)[0] == "off":
        return False
    return one.node.materialized not in VIEWS or one.model_meta.row_count is not None


def _fresh_column(one: Staged, policy: Release) -> str | None:
    return one.model_meta.fresh_column or policy.freshness_column


def _waits(name: str, what: str, *, on: bool = True) -> Gate:
    if not on:
        return Gate(name=name, outcome="off", figures=gates_tests_columns.NOT_ASKED[name])
    return Gate(name=name, outcome="waiting", figures=what)
