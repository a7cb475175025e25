"""What a deploy selects, and which state dbt compares with."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.context import work_files
from dbtdeploy.dbt import invoke
from dbtdeploy.store import failed_nodes


class DeploySelection(Struct, frozen=True, kw_only=True):
    """The selection, and the folder for ``--state``; None without state, which selects all."""

    selection: work_files.Selection
    state: Path | None


def choose(
    selection: work_files.Selection, work: Path, state: work_files.State, *, retry_failed: bool
) -> DeploySelection:
    """The selection as asked for; with what failed since, where that is wished and there is any.

    Args:
        selection: as the inputs say; without ``select`` and ``selector``, everything.
        work: the work folder.
        state: what was fetched.
        retry_failed: whether what failed since the current version is built too.
    """
    retry = work / failed_nodes.FOLDER
    if retry_failed and state.found and retry.is_dir():
        # dbt reads manifest and results of one folder; words after --select are a union.
        union = " ".join(filter(None, (selection.select, failed_nodes.SELECT)))
        return DeploySelection(selection=replace(selection, select=union), state=retry)
    return DeploySelection(selection=selection, state=invoke.state_folder(work, state))
