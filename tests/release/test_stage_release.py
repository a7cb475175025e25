"""The scripts of a release on a small project and a real PostgreSQL, with the real dbt command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import ReleasePlan, Tag
from dbtdeploy.store import in_flight, lineage
from dbtdeploy.store.publication import fencing, version_reader, versions
from standins.jobs import plans, runs
from standins.warehouse import postgres
from standins.warehouse.production import Production

TO_THE_END = (
    *(
        "release/plan_release",
        "release/stage_release",
        "release/build_staging",
        "release/check_release",
    ),
    "release/swap_release",
)

TARGET_NAME = """
{% macro generate_schema_name(name, node) %}
  {{ 'analytics' if target.name == 'prod' else target.schema }}
{% endmacro %}
"""

CUSTOM_ALONE = """
{% macro generate_schema_name(name, node) %}
  {{ name or target.schema }}
{% endmacro %}
"""

MART = {"models/mart.sql": "{{ config(schema='marts') }} select 1 as id"}

FIXED = """
{% snapshot history %}
{{ config(target_schema='snapshots', unique_key='id', strategy='check', check_cols=['id']) }}
select 1 as id
{% endsnapshot %}
"""


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, imported_dbt: Path) -> Production:
    return Production(tmp_path, database, imported_dbt)


@pytest.fixture
def any_production(
    tmp_path: Path, database: postgres.Database, any_imported_dbt: Path
) -> Production:
    return Production(tmp_path, database, any_imported_dbt)


def begin(
    production: Production,
    tag: str,
    number: int,
    *,
    production_tests: bool = False,
    checks: str | None = None,
    **selection: str,
) -> None:
    """Lease, state and plan of a release; the work folder is a new one."""
    production.work = production.folder / f"work-{number}"
    production.run = production.replaced(
        policy=runs.release(
            tag,
            production_tests=production_tests,
            checks=checks,
            state=production.run.policy.state,
        ),
        event=replace(production.run.event, sha=f"{number:040x}"),
    )
    production.select(select="state:modified+", **selection)
    folder = production.work / work_files.STATE_FOLDER
    folder.mkdir(parents=True)
    production.store.delete("lease.json")
    fetched = version_reader.fetch(production.store, folder)
    production.plan(state=bool(fetched.names))
    held = hand_over.read(production.work, deploy_files.HeldLease)
    commit = production.run.event.sha
    hand_over.write(production.work, replace(held, commit=commit))
    fencing.fence(production.store, held.nonce)
    state = plans.state(found=bool(fetched.names), version=fetched.version, commit=fetched.commit)
    hand_over.write(production.work, state)
    hand_over.write(production.work, Tag(name=tag, commit=commit, main_branch="main"))


def release(
    production: Production, tag: str, number: int, *, production_tests: bool = False
) -> ReleasePlan:
    """A whole release; gives its final plan."""
    begin(production, tag, number, production_tests=production_tests)
    for script in TO_THE_END:
        done = production.script(script)
        assert done.returncode == 0, done.stdout + done.stderr
    return hand_over.read(production.work, ReleasePlan)


def current(production: Production) -> versions.Index:
    pointer, _ = version_reader.read_current(production.store)
    assert pointer is not None
    index = lineage.reader(production.store)(pointer.version or "")
    assert index is not None
    return index


def staged_schemas(production: Production) -> list[str]:
    found = production.database.rows(
        "select nspname from pg_namespace where nspname like 'dbt_green_%'"
    )
    return [name for (name,) in found]


def test_the_first_release_brings_everything_and_the_next_what_changed(
    any_production: Production,
) -> None:
    production = any_production
    plan = release(production, "v1.0.0", 1)
    assert [node.change for node in plan.nodes] == ["new"] * 3
    assert (current(production).tag, current(production).previous) == ("v1.0.0", None)
    assert production.database.value("select count(*) from analytics.third") == 1
    assert production.statuses()["unique_second_id"] == "pass"

    production.write({"models/second.sql": "select id, 7 as more from {{ ref('first') }}"})
    plan = release(production, "v1.1.0", 2, production_tests=True)
    assert (production.work / "logs" / "test").is_dir()
    assert {node.name for node in plan.nodes} == {"second", "third"}
    assert production.database.value("select more from analytics.second") == 7
    # What it reads is production's, under production's target name.
    assert production.database.value("select build from analytics.first") == 1
    assert set(production.statuses()) == {"second", "third", "unique_second_id"}
    assert current(production).pending == ()
    assert staged_schemas(production) == []
    results = json.loads((production.folder / "store/latest/run_results.json").read_bytes())
    relations = {r["unique_id"]: r["relation_name"] for r in results["results"]}
    assert '."analytics"."second"' in relations["model.shop.second"]
    assert "model.shop.first" in relations

    # Nothing is modified against what it has published.
    begin(production, "v1.2.0", 3)
    assert hand_over.read(production.work, work_files.Plan).nodes == ()
    assert production.script("release/plan_release").returncode == errors.ReleaseEmpty.exit_code


@pytest.mark.fault(24, 107)
@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("texts", "mend"),
    [
        ({"macros/schema.sql": TARGET_NAME}, "generate_schema_name"),
        ({"macros/schema.sql": CUSTOM_ALONE, **MART}, "generate_schema_name"),
        ({"snapshots/history.sql": FIXED}, "target_schema"),
    ],
)
def test_what_would_land_in_production_is_refused_before_the_first_write(
    production: Production, texts: dict[str, str], mend: str, dry_run: bool
) -> None:
    production.write(texts)
    begin(production, "v1.0.0", 1)
    asked = runs.asked(production.run, runs.release("v1.0.0", dry_run=dry_run))
    hand_over.write(production.work, asked)
    assert production.script("release/plan_release").returncode == 0
    done = production.script("release/stage_release")
    assert done.returncode == errors.WouldWriteToProduction.exit_code, done.stdout + done.stderr
    assert mend in production.failure().remedy
    assert "dbt_green_" in production.failure().what
    assert staged_schemas(production) == []
    assert in_flight.read(production.store) is None


@pytest.mark.fault(19)
def test_a_release_of_nothing_is_refused(production: Production) -> None:
    begin(production, "v1.0.0", 1, exclude="*")
    done = production.script("release/plan_release")
    assert done.returncode == errors.ReleaseEmpty.exit_code
    assert "brings nothing" in production.failure().what


def test_a_dry_run_ends_with_the_plan_and_settles_nothing(production: Production) -> None:
    begin(production, "v1.0.0", 1)
    asked = runs.asked(production.run, runs.release("v1.0.0", dry_run=True))
    hand_over.write(production.work, asked)
    left = in_flight.InFlight(
        what="release",
        release_id="20261121t060000",
        tag="v0.9.0",
        phase="swapping",
        environment="production",
        project="shop",
    )
    in_flight.write(production.store, left)
    done = production.script("deploy/recover_release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert in_flight.read(production.store) == left

    done = production.script("release/plan_release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first: new, blue-green" in done.stdout
    assert "direct=true" not in production.output.read_text()
    done = production.script("release/stage_release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "This is a dry run: nothing is made." in done.stdout
    assert "nodes" not in production.output.read_text()
    assert in_flight.read(production.store) == left
    assert production.database.rows("select 1 from pg_namespace where nspname like 'dbt%'") == []


@pytest.mark.fault(33)
def test_a_missing_right_is_found_before_anything_is_built(
    production: Production, postgres_server: postgres.Server
) -> None:
    production.database.run("create schema analytics; create table analytics.first (id int)")
    weak = postgres_server.create_role(production.database)
    production.database.run(f"grant usage on schema raw, analytics to {weak.user}")
    production.database = weak
    begin(production, "v1.0.0", 1)
    done = production.script("release/plan_release")
    assert done.returncode == errors.PrivilegesMissing.exit_code, done.stdout + done.stderr
    for said in ("GRANT CREATE ON DATABASE", "analytics.first"):
        assert said in production.failure().remedy
    assert in_flight.read(production.store) is None


@pytest.mark.fault(109)
def test_what_a_check_alone_reads_may_not_be_made_by_pull_requests(
    production: Production, postgres_server: postgres.Server
) -> None:
    attacker = postgres_server.create_role(production.database)
    production.database.run(
        f"alter database {attacker.name} set search_path = public;"
        f"grant create on database {attacker.name} to {attacker.user};"
        f"comment on role {attacker.user} is 'dbt-deploy: pull requests'"
    )
    till = "sources: [{name: till, schema: raw_till, tables: [{name: receipts}]}]"
    production.write(
        {"models/till.yml": till, "checks/a.sql": "select 1 from {{ source('till', 'receipts') }}"}
    )
    begin(production, "v1.0.0", 1)
    assert production.script("release/plan_release").returncode == 0
    begin(production, "v1.0.0", 2, checks=str(production.project / "checks"))
    done = production.script("release/plan_release")
    assert done.returncode == errors.ExposedToOthers.exit_code, done.stdout + done.stderr
    assert production.failure().what.splitlines()[1:] == [
        f"- the schema raw_till, which it reads, is not there, and {attacker.user}, the role of"
        " pull requests, may make it"
    ]


def test_a_failing_test_in_staging_stops_it_there(production: Production) -> None:
    production.write({"models/second.sql": "select id from {{ ref('first') }} union all select 1"})
    begin(production, "v1.0.0", 1)
    assert production.script("release/plan_release").returncode == 0
    assert production.script("release/stage_release").returncode == 0
    assert production.script("release/build_staging").returncode == 1
    assert production.statuses()["unique_second_id"] == "fail"
    assert production.database.rows("select 1 from pg_namespace where nspname = 'analytics'") == []
    record = in_flight.read(production.store)
    assert record is not None
    assert record.phase == "staging"


def test_a_test_that_fails_on_production_takes_the_release_back(production: Production) -> None:
    live = "select 1 from dbt_deploy.releases where state = 'live'"
    production.write({"tests/nothing_is_live.sql": live})
    begin(production, "v1.0.0", 1, production_tests=True)
    for script in TO_THE_END[:4]:
        done = production.script(script)
        assert done.returncode == 0, done.stdout + done.stderr
    done = production.script("release/swap_release")
    assert done.returncode == errors.TakenBack.exit_code, done.stdout + done.stderr
    assert "Live, in one transaction" in done.stdout
    assert production.failure().phase is Phase.LIVE_CHECK
    assert "nothing_is_live" in production.failure().what
    left = "select 1 from pg_class where relnamespace = 'analytics'::regnamespace"
    assert production.database.rows(left) == []
    assert in_flight.read(production.store) is None
    pointer, _ = version_reader.read_current(production.store)
    assert pointer is not None
    assert pointer.version is None


def test_a_transient_fault_in_staging_is_built_again(production: Production) -> None:
    text = "select raw.falter(1) as id from {{ ref('first') }}"
    production.write({"models/second.sql": text})
    plan = release(production, "v1.0.0", 1)
    assert len(plan.nodes) == 3
    assert len(production.build.attempts) == 2
    assert production.database.value("select build from analytics.first") == 1


@pytest.mark.parametrize("how", ["folder", "variable", "home"])
def test_the_profile_is_found_as_dbt_finds_it(production: Production, how: str) -> None:
    elsewhere = {"folder": "given", "variable": "named", "home": ".dbt"}[how]
    target = production.folder / elsewhere
    target.mkdir()
    shutil.move(production.project / "profiles.yml", target / "profiles.yml")
    if how == "folder":
        production.run = production.replaced(dbt={"profiles_dir": str(target)})
    if how == "variable":
        production.environment["DBT_PROFILES_DIR"] = str(target)
    begin(production, "v1.0.0", 1)
    assert production.script("release/plan_release").returncode == 0
    done = production.script("release/stage_release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(staged_schemas(production)) == 1
    copy = (production.work / "staging_profiles" / "profiles.yml").read_text()
    # A password stays the expression that dbt alone renders.
    assert "{{ env_var(''DB_PASSWORD'') }}" in copy
