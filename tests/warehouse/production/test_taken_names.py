"""A role that may make schemas: it takes no name of a release's, and holds none up."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.release import release_refusals
from dbtdeploy.warehouse import preflight, release_schemas
from dbtdeploy.warehouse.relations_read import RelationRead
from standins.warehouse.greens import PLACE, Release, Shop
from standins.warehouse.postgres import Database, Server

MARK = "dbt-deploy repository=o/r project=shop target=ci pull_request=1"
DECLARED = "dbt-deploy: pull requests"


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    made.owner.run("create table analytics.orders as select 1 as id")
    made.database.run(
        f"grant create on database {database.name} to {made.other.user};"
        f"revoke create on schema analytics, marts from {made.other.user};"
        f"grant select on analytics.orders to {made.other.user};"
        f"alter role {made.owner.user} in database {database.name} set search_path = public"
    )
    return made


def remedied(shop: Shop, refusal: errors.DbtDeployError) -> None:
    for line in refusal.remedy.splitlines():
        if line.startswith("    "):
            shop.database.run(line)


@pytest.mark.fault(109)
def test_a_keeping_schema_that_another_role_made_undoes_the_swap_whole(shop: Shop) -> None:
    """Only who has read the name can: it ends with what nobody guesses."""
    release = shop.begin()
    release.stage("orders", "select 2 as id")
    release.plan()
    shop.other.run(f"create schema {release.kept()}")
    before = shop.state()
    with pytest.raises(errors.ExposedToOthers) as refusal:
        release.swap()
    assert f"the schema {release.kept()} has a name that" in refusal.value.what
    assert shop.other.user in refusal.value.what
    assert refusal.value.not_done == "Nothing was changed in production."
    assert shop.state() == before
    assert shop.settled(release, nonce=release.nonce) == "none"
    remedied(shop, refusal.value)
    again = shop.begin()
    again.stage("orders", "select 2 as id")
    assert again.go().outcome == "done"


@pytest.mark.fault(109)
def test_an_undone_schema_that_another_role_made_undoes_the_rollback_whole(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 2 as id")
    assert release.go().outcome == "done"
    shop.other.run(f"create schema {release.undone()}")
    before = shop.state()
    with pytest.raises(errors.ExposedToOthers) as refusal:
        shop.take_back(release)
    assert f"the schema {release.undone()} has a name that" in refusal.value.what
    assert shop.state() == before
    # The next try takes another name.
    assert shop.take_back(release, token=release_schemas.token()).swapped.outcome == "done"


def test_names_of_a_release_cannot_be_guessed() -> None:
    assert len({release_schemas.token() for _ in range(100)}) == 100
    assert len(release_schemas.token(4)) == 4


@pytest.mark.fault(109)
def test_a_staging_schema_made_beforehand_is_refused_with_the_statement(shop: Shop) -> None:
    shop.other.run("create schema dbt_green_20261125t000001_shop")
    release = shop.begin()
    assert release.prepared is not None
    with pytest.raises(errors.SchemaNotOurs) as refusal:
        release_refusals.refuse_staging(release.prepared)
    remedied(shop, refusal.value)
    assert release.prepare().foreign == ()


@pytest.mark.fault(109)
def test_a_staging_schema_of_another_role_with_the_right_mark_is_refused(shop: Shop) -> None:
    """The store says which release is under way, and whoever owns a schema gives it any comment."""
    release = Release(shop, 1)
    line = release_schemas.first_line(PLACE, release.release_id, "staging")
    shop.other.run(
        f"create schema {release.green()}; comment on schema {release.green()} is '{line}'"
    )
    prepared = release.prepare()
    assert prepared.foreign == (f"{release.green()} belongs to {shop.other.user}",)
    assert "dbt_deploy" not in shop.schemas()
    with pytest.raises(errors.SchemaNotOurs) as refusal:
        release_refusals.refuse_staging(prepared)
    remedied(shop, refusal.value)
    assert release.prepare().foreign == ()


@pytest.mark.fault(109)
def test_a_schema_of_another_role_with_the_mark_of_staging_keeps_no_release_up(shop: Shop) -> None:
    release = shop.begin()
    release.stage("orders", "select 2 as id")
    line = release_schemas.first_line(PLACE, release.release_id, "staging")
    shop.other.run(f"create schema pr_1; comment on schema pr_1 is '{line}'")
    assert release.go().outcome == "done"
    assert shop.database.rows("select id from analytics.orders") == [(2,)]
    assert "pr_1" in shop.schemas()
    assert release.drop_staging() == ()


CLINGING = """
create schema x; create view x.v as select * from analytics.orders;
create table x.t (o analytics.orders);
create function x.f() returns setof analytics.orders
  begin atomic select * from analytics.orders; end;
"""


@pytest.mark.fault(109)
@pytest.mark.parametrize("how", ["declared", "marked"])
def test_what_pull_requests_build_on_production_stops_no_release_and_no_rollback(
    shop: Shop, how: str
) -> None:
    shop.other.run(CLINGING)
    if how == "declared":
        shop.database.run(f"comment on role {shop.other.user} is '{DECLARED}'")
    else:
        shop.other.run(f"comment on schema x is '{MARK}'")
    release = shop.begin()
    release.stage("orders", "select 2 as id, 3 as n")
    release.plan()
    assert release.look.look.dependents == ()
    assert release.look.look.lost == ()
    assert release.swap().outcome == "done"
    shop.other.run("create view x.later as select * from x.v")
    assert shop.take_back(release).swapped.outcome == "done"


@pytest.mark.fault(109)
def test_a_release_that_reads_what_pull_requests_own_is_refused(shop: Shop) -> None:
    attacker = shop.other.user
    shop.database.run(f"comment on role {attacker} is '{DECLARED}'")
    shop.other.run(
        f"create schema stripe; grant usage on schema stripe to {shop.owner.user};"
        "create materialized view stripe.payments as select 1 as id"
    )
    reads = [
        RelationRead(schema=schema, name=name)
        for schema, name in (("stripe", "payments"), ("adyen", "x"), ("marts", "y"))
    ]
    look = shop.look("orders", reads=reads).look
    assert {(one.kind, one.name) for one in look.untrusted_objects} == {
        ("read", "MATERIALIZED VIEW stripe.payments"),
        ("read schema", "stripe"),
        ("unmade", "adyen"),
    }
    with pytest.raises(errors.ExposedToOthers) as refusal:
        preflight.refuse_untrusted(look)
    remedied(shop, refusal.value)
    preflight.refuse_untrusted(shop.look("orders", reads=reads).look)
