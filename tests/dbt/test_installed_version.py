"""Which dbt an environment holds, without starting it where that can be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.dbt import installed_version
from dbtdeploy.dbt.installed_version import InstalledDbt
from standins.dbt import dbt_install

CORE_1_11 = """Core:
  - installed: 1.11.16
  - latest:    1.12.6  - Update available!

  Your version of dbt-core is out of date!

Plugins:
  - postgres: 1.11.0 - Up to date!
  - spark:    1.10.2 - Update available!
"""


def find(command: str, path: Path, folder: Path | None = None) -> InstalledDbt:
    variables = {"PATH": f"{path}:/usr/bin:/bin"}
    return installed_version.find(command, folder=folder or path, variables=variables)


def test_reads_the_metadata_and_starts_nothing(tmp_path: Path) -> None:
    dbt = dbt_install.install(tmp_path / "env")
    adapters = ("dbt_adapters-1.24.5", "dbt_common-1.39.0")
    parts = (*adapters, "dbt_core-1.11.16", "dbt_extractor-0.6.0", "dbt_postgres-1.11.0")
    assert find("dbt", dbt.parent) == InstalledDbt(
        version="1.11.16", adapters={"postgres": "1.11.0"}, distributions=parts
    )
    assert not (tmp_path / "env" / "ran.txt").exists()


def test_follows_a_link_into_the_environment(tmp_path: Path) -> None:
    dbt = dbt_install.install(tmp_path / "env")
    links = tmp_path / "links"
    links.mkdir()
    (links / "dbt").symlink_to(dbt)
    assert find("dbt", links).version == "1.11.16"


def test_a_relative_path_starts_from_the_project(tmp_path: Path) -> None:
    dbt_install.install(tmp_path / "project_env")
    found = find("project_env/bin/dbt", tmp_path / "nowhere", folder=tmp_path)
    assert found.version == "1.11.16"


@pytest.mark.parametrize(
    ("says", "found"),
    [
        (
            CORE_1_11,
            InstalledDbt(version="1.11.16", adapters={"postgres": "1.11.0", "spark": "1.10.2"}),
        ),
        ("dbt 2.0.0-preview.9\n", InstalledDbt(version="2.0.0-preview.9")),
        ("dbt-fusion 2.1.4\n", InstalledDbt(version="2.1.4")),
    ],
)
def test_asks_a_command_that_has_no_metadata(
    says: str, found: InstalledDbt, tmp_path: Path
) -> None:
    dbt = dbt_install.install(tmp_path / "env", core=None, says=says)
    assert find("dbt", dbt.parent) == found


def test_asks_where_two_are_installed(tmp_path: Path) -> None:
    dbt = dbt_install.install(tmp_path / "env", says="Core:\n  - installed: 1.9.9\n")
    other = tmp_path / "env/lib/python3.12/site-packages/dbt_core-1.10.1.dist-info"
    other.mkdir(parents=True)
    assert find("dbt", dbt.parent).version == "1.9.9"


def test_no_dbt_at_all(tmp_path: Path) -> None:
    with pytest.raises(errors.DbtNotFound, match="`no-such-dbt` is not on PATH") as caught:
        find("no-such-dbt", tmp_path)
    assert "input `dbt`" in caught.value.remedy


def test_a_command_that_is_no_dbt(tmp_path: Path) -> None:
    dbt = dbt_install.install(tmp_path / "env", core=None, says="hello\n")
    with pytest.raises(errors.DbtNotFound, match="names no version"):
        find("dbt", dbt.parent)


def test_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    dbt = dbt_install.install(tmp_path / "env", core=None)
    dbt.write_text("#!/no/such/interpreter\n")
    with pytest.raises(errors.DbtNotFound, match="cannot be started"):
        find("dbt", dbt.parent)


def test_a_command_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dbt = dbt_install.install(tmp_path / "env", core=None)
    dbt.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(installed_version, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(errors.DbtNotFound, match="did not answer"):
        find("dbt", dbt.parent)
