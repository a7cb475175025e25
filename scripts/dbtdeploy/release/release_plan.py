"""What a release changes in production: before anything is built, and once staging stands. Pure.

``dbt ls`` says which nodes it brings, two manifests why, and the warehouse what is live of them and
what hangs on it. ``plan`` and ``finish`` make the two versions of ``release_plan.json``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from dbtdeploy.artifacts.artifacts import TESTS, Manifest, Node, RunResults
from dbtdeploy.base import errors
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import ReleaseNode, ReleasePlan, RemovedNode, Spot, Tag
from dbtdeploy.release import release_nodes, staging
from dbtdeploy.release.gates import breaking, downstream_check, gates, losses
from dbtdeploy.store.publication import versions
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Measured, ProductionRelation

STORED = frozenset({"model", "seed", "snapshot"})


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

    Raises:
        ReleaseEmpty: nothing was selected, and nothing left the project.
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
    )
    nodes = tuple(_defined(node, manifest, production) for node in _nodes(planned, facts))
    tests = sum(node.resource_type in TESTS for node in planned.nodes)
    removed = _still_live(gone(manifest, production), look)
    if not nodes and not tests and not removed:
        raise _empty(run, state, tag)
    downstream_check.refuse_open(nodes, manifest)
    made = ReleasePlan(
        tag=tag.name,
        commit=tag.commit,
        environment=policy.environment,
        project=run.dbt.name,
        release_id=release_id,
        before=state.version,
        before_commit=state.commit,
        nodes=nodes,
        tests=tests,
        untouched=_untouched(manifest, nodes),
        removed=removed,
    )
    if look is not None:
        made = replace(made, nodes=_losing(made, manifest, production, look))
    return replace(made, gates=gates.waiting(made, policy, manifest, tag.loss_allowed_by))


def wanted(planned: work_files.Plan, manifest: Manifest) -> tuple[ProductionRelation, ...]:
    """What to look for in production before a release."""
    return tuple(
        ProductionRelation(
            unique_id=node.unique_id,
            spot=release_nodes.spot(manifest.find(node.unique_id) or Node(name=node.name), node),
        )
        for node in planned.nodes
        if node.resource_type in STORED and node.has_result
    )


def gone(manifest: Manifest, production: Manifest | None) -> tuple[RemovedNode, ...]:
    """What the current version has and this commit no longer, by the manifests.

    A node whose place another one took over is not gone for those who read it.
    """
    taken = {
        release_nodes.spot(node)
        for node in manifest.nodes.values()
        if node.resource_type in STORED and node.materialized != "ephemeral"
    }
    old = production.nodes if production else {}
    found = (
        RemovedNode(
            unique_id=unique_id,
            resource_type=node.resource_type,
            name=release_nodes.label(node),
            production=release_nodes.spot(node),
        )
        for unique_id, node in old.items()
        if unique_id not in manifest.nodes
        and node.resource_type in STORED
        and node.materialized != "ephemeral"
    )
    return tuple(one for one in found if one.production not in taken)


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


def _still_live(
    removed: tuple[RemovedNode, ...], look: LiveProduction | None
) -> tuple[RemovedNode, ...]:
    if look is None:
        return removed
    live = {one.unique_id for one in look.live}
    return tuple(one for one in removed if one.unique_id in live)


def _untouched(manifest: Manifest, nodes: tuple[ReleaseNode, ...]) -> int:
    brought = {node.unique_id for node in nodes}
    return sum(
        node.resource_type in STORED
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
