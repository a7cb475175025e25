"""check_production.py where a pull request's role, which may make schemas, lies in wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from standins.warehouse.postgres import Database, Server
from standins.warehouse.rebuilt import Production


@pytest.fixture
def production(
    tmp_path: Path, postgres_server: Server, database: Database, dbt_command: Path
) -> Production:
    made = Production(tmp_path, postgres_server, database, dbt_command)
    made.database.run(
        f"grant create on database {database.name} to {made.owner.user};"
        f"alter role {made.owner.user} in database {database.name} set search_path = public;"
        f"revoke create on schema analytics from {made.other.user}"
    )
    return made


def attackers(production: Production) -> Database:
    """The role of pull requests: it may make schemas, as docs/set-up.md says."""
    made = production.server.create_role(production.database)
    production.database.run(f"grant create on database {made.name} to {made.user}")
    return made


def refused(production: Production) -> list[str]:
    """What is told; and its remedies are carried out."""
    production.plan("orders")
    production.begin()
    before = production.catalog()
    done = production.check()
    assert done.returncode == 67, done.stdout + done.stderr
    failure = production.failure
    assert failure.kind == "ExposedToOthers"
    assert failure.not_done.startswith("Nothing was built")
    assert production.catalog() == before
    for line in failure.remedy.splitlines():
        if line.startswith("    "):
            production.database.run(line)
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    return failure.what.splitlines()[1:]


@pytest.mark.fault(74)
def test_what_the_documentation_tells_to_grant_is_safe(production: Production) -> None:
    attackers(production)
    production.plan("orders")
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.fault(74)
def test_a_schema_named_like_productions_role_is_refused(production: Production) -> None:
    role, attacker = production.owner.user, attackers(production)
    production.database.run(
        f"alter role {role} in database {production.database.name} reset search_path"
    )
    assert refused(production) == [
        f"- the schema {role} of its search path is not there, and {attacker.user} may make it"
    ]
    production.database.run(
        f"alter role {role} in database {production.database.name} reset search_path"
    )
    attacker.run(
        f"create schema {role}; grant usage on schema {role} to public;"
        f"create function {role}.lower(varchar) returns text language sql"
        " as $$ select pg_catalog.lower($1) $$"
    )
    said = refused(production)
    assert f"- in the schema {role} of its search path {attacker.user} may make functions" in said
    assert any(f"{role}.lower(character varying)" in line for line in said)


@pytest.mark.fault(74)
def test_strangers_in_the_schema_public_are_refused(production: Production) -> None:
    attacker = attackers(production)
    production.database.run("grant create on schema public to public")
    attacker.run(
        "create function public.lower(varchar) returns text language sql as 'select null::text';"
        "create function public.same(int, text) returns bool language sql as 'select true';"
        "create operator public.= (leftarg = int, rightarg = text, function = public.same);"
        "create domain public.bigint as int"
    )
    said = refused(production)
    assert said[0].startswith("- in the schema public of its search path ")
    assert attacker.user in said[0]
    assert sum("in a schema of its search path" in line for line in said) == 4


@pytest.mark.fault(109)
def test_what_production_will_get_may_not_be_anothers(production: Production) -> None:
    attacker = attackers(production)
    attacker.run(
        f"create schema marts; grant usage, create on schema marts to {production.owner.user}"
    )
    production.plan("sales", schema="marts")
    assert refused(production) == [f"- the schema marts, which it writes to, is {attacker.user}'s"]


@pytest.mark.fault(109, 110)
def test_triggers_and_partitions_of_others_are_refused(production: Production) -> None:
    attacker = attackers(production)
    role = production.owner.user
    production.owner.run(
        "create table analytics.events (id int) partition by range (id);"
        f"grant trigger on analytics.events to {attacker.user};"
        f"grant usage, create on schema analytics to {attacker.user}"
    )
    attacker.run(
        "create schema pr_1; create table pr_1.part (id int);"
        "create function pr_1.spy() returns trigger language plpgsql as 'begin return new; end';"
        "create trigger spy after insert on analytics.events execute function pr_1.spy()"
    )
    # Who owns neither of both attaches nothing: a person with more rights did.
    production.database.run(
        "alter table analytics.events attach partition pr_1.part for values from (0) to (9)"
    )
    production.plan("events", "incremental")
    said = refused(production)
    assert said == [
        f"- pr_1.part, a partition or child of a table that it writes to, is {attacker.user}'s",
        f"- the trigger spy on analytics.events runs a function of {attacker.user}",
    ]
    assert production.database.value("select count(*) from pg_trigger where tgname = 'spy'") == 0
    assert role in production.database.value(
        "select pg_get_userbyid(relowner) from pg_class where oid = 'pr_1.part'::regclass"
    )


@pytest.mark.fault(109)
def test_the_check_makes_productions_missing_schemas_so_that_nobody_else_can(
    production: Production,
) -> None:
    attacker = attackers(production)
    production.plan("sales", schema="marts")
    production.begin()
    done = production.check()
    assert done.returncode == 0, done.stdout + done.stderr
    assert production.database.value(OWNER_OF_MARTS) == production.owner.user
    attacker.run("create schema if not exists marts")
    assert production.database.value(OWNER_OF_MARTS) == production.owner.user


@pytest.mark.fault(109)
def test_a_refused_deploy_makes_no_schema(production: Production) -> None:
    production.database.run("grant create on schema public to public")
    attackers(production)
    production.plan("sales", schema="marts")
    production.begin()
    assert production.check().returncode == 67
    assert production.database.rows(OWNER_OF_MARTS) == []


@pytest.mark.fault(109)
def test_what_a_former_owner_granted_to_all_is_refused_too(production: Production) -> None:
    attacker = attackers(production)
    attacker.run("create schema marts; grant usage, create on schema marts to public")
    production.plan("sales", schema="marts")
    other, reader = production.other.user, production.reader.user
    said = refused(production)
    assert f"- the schema marts, which it writes to, is {attacker.user}'s" in said
    assert any(
        line.startswith("- in the schema marts ") and other in line and reader in line
        for line in said
    )
    assert not production.database.value(
        f"select has_schema_privilege('{attacker.user}', 'marts', 'create')"
    )


OWNER_OF_MARTS = "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'marts'"
