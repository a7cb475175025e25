"""run.json -> dbt run-operation -> what releases left is dropped; CleanUpDone, summary.

Keeping, undone and staging schemas go when their hours are over, relations of models that left the
project when their days of grace are, and all of them only if nothing outside hangs on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dbtdeploy.artifacts import artifact_check, artifacts
from dbtdeploy.base import actions_runner, json_codec, settings, timestamps
from dbtdeploy.clean_up import clean_up_page_model
from dbtdeploy.clean_up.clean_up_files import CleanUpDone
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import CleanUp
from dbtdeploy.context.release_files import Spot
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.release import release_nodes
from dbtdeploy.rollback import rollback_plan
from dbtdeploy.store import environment_settings, store_location
from dbtdeploy.store.lease import lease_renewal
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader
from dbtdeploy.warehouse import release_macros
from dbtdeploy.warehouse.release_macro_types import CleanedUp, ReleaseScope

PHASE = Phase.DROP


def main() -> None:
    """Drop what may go, tell of the rest, and fail if something could not be dropped."""
    ctx = RunContext.open(CleanUp)
    work, run = ctx.work, ctx.run
    policy = ctx.policy
    opened = store_location.opened(run.policy.state)
    hold = environment_settings.read(opened).hold
    done = CleanUpDone(
        environment=rollback_plan.environment_of(run),
        outcomes=_clean_up(opened, run, work, dry_run=policy.dry_run or hold is not None),
        dry_run=policy.dry_run or hold is not None,
        held=hold.reason if hold and not policy.dry_run else "",
        finished_at=timestamps.now(),
    )
    ctx.write(done)
    redact = settings.redactor()
    with actions_runner.foreign_output():
        for line in clean_up_page_model.lines(done):
            actions_runner.say(line)
    summary = redact(clean_up_page_model.summary(done, policy))
    actions_runner.write_summary(settings.Runner.from_environ().summary, summary)
    clean_up_page_model.refuse_failures(done)


def _clean_up(
    opened: Store, run: work_files.Run, work: Path, *, dry_run: bool
) -> tuple[CleanedUp, ...]:
    manifest = _manifest(opened)
    if manifest is None:
        print("Nothing was published here yet, so no release left anything.")
        return ()
    policy = run.of(CleanUp)
    held = hand_over.read(work, HeldLease)
    with lease_renewal.kept(opened, held) as keeper:
        outcomes = release_macros.clean_up(
            invoke.dbt_of(run, work),
            work=work,
            place=ReleaseScope(environment=rollback_plan.environment_of(run), project=run.dbt.name),
            keep_hours=policy.keep_hours,
            grace_days=policy.grace_days,
            dry_run=dry_run,
            nodes=_spots(
                {key: node for key, node in manifest.nodes.items() if node.resource_type != "test"}
            ),
            sources=_spots(manifest.sources),
        )
    keeper.refuse_if_lost()
    return outcomes


def _manifest(opened: Store) -> artifacts.Manifest | None:
    """Production's project as it is live; None where nothing was published yet."""
    pointer, _ = version_reader.read_current(opened)
    if pointer is None or pointer.version is None:
        return None
    index = version_reader.read_index(opened, pointer)
    content = version_reader.read_object(opened, index, artifact_check.MANIFEST)
    return json_codec.decode(content, artifacts.Manifest)


def _spots(nodes: Mapping[str, artifacts.Node]) -> dict[str, Spot]:
    return {unique_id: release_nodes.spot(node) for unique_id, node in nodes.items()}
