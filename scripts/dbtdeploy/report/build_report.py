"""Everything the earlier steps left behind -> one Report. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from dbtdeploy.artifacts.artifacts import TESTS, Manifest, Result, RunResults
from dbtdeploy.artifacts.node_status import GOOD, NodeOutcome, Waiting, outcome
from dbtdeploy.artifacts.state_diff import Reasons
from dbtdeploy.base import timestamps
from dbtdeploy.context import work_files
from dbtdeploy.context.built_with import UnseenChange, UnseenChanges
from dbtdeploy.context.work_files import PlannedNode
from dbtdeploy.report import (
    build_deploy_report,
    cautions,
    node_report,
    removed_nodes,
    report_status,
    repro_commands,
)
from dbtdeploy.report.report import (
    VERSION,
    Counts,
    History,
    Mode,
    NodeReport,
    Production,
    Removed,
    Report,
    TestReport,
    UnseenReport,
)
from dbtdeploy.report.source_links import Sources

HOOKS = "operation."


class BuildReportInputs(Struct, frozen=True, kw_only=True):
    """What the steps before this one left; None for what they did not get to."""

    run: work_files.Run
    state: work_files.State | None = None
    plan: work_files.Plan | None = None
    schemas: work_files.Schemas | None = None
    build: work_files.Build | None = None
    failure: work_files.Failure | None = None
    manifest: Manifest | None = None
    """Of this pull request."""
    results: RunResults | None = None
    """Of this build, and no other."""
    production_manifest: Manifest | None = None
    production_results: RunResults | None = None
    sources: Sources = field(default_factory=Sources)
    unseen: UnseenChanges = UnseenChanges()
    history: History = History(to_production=None, base_to_production=None)
    deploy: build_deploy_report.Steps | None = None
    """What only a deploy's steps leave; None in slim CI."""


def build_report(inputs: BuildReportInputs) -> Report:
    """Make the report.

    A node counts as good only with a result of its own that says so: an interrupted build leaves
    the finished nodes, all of them a success.
    """
    run = inputs.run
    metadata = (inputs.manifest or Manifest()).metadata
    results = inputs.results.by_id() if inputs.results else {}
    planned = _selected(inputs, results)
    facts = _facts(inputs, planned)
    nodes = tuple(
        node_report.node(item, results.get(item.unique_id), facts)
        for item in planned
        if item.resource_type not in TESTS
    )
    tests = tuple(
        node_report.test(item, results.get(item.unique_id), facts)
        for item in planned
        if item.resource_type in TESTS
    )
    hooks = tuple(
        node_report.node(_planned(unique_id, None), result, facts)
        for unique_id, result in results.items()
        if unique_id.startswith(HOOKS) and outcome(result) not in GOOD
    )
    gone = removed_nodes.removed(inputs.manifest, inputs.production_manifest)
    counts = _counts(nodes + hooks, tests, gone)
    problem = report_status.problem(
        run, inputs.plan, inputs.build, inputs.failure, counts=counts, sources=inputs.sources
    )
    made = Report(
        version=VERSION,
        mode=_mode(run),
        status=report_status.status(
            run, inputs.build, inputs.failure, counts, problem, nodes=nodes
        ),
        skip_reason=run.event.skip,
        project=run.dbt.name,
        target=run.dbt.target,
        repository_path=run.dbt.repository_path,
        repository=run.event.repository,
        server_url=run.event.server_url,
        commit=run.event.sha,
        ref=run.event.ref,
        pull_request=run.event.pull_request,
        event=run.event.name,
        run_url=run.event.run_url,
        schema=run.schema,
        schemas=_schemas(planned, results),
        inlined=_inlined(inputs),
        started_at=run.started_at,
        build_seconds=_build_seconds(inputs.build),
        exit_code=inputs.build.exit_code if inputs.build else None,
        dbt_version=metadata.dbt_version,
        adapter=metadata.adapter_type,
        command=inputs.build.command if inputs.build else None,
        warnings_fail=run.policy.fail_on_warnings,
        row_data_hidden=run.policy.hide_row_data,
        counts=counts,
        problem=problem,
        prepare_commands=repro_commands.prepare(run, inputs.state),
        nodes=node_report.in_order(nodes + hooks, facts),
        tests=tests,
        removed=gone,
        cautions=_cautions(inputs, facts),
        history=inputs.history,
        unseen=tuple(_unseen(one, facts) for one in inputs.unseen.changes),
        unseen_unknown=inputs.unseen.unknown,
        production=production(inputs),
        deploy=None,
        when_released=None,
    )
    if inputs.deploy is None:
        return made
    return build_deploy_report.complete(made, inputs.deploy, run, facts.name)


def production(inputs: BuildReportInputs) -> Production | None:
    """What this build was compared with."""
    state = inputs.state
    if state is None:
        return None
    return Production(
        found=state.found,
        location=repro_commands.without_credentials(state.location),
        commit=state.commit,
        generated_at=state.generated_at,
        age_seconds=_age(state.generated_at, inputs.run.started_at),
        dbt_version=state.dbt_version,
        run_results=inputs.production_results is not None,
        version=state.version,
        unchanged=state.unchanged,
    )


def _mode(run: work_files.Run) -> Mode:
    if run.command == "release":
        return "release"
    return "deploy" if run.command == "deploy" else "ci"


