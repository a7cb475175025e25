"""Folders whose content is run or believed later: this account's alone, or not used.

Our folders lie below RUNNER_TEMP, or below the system's shared temporary folder where there is no
runner. There another account may have made one of that name before. Standard library only.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dbtdeploy.base import errors

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def require(folder: Path) -> None:
    """Make a folder, or see that it is ours.

    Raises:
        FolderNotOurs: it belongs to another account, or another one may write to it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        require_if_there(folder)


def require_if_there(folder: Path) -> None:
    """See that a folder is ours, if there is one.

    Raises:
        FolderNotOurs: see ``require``.
    """
    try:
        # A link is followed only if it is ours as well.
        link, found = folder.lstat(), folder.stat()
    except FileNotFoundError:
        if folder.is_symlink():
            raise _not_ours(folder, "is a link to nowhere") from None
        return
    if {link.st_uid, found.st_uid} != {os.geteuid()}:
        raise _not_ours(folder, "belongs to another account")
    if not stat.S_ISDIR(found.st_mode):
        raise _not_ours(folder, "is no folder")
    if found.st_mode & OTHERS_WRITE:
        raise _not_ours(folder, "can be written to by other accounts")


def _not_ours(folder: Path, how: str) -> errors.FolderNotOurs:
    return errors.FolderNotOurs(
        f"{folder} {how}.",
        not_done="Nothing in it was read or run, and dbt was not started.",
        remedy="Remove it, or take the right to write from others (`chmod go-w`) if you know what "
        "it holds. On a runner of your own, let RUNNER_TEMP be a folder of the runner's account.",
    )
