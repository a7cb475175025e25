"""What build_modified.py plans with the real dbt command, which lists without a warehouse."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from standins import entry
from standins.jobs import plans, runs

SCRIPT = entry.script("ci/build_modified")

PROFILE = """
shop:
  target: ci
  outputs:
    ci:
      type: postgres
      host: nowhere.invalid
      port: 1
      user: dbt
      password: "{{ env_var('DB_PASSWORD') }}"
      dbname: shop
      schema: "{{ env_var(env_var('SCHEMA_FROM')) }}"
      threads: 1
"""


class Planned:
    """A project with one model, and the script on it."""

    def __init__(self, work: Path, dbt_command: Path) -> None:
        self.work = work
        self.project = work.parent / "project"
        (self.project / "models").mkdir(parents=True)
        (self.project / "profiles.yml").write_text(PROFILE)
        (self.project / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
        (self.project / "models" / "orders.sql").write_text("select 1 as id")
        production = {"PRODUCTION": "prod", "SCHEMA_FROM": "PRODUCTION", "DB_PASSWORD": "x"}
        subprocess.run(
            [dbt_command, "--quiet", "parse", "--target-path", work / "state"],
            cwd=self.project,
            env={"PATH": os.environ["PATH"], "HOME": str(work), **production},
            check=True,
        )
        self.run = runs.run(
            runs.ci(state="s"),
            event=runs.event(pull_request=7),
            dbt=runs.project(self.project, command=str(dbt_command)),
            selection=work_files.Selection(select="orders"),
            schema="pr_7_shop",
        )

    def start(
        self, *, secret: str, apart: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the script.

        Args:
            secret: the input ``dbt-env``.
            apart: whether one dbt lists and another one builds.
            environment: of the job.
        """
        if apart:
            self.run = replace(self.run, dbt=replace(self.run.dbt, shortcuts=()))
        hand_over.write(self.work, self.run)
        hand_over.write(self.work, plans.state())
        return subprocess.run(
            SCRIPT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.work),
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_DEPLOY_DBT_ENV": secret,
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
                "PRODUCTION": "prod",
                "SCHEMA_FROM": "DBT_DEPLOY_SCHEMA",
                "DBT_DEPLOY_PASS_ENV": "PRODUCTION SCHEMA_FROM",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def planned(work: Path, imported_dbt: Path) -> Planned:
    return Planned(work, imported_dbt)


@pytest.mark.fault(24, 51)
@pytest.mark.parametrize("password", ["prod", "true"])
def test_a_secret_that_equals_a_name_hides_nothing_from_the_guard(
    planned: Planned, password: str
) -> None:
    done = planned.start(secret=f"DB_PASSWORD={password}", SCHEMA_FROM="PRODUCTION")
    assert done.returncode == 20, done.stdout + done.stderr
    assert not hand_over.is_there(planned.work, work_files.Plan)
    failure = hand_over.read(planned.work, work_files.Failure)
    assert failure.kind == "WouldWriteToProduction"
    assert f'"{password}"' not in failure.what


@pytest.mark.fault(24, 51)
@pytest.mark.parametrize(
    ("apart", "kind"), [(True, errors.DbtStopped), (False, errors.WouldWriteToProduction)]
)
def test_a_secret_that_dbt_scrubs_out_of_a_schemas_name_is_refused(
    planned: Planned, apart: bool, kind: type[errors.DbtDeployError]
) -> None:
    secret = "DB_PASSWORD=x\nDBT_ENV_SECRET_WORD=prod"
    done = planned.start(secret=secret, apart=apart, SCHEMA_FROM="PRODUCTION")
    assert done.returncode == kind.exit_code, done.stdout + done.stderr
    assert not hand_over.is_there(planned.work, work_files.Plan)
    failure = hand_over.read(planned.work, work_files.Failure)
    assert failure.kind == kind.__name__
    assert ("cannot be understood" in failure.what) == apart


@pytest.mark.parametrize("apart", [True, False])
def test_how_the_caller_has_dbt_log_does_not_empty_the_plan(planned: Planned, apart: bool) -> None:
    logging = {"DBT_LOG_FORMAT": "json", "DBT_LOG_LEVEL": "none", "DBT_PRINT": "false"}
    done = planned.start(secret="DB_PASSWORD=hunter2", apart=apart, **logging)
    # It is planned, and then there is no warehouse to make the schema in.
    assert done.returncode == errors.WarehouseStepFailed.exit_code, done.stdout + done.stderr
    (node,) = hand_over.read(planned.work, work_files.Plan).nodes
    assert (node.name, node.schema) == ("orders", "pr_7_shop")


@pytest.mark.fault(46)
def test_a_secret_that_equals_an_output_does_not_let_the_runner_drop_it(planned: Planned) -> None:
    secret = "DB_PASSWORD=hunter2\nSOME_KEY=pr_7_shop"
    done = planned.start(secret=secret, GITHUB_ACTIONS="true")
    assert "::add-mask::hunter2" in done.stdout
    assert "::add-mask::pr_7_shop" not in done.stdout
