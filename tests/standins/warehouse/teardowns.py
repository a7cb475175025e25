"""Runs of the teardown's scripts on a real warehouse, for tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.policies import AnyPolicy
from dbtdeploy.teardown.teardown_files import Teardown
from standins import entry
from standins.jobs import runs
from standins.warehouse.postgres import Database

STARTED = "2026-11-21T00:00:00+00:00"
REPOSITORY = "acme/shop"
PLACE = f"dbt-deploy repository={REPOSITORY} project=shop target=ci "

PROFILE = """
shop:
  target: ci
  outputs:
    ci:
      type: postgres
      host: "{{ env_var('DB_HOST') }}"
      port: "{{ env_var('DB_PORT') | as_number }}"
      user: "{{ env_var('DB_USER') }}"
      password: "{{ env_var('DB_PASSWORD') }}"
      dbname: "{{ env_var('DB_NAME') }}"
      schema: "{{ env_var('DBT_DEPLOY_SCHEMA') }}"
      threads: 1
"""


def mark(place: str, used: str = "2026-11-20T00:00:00+00:00") -> str:
    """A mark of the project that tests tear down."""
    return f"{PLACE}{place}\nlast used {used}"


@dataclass
class Job:
    """One job: its work folder and its environment."""

    work: Path
    dbt_command: Path
    environment: dict[str, str] = field(default_factory=dict)
    profile: str = PROFILE
    state: str = "s3://bucket/prod"

    @property
    def project(self) -> Path:
        """The folder of the caller's project."""
        folder = self.work.parent / "project"
        folder.mkdir(exist_ok=True)
        (folder / "profiles.yml").write_text(self.profile)
        return folder

    def connect(self, database: Database) -> None:
        """Let dbt work on a database, as this role."""
        self.environment |= {
            "DBT_DEPLOY_DBT_ENV": f"DB_PASSWORD={database.password}",
            "DB_HOST": database.host,
            "DBT_DEPLOY_PASS_ENV": "DB_HOST DB_PORT DB_USER DB_NAME",
            "DB_PORT": str(database.port),
            "DB_USER": database.user,
            "DB_NAME": database.name,
        }

    def describe(
        self,
        *,
        pull_request: int | None = None,
        event: Mapping[str, Any] | None = None,
        policy: AnyPolicy | None = None,
        **asked: Any,
    ) -> work_files.Run:
        """Write run.json: a teardown of a pull request, or by ``sweep=True`` of what is left.

        ``policy`` makes it another command's run.
        """
        known: dict[str, Any] = {
            "name": "pull_request" if pull_request else "schedule",
            "repository": REPOSITORY,
            "sha": "a" * 40,
            "ref": "main",
            "pull_request": pull_request,
            "run_id": 100,
            "run_url": f"https://github.com/{REPOSITORY}/actions/runs/100",
        }
        run = runs.run(
            replace(policy or runs.teardown(pull_request=pull_request, **asked), state=self.state),
            event=work_files.Event(**{**known, **(event or {})}),
            dbt=runs.project(self.project, command=str(self.dbt_command), target="ci"),
            schema=f"pr_{pull_request or 'main'}_shop",
            started_at=STARTED,
        )
        hand_over.write(self.work, run)
        return run

    def start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Begin one script."""
        return subprocess.Popen(
            [*entry.script(script), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.work),
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
                "GITHUB_STEP_SUMMARY": str(self.work / "summary.md"),
                "AWS_EC2_METADATA_DISABLED": "true",
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str, *arguments: str, exit_code: int = 0) -> str:
        """Run one script to its end, and give what it printed."""
        with self.start(script, *arguments) as process:
            printed, _ = process.communicate(timeout=180)
        assert process.returncode == exit_code, printed
        return printed

    @property
    def teardown(self) -> Teardown:
        """What Teardown says."""
        return hand_over.read(self.work, Teardown)

    @property
    def dropped(self) -> list[str]:
        """Names of what went, or would."""
        return sorted(one.schema for one in self.teardown.dropped)

    @property
    def kept(self) -> dict[str, str]:
        """Names of what stays, and why."""
        return {one.schema: one.reason for one in self.teardown.kept}

    @property
    def failure(self) -> work_files.Failure:
        """What failure.json says."""
        return hand_over.read(self.work, work_files.Failure)

    @property
    def summary(self) -> str:
        """All of the step summary."""
        return (self.work / "summary.md").read_text()


def schemas(database: Database) -> set[str]:
    """The schemas that are there, but for PostgreSQL's own."""
    query = (
        "select nspname from pg_namespace where nspname not like 'pg\\_%' "
        "and nspname not in ('information_schema', 'public') or nspname like 'pr\\_%'"
    )
    return {name for (name,) in database.rows(query)}
