"""What a deploy selects, and which state dbt compares with."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.context import work_files
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.dbt import invoke, unseen_changes
from dbtdeploy.store import failed_nodes


class DeploySelection(Struct, frozen=True, kw_only=True):
    """The selection, and the folder for ``--state``; None without state, which selects all."""

    selection: work_files.Selection
    state: Path | None


def choose(run: work_files.Run, work: Path, state: work_files.State) -> DeploySelection:
    """The selection as asked for; with what failed since, where that is wished and there is any.

    Args:
        run: a deploy or a release; without ``select`` and ``selector`` it builds everything.
        work: the work folder.
        state: what was fetched.
    """
    selection = unseen_changes.selected(run, work, state)
    retry = work / failed_nodes.FOLDER
    if run.of(BuildsProduction).retry_failed and state.found and retry.is_dir():
        # dbt reads manifest and results of one folder; words after --select are a union.
        union = " ".join(filter(None, (selection.select, failed_nodes.SELECT)))
        return DeploySelection(selection=replace(selection, select=union), state=retry)
    return DeploySelection(selection=selection, state=invoke.state_folder(work, state, selection))
