"""A dbt that is run as the plain command: what is built is its own, and the guard holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from standins.jobs import modified_builds as builds
from standins.jobs.modified_builds import PullRequest
from standins.selection import PLAIN_DBT, more_of
from standins.warehouse import postgres

V2 = "2.0"
DRIVERS = ".cache/com.getdbt/adbc/x86_64-manylinux_2_17-linux-gnu"
DRIVER = "libadbc_driver_postgresql-0.21.0+dbt0.21.0.so"


def lay_driver(command: Path, home: Path) -> dict[str, str]:
    """Lay PostgreSQL's driver where dbt v2 looks before it downloads it; gives what allows it."""
    (found,) = command.parent.parent.glob("lib/python3*/site-packages/*/libadbc_*postgresql.so")
    (home / DRIVERS).mkdir(parents=True)
    shutil.copy(found, home / DRIVERS / DRIVER)
    return {"DBT_ALLOW_EXPERIMENTAL_ADAPTERS": "true"}


def statuses(target: Path) -> dict[str, str]:
    found = json.loads((target / "run_results.json").read_bytes())["results"]
    return {each["unique_id"]: each["status"] for each in found}


@pytest.mark.parametrize("any_dbt_command", more_of(*PLAIN_DBT, V2), indirect=True)
def test_a_plain_dbt_builds_what_it_would_alone_and_nothing_in_production(
    any_dbt_command: Path, database: postgres.Database, tmp_path: Path
) -> None:
    is_v2 = any_dbt_command.parent.parent.name == V2
    more = lay_driver(any_dbt_command, tmp_path) if is_v2 else {}
    production = builds.production(any_dbt_command, tmp_path, database, **more)
    production.run("build", folder=production.project)
    shutil.copytree(production.project / "target", production.state)
    plain = statuses(production.run_pull_request(tmp_path / "plain", builds.BENIGN))
    rows = production.built()
    production.forget_pull_request()
    before = production.fingerprint()

    hostile = PullRequest(production, tmp_path / "hostile", command=any_dbt_command)
    refused = hostile.build(builds.HOSTILE)
    assert refused.returncode == errors.WouldWriteToProduction.exit_code, refused.stdout
    assert hostile.failure() == errors.WouldWriteToProduction.__name__
    assert production.fingerprint() == before

    benign = PullRequest(production, tmp_path / "benign", command=any_dbt_command)
    built = benign.build(builds.BENIGN)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "dbt is run as the plain command" in built.stdout
    assert statuses(benign.target) == plain
    assert production.built() == rows
    assert production.fingerprint() == before
