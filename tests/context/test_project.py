"""dbt_project.yml and the packages files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context import project


def test_a_project_is_read(tmp_path: Path) -> None:
    text = "name: shop\nprofile: '{{ env_var(\"P\") }}'\ntarget-path: out\n"
    (tmp_path / "dbt_project.yml").write_text(text)
    found = project.read_project(tmp_path)
    assert (found.name, found.profile, found.target_path) == ("shop", None, "out")


@pytest.mark.parametrize(
    ("selectors", "need"),
    [
        ("selectors:\n- name: a\n  definition: 'state:modified+'", True),
        ("selectors:\n- name: a\n  definition:\n    method: state\n    value: new", True),
        ("selectors:\n- name: a\n  definition: 'tag:estate'", False),
        (None, False),
    ],
)
def test_selectors_that_compare_with_state_are_known(
    tmp_path: Path, selectors: str | None, need: bool
) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: shop\nflags: {store_failures: true}\n")
    if selectors:
        (tmp_path / "selectors.yml").write_text(selectors)
    found = project.read_project(tmp_path)
    assert (found.selectors_need_state, found.stores_failures) == (need, True)


@pytest.mark.parametrize("text", [None, "name: [", "- a", "version: 1", "name: ../../shop"])
def test_no_project_is_said(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "dbt_project.yml").write_text(text)
    with pytest.raises(errors.InvalidInput, match=r"dbt_project\.yml"):
        project.read_project(tmp_path)


def test_deps_run_only_when_something_is_missing(tmp_path: Path) -> None:
    packages = tmp_path / "dbt_packages"
    assert not project.needs_deps(tmp_path, packages)
    listing = tmp_path / "packages.yml"
    listing.write_text("packages: []")
    assert not project.needs_deps(tmp_path, packages)
    listing.write_text("packages:\n  - local: ../x\n")
    assert project.needs_deps(tmp_path, packages)
    (packages / "x").mkdir(parents=True)
    os.utime(listing, (1, 1))
    assert not project.needs_deps(tmp_path, packages)
    os.utime(listing, (2**31, 2**31))
    assert project.needs_deps(tmp_path, packages)
