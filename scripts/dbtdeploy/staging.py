"""Where a release is built before it goes live, and dbt's way there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbtdeploy import release_mark, retry_state, staging_profile
from dbtdeploy.files import RUN_RESULTS, DbtProject, Run
from dbtdeploy.release_files import Spot
from dbtdeploy.release_warehouse_types import Place

PROFILES = "staging_profiles"
TARGET = "staging_target"
EXACTLY = "staging_state"
"""Folders in the work folder; the last holds results by which dbt selects what was planned."""


@dataclass(frozen=True, kw_only=True)
class Staging:
    """``staging.json``: what stands ready in the warehouse before dbt builds."""

    schema: str
    schemas: tuple[str, ...] = ()
    relations: Mapping[str, Spot] = field(default_factory=dict)
    """By unique id."""
    rows: Mapping[str, int | None] = field(default_factory=dict)
    """Of production's, laid under incremental models and snapshots."""


def place_of(run: Run) -> Place:
    """Whose release it is."""
    environment = run.deploy.environment if run.deploy else "production"
    return Place(environment=environment, project=run.dbt.name)


def run_there(run: Run, work: Path, release_id: str) -> Run:
    """The run as dbt is to see it in staging: production's target, with another schema."""
    dbt = replace(run.dbt, profiles_dir=str(work / PROFILES), target_path=str(work / TARGET))
    return replace(run, dbt=dbt, schema=release_mark.staging_schema(release_id, run.dbt.name))


def lay_profile(project: DbtProject, work: Path, schema: str, variables: Mapping[str, str]) -> None:
    """Write the profiles.yml of ``run_there``.

    Raises:
        InvalidInput: the caller's cannot be read or understood.
    """
    source = staging_profile.found(project, variables)
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise staging_profile.unreadable(source, cause) from None
    made = staging_profile.with_schema(
        text, profile=project.profile or "", schema=schema, source=source
    )
    folder = work / PROFILES
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / staging_profile.NAME).write_text(made, encoding="utf-8")


def lay_selection(folder: Path, unique_ids: Iterable[str]) -> Path:
    """A state by which ``--select result:error`` selects these, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / RUN_RESULTS).write_bytes(retry_state.as_errors(unique_ids))
    return folder
