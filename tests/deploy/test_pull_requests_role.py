"""check_production.py where the role of pull requests has just what docs/set-up.md grants it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from standins.warehouse.postgres import Database, Server
from standins.warehouse.rebuilt import PROJECT, Production

DOCS = Path(__file__).parents[2] / "docs"
RELATIONS = "select oid::regclass::text, relowner, relacl::text from pg_class order by oid"
MARK = "dbt-deploy repository=o/r project=shop target=ci pull_request=1"


@pytest.fixture
def production(
    tmp_path: Path, postgres_server: Server, database: Database, dbt_command: Path
) -> Production:
    made = Production(tmp_path, postgres_server, database, dbt_command)
    made.database.run(
        f"revoke create on schema analytics from {made.other.user}; create schema raw"
    )
    made.owner.run("create table analytics.orders as select 1 as id")
    return made


def granted(production: Production) -> Database:
    """Both roles with the statements of the documentation; gives the pull requests' one."""
    made = production.server.create_role(production.database)
    production.database.run(f"create schema analytics_marts authorization {production.owner.user}")
    for page, heading in (("deploys.md", "The warehouse role"), ("set-up.md", "2. The warehouse")):
        text = (DOCS / page).read_text()
        found = re.search(rf"^## {heading}.*?```sql\n(.*?)```", text, re.DOTALL | re.MULTILINE)
        assert found is not None
        statements = re.sub(r"\bdatabase analytics\b", f"database {made.name}", found[1])
        statements = re.sub(r"\bdbt_prod\b", production.owner.user, statements)
        production.database.run(re.sub(r"\bdbt_ci\b", made.user, statements))
    return made


def check(production: Production, *names: str, code: int = 0, **asked: Any) -> str:
    """What check_production.py says, or why it refuses."""
    production.nodes.clear()
    for name in names or ("orders",):
        production.plan(name)
    production.begin(**asked)
    before = production.database.rows(RELATIONS)
    done = production.check()
    assert done.returncode == code, done.stdout + done.stderr
    assert production.database.rows(RELATIONS) == before
    return production.failure.what if code else done.stdout


def remedied(production: Production) -> None:
    """The statements of the refusal, by an administrator who has looked."""
    for line in production.failure.remedy.splitlines():
        if line.startswith("    "):
            production.database.run(line)


def reads(production: Production, schema: str, name: str) -> None:
    """Have orders read a source, as dbt's manifest says once it has listed what it builds."""
    source = {"name": name, "resource_type": "source", "schema": schema, "identifier": name}
    orders = {
        "name": "orders",
        "schema": "analytics",
        "alias": "orders",
        "relation_name": "x",
        "depends_on": {"nodes": ["source.shop.s"]},
    }
    target = production.project / "target"
    target.mkdir(exist_ok=True)
    (target / "manifest.json").write_text(
        json.dumps({"nodes": {"model.shop.orders": orders}, "sources": {"source.shop.s": source}})
    )


CLINGING = """
create schema pr_1_shop;
create view pr_1_shop.v as select * from analytics.orders;
create view pr_1_shop.over as select * from pr_1_shop.v;
create materialized view pr_1_shop.m as select * from analytics.orders;
create table pr_1_shop.t (o analytics.orders);
create type pr_1_shop.c as (o analytics.orders);
create type pr_1_shop.e as enum ('a');
create function pr_1_shop.f() returns setof analytics.orders begin atomic select * from analytics.orders; end;
create function pr_1_shop.to_e(analytics.orders) returns pr_1_shop.e language sql as 'select null::pr_1_shop.e';
create cast (analytics.orders as pr_1_shop.e) with function pr_1_shop.to_e(analytics.orders);
create aggregate pr_1_shop.a(analytics.orders) (sfunc = pr_1_shop.s, stype = int, initcond = '0');
create table pr_1_shop.guarded (id int);
create policy p on pr_1_shop.guarded using (id in (select id from analytics.orders));
"""  # noqa: E501


