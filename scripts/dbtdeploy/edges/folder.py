"""A local folder as the store of production's artifacts."""

from __future__ import annotations

import shutil
from pathlib import Path

from dbtdeploy import errors, state


def fetch(source: Path, destination: Path) -> state.Fetched:
    """Copy the artifacts that are there. An empty folder is a store without state yet.

    Raises:
        InvalidInput: there is no such folder; a wrong path must not pass for a first run.
        StateAccessDenied: the folder or an artifact may not be read.
    """
    if not source.is_dir():
        raise errors.InvalidInput(
            f"The state folder {source} is a file."
            if source.exists()
            else f"The state folder {source} does not exist.",
            not_done=state.NOTHING_STARTED,
            remedy="Name the folder that holds production's manifest.json. If there is no state "
            "yet, make it an empty folder.",
        )
    names = []
    try:
        for name in state.ARTIFACTS:
            if (source / name).is_file():
                shutil.copyfile(source / name, destination / name)
                names.append(name)
    except PermissionError as cause:
        raise errors.StateAccessDenied(
            f"{cause.filename} may not be read by this user.",
            not_done=state.NOTHING_STARTED,
            remedy="Let the job's user read the folder and the files in it.",
        ) from None
    return state.Fetched(names=tuple(names))
