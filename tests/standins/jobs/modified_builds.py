"""A pull request built beside production by the real scripts: listed, guarded, built.

Production's schema macro takes the name that a model gives itself, so a pull request can aim at it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbtdeploy.context import hand_over, work_files
from standins import entry
from standins.jobs import runs
from standins.warehouse import postgres

SCHEMA = "pr_7_shop"

PROFILE = """
shop:
  target: prod
  outputs:
    prod:
      type: postgres
      host: "{{ env_var('DB_HOST') }}"
      port: "{{ env_var('DB_PORT') | as_number }}"
      user: "{{ env_var('DB_USER') }}"
      password: "{{ env_var('DB_PASSWORD') }}"
      dbname: "{{ env_var('DB_NAME') }}"
      schema: "{{ env_var('DBT_DEPLOY_SCHEMA', 'analytics') }}"
      threads: 1
"""

PRODUCTION = {
    "dbt_project.yml": "name: shop\nprofile: shop\nflags: {send_anonymous_usage_stats: false}\n"
    "models: {+materialized: table}\n",
    "profiles.yml": PROFILE,
    "macros/names.sql": "{% macro generate_schema_name(custom_schema_name, node) -%}\n"
    "{{ custom_schema_name or target.schema }}\n{%- endmacro %}\n",
    "models/first.sql": "select 1 as id",
    "models/second.sql": "select id, '{{ this.schema }}' as made_in from {{ ref('first') }}",
    "models/apart.sql": "select 3 as id",
    "models/models.yml": "models: [{name: first, columns: [{name: id, data_tests: [unique]}]}]\n",
}
BENIGN = {"models/first.sql": "select 2 as id"}
HOSTILE = {"models/first.sql": "{{ config(schema='analytics') }} select 666 as id"}


DEFERRING = ("--defer", "--favor-state")


@dataclass(frozen=True, kw_only=True)
class Production:
    """What a dbt has built of PRODUCTION."""

    command: Path
    database: postgres.Database
    project: Path
    state: Path
    home: Path
    more: Mapping[str, str] = field(default_factory=dict)
    """Further variables for dbt."""

    @property
    def variables(self) -> dict[str, str]:
        """What dbt needs."""
        return {
            "DB_HOST": self.database.host,
            "DB_PORT": str(self.database.port),
            "DB_USER": self.database.user,
            "DB_PASSWORD": self.database.password,
            "DB_NAME": self.database.name,
            **self.more,
        }

    def fingerprint(self) -> list[tuple[Any, ...]]:
        """Production's relations, the very ones, with what is in them."""
        relations = self.database.rows(
            "select relname, oid, relfilenode from pg_class"
            " where relnamespace = 'analytics'::regnamespace order by 1"
        )
        return [*relations, *self.database.rows("select * from analytics.second, analytics.apart")]

    def built(self) -> list[tuple[Any, ...]]:
        """The rows that the pull request has."""
        return self.database.rows(f"select * from {SCHEMA}.first, {SCHEMA}.second")

    def run(self, *arguments: str, folder: Path, **variables: str) -> None:
        """Run the command itself; it has to end well."""
        done = subprocess.run(
            [self.command, *arguments],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "DO_NOT_TRACK": "1",
                **self.variables,
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run_pull_request(self, checkout: Path, files: Mapping[str, str]) -> Path:
        """Build a pull request by the plain command; gives the target folder."""
        self.check_out(checkout, files)
        selected = ["--select", "state:modified+", "--state", str(self.state)]
        self.run("build", *selected, *DEFERRING, folder=checkout, DBT_DEPLOY_SCHEMA=SCHEMA)
        return checkout / "target"

    def check_out(self, checkout: Path, files: Mapping[str, str]) -> None:
        """Production's project with other files."""
        shutil.copytree(self.project, checkout, ignore=shutil.ignore_patterns("target", "logs"))
        write(checkout, files)

    def forget_pull_request(self) -> None:
        """Drop what was built of it."""
        self.database.run(f"drop schema if exists {SCHEMA} cascade")


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Put files into a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def production(command: Path, folder: Path, database: postgres.Database, **more: str) -> Production:
    """A project that is not built yet.

    Args:
        command: dbt.
        folder: for project, state and dbt's home.
        database: the warehouse.
        more: further variables for dbt.
    """
    write(folder / "project", PRODUCTION)
    return Production(
        command=command,
        database=database,
        project=folder / "project",
        state=folder / "state",
        home=folder,
        more=more,
    )


class PullRequest:
    """One that changes files of production's project, and its job."""

    def __init__(self, production: Production, folder: Path, *, command: Path) -> None:
        self.production = production
        self.command = command
        self.project = folder / "project"
        self.target = self.project / "target"
        self.work = folder / "work"

    def build(
        self, files: Mapping[str, str], *, parse: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """List, guard and build; ``parse`` is production's saved one."""
        self.production.check_out(self.project, files)
        self.work.mkdir()
        shutil.copytree(self.production.state, self.work / work_files.STATE_FOLDER)
        if parse is not None:
            shutil.copytree(parse, self.work / work_files.SAVED_PARSE)
        run = runs.run(
            runs.ci(state="s"),
            event=runs.event(pull_request=7),
            dbt=runs.project(self.project, command=str(self.command)),
            selection=work_files.Selection(select="state:modified+"),
            schema=SCHEMA,
        )
        hand_over.write(self.work, run)
        hand_over.write(self.work, work_files.State(location="s", found=True))
        return subprocess.run(
            entry.script("ci/build_modified"),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.production.home),
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_DEPLOY_DBT_ENV": "\n".join(
                    f"{name}={value}" for name, value in self.production.variables.items()
                ),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def failure(self) -> str:
        """The kind of failure that the job left."""
        return hand_over.read(self.work, work_files.Failure).kind
