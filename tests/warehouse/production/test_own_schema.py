"""No macro reads or writes what another role put into the schema dbt_deploy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.warehouse import preflight
from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run("create table analytics.orders as select 1 as id")
    made.database.run(
        f"grant create on database {database.name} to {made.other.user};"
        f"alter role {made.owner.user} in database {database.name} set search_path = public"
    )
    return made


SPIED = """
create schema dbt_deploy; grant usage, create on schema dbt_deploy to public;
create table dbt_deploy.ran_as (who name); grant all on dbt_deploy.ran_as to public;
create function dbt_deploy.spy() returns boolean language plpgsql as $$ begin
  insert into dbt_deploy.ran_as values (current_user); return false; end $$;
create view dbt_deploy.releases as select 'r'::text as release_id, 'prod'::text as environment,
  'shop'::text as project, 't'::text as tag, 'live'::text as state, now() as swapped_at
  from dbt_deploy.spy() s where s;
create view dbt_deploy.removed_models as select 'prod'::text as environment,
  'shop'::text as project,
  'x'::text as unique_id, 'analytics'::text as schema, 'n'::text as identifier, 1::bigint as oid,
  now() as removed_at from dbt_deploy.spy() s where s;
create view dbt_deploy.fence as select 'prod'::text as environment, 'shop'::text as project,
  'nonce-1'::text as nonce, now() as at from dbt_deploy.spy() s where s;
grant all on all tables in schema dbt_deploy to public;
"""

ASKED: dict[str, Callable[[Shop, Release], object]] = {
    "prepare": lambda shop, _: shop.begin(),
    "swap": lambda _, release: release.swap(),
    "take back": lambda shop, release: shop.take_back(release),
    "take back, dry": lambda shop, release: shop.take_back(release, dry_run=True),
    "clean up": lambda shop, _: shop.clean_up(),
    "clean up, dry": lambda shop, _: shop.clean_up(dry_run=True),
    "settled": lambda shop, release: shop.settled(release),
}


@pytest.mark.fault(109)
def test_a_view_of_another_role_in_the_place_of_our_table_is_never_read(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 2 as id")
    release.plan()
    shop.database.run("drop schema dbt_deploy cascade")
    shop.other.run(SPIED)
    look = shop.look("orders")
    assert look.releases == ()
    with pytest.raises(errors.ExposedToOthers, match=r"the VIEW dbt_deploy\.releases"):
        preflight.refuse_untrusted(look.look)
    before = shop.state()
    for ask in ASKED.values():
        with pytest.raises(errors.ExposedToOthers) as refused:
            ask(shop, release)
        assert f"the schema dbt_deploy, which it writes to, is {shop.other.user}'s" in str(
            refused.value
        )
        assert "DROP VIEW dbt_deploy.fence;" in refused.value.remedy
    assert shop.database.value("select count(*) from dbt_deploy.ran_as") == 0
    assert shop.state() == before


@pytest.mark.fault(109)
@pytest.mark.parametrize(
    "change",
    [
        "create rule r as on delete to dbt_deploy.removed_models do also select other.f()",
        "alter table dbt_deploy.releases enable row level security",
        "alter table dbt_deploy.baselines alter column rows set default other.f()",
        "create table other.child () inherits (dbt_deploy.releases)",
        "create index on dbt_deploy.releases (other.f())",
        "alter table dbt_deploy.fence add check (other.f() > 0)",
    ],
)
def test_a_table_of_ours_that_is_no_longer_plain_is_refused(shop: Shop, change: str) -> None:
    shop.begin()
    shop.database.run(
        "create schema other; create function other.f() returns int immutable language sql as"
        f" 'select 1'; {change}"
    )
    with pytest.raises(errors.ExposedToOthers, match="is not the plain table"):
        shop.clean_up()


@pytest.mark.fault(109)
def test_a_block_checks_again_when_the_schema_was_made_after_the_look(shop: Shop) -> None:
    """What was not there when the macro began is the attacker's when its transaction looks."""
    release = shop.begin()
    release.stage("orders", "select 2 as id")
    assert release.go().outcome == "done"
    shop.database.run("drop schema dbt_deploy cascade")
    planted = False

    def plant(statements: str) -> str:
        nonlocal planted
        if "\ndo $" in statements and not planted:
            shop.other.run(SPIED)
            planted = True
        return statements

    for ask in ASKED.values():
        shop.database.run("drop schema if exists dbt_deploy cascade")
        planted = False
        shop.dbt.edit = plant  # type: ignore[attr-defined]
        with pytest.raises(errors.ExposedToOthers) as ended:
            ask(shop, release)
        assert "DROP VIEW dbt_deploy.fence;" in ended.value.remedy
        assert planted
        assert shop.database.value("select count(*) from dbt_deploy.ran_as") == 0
