"""run.json -> dbt run-operation -> what releases left is dropped; cleaned_up.json, summary.

Keeping, undone and staging schemas go when their hours are over, relations of models that left the
project when their days of grace are, and all of them only if nothing outside hangs on them.
"""

from __future__ import annotations

from pathlib import Path

from dbtdeploy import (
    artifacts,
    clean_up_view,
    cli,
    dbt_step,
    deploy_files,
    environment,
    files,
    lease_keeper,
    moments,
    read_version,
    release_nodes,
    release_warehouse,
    rollback_files,
    rollback_plan,
    settings,
    state,
    store_step,
    typed_json,
)
from dbtdeploy.deploy_files import HeldLease
from dbtdeploy.edges import actions
from dbtdeploy.objects import Store
from dbtdeploy.release_warehouse_types import CleanedUp, Place
from dbtdeploy.rollback_files import CleanUpDone


def main() -> None:
    """Drop what may go, tell of the rest, and fail if something could not be dropped."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    policy = run.clean_up or files.CleanUp()
    opened = store_step.opened(run.policy.state)
    hold = environment.read(opened).hold
    done = CleanUpDone(
        environment=rollback_plan.environment_of(run),
        outcomes=_clean_up(opened, run, work, dry_run=policy.dry_run or hold is not None),
        dry_run=policy.dry_run or hold is not None,
        held=hold.reason if hold and not policy.dry_run else "",
        finished_at=moments.now(),
    )
    files.write(work / rollback_files.CLEANED_UP, done)
    redact = settings.redactor()
    with actions.foreign_output():
        for line in clean_up_view.lines(done):
            print(redact(line))
    summary = redact(clean_up_view.summary(done, policy))
    actions.write_summary(settings.Runner.from_environ().summary, summary)
    clean_up_view.refuse_failures(done)


def _clean_up(opened: Store, run: files.Run, work: Path, *, dry_run: bool) -> tuple[CleanedUp, ...]:
    current = _current(opened)
    if current is None:
        print("Nothing was published here yet, so no release left anything.")
        return ()
    policy = run.clean_up or files.CleanUp()
    held = files.read(work / deploy_files.LEASE, HeldLease)
    with lease_keeper.kept(opened, held) as keeper:
        outcomes = release_warehouse.clean_up(
            dbt_step.dbt_of(run, work),
            work=work,
            place=Place(environment=rollback_plan.environment_of(run), project=run.dbt.name),
            keep_hours=policy.keep_hours,
            grace_days=policy.grace_days,
            current=[unique_id for unique_id, _ in current],
            spots=[release_nodes.spot(node) for _, node in current],
            dry_run=dry_run,
        )
    keeper.refuse_if_lost()
    return outcomes


def _current(opened: Store) -> list[tuple[str, artifacts.Node]] | None:
    """What production's project has now, by its ids; None where nothing was published yet."""
    pointer, _ = read_version.read_current(opened)
    if pointer is None or pointer.version is None:
        return None
    index = read_version.read_index(opened, pointer)
    content = read_version.read_object(opened, index, state.MANIFEST)
    manifest = typed_json.decode(content, artifacts.Manifest)
    return [one for one in manifest.nodes.items() if one[1].resource_type != "test"]


if __name__ == "__main__":
    cli.run(main)
