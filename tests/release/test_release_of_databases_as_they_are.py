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
