"""After a rollback dbt builds the older models, as their `on_schema_change` says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from standins.warehouse.greens import Shop
from standins.warehouse.postgres import Database, Server

MODEL = """
{{{{ config(materialized='incremental', unique_key='id',
  on_schema_change='append_new_columns' if var('step') == 2 else '{mode}') }}}}
select n as id, 'v' || n as v{{% if var('step') == 2 %}}, n * 2 as w{{% endif %}}
from generate_series(1, 2 + {{{{ var('step') }}}}) n
{{% if is_incremental() %}} where n > 2 {{% endif %}}
"""

MODES = ("ignore", "append_new_columns", "fail", "sync_all_columns")


class Project:
    """Four models that differ in what becomes of a new column."""

    def __init__(self, folder: Path, role: Database, command: Path) -> None:
        self.folder, self.command = folder, command
        (folder / "models").mkdir(parents=True)
        for mode in MODES:
            (folder / "models" / f"{mode}.sql").write_text(MODEL.format(mode=mode))
        settings = {"name": "shop", "version": "1.0", "profile": "shop", "vars": {"step": 1}}
        (folder / "dbt_project.yml").write_text(json.dumps(settings))
        output = {
            "type": "postgres",
            "host": role.host,
            "port": role.port,
            "user": role.user,
            "password": role.password,
            "dbname": role.name,
            "schema": "{{ env_var('INTO') }}",
            "threads": 2,
        }
        (folder / "profiles.yml").write_text(
            json.dumps({"shop": {"target": "prod", "outputs": {"prod": output}}})
        )

    def build(self, schema: str, step: int) -> None:
        ended = subprocess.run(
            [self.command, "build", "--vars", json.dumps({"step": step}), "--profiles-dir", "."],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "INTO": schema},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-6000:]


@pytest.mark.fault(87)
def test_the_next_build_passes_and_what_the_rollback_advises_works(
    tmp_path: Path, postgres_server: Server, database: Database, dbt_command: Path
) -> None:
    shop = Shop(tmp_path, postgres_server, database)
    project = Project(tmp_path / "project", shop.owner, dbt_command)
    project.build("analytics", 1)
    for restore in (False, True):
        release = shop.begin()
        release.prepare(*MODES)
        project.build(release.green(), 2)
        for mode in MODES:
            release.stage(mode, None, "incremental", keys=("id",))
        swapped = release.go()
        assert swapped.outcome == "done", swapped
        assert shop.owner.rows("select w from analytics.ignore where id = 4") == [(8,)]
        back = shop.take_back(release, restore_incremental=restore)
        assert back.swapped.outcome == "done", back
        assert back.columns_dropped == tuple(f"analytics.{mode}.w" for mode in MODES)
        for mode in MODES:
            rows = shop.owner.rows(f"select * from analytics.{mode} order by id")
            assert len(rows) == (3 if restore else 4), mode
            assert len(rows[0]) == 2, mode
        project.build("analytics", 1)
        # As before the second release, which adds the same row again.
        shop.owner.run(";".join(f"delete from analytics.{mode} where id = 4" for mode in MODES))
