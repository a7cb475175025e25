"""What people are told of production, wherever they look, when its swap did not happen."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from dbtdeploy.admin import status_release
from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.dbt import dbt_error_hints
from dbtdeploy.release import release_refusals
from release.test_release_of_databases_as_they_are import go, released
from standins import receivers
from standins.warehouse import postgres
from standins.warehouse.production import Production


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, imported_dbt: Path) -> Production:
    return Production(tmp_path, database, imported_dbt)


TIMED_OUT = """
create function raw.slow() returns trigger language plpgsql as $$ begin
  raise exception 'canceling statement due to statement timeout' using errcode = 'query_canceled';
end $$;
create trigger slow after insert on analytics.events for each row execute function raw.slow();
"""
"""As PostgreSQL ends a statement: nothing in the swap can catch it."""

EVENTS = """{{ config(materialized='incremental', unique_key='id') }}
select id from {{ ref('first') }}"""


@pytest.mark.fault(116)
def test_a_timeout_in_the_swap_leaves_one_word_of_what_production_is(
    production: Production,
) -> None:
    production.write({"models/events.sql": EVENTS})
    released(production, 1)
    production.database.run(TIMED_OUT)
    production.write({"models/events.sql": EVENTS + " union all select 2"})
    with receivers.serve() as people:
        production.environment.update(people.environ)
        assert go(production, 2, until="check_release") == 0
        swap = production.script("release/swap_release")
        assert swap.returncode == errors.SwapFailed.exit_code
        for script in ("deploy/release_lease", "release/write_release_summary", "notify/notify"):
            done = production.script(script)
            assert done.returncode == 0, done.stdout + done.stderr
        slack = str(people.slack.messages[-1]["blocks"])
    assert production.database.rows("select id from analytics.events") == [(1,)]

    page = (production.work / work_files.SUMMARY).read_text()
    for said in (page, swap.stdout + swap.stderr, slack):
        assert "canceling statement due to statement timeout" in said
        assert release_refusals.AS_BEFORE in said
        assert "perhaps" not in said
        assert "not known" not in said
        assert "as a whole" not in said
    assert page.startswith("### ❌ production is unchanged: the swap failed")
    assert "SET statement_timeout = 0;" in page
    found = status_release.read(production.store, None, None)
    (row,) = status_release.rows(found, datetime.now(timezone.utc))
    assert row[1] == (
        f"of v1.2.0, which did not go live ({errors.SwapFailed.title}); the next run drops it"
    )


@pytest.mark.fault(100)
def test_a_timeout_of_a_model_has_the_same_hint(production: Production) -> None:
    first = "select 1 as id, pg_sleep(60) is null as build"
    hook = "{{ config(pre_hook=\"set statement_timeout = '100ms'\") }}"
    production.write({"models/first.sql": hook + first})
    assert go(production, 1, until="build_staging") == 1
    for script in ("deploy/release_lease", "release/write_release_summary"):
        assert production.script(script).returncode == 0
    page = (production.work / work_files.SUMMARY).read_text()
    assert "canceling statement due to statement timeout" in page
    assert dbt_error_hints.remedy_for("due to statement timeout").split("`")[3] in page


OUTSIDE = """
alter table analytics.second add primary key (id);
create materialized view raw.slow as select id from analytics.second;
create materialized view raw.beside as select 1 as id from analytics.events;
create table raw.lines (second_id int constraint of_second references analytics.second,
  other_id int constraint in_full references analytics.second match full);
"""

UPPER = """
create function raw.up() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger up before insert or update on analytics.events
  for each row execute function raw.up();
create trigger off before insert on analytics.events for each row execute function raw.up();
alter table analytics.events disable trigger off;
create trigger later after insert on analytics.events for each row execute function raw.up();
create trigger once before insert on analytics.events
  for each statement execute function raw.up();
create trigger gone before delete on analytics.events for each row execute function raw.up();
create trigger up before insert on analytics.second for each row execute function raw.up();
"""


def test_the_plan_and_the_log_warn_of_triggers_that_staging_does_not_fire(
    production: Production,
) -> None:
    above = "{{ config(materialized='ephemeral') }} select id from {{ ref('events') }}"
    last = "select id from {{ ref('above') }}"
    production.write(
        {
            "models/events.sql": EVENTS,
            "models/above.sql": above,
            "models/last.sql": "{{ config(materialized='table') }}" + last,
        }
    )
    released(production, 1)
    production.database.run(UPPER)
    production.write({"models/events.sql": EVENTS + " where true"})
    assert go(production, 2, until="plan_release", dry_run=True, allow_loss=True) == 0
    (found,) = hand_over.read(production.work, ReleasePlan).row_triggers
    assert (found.name, found.triggers, found.readers) == ("events", ("up",), ("last",))
    log = production.script("release/plan_release").stdout
    said = "events has triggers that may change rows as they are written: up."
    assert "Triggers that staging does not fire" in log
    assert said in log
    assert production.script("release/write_release_summary").returncode == 0
    page = (production.work / work_files.SUMMARY).read_text()
    assert "⚠️ `events` has triggers that may change rows as they are written: `up`." in page
    assert "so `last` is built and tested without what they change." in page


ROW_TYPE = """
create function raw.twice(s analytics.second) returns int language sql as 'select 2 * (s).id';
create materialized view raw.doubled as select raw.twice(second) as t from analytics.second;
"""


@pytest.mark.fault(89)
def test_the_plan_and_the_log_name_each_wait(production: Production) -> None:
    production.write({"models/events.sql": EVENTS})
    released(production, 1)
    production.database.run(OUTSIDE)
    key = "{{ config(post_hook='alter table {{ this }} add primary key (id)') }}"
    production.write(
        {
            "models/events.sql": EVENTS + " where true",
            "models/second.sql": key + "select id from {{ ref('first') }} where true",
        }
    )

    def planned(number: int) -> tuple[dict[str, str], str, str]:
        asked = {"dry_run": True, "allow_loss": True}
        assert go(production, number, until="plan_release", **asked) == 0, production.failure()
        plan = hand_over.read(production.work, ReleasePlan)
        log = production.script("release/plan_release").stdout
        assert production.script("release/write_release_summary").returncode == 0
        page = (production.work / work_files.SUMMARY).read_text()
        return {wait.name: wait.who for wait in plan.waits}, log, page

    found, log, page = planned(2)
    assert found == {
        "in_full on raw.lines": "readers",
        "of_second on raw.lines": "writers",
        "raw.slow": "nobody",
    }
    assert "raw.slow is made before the locks; nobody waits for it." in log
    assert "of_second on raw.lines is checked before the locks; those who write" in log
    assert "in_full on raw.lines is made under the locks; readers of what is replaced" in log
    assert "Made before the locks, so nobody waits: `raw.slow`." in page
    assert "wait who write to their tables: `of_second on raw.lines`." in page
    assert "**Readers wait** while these are made, under the locks: `in_full on raw.lines`." in page

    production.database.run(ROW_TYPE)
    found, _, page = planned(3)
    assert (found["raw.slow"], found["raw.doubled"]) == ("readers", "readers")
    assert "Made before the locks" not in page