def clinging(attacker: Database) -> None:
    """All by which something of the role's depends on production's table."""
    made = CLINGING.replace(
        "create aggregate",
        "create function pr_1_shop.s(int, analytics.orders) returns int language sql as"
        " 'select 1'; create aggregate",
    )
    attacker.run(made)


@pytest.mark.fault(109)
@pytest.mark.parametrize("how", ["declared", "marked"])
def test_what_pull_requests_build_on_production_stops_no_deploy(
    production: Production, how: str
) -> None:
    """dbt's own `drop ... cascade` takes it; production's own views come back."""
    attacker = granted(production)
    production.owner.run("create view analytics.ours as select * from analytics.orders")
    clinging(attacker)
    if how == "marked":
        production.database.run(f"comment on role {attacker.user} is null")
        attacker.run(f"comment on schema pr_1_shop is '{MARK}'")
    said = check(production)
    assert f"view pr_1_shop.v of {attacker.user}: a pull request's" in said
    assert [thing.full_name for thing in production.kept] == ["analytics.ours"]
    production.model("orders", "select 2 as id")
    assert production.build() == 0
    assert production.restore().returncode == 0
    left = production.database.rows(
        "select c.oid::regclass::text from pg_class c where c.relkind in ('v', 'm')"
        " and c.relnamespace in ('pr_1_shop'::regnamespace, 'analytics'::regnamespace)"
    )
    assert left == [("analytics.ours",)]


@pytest.mark.fault(109)
def test_a_view_of_a_role_that_nobody_declared_is_named_with_the_statement_that_drops_it(
    production: Production,
) -> None:
    attacker = granted(production)
    production.database.run(f"comment on role {attacker.user} is null")
    attacker.run(
        "create schema x; create view x.v as select * from analytics.orders;"
        "create view x.above as select * from x.v"
    )
    said = check(production, code=61)
    assert f"- view x.v of {attacker.user}, on analytics.orders" in said
    assert "COMMENT ON ROLE ... IS 'dbt-deploy: pull requests'" in production.failure.remedy
    production.database.run(f"comment on role {attacker.user} is 'dbt-deploy: pull requests'")
    check(production)
    production.database.run(f"comment on role {attacker.user} is null")
    check(production, code=61)
    remedied(production)
    check(production)


@pytest.mark.fault(109)
def test_a_schema_that_is_only_read_and_not_made_yet_is_refused(production: Production) -> None:
    attacker = granted(production)
    reads(production, "stripe", "payments")
    said = check(production, code=67)
    assert said.splitlines()[1:] == [
        f"- the schema stripe, which it reads, is not there, and {attacker.user}, the role of pull"
        " requests, may make it"
    ]
    remedied(production)
    check(production)


@pytest.mark.fault(109)
def test_a_source_in_the_hands_of_the_role_of_pull_requests_is_refused(
    production: Production,
) -> None:
    attacker = granted(production)
    attacker.run(
        f"create schema stripe; grant usage on schema stripe to {production.owner.user};"
        "create function stripe.evil() returns int language sql as 'select 1';"
        "create view stripe.payments as select stripe.evil() as id;"
        f"grant select on stripe.payments to {production.owner.user}"
    )
    reads(production, "stripe", "payments")
    said = check(production, code=67).splitlines()[1:]
    whose = f"which it reads, is {attacker.user}'s, the role of pull requests"
    assert said == [f"- the VIEW stripe.payments, {whose}", f"- the schema stripe, {whose}"]
    remedied(production)
    check(production)
    # A loader's own schema is nobody's business.
    production.database.run(
        f"drop schema stripe cascade; create schema stripe authorization {production.other.user}"
    )
    production.other.run("create table stripe.payments (id int)")
    check(production)
    production.database.run(f"grant create on schema stripe to {attacker.user}")
    assert f"in the schema stripe {attacker.user} may make tables" in check(production, code=67)
    remedied(production)
    check(production)


