"""What a release changes in production: before anything is built, and once staging stands. Pure.

``dbt ls`` says which nodes it brings, two manifests why, and the warehouse what is live of them and
what hangs on it. ``plan`` and ``finish`` make the two versions of ``release_plan.json``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from dbtdeploy.artifacts.artifacts import TESTS, Manifest, Node, RunResults, decoded
from dbtdeploy.base import errors
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import ReleaseNode, ReleasePlan, Spot, Tag
from dbtdeploy.release import left_relations, release_nodes, row_triggers, staging, waits
from dbtdeploy.release.gates import breaking, downstream_check, gates, losses
from dbtdeploy.store.publication import versions
from dbtdeploy.warehouse import release_schemas
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Measured, ProductionRelation


def plan(
    run: work_files.Run,
    *,
    manifest: Manifest,
    production: Manifest | None,
    planned: work_files.Plan,
    look: LiveProduction | None,
    release_id: str,
    state: work_files.State,
    tag: Tag,
    again: Collection[str] = (),
    seed_headers: Mapping[str, Sequence[str]] | None = None,
) -> ReleasePlan:
    """The first version of the plan.

    Args:
        run: how it was asked for.
        manifest: of the tagged commit, parsed with production's target.
        production: of the current version; None in a store without one.
        planned: what ``dbt ls`` lists at production's target.
        look: production as it is; None where nobody looked.
        release_id: of this release.
        state: which version is current.
        tag: what is released.
        again: unique ids of what failed since the current version.
        seed_headers: the columns of seeds' files, by unique id.

    Raises:
        ReleaseEmpty: nothing was selected, and nothing left the project.
        HistoryNotMoved: an incremental model or snapshot moves, and its table does not.
        ReleaseNotClosed: something that stays reads what would be replaced.
        InvalidInput: a model's ``meta`` says what dbt-deploy does not know.
    """
    policy = run.of(Release)
    facts = release_nodes.ReleaseNodeInputs(
        run=run,
        manifest=manifest,
        production=production,
        look=look,
        method="direct" if policy.method == "direct" else "blue-green",
        again=frozenset(again),
        seed_headers=seed_headers or {},
    )
    removed = left_relations.still_live(left_relations.gone(manifest, production), look)
    nodes = left_relations.with_places(
        (_defined(node, manifest, production) for node in _nodes(planned, facts)), removed
    )
    tests = sum(node.resource_type in TESTS for node in planned.nodes)
    if not nodes and not tests and not removed:
        raise _empty(run, state, tag)
    left_relations.refuse_lost_history(nodes, look, in_full=_in_full(planned, run))
    downstream_check.refuse_open(nodes, manifest)
    made = ReleasePlan(
        tag=tag.name,
        commit=tag.commit,
        environment=policy.environment,
        project=run.dbt.name,
        release_id=release_id,
        before=state.version,
        staging_schema=release_schemas.staging_schema(
            release_id, run.dbt.name, longest=_longest_custom(manifest)
        ),
        before_commit=state.commit,
        nodes=nodes,
        tests=tests,
        untouched=_untouched(manifest, nodes),
        removed=removed,
    )
    if look is not None:
        lossy = _losing(made, manifest, production, look)
        made = replace(
            made,
            nodes=lossy,
            new_schemas=look.new_schemas,
            waits=waits.of(made, look),
            row_triggers=row_triggers.of(made, look, manifest),
        )
    return replace(made, gates=gates.waiting(made, policy, manifest, tag.loss_allowed_by))


def wanted(planned: work_files.Plan, manifest: Manifest) -> tuple[ProductionRelation, ...]:
    """What to look for in production before a release."""
    return tuple(
        ProductionRelation(
            unique_id=node.unique_id,
            spot=release_nodes.spot(manifest.find(node.unique_id) or Node(name=node.name), node),
        )
        for node in planned.nodes
        if node.resource_type in left_relations.STORED and node.has_result
    )


def schemas(manifest: Manifest, production: Manifest | None) -> tuple[str, ...]:
    """All schemas of production, by both manifests."""
    known = [*manifest.nodes.values(), *(production.nodes.values() if production else ())]
    return tuple(
        sorted(
            {
                node.schema
                for node in known
                if node.resource_type in left_relations.STORED and node.schema
            }
        )
    )


def staged_at(plan: ReleasePlan, staged: Mapping[str, Spot]) -> ReleasePlan:
    """The plan with the place of each staged node, by unique id."""
    return replace(
        plan,
        nodes=tuple(
            replace(node, staging=staged.get(node.unique_id, node.staging)) for node in plan.nodes
        ),
    )


def finish(
    plan: ReleasePlan,
    measured: Measured,
    results: RunResults | None,
    *,
    manifest: Manifest,
    production: Manifest | None,
) -> ReleasePlan:
    """The final version, but for its gates: what breaks, with rows and seconds.

    Args:
        plan: the first version, with the places in staging.
        measured: staging beside production.
        results: of the build in staging.
        manifest: of the tagged commit.
        production: of the current version.
    """
    figures = {one.unique_id: one for one in measured.nodes}
    ended = results.by_id() if results else {}

    def finished(node: ReleaseNode) -> ReleaseNode:
        figure, result = figures.get(node.unique_id), ended.get(node.unique_id)
        seconds = result.execution_time if result else node.seconds
        if figure is None:
            return replace(node, seconds=seconds)
        new = manifest.find(node.unique_id) or Node(name=node.name)
        old = production.find(node.unique_id) if production else None
        defined = breaking.by_definition(node, new, old)
        return replace(
            node,
            seconds=seconds,
            rows_before=figure.rows_before,
            rows_after=figure.rows_after,
            breaking=(*breaking.by_columns(node, figure, new, old), *defined),
            losses=losses.of_dbt(figure.losses, node, new, production),
        )

    return replace(plan, nodes=tuple(finished(node) for node in plan.nodes), final=True)


def _nodes(planned: work_files.Plan, facts: release_nodes.ReleaseNodeInputs) -> list[ReleaseNode]:
    return [
        release_nodes.node(node, facts)
        for node in planned.nodes
        if node.resource_type not in TESTS and node.has_result
    ]


def _defined(node: ReleaseNode, manifest: Manifest, production: Manifest | None) -> ReleaseNode:
    new = manifest.find(node.unique_id) or Node(name=node.name)
    old = production.find(node.unique_id) if production else None
    return replace(node, breaking=breaking.by_definition(node, new, old))


def _losing(
    plan: ReleasePlan, manifest: Manifest, production: Manifest | None, look: LiveProduction
) -> tuple[ReleaseNode, ...]:
    live = {one.unique_id: one for one in look.live}
    in_place = {
        one.unique_id
        for one in staging.baselines(plan, look, {n.unique_id: n.production for n in plan.staged})
    }
    makers = losses.makers(manifest)
    return tuple(
        replace(
            node,
            losses=losses.before_build(
                node,
                live.get(node.unique_id),
                manifest,
                production,
                makers=makers,
                in_place=in_place,
            ),
        )
        for node in plan.nodes
    )


def _in_full(planned: work_files.Plan, run: work_files.Run) -> frozenset[str]:
    """What is built from nothing wherever it is; snapshots never are."""
    asked = run.selection.full_refresh
    return frozenset(
        node.unique_id
        for node in planned.nodes
        if node.materialized == "incremental"
        and (asked if node.full_refresh is None else node.full_refresh)
    )


def _longest_custom(manifest: Manifest) -> int:
    """The bytes of the longest custom schema, with the underscore before it."""
    named = (decoded(node.config.schema) for node in manifest.nodes.values())
    return max((len(f"_{one}".encode()) for one in named if one), default=0)


def _untouched(manifest: Manifest, nodes: tuple[ReleaseNode, ...]) -> int:
    brought = {node.unique_id for node in nodes}
    return sum(
        node.resource_type in left_relations.STORED
        and node.materialized != "ephemeral"
        and unique_id not in brought
        for unique_id, node in manifest.nodes.items()
    )


def _empty(run: work_files.Run, state: work_files.State, tag: Tag) -> errors.ReleaseEmpty:
    chosen = run.selection
    words = f"--select {chosen.select or 'everything'}"
    if chosen.selector:
        words = f"--selector {chosen.selector}"
    if chosen.exclude:
        words += f" --exclude {chosen.exclude}"
    before = f"version {state.version}" if state.version else "what is live"
    commit = f", commit {state.commit[:7]}" if state.commit else ""
    same = state.commit == tag.commit and tag.commit not in ("", versions.UNKNOWN_COMMIT)
    hint = (
        f"{tag.name} names the commit that is live already: nothing is left to release."
        if same
        else f"Check that {tag.name} names the commit you meant (`git log -1 {tag.name}`), that it "
        "has changes of models, seeds, snapshots or tests since then, and that the inputs `select` "
        "and `exclude` do not leave them out. A tag for something else than dbt needs no release: "
        "name it so that the workflow's `on: push: tags:` does not match."
    )
    return errors.ReleaseEmpty(
        f"{tag.name} at {tag.commit[:7]} brings nothing: `{words}` selects no node and no test "
        f"against {before}{commit}.",
        not_done="Nothing was built, and production is as it was.",
        remedy=hint,
    )
