"""Whole releases, with real dbt, of a warehouse with all that people make on its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over
from dbtdeploy.context.release_files import ReleasePlan, Tag
from release.test_stage_release import TO_THE_END, begin, staged_schemas
from standins.jobs import runs
from standins.warehouse import postgres
from standins.warehouse.production import Production


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, imported_dbt: Path) -> Production:
    return Production(tmp_path, database, imported_dbt)


def go(production: Production, number: int, *, until: str = "swap_release", **asked: Any) -> int:
    """Release what the project holds; how the last script that was run ended."""
    begin(production, f"v1.{number}.0", number)
    hand_over.write(production.work, runs.asked(production.run, policy(production, asked)))
    if asked.get("allow_loss"):
        tag = hand_over.read(production.work, Tag)
        hand_over.write(production.work, replace(tag, loss_allowed_by="the input `allow-loss`"))
    for script in TO_THE_END:
        done = production.script(script)
        if done.returncode or script.endswith(until):
            return done.returncode
    raise AssertionError(until)


def policy(production: Production, asked: dict[str, Any]) -> Any:
    return replace(production.run.policy, **asked)


def released(production: Production, number: int, **asked: Any) -> ReleasePlan:
    code = go(production, number, **asked)
    assert code == 0, production.failure()
    return hand_over.read(production.work, ReleasePlan)


BY_HAND = """
create function raw.seen() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger audit after insert on analytics.second execute function raw.seen();
create statistics analytics.both on id, v from analytics.second;
comment on column analytics.second.v is 'by hand';
create index on analytics.second (lower(v));
create publication out for table analytics.second;
alter table analytics.third enable row level security;
create policy few on analytics.third using (id < 3);
"""

TWO = "select id, 'a'::text as v from {{ ref('first') }}"


@pytest.mark.fault(97)
def test_what_a_release_loses_stands_in_the_plan_and_blocks_before_the_build(
    production: Production,
) -> None:
    production.write({"models/second.sql": TWO})
    released(production, 1)
    production.database.run(BY_HAND)
    view = "{{ config(materialized='view') }} select id from {{ ref('second') }}"
    production.write({"models/second.sql": TWO + " where true", "models/third.sql": view})
    assert go(production, 2, dry_run=True) == errors.GateClosed.exit_code
    plan = hand_over.read(production.work, ReleasePlan)
    assert {node.name: node.losses for node in plan.nodes} == {
        "second": (
            *("comment on column v", "index (lower(v))", 'publication "out"', 'statistics "both"'),
            "trigger audit",
        ),
        "third": ("policy few", "row level security"),
    }
    assert "7 parts of 2 relations would be lost" in production.failure().what
    assert "`allow-loss`" in production.failure().remedy
    assert staged_schemas(production) == []

    # What a hook makes again is not lost, and that is known once staging stands.
    again = (
        "{{ config(post_hook=['create trigger audit after insert on {{ this }} execute function"
        " raw.seen()', 'create index if not exists by_v on {{ this }} (lower(v))']) }}"
    )
    production.write({"models/second.sql": again + TWO, "models/third.sql": "select 1 as id"})
    production.database.run("drop publication out; drop statistics analytics.both")
    assert go(production, 3) == errors.GateClosed.exit_code
    (lossy,) = [n for n in hand_over.read(production.work, ReleasePlan).nodes if n.losses]
    assert (lossy.name, lossy.losses) == ("second", ("comment on column v",))
    assert production.database.value("select count(*) from analytics.third") == 1

    plan = released(production, 4, allow_loss=True)
    (gate,) = [gate for gate in plan.gates if gate.name == "losses"]
    assert (gate.outcome, gate.details) == ("warned", ("`second`: comment on column v",))
    # The policy came along, so nothing of it was lost.
    assert (
        production.database.value(
            "select polname from pg_policy where polrelid = 'analytics.third'::regclass"
        )
        == "few"
    )


EVENTS = """{{ config(materialized='incremental', unique_key='id', post_hook=hooks()) }}
select id from {{ ref('first') }}"""

HOOKS = """
{% macro hooks() %}{{ return([]) }}{% endmacro %}
"""
CHECKED = """
{% macro hooks() %}{{ return([
  'alter table {{ this }} drop constraint if exists known',
  'alter table {{ this }} add constraint known check (id > 0)',
]) }}{% endmacro %}
"""


@pytest.mark.fault(91, 95)
def test_what_would_stop_it_after_the_build_stops_it_before(
    production: Production, postgres_server: postgres.Server
) -> None:
    reader, analyst = (postgres_server.create_role(production.database) for _ in range(2))
    macro = "{% macro generate_schema_name(name, node) %}"
    production.write(
        {
            "models/events.sql": EVENTS,
            "macros/hooks.sql": HOOKS,
            "seeds/country.csv": "id\n1\n",
            "macros/schema.sql": macro
            + "{{ target.schema }}{{ '_' ~ name if name }}{% endmacro %}",
        }
    )
    released(production, 1)
    production.database.run(
        f"grant usage on schema analytics to {reader.user};"
        "create publication feed for table analytics.events;"
        "alter table analytics.country add primary key (id);"
        "create table raw.town (country integer constraint of_country"
        " references analytics.country)"
    )
    config = (
        f"{{{{ config(schema='hr', grants={{'select': ['{reader.user}', '{analyst.user}']}}) }}}}"
    )
    production.write(
        {
            "models/events.sql": EVENTS + " where id > 0",
            "macros/hooks.sql": CHECKED,
            "seeds/country.csv": "id\n1\n2\n",
            "models/people.sql": f"{config} select 7 as id",
        }
    )
    assert go(production, 2, dry_run=True) == errors.NotReadyForRelease.exit_code
    failure = production.failure()
    said = failure.what.splitlines()[1:]
    assert len(said) == 4
    told = "\n".join(said)
    assert "- events: the publication feed publishes updates or deletes" in told
    assert "- events: its hook adds the constraint known" in told
    assert "- country: the foreign key of_country of raw.town references the seed" in told
    assert f"- {analyst.user} is granted relations in the schema analytics_hr" in told
    assert staged_schemas(production) == []

    statements = [line for line in failure.remedy.splitlines() if line.startswith("    ")]
    assert len(statements) == 3
    (identity,) = (line for line in statements if "REPLICA IDENTITY" in line)
    production.database.run(
        f"{identity} alter table analytics.events add constraint known check (id > 0);"
        "alter table raw.town drop constraint of_country;"
        f"grant usage on schema analytics to {analyst.user}"
    )
    plan = released(production, 3)
    (gate,) = [one for one in plan.gates if one.name == "new schemas"]
    assert gate.outcome == "passed"
    for role in (reader, analyst):
        assert role.value("select id from analytics_hr.people") == 7
    third = "{{ config(schema='a_laboratory_of_a_long_name') }} select id from {{ ref('second') }}"
    production.database.run(
        f"revoke usage on schema analytics_hr from {reader.user}, {analyst.user}"
    )
    production.write({"models/third.sql": third})
    (gate,) = [one for one in released(production, 4).gates if one.name == "new schemas"]
    assert (gate.outcome, "`analytics_a_laboratory_of_a_long_name`" in gate.figures) == (
        "warned",
        True,
    )


AT_ONCE = """
create function raw.seen() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger audit after insert on analytics.second execute function raw.seen();
create publication feed for table analytics.events;
create view raw.theirs as select id from analytics.third;
grant usage, create on schema analytics to {other};
alter view raw.theirs owner to {other};
grant create, usage on schema raw to public;
alter role {owner} in database {database} set search_path = raw, public;
alter schema analytics owner to {owner};
alter table analytics.first owner to {owner};
alter table analytics.second owner to {owner};
alter table analytics.third owner to {owner};
grant select on analytics.events to {owner};
grant usage on sequence raw.first_builds to {owner};
"""


@pytest.mark.fault(29, 91, 97)
def test_a_dry_run_names_all_that_stops_a_release_in_one_message(
    production: Production, postgres_server: postgres.Server
) -> None:
    production.write({"models/events.sql": EVENTS, "macros/hooks.sql": HOOKS})
    released(production, 1)
    superuser = production.database
    owner, other = (postgres_server.create_role(superuser) for _ in range(2))
    superuser.run(AT_ONCE.format(owner=owner.user, other=other.user, database=superuser.name))
    production.write(
        {
            "models/events.sql": EVENTS + " where id > 0",
            "models/second.sql": "select id from {{ ref('first') }} where true",
        }
    )
    production.database = owner
    assert go(production, 2, dry_run=True) == errors.NotReadyForRelease.exit_code
    failure = production.failure()
    assert failure.what.startswith("5 checks before the build would stop this release:\n")
    said = (
        (f"1. {errors.PrivilegesMissing.title}", f"CREATE on the database {superuser.name}"),
        (f"2. {errors.ExposedToOthers.title}", "in the schema raw of its search path"),
        (f"3. {errors.DependentsInTheWay.title}", f"view raw.theirs of {other.user}"),
        (f"4. {errors.NotReadyForRelease.title}", "events: the publication feed publishes"),
        (f"5. {errors.GateClosed.title}", "losses: "),
    )
    remedies = (
        *(f"GRANT CREATE ON DATABASE {superuser.name} TO", "REVOKE CREATE ON SCHEMA raw"),
        *("DROP VIEW raw.theirs;", "REPLICA IDENTITY FULL;", "`allow-loss`"),
    )
    for (title, named), remedy in zip(said, remedies, strict=True):
        assert title in failure.what
        assert title in failure.remedy
        assert named in failure.what
        assert remedy in failure.remedy
    assert staged_schemas(production) == []


APPENDS = """
{% materialization appends, adapter='postgres' %}
  {% set there = load_cached_relation(this) %}
  {% call statement('main') %}
    {% if there %}insert into {{ this }}{% else %}create table {{ this }} as{% endif %} {{ sql }}
  {% endcall %}
  {% do adapter.commit() %}
  {{ return({'relations': [this]}) }}
{% endmaterialization %}
"""

LEDGER = """{{ config(materialized='table', post_hook='analyze {{ this }}') }}
select 1 as step from {{ ref('first') }}
{% if load_relation(this) %}union all select step + 1 from {{ this }}{% endif %}"""

HIDDEN = (
    "{% macro steps() %}select 1 as step {% if load_relation(this) %}union all"
    " select step + 1 from {{ this }}{% endif %}{% endmacro %}"
    "{% macro looks() %}analyze {{ this }}{% endmacro %}"
    "{% macro told() %}{# this macro #}{{ 'of this' }}{% endmacro %}"
)
"""``this`` in a macro that a model is made of, in one of a hook, and only in words."""

PLUS = "create or replace function {{ target.schema }}.plus(i bigint) returns bigint language sql"


@pytest.mark.fault(102, 113)
def test_what_builds_on_its_own_rows_keeps_them_and_functions_of_hooks_go_along(
    production: Production,
) -> None:
    project = "name: shop\nprofile: shop\nmodels: {+materialized: table}\n"

    def write(step: int) -> None:
        hook = f"{PLUS} as 'select i + {step}'"
        production.write(
            {
                "dbt_project.yml": f'{project}on-run-start: ["{hook}"]\n',
                "macros/appends.sql": APPENDS,
                "macros/hidden.sql": HIDDEN,
                "models/hidden.sql": f"{{{{ steps() }}}} -- {step}",
                "models/second.sql": "{{ config(post_hook=looks()) }}"
                f" select id, {step} as step from {{{{ ref('first') }}}} /* {{{{ told() }}}} */",
                "models/ledger.sql": LEDGER + f" -- {step}",
                "models/appended.sql": "{{ config(materialized='appends') }}"
                f" select {step} as step from {{{{ ref('first') }}}}",
                "models/third.sql": "{{ config(materialized='view') }} select id,"
                f" {{{{ target.schema }}}}.plus({step}) as p from {{{{ ref('second') }}}}",
            }
        )

    for step in (1, 2):
        write(step)
        plan = released(production, step)
        itself = {node.name for node in plan.nodes if node.builds_on_itself}
        assert itself == {"appended", "hidden", "ledger"}
        assert production.database.value("select p from analytics.third") == 2 * step
        assert staged_schemas(production) == []
    appended = "select array_agg(step order by step) from analytics."
    assert production.database.value(appended + "ledger") == [1, 2]
    assert production.database.value(appended + "appended") == [1, 2]
    assert production.database.value(appended + "hidden") == [1, 2]
    functions = "select pronamespace::regnamespace::text from pg_proc where proname = 'plus'"
    assert production.database.rows(functions) == [("analytics",)]
