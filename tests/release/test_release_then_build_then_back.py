"""Releases, plain builds between them and a rollback, with real dbt and our scripts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context import deploy_files, hand_over
from dbtdeploy.context.rollback_files import RolledBack
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import fencing
from release.test_release_of_databases_as_they_are import go, released
from release.test_stage_release import staged_schemas
from standins.jobs import runs
from standins.store import leases
from standins.warehouse import postgres
from standins.warehouse.production import Production

PROJECT = "a_shop_of_a_name_of_30_letters"
CUSTOM = "a_custom_schema_of_30_letters_"


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, imported_dbt: Path) -> Production:
    made = Production(tmp_path, database, imported_dbt)
    made.write(
        {"dbt_project.yml": f"name: {PROJECT}\nprofile: shop\nmodels: {{+materialized: table}}\n"}
    )
    made.run = made.replaced(dbt={"name": PROJECT})
    return made


def build(production: Production) -> None:
    """Plain dbt, as the scheduled job of somebody who knows no release."""
    database = production.database
    ended = subprocess.run(
        [production.run.dbt.command, "build", "--profiles-dir", "."],
        cwd=production.project,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(production.folder),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
            "DB_HOST": database.host,
            "DB_PORT": str(database.port),
            "DB_USER": database.user,
            "DB_PASSWORD": database.password,
            "DB_NAME": database.name,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:]


def roll_back(production: Production) -> RolledBack:
    production.work = production.folder / "back"
    policy = runs.rollback(state=production.run.policy.state, reason="wrong")
    hand_over.write(production.work, runs.asked(production.run, policy))
    production.store.delete("lease.json")
    nonce = leases.take(production.store, "this run")
    fencing.fence(production.store, nonce)
    held = deploy_files.HeldLease(
        nonce=nonce, purpose="rollback", taken_at="", seconds=lease.SECONDS
    )
    hand_over.write(production.work, held)
    for script in ("rollback/plan_rollback", "rollback/roll_back"):
        done = production.script(script)
        assert done.returncode == 0, done.stdout + done.stderr
    return hand_over.read(production.work, RolledBack)


NAMED = """{{{{ config(materialized='incremental', unique_key='id', schema='{schema}', post_hook=[
  'alter table {{{{ this }}}} drop constraint if exists positive',
  'alter table {{{{ this }}}} add constraint positive check (id > 0)',
  'create index if not exists by_v on {{{{ this }}}} (v)',
  "insert into {{{{ this }}}} values (99, 'hook') on conflict on constraint one_of_each
    do update set v = excluded.v",
]) }}}}
select id, 'v{step}' as v from {{{{ ref('first') }}}}"""

TABLE = """{{{{ config(schema='{schema}', post_hook=[
  'alter table {{{{ this }}}} drop constraint if exists positive',
  'alter table {{{{ this }}}} add constraint positive check (id > 0)',
]) }}}}
select id, {step} as step from {{{{ ref('first') }}}}"""

OBJECTS = """
select c.relname, i.indexrelid::regclass::text from pg_index i
join pg_class c on c.oid = i.indrelid where c.relnamespace = '{place}'::regnamespace
union all
select c.relname, k.conname || case when k.convalidated then '' else ' not valid' end
from pg_constraint k join pg_class c on c.oid = k.conrelid
where c.relnamespace = '{place}'::regnamespace order by 1, 2
"""


@pytest.mark.fault(90, 115)
def test_names_stay_and_later_builds_pass_in_schemas_of_long_names(
    production: Production,
) -> None:
    assert (len(PROJECT), len(CUSTOM)) == (30, 30)
    place = f"analytics_{CUSTOM}"

    def write(step: int) -> None:
        production.write(
            {
                "models/events.sql": NAMED.format(schema=CUSTOM, step=step),
                "models/third.sql": TABLE.format(schema=CUSTOM, step=step),
            }
        )

    # The constraint that its hook names is made by hand, before the first build.
    production.database.run(
        f"create schema {place}; create table {place}.events"
        " (id int constraint one_of_each unique, v text)"
    )
    names = [
        ("events", f"{place}.by_v"),
        ("events", f"{place}.one_of_each"),
        ("events", "one_of_each"),
        ("events", "positive"),
        ("third", "positive"),
    ]

    def seen() -> tuple[object, ...]:
        assert production.database.rows(OBJECTS.format(place=place)) == names
        return (
            production.database.value(f"select step from {place}.third"),
            production.database.rows(f"select id, v from {place}.events order by id"),
        )

    write(1)
    production.database.run(f"alter table {place}.events add constraint positive check (id > 0)")
    released(production, 1)
    for step in (2, 3):
        build(production)
        write(step)
        released(production, step)
        assert seen() == (step, [(1, f"v{step}"), (99, "hook")])
    build(production)
    back = roll_back(production)
    assert back.plan.restored == (f"{place}.third",)
    assert seen() == (2, [(1, "v3"), (99, "hook")])
    write(2)
    build(production)
    assert seen() == (2, [(1, "v2"), (99, "hook")])
    assert staged_schemas(production) == []


@pytest.mark.fault(115)
def test_what_the_refusal_of_a_long_schema_advises_works(production: Production) -> None:
    third = "{{{{ config(schema='{}') }}}} select id from {{{{ ref('second') }}}}"
    production.write({"models/third.sql": third.format("x" * 50)})
    assert go(production, 1, until="stage_release") == errors.SchemaNameTooLong.exit_code
    advice = re.search(r"custom schema by (\d+) bytes", production.failure().remedy)
    assert advice is not None
    assert staged_schemas(production) == []
    name = "x" * (50 - int(advice[1]))
    production.write({"models/third.sql": third.format(name)})
    released(production, 2)
    assert production.database.value(f"select count(*) from analytics_{name}.third") == 1
