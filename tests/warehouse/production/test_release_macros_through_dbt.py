"""The same through dbt itself: what the stand-in of dbt promises holds for the real one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context import work_files
from dbtdeploy.dbt.dbt_client import Dbt
from standins.warehouse.greens import Shop
from standins.warehouse.macros import MacroDbt
from standins.warehouse.postgres import Database, Server

PROJECT = {"name": "shop", "version": "1.0", "profile": "shop"}


def real_dbt(folder: Path, command: Path, output: dict[str, object]) -> Dbt:
    project = folder / "project"
    project.mkdir()
    (project / "dbt_project.yml").write_text(json.dumps(PROJECT))
    profile = {"shop": {"target": "prod", "outputs": {"prod": output}}}
    (project / "profiles.yml").write_text(json.dumps(profile))
    return Dbt(
        work_files.DbtProject(
            command=str(command),
            project_dir=str(project),
            repository_path=".",
            name="shop",
            profiles_dir=str(project),
            profile="shop",
            target=None,
            target_path=str(project / "target"),
            packages_path=str(project / "dbt_packages"),
        ),
        variables={"PATH": os.environ["PATH"], "HOME": str(folder)},
        redact=lambda text: text,
        logs=folder / "logs",
    )


def postgres_output(role: Database) -> dict[str, object]:
    return {
        "type": "postgres",
        "host": role.host,
        "port": role.port,
        "user": role.user,
        "password": role.password,
        "dbname": role.name,
        "schema": "analytics",
        "threads": 1,
    }


@pytest.mark.fault(34)
def test_a_release_and_its_way_back_through_dbt(
    tmp_path: Path, postgres_server: Server, database: Database, any_dbt_command: Path
) -> None:
    shop = Shop(tmp_path, postgres_server, database)
    shop.dbt = real_dbt(tmp_path, any_dbt_command, postgres_output(shop.owner))
    name = "größe \"'\\ {{ x }}"
    quoted = '"' + name.replace('"', '""') + '"'
    shop.owner.run(
        f"""
        create table analytics.{quoted} (id int); insert into analytics.{quoted} values (1);
        create view marts.outside as select id from analytics.{quoted};
        """
    )
    release = shop.begin()
    assert release.prepared is not None
    assert not release.prepared.foreign
    release.prepare(name)
    shop.owner.run(f"insert into {release.green()}.{quoted} values (2)")
    release.stage(name, None, "incremental")
    release.plan()
    assert [one.full_name for one in release.look.look.dependents] == ["marts.outside"]
    swapped = release.swap()
    assert swapped.outcome == "done", swapped
    assert shop.settled(release) == "live"
    assert release.green() not in shop.schemas()
    assert shop.owner.rows("select count(*) from marts.outside") == [(2,)]
    back = shop.take_back(release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert shop.owner.rows("select count(*) from marts.outside") == [(1,)]
    assert shop.settled(release) == "taken back"
    # The table is the one that it was: nothing was kept or undone elsewhere.
    assert shop.clean_up() == []
    assert shop.schemas() == ["analytics", "dbt_deploy", "marts"]


def test_what_dbt_has_no_macros_for_is_refused_by_name(
    tmp_path: Path, postgres_server: Server, database: Database, duckdb_command: Path
) -> None:
    shop = Shop(tmp_path, postgres_server, database)
    output: dict[str, object] = {"type": "duckdb", "path": str(tmp_path / "w.duckdb")}
    shop.dbt = real_dbt(tmp_path, duckdb_command, output)
    with pytest.raises(errors.ReleaseStepFailed) as failed:
        shop.look("orders")
    assert "no macro release_look for the adapter duckdb" in str(failed.value)


@pytest.mark.parametrize("adapter", ["duckdb", "redshift"])
def test_every_macro_refuses_where_blue_green_is_not_there(
    tmp_path: Path, postgres_server: Server, database: Database, adapter: str
) -> None:
    shop = Shop(tmp_path, postgres_server, database)
    release = shop.begin()
    release.plan()
    shop.dbt = MacroDbt(shop.owner, adapter=adapter)
    calls: dict[str, Callable[[], object]] = {
        "release_look": lambda: shop.look("orders"),
        "release_prepare": release.prepare,
        "release_measure": release.measure,
        "release_swap": release.swap,
        "release_take_back": lambda: shop.take_back(release),
        "release_settled": lambda: shop.settled(release),
        "release_drop_staging": release.drop_staging,
        "release_clean_up": shop.clean_up,
    }
    for macro, call in calls.items():
        with pytest.raises(errors.ReleaseStepFailed) as failed:
            call()
        assert f"no macro {macro} for the adapter {adapter}" in str(failed.value)
