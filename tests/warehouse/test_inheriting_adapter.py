"""An adapter that inherits from PostgreSQL's, as Redshift's does: a real plugin of dbt's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from standins.warehouse.postgres import Database

PACKAGE = Path(__file__).resolve().parents[2] / "templates" / "dbt_package"

ADAPTER = """
from dbt.adapters.base import AdapterPlugin
from dbt.adapters.postgres import (
    PostgresAdapter, PostgresConnectionManager, PostgresCredentials,
)
from dbt.include import heir


class HeirCredentials(PostgresCredentials):
    @property
    def type(self):
        return "heir"


class HeirConnectionManager(PostgresConnectionManager):
    TYPE = "heir"


class HeirAdapter(PostgresAdapter):
    ConnectionManager = HeirConnectionManager


Plugin = AdapterPlugin(
    adapter=HeirAdapter,
    credentials=HeirCredentials,
    include_path=heir.PACKAGE_PATH,
    dependencies=["postgres"],
)
"""


def plugin(folder: Path) -> Path:
    """A folder for PYTHONPATH."""
    adapter, include = (folder / "dbt" / part / "heir" for part in ("adapters", "include"))
    (include / "macros").mkdir(parents=True)
    adapter.mkdir(parents=True)
    (adapter / "__init__.py").write_text(ADAPTER)
    (adapter / "__version__.py").write_text('version = "1.12.0"\n')
    (include / "__init__.py").write_text("import os\nPACKAGE_PATH = os.path.dirname(__file__)\n")
    project = {"name": "dbt_heir", "version": "1.0", "config-version": 2, "macro-paths": ["macros"]}
    (include / "dbt_project.yml").write_text(yaml.safe_dump(project))
    return folder


@pytest.mark.fault(121)
def test_an_adapter_gets_no_macro_of_the_one_that_it_inherits_from(
    tmp_path: Path, database: Database, dbt_command: Path
) -> None:
    shutil.copytree(PACKAGE, tmp_path / "package")
    output = {
        "type": "heir",
        "host": database.host,
        "port": database.port,
        "user": database.user,
        "password": database.password,
        "dbname": database.name,
        "schema": "x",
        "threads": 1,
    }
    profile = {"shop": {"target": "heir", "outputs": {"heir": output}}}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profile))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(plugin(tmp_path / "plugin")),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
    }

    def asked(macro: str, **arguments: Any) -> str:
        done = subprocess.run(
            [
                *(str(dbt_command), "run-operation", macro, "--args", yaml.safe_dump(arguments)),
                *("--project-dir", "package", "--profiles-dir", ".", "--profile", "shop"),
            ],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0, done.stdout
        return done.stdout

    schemas = database.rows("select nspname from pg_namespace order by 1")
    refused = "dbt-deploy has no macro {} for the adapter heir"
    calls: dict[str, dict[str, Any]] = {
        "schema_comment": {"database": "d", "schema": "pr_7"},
        "copy_rows": {"source": "a", "target": "b", "rows": None, "order_by": None},
        "marked_schemas": {"prefix": "x"},
    }
    for macro, arguments in calls.items():
        assert refused.format(macro) in asked(macro, **arguments)
    assert database.rows("select nspname from pg_namespace order by 1") == schemas
