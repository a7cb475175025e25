"""Where a release is built before it goes live, and dbt's way there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from msgspec import field
from msgspec.structs import replace

from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import HandOver
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import ReleasePlan, Spot
from dbtdeploy.context.work_files import RUN_RESULTS, DbtProject, PlannedNode, Run
from dbtdeploy.release import staging_profile
from dbtdeploy.store import failed_nodes
from dbtdeploy.warehouse import guard
from dbtdeploy.warehouse.release_macro_types import LiveProduction, ReleaseScope, StagingBaseline

PROFILES = "staging_profiles"
TARGET = "staging_target"
EXACTLY = "staging_state"
"""Folders in the work folder; the last holds results by which dbt selects what was planned."""


class Staging(HandOver, frozen=True, kw_only=True):
    """What stands ready in the warehouse before dbt builds."""

    FILE: ClassVar[str] = hand_over.PLAN

    schema: str
    schemas: tuple[str, ...] = ()
    relations: Mapping[str, Spot] = field(default_factory=dict)
    """By unique id."""
    rows: Mapping[str, int | None] = field(default_factory=dict)
    """Of production's, laid under incremental models, snapshots and seeds."""


def place_of(run: Run) -> ReleaseScope:
    """Whose release it is."""
    return ReleaseScope(environment=run.of(Release).environment, project=run.dbt.name)


def run_there(run: Run, work: Path, plan: ReleasePlan) -> Run:
    """The run as dbt is to see it in staging: production's target, with another schema."""
    dbt = replace(run.dbt, profiles_dir=str(work / PROFILES), target_path=str(work / TARGET))
    return replace(run, dbt=dbt, schema=plan.staging_schema)


def spots(nodes: Iterable[PlannedNode]) -> dict[str, Spot]:
    """Where each node that writes is built, by unique id."""
    return {
        node.unique_id: Spot(
            database=node.database or "",
            schema=node.schema or "",
            identifier=node.identifier or node.name,
        )
        for node in guard.written(nodes)
    }


def baselines(
    plan: ReleasePlan, look: LiveProduction, places: Mapping[str, Spot]
) -> list[StagingBaseline]:
    """Production's rows under what dbt writes into, as long as it is a table there.

    Args:
        plan: the release's.
        look: production as it is.
        places: where each node is built.
    """
    tables = {one.unique_id for one in look.live if one.kind == "table"}
    return [
        StagingBaseline(
            unique_id=node.unique_id,
            staging=places[node.unique_id],
            production=node.production,
            seed=node.materialized == "seed",
        )
        for node in plan.staged
        if (node.builds_on_itself or node.materialized in ("incremental", "snapshot", "seed"))
        and not node.full_refresh
        and node.unique_id in tables
        and node.unique_id in places
    ]


def changed_in_place(plan: ReleasePlan, look: LiveProduction) -> frozenset[str]:
    """Unique ids of the nodes whose tables stay, and get the rows that the build wrote."""
    places = {node.unique_id: node.production for node in plan.staged}
    anew = {node.unique_id for node in plan.staged if node.builds_on_itself}
    return frozenset(one.unique_id for one in baselines(plan, look, places)) - anew


def lay_profile(
    project: DbtProject,
    work: Path,
    schema: str,
    variables: Mapping[str, str],
    *,
    reader: str | None = None,
) -> None:
    """Write the profiles.yml of ``run_there``.

    Args:
        project: where the caller's is.
        work: our folder.
        schema: of staging.
        variables: the environment that dbt runs in.
        reader: the input ``smoke-target``, which is needed once the release is live.

    Raises:
        InvalidInput: the caller's cannot be read or understood, or has no such target.
    """
    source = staging_profile.found(project, variables)
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise staging_profile.unreadable(source, cause) from None
    made = staging_profile.with_schema(
        text, profile=project.profile or "", schema=schema, source=source, reader=reader
    )
    folder = work / PROFILES
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / staging_profile.NAME).write_text(made, encoding="utf-8")


def lay_selection(folder: Path, unique_ids: Iterable[str]) -> Path:
    """A state by which ``--select result:error`` selects these, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / RUN_RESULTS).write_bytes(failed_nodes.as_errors(unique_ids))
    return folder