SOURCE = """
sources:
  - name: till
    schema: raw_till
    loaded_at_field: loaded_at
    tables: [{name: receipts}]
"""

WATCHED = SOURCE.replace(
    "    tables", "    freshness: {warn_after: {count: 6, period: hour}}\n    tables"
)

READ_BESIDE_THE_BUILD: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "freshness": ({"models/sources.yml": WATCHED}, {"docs": False}, {"source_freshness": "off"}),
    "documentation": (
        {
            "models/sources.yml": SOURCE,
            "models/old.sql": "{% do run_query('table ' ~ source('till', 'receipts')) %} select 1",
        },
        {},
        {"docs": False},
    ),
    "hook": (
        {
            "models/sources.yml": SOURCE,
            "dbt_project.yml": PROJECT
            + "on-run-start: \"select * from {{ source('till', 'receipts') }}\"\n",
        },
        {"docs": False},
        {},
    ),
}


@pytest.mark.fault(109)
@pytest.mark.parametrize("how", READ_BESIDE_THE_BUILD)
def test_what_dbt_reads_whatever_is_built_is_looked_at(production: Production, how: str) -> None:
    """All sources are asked how old they are, documentation compiles all, hooks always run."""
    files, asked, without = READ_BESIDE_THE_BUILD[how]
    attacker = granted(production)
    production.model("orders", "select 2 as id")
    for path, content in files.items():
        production.write(path, content)
    production.list_nodes()
    if how != "hook":
        check(production, **asked, **without)
    said = check(production, code=67, **asked).splitlines()[1:]
    unmade = "- the schema raw_till, which it reads, is not there, and"
    assert said == [f"{unmade} {attacker.user}, the role of pull requests, may make it"]
    attacker.run(
        "create schema raw_till; grant usage on schema raw_till to public;"
        "create function raw_till.evil() returns timestamptz language sql as 'select now()';"
        "create view raw_till.receipts as select raw_till.evil() as loaded_at;"
        "grant select on raw_till.receipts to public"
    )
    said = check(production, code=67, **asked).splitlines()[1:]
    whose = f"which it reads, is {attacker.user}'s, the role of pull requests"
    assert said == [f"- the VIEW raw_till.receipts, {whose}", f"- the schema raw_till, {whose}"]
    remedied(production)
    check(production, **asked)


@pytest.mark.fault(109)
def test_rights_of_the_role_of_pull_requests_in_production_are_refused(
    production: Production,
) -> None:
    """Granted to that single role, not to everyone."""
    attacker = granted(production)
    production.database.run(
        f"grant create on schema analytics to {attacker.user};"
        f"grant all on analytics.orders to {attacker.user}"
    )
    assert check(production, code=67).splitlines()[1:] == [
        f"- in the schema analytics {attacker.user} may make tables",
        f"- {attacker.user}, the role of pull requests, may put a trigger on analytics.orders",
    ]
    remedied(production)
    check(production)


def test_the_event_trigger_of_the_documentation_keeps_the_role_to_its_own_names(
    production: Production,
) -> None:
    attacker = granted(production)
    text = (DOCS / "security.md").read_text()
    found = re.search(r"^## Names that.*?```sql\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    production.database.run(re.sub(r"\bdbt_ci\b", attacker.user, found[1]))
    attacker.run('create schema pr_1_shop; create schema "pr_2 x"')
    attacker.run(
        "create function pr_1_shop.no(text, text) returns bool language sql as 'select false';"
        "create operator pr_1_shop.!~"
        " (leftarg = text, rightarg = text, function = pr_1_shop.no)"
    )
    for statement in (
        "create schema dbt_deploy",
        "create schema if not exists stripe",
        f"create schema authorization {attacker.user}",
        "alter schema pr_1_shop rename to marts",
        "set search_path = pr_1_shop, pg_catalog; create schema marts",
    ):
        with pytest.raises(psycopg.errors.RaiseException):
            attacker.run(statement)
    production.owner.run("create schema marts")