def _selected(inputs: BuildReportInputs, results: Mapping[str, Result]) -> list[PlannedNode]:
    """What dbt said it would build, then what it built beyond that, if anything.

    It is what the exit code is judged by (``artifacts/build_success.py``).
    """
    planned = list(inputs.plan.nodes) if inputs.plan else []
    known = {node.unique_id for node in planned}
    kinds = ("model.", "seed.", "snapshot.", "test.", "unit_test.", "function.")
    beyond = [
        _planned(unique_id, inputs.manifest)
        for unique_id, result in results.items()
        if unique_id not in known
        and not unique_id.startswith(HOOKS)
        and (unique_id.startswith(kinds) or outcome(result) not in GOOD)
    ]
    # dbt lists in an order that differs from run to run.
    chosen = (n for n in planned + beyond if n.has_result or n.unique_id in results)
    return sorted(chosen, key=lambda node: node.unique_id)


def _reasons_unseen(unseen: UnseenChanges) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for one in unseen.changes:
        for unique_id in one.nodes:
            found.setdefault(unique_id, []).append(one.what)
    return {unique_id: tuple(dict.fromkeys(kinds)) for unique_id, kinds in found.items()}


def _unseen(one: UnseenChange, facts: node_report.NodeReportInputs) -> UnseenReport:
    return UnseenReport(
        kind=one.what,
        name=one.name,
        nodes=tuple(sorted(facts.name(unique_id) for unique_id in one.nodes)),
        added=one.added,
    )


def _schemas(planned: list[PlannedNode], results: Mapping[str, Result]) -> tuple[str, ...]:
    """Those in which this build made something."""
    made = (n for n in planned if n.resource_type not in TESTS and n.schema and n.relation_name)
    return tuple(sorted({n.schema or "" for n in made if _wrote(results.get(n.unique_id))}))


def _wrote(result: Result | None) -> bool:
    return outcome(result) in {*GOOD, "partial"}


def _inlined(inputs: BuildReportInputs) -> tuple[str, ...]:
    planned = inputs.plan.nodes if inputs.plan else ()
    return tuple(sorted(node.name for node in planned if not node.has_result))


def _planned(unique_id: str, manifest: Manifest | None) -> PlannedNode:
    kind, _, name = unique_id.partition(".")
    node = manifest.find(unique_id) if manifest else None
    if node is None:
        return PlannedNode(unique_id=unique_id, resource_type=kind, name=name.split(".")[-1])
    return PlannedNode(
        unique_id=unique_id,
        resource_type=kind,
        name=node.name,
        relation_name=node.relation_name,
        materialized=node.materialized,
        path=node.original_file_path,
    )


def _facts(inputs: BuildReportInputs, planned: list[PlannedNode]) -> node_report.NodeReportInputs:
    results = inputs.results.by_id() if inputs.results else {}
    outcomes: dict[str, NodeOutcome] = {
        node.unique_id: outcome(results.get(node.unique_id)) for node in planned
    }
    manifest = inputs.manifest or Manifest()
    state = inputs.production_manifest
    reasons = (
        Reasons(manifest, state, _reasons_unseen(inputs.unseen))
        if state and inputs.manifest
        else None
    )
    before = inputs.production_results
    return node_report.NodeReportInputs(
        run=inputs.run,
        state=inputs.state,
        manifest=manifest,
        production=state,
        reasons=reasons,
        selected=frozenset(outcomes),
        waiting=Waiting(manifest, outcomes),
        before=before.by_id() if before else None,
        baselines={b.unique_id: b for b in inputs.schemas.baselines} if inputs.schemas else {},
        sources=inputs.sources,
        shared_names=node_report.shared_names(manifest, state),
        again=inputs.deploy.again if inputs.deploy else frozenset(),
    )


def _cautions(
    inputs: BuildReportInputs, facts: node_report.NodeReportInputs
) -> tuple[cautions.Caution, ...]:
    """What dbt does not say of a pull request's build; without production there is no telling."""
    if _mode(inputs.run) != "ci" or facts.production is None or facts.reasons is None:
        return ()
    return cautions.of(
        cautions.Facts(
            schema=inputs.run.schema,
            full_refresh=inputs.run.selection.full_refresh,
            manifest=facts.manifest,
            production=facts.production,
            reasons=facts.reasons,
            results=inputs.results.by_id() if inputs.results else {},
        )
    )


def _counts(
    nodes: tuple[NodeReport, ...], tests: tuple[TestReport, ...], gone: tuple[Removed, ...]
) -> Counts:
    built = [node.outcome for node in nodes]
    tested = [test.outcome for test in tests]
    bad: tuple[NodeOutcome, ...] = ("failed", "error", "partial", "unknown")
    return Counts(
        nodes=len(built),
        nodes_passed=sum(built.count(good) for good in GOOD),
        nodes_failed=sum(built.count(kind) for kind in bad),
        nodes_skipped=built.count("skipped"),
        nodes_missing=built.count("missing"),
        tests=len(tested),
        tests_passed=tested.count("passed"),
        tests_warned=tested.count("warned"),
        tests_failed=sum(tested.count(kind) for kind in bad),
        tests_skipped=tested.count("skipped"),
        tests_missing=tested.count("missing"),
        removed=len(gone),
    )


def _build_seconds(build: work_files.Build | None) -> float | None:
    if build is None:
        return None
    begun, ended = timestamps.parse(build.started_at), timestamps.parse(build.finished_at)
    return (ended - begun).total_seconds() if begun and ended else None


def _age(then: str | None, now: str) -> int | None:
    made, started = timestamps.parse(then), timestamps.parse(now)
    return max(0, int((started - made).total_seconds())) if made and started else None
