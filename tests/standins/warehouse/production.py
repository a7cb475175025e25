"""A small dbt project in production, on a real PostgreSQL, and the deploy's dbt scripts on it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.context.policies import Deploy
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.lease import lease
from standins import entry
from standins.jobs import plans, runs
from standins.store import leases
from standins.warehouse.postgres import Database

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
      schema: analytics
      threads: 1
      retries: 0
"""

PROJECT = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {+materialized: table}\n",
    "profiles.yml": PROFILE,
    "models/first.sql": "select 1 as id, nextval('raw.first_builds') as build",
    "models/second.sql": "select id from {{ ref('first') }}",
    "models/third.sql": "select id from {{ ref('second') }}",
    "models/models.yml": """\
models:
  - name: first
    columns: [{name: id, data_tests: [unique]}]
  - name: second
    columns: [{name: id, data_tests: [unique]}]
""",
}

FALTER = """
create schema raw;
create sequence raw.first_builds;
create sequence raw.tries;
-- Ends the session of dbt itself, the first so many times. A sequence outlives the rollback.
create function raw.falter(times bigint) returns int language plpgsql as $$
begin
    if nextval('raw.tries') <= times then
        perform pg_terminate_backend(pg_backend_pid());
    end if;
    return 1;
end $$;
"""


class Production:
    """A checkout, a warehouse, a store with a lease on it, and a work folder."""

    def __init__(self, folder: Path, database: Database, dbt: Path) -> None:
        self.folder = folder
        self.database = database
        self.work = folder / "work"
        self.project = folder / "project"
        self.target = self.project / "target"
        self.output = folder / "output"
        self.environment: dict[str, str] = {}
        database.run(FALTER)
        self.write(PROJECT)
        (folder / "store").mkdir()
        self.store = Folder(folder / "store")
        self.run = runs.run(
            runs.deploy(state=str(folder / "store")),
            event=runs.event(sha="a" * 40),
            dbt=runs.project(self.project, command=str(dbt)),
        )

    def write(self, texts: dict[str, str]) -> None:
        """Put files into the project."""
        for name, text in texts.items():
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(text)

    def ask(self, **deploy: Any) -> None:
        """Set what ``deploy`` was asked."""
        self.run = runs.changed(self.run, Deploy, **deploy)

    def replaced(self, *, dbt: dict[str, Any] | None = None, **changes: Any) -> work_files.Run:
        """The run with other fields."""
        return replace(self.run, dbt=replace(self.run.dbt, **(dbt or {})), **changes)

    def select(self, **selection: Any) -> None:
        """Set what to build."""
        self.run = replace(self.run, selection=work_files.Selection(**selection))

    def plan(self, *, state: bool = False) -> work_files.Plan:
        """Begin a deploy: lease, state and plan."""
        hand_over.write(self.work, self.run)
        hand_over.write(self.work, plans.state(found=state))
        nonce = leases.take(self.store, "this run")
        held = deploy_files.HeldLease(
            nonce=nonce, purpose="deploy", taken_at="", seconds=lease.SECONDS
        )
        hand_over.write(self.work, held)
        done = self.script("deploy/plan_build")
        assert done.returncode == 0, done.stdout + done.stderr
        return hand_over.read(self.work, work_files.Plan)

    def keep_state(self) -> None:
        """Make what dbt has just built the state."""
        folder = self.work / work_files.STATE_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("manifest.json", work_files.RUN_RESULTS):
            (folder / name).write_bytes((self.target / name).read_bytes())

    def script(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run one script to its end."""
        with self.start(name) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, name: str) -> subprocess.Popen[str]:
        """Begin to run one script."""
        database = self.database
        secret = {
            "DB_HOST": database.host,
            "DB_PORT": str(database.port),
            "DB_USER": database.user,
            "DB_PASSWORD": database.password,
            "DB_NAME": database.name,
        }
        self.output.write_text("")
        return subprocess.Popen(
            entry.script(name),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_DEPLOY_DBT_ENV": "\n".join(f"{k}={v}" for k, v in secret.items()),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
                "GITHUB_OUTPUT": str(self.output),
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def succeeded(self) -> bool:
        """Whether the last script said so to the steps after it."""
        return "succeeded" in self.output.read_text()

    @property
    def build(self) -> work_files.Build:
        """What build_production.py left."""
        return hand_over.read(self.work, work_files.Build)

    def statuses(self) -> dict[str, str]:
        """The kept results by node's name, a test's digest left out."""
        found = json.loads((self.work / work_files.RUN_RESULTS).read_bytes())["results"]
        return {r["unique_id"].split(".")[2]: r["status"] for r in found}

    def failure(self) -> work_files.Failure:
        """The failure that the last script left."""
        return hand_over.read(self.work, work_files.Failure)
