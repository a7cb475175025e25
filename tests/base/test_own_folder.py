"""Which folders are used: made anew, or this account's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dbtdeploy.base import errors, own_folder


def test_a_folder_that_is_made_is_this_accounts_alone(tmp_path: Path) -> None:
    own_folder.require(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    own_folder.require(tmp_path / "a" / "b")


def test_one_that_others_can_only_read_is_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    own_folder.require(tmp_path)


@pytest.mark.fault(66)
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o1777])
def test_one_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "dbt-deploy"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(errors.FolderNotOurs, match="written to by other accounts"):
        own_folder.require(folder)


@pytest.mark.fault(66)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("linked", [False, True])
def test_one_of_another_account_is_refused(tmp_path: Path, linked: bool) -> None:
    folder, there = tmp_path / "dbt-deploy", tmp_path / "theirs"
    there.mkdir(mode=0o755)
    if linked:
        folder.symlink_to(there)
        os.chown(folder, 65534, 65534, follow_symlinks=False)
    else:
        there.rename(folder)
        os.chown(folder, 65534, 65534)
    for check in (own_folder.require, own_folder.require_if_there):
        with pytest.raises(errors.FolderNotOurs, match="belongs to another account"):
            check(folder)


@pytest.mark.fault(66)
def test_a_file_and_a_link_to_nowhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, why in (("file", "is no folder"), ("link", "is a link to nowhere")):
        with pytest.raises(errors.FolderNotOurs, match=why):
            own_folder.require(tmp_path / name)
    own_folder.require_if_there(tmp_path / "nothing")
