"""plan.json -> Dependents, kept.json: what the build would lack, hurt or take along."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import to_builtins

from dbtdeploy.artifacts import artifact_check, artifacts
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import actions_runner, crash, json_codec, settings
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import Dependent, Dependents
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.deploy import freshness, production_reads
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease_renewal
from dbtdeploy.warehouse import (
    dependents,
    guard,
    preflight,
    production,
    rebuild_kinds,
    run_job_macro,
    warehouse_refusals,
)
from dbtdeploy.warehouse.preflight import Preflight
from dbtdeploy.warehouse.relations_read import RelationRead

PHASE = Phase.PREFLIGHT


def main() -> None:
    """Look at production before anything is dropped, and refuse what cannot be made good."""
    ctx = RunContext.open(BuildsProduction)
    work, run = ctx.work, ctx.run
    plan = ctx.read(work_files.Plan)
    held = ctx.held
    opened = store_location.opened(run.policy.state)
    output = settings.Runner.from_environ().output
    if not plan.nodes and not dependents.read_earlier(opened).dependents:
        print("Nothing will be built, and no earlier run left anything to make again.")
        actions_runner.set_outputs(output, {"kept": "false"})
        return
    with lease_renewal.kept(opened, held) as keeper:
        earlier = dependents.read_earlier(opened)
        ends, found = _ask(run, plan, work, earlier.dependents)
        keeper.refuse_if_lost()
        _tell_earlier(earlier.dependents, ends)
        if plan.nodes:
            preflight.refuse_missing_privileges(found)
        preflight.refuse_untrusted(found)
        warehouse_refusals.refuse_drops(found)
        nodes, removed = _places(run, plan, work)
        kept = dependents.chosen(found, nodes, removed=removed)
        kept += dependents.still_missing(earlier.dependents, ends)
        dependents.write(opened, kept, earlier.etag)
    crash.point("production-checked")
    left = tuple(f"{one.full_name} ({one.kind})" for one in preflight.leftovers(found))
    ctx.write(Dependents(kept=kept, leftovers=left))
    _tell(found, kept, left)
    actions_runner.set_outputs(output, {"kept": "true" if kept else "false"})


def _ask(
    run: work_files.Run, plan: work_files.Plan, work: Path, earlier: Iterable[Dependent]
) -> tuple[list[str], Preflight]:
    """One dbt process: how making the earlier dependents again went, and what is there."""
    anew = rebuild_kinds.full_refresh(run, settings.DbtEnvironment.from_environ().variables)
    written = guard.written(plan.nodes)
    job = {
        "earlier": [
            {"there": t.there, "statements": t.statements if t.ours else ()} for t in earlier
        ],
        "wanted": [to_builtins(one) for one in rebuild_kinds.wanted(written, full_refresh=anew)],
        "functions": [
            {"schema": n.schema, "name": n.identifier or n.name}
            for n in written
            if n.resource_type == "function"
        ],
        "schemas": sorted({n.schema or "" for n in written}),
        "reads": to_builtins(_reads(run, plan)),
    }
    made, found = run_job_macro.run_job(
        invoke.dbt_of(run, work),
        "check_production",
        job,
        work=work,
        name="check",
        not_done=preflight.UNTOUCHED,
    )
    return json_codec.decode(made, list[str]), json_codec.decode(found, Preflight)


def _reads(run: work_files.Run, plan: work_files.Plan) -> tuple[RelationRead, ...]:
    """Nothing where nothing is built: no dbt is run then."""
    if not plan.nodes:
        return ()
    return production_reads.of(
        artifacts.read_manifest(_manifest(run)) or Manifest(),
        (n.unique_id for n in plan.nodes),
        run.of(BuildsProduction),
        watched=freshness.watched(_manifest(run)) or (),
    )


def _places(
    run: work_files.Run, plan: work_files.Plan, work: Path
) -> tuple[dict[dependents.RelationKey, str], dict[dependents.RelationKey, str]]:
    """The project's nodes by where they are, and those that it has no longer."""
    manifest = _manifest(run)
    if manifest.is_file():
        now = _by_place(production.read_relations(manifest))
    else:
        now = {(n.schema or "", n.identifier or n.name): n.unique_id for n in plan.nodes}
    before = work / work_files.STATE_FOLDER / "manifest.json"
    last = _by_place(production.read_relations(before)) if before.is_file() else {}
    return now, {place: node for place, node in last.items() if place not in now}


def _manifest(run: work_files.Run) -> Path:
    """Where dbt wrote it when it listed what would be built."""
    return Path(run.dbt.target_path) / artifact_check.MANIFEST


def _by_place(relations: production.RelationNames) -> dict[dependents.RelationKey, str]:
    return {(r.schema, r.identifier): unique_id for unique_id, r in relations.items()}


def _tell_earlier(earlier: Iterable[Dependent], ends: Iterable[str]) -> None:
    for dependent, end in zip(earlier, ends, strict=True):
        if end:
            how = "made again" if end == dependents.MADE else f"not made again yet: {end}"
            actions_runner.say(
                f"An earlier run had dropped {dependent.kind} {dependent.full_name}: {how}"
            )


def _tell(found: Preflight, kept: tuple[Dependent, ...], left: tuple[str, ...]) -> None:
    if found.macro is not None:
        actions_runner.warning(
            "Production was not looked at before the build",
            f"dbt-deploy cannot see {found.unchecked} on this warehouse. To have it checked, add "
            f"the macro {found.macro} to its dbt_package/macros/production/look_at_production.sql.",
        )
    elif found.unchecked is not None:
        actions_runner.say(f"Not checked on this warehouse: {found.unchecked}.")
    for name in left:
        actions_runner.say(f"A dbt that was killed left {name}; dbt drops it now.")
    for one in preflight.taken_from_pull_requests(found):
        actions_runner.say(
            f"{one}: a pull request's, so it does not stop the build, which drops it. The pull "
            "request's next build makes it again."
        )
    for dependent in kept:
        actions_runner.say(f"Kept: {dependent.kind} {dependent.full_name}")
