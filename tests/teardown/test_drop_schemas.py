"""drop_schemas.py on a real PostgreSQL, through the real dbt, as a role that owns little."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dbtdeploy.context import hand_over
from dbtdeploy.teardown.teardown_files import ChosenSchemas, MarkedSchema, WantedSchema
from dbtdeploy.warehouse.run_macro import PACKAGE
from dbtdeploy.warehouse.schema_owner import Owner
from standins.jobs import plans, runs
from standins.warehouse import postgres
from standins.warehouse.postgres import Database
from standins.warehouse.teardowns import STARTED, Job, mark, schemas

MARTS = """
create view pr_7_shop_marts.v as select * from pr_7_shop.t;
create materialized view pr_7_shop_marts.m as select * from pr_7_shop_marts.v;
create type pr_7_shop_marts.mood as enum ('good');
create table pr_7_shop_marts.part (id int, m pr_7_shop_marts.mood) partition by range (id);
create table pr_7_shop_marts.part1 partition of pr_7_shop_marts.part for values from (1) to (2);
create table pr_7_shop_marts.fk (id int references pr_7_shop.t, n serial,
  g int generated always as identity);
create function pr_7_shop_marts.f() returns int
  begin atomic select max(id) from pr_7_shop.t; end;
"""
"""A bit of everything that hangs on itself and on the other schema."""


class Warehouse:
    """A database, its superuser, the role of pull requests, and somebody else."""

    def __init__(self, server: postgres.Server, admin: Database) -> None:
        self.admin = admin
        self.role = server.create_role(admin)
        self.other = server.create_role(admin)
        for role in (self.role, self.other):
            admin.run(f'grant create on database "{admin.name}" to "{role.user}"')

    def make(self, schema: str, comment: str | None, tables: str = "") -> None:
        """A schema of the pull requests' role, with a table ``t``."""
        name = '"' + schema.replace('"', '""') + '"'
        self.role.run(f"create schema {name}; create table {name}.t (id int primary key)")
        if tables:
            self.role.run(tables)
        if comment is not None:
            literal = comment.replace("'", "''")
            self.role.run(f"comment on schema {name} is '{literal}'")


@pytest.fixture
def warehouse(postgres_server: postgres.Server, database: Database) -> Iterator[Warehouse]:
    made = Warehouse(postgres_server, database)
    yield made
    for role in (made.role, made.other):
        database.run(f'drop owned by "{role.user}" cascade; drop role "{role.user}"')


@pytest.fixture
def job(work: Path, forked_dbt: Path, warehouse: Warehouse) -> Job:
    made = Job(work, forked_dbt)
    made.connect(warehouse.role)
    return made


OPERATOR = """
create table public.ran (who text); grant all on public.ran to public;
create function public.join_them(text, name) returns text language plpgsql as $$ begin
  insert into public.ran values (current_user); return concat($1, $2); end $$;
create operator public.|| (leftarg = text, rightarg = name, function = public.join_them);
"""


@pytest.mark.fault(37)
def test_an_operator_of_anothers_does_not_run_with_our_rights(
    warehouse: Warehouse, job: Job
) -> None:
    warehouse.admin.run(f'grant create on schema public to "{warehouse.other.user}"')
    warehouse.other.run(OPERATOR)
    warehouse.make("pr_7_shop", mark("pull_request=7"))
    job.describe(pull_request=7)
    job.run("teardown/drop_schemas")
    assert "pr_7_shop" not in schemas(warehouse.admin)
    assert warehouse.admin.rows("select who from public.ran") == []


def test_all_schemas_with_the_mark_go_and_nothing_else(
    work: Path, any_dbt_command: Path, warehouse: Warehouse
) -> None:
    job = Job(work, any_dbt_command)
    job.connect(warehouse.role)
    seven = mark("pull_request=7")
    warehouse.make("pr_7_shop", seven)
    warehouse.make(
        "pr_7_shop_marts",
        seven.replace("11-20", "11-19"),
        MARTS,
    )
    warehouse.make("weird \"' % $dbt_deploy$ name", seven)
    for name, comment in {
        "pr_70_shop": mark("pull_request=70"),
        "pr_7_finance": seven.replace("project=shop", "project=finance"),
        "pr_7_shop_prod": seven.replace("target=ci", "target=prod"),
        "analytics": None,
        "pr_8_shop": mark("pull_request=8"),
        "liar": "see " + seven,
    }.items():
        warehouse.make(name, comment)
    before = schemas(warehouse.admin)
    job.describe(pull_request=7)
    printed = job.run("teardown/drop_schemas")
    gone = {"pr_7_shop", "pr_7_shop_marts", "weird \"' % $dbt_deploy$ name"}
    assert before - schemas(warehouse.admin) == gone
    assert set(job.dropped) == gone
    assert job.teardown.kept == ()
    assert "dropped: pr_7_shop (pull request 7): closed" in printed
    assert "3 schemas dropped" in job.summary
    assert warehouse.role.password not in printed
    # Once more: nothing to do, and nothing wrong.
    job.run("teardown/drop_schemas")
    assert job.dropped == []
    assert "nothing was dropped" in job.summary


# What is not ours -----------------------------------------------------------------------------


@pytest.mark.fault(37)
def test_a_schema_without_our_mark_is_refused_and_the_others_go(
    job: Job, warehouse: Warehouse
) -> None:
    warehouse.make("pr_7_shop_marts", mark("pull_request=7"))
    warehouse.make("pr_7_shop", None)
    warehouse.make("finance_pr_7_shop", "somebody's `own`\nsecond line")
    warehouse.make("pr_7_shop_x", mark("pull_request=7").replace("acme/shop", "acme/other"))
    warehouse.make("pr_7_shopping", None)
    before = schemas(warehouse.admin)
    job.describe(pull_request=7)
    printed = job.run("teardown/drop_schemas", exit_code=70)
    assert before - schemas(warehouse.admin) == {"pr_7_shop_marts"}
    assert job.kept == {
        "pr_7_shop": "it bears no mark of dbt-deploy's",
        "finance_pr_7_shop": "it bears no mark of dbt-deploy's; its comment is `somebody's 'own'`",
    }
    assert "- pr_7_shop: it bears no mark of dbt-deploy's" in job.failure.what
    assert "all others that were to go are dropped" in job.failure.not_done
    assert 'drop schema "pr_7_shop" cascade' in job.failure.remedy
    assert "1 schema dropped, 2 could not be" in job.summary
    assert "Some schemas were not dropped" in printed


@pytest.mark.fault(37)
def test_a_marked_schema_of_another_role_is_kept_and_said(job: Job, warehouse: Warehouse) -> None:
    warehouse.other.run("create schema pr_7_shop; create table pr_7_shop.t (id int)")
    warehouse.other.run(f"comment on schema pr_7_shop is '{mark('pull_request=7')}'")
    warehouse.make("pr_7_shop_marts", mark("pull_request=7"))
    job.describe(pull_request=7)
    job.run("teardown/drop_schemas", exit_code=70)
    assert schemas(warehouse.admin) == {"pr_7_shop"}
    other, role = warehouse.other.user, warehouse.role.user
    assert job.kept == {
        "pr_7_shop": f"it belongs to the role {other}, and this job's role is {role}"
    }
    assert f"As {other}, run: drop schema" in job.failure.remedy
    # The remedy that it names.
    warehouse.other.run('drop schema "pr_7_shop" cascade')
    job.run("teardown/drop_schemas")
    assert schemas(warehouse.admin) == set()


HANGING = {
    "view theirs.v": "create view theirs.v as select id from pr_7_shop.t",
    "materialized view theirs.m": "create materialized view theirs.m as select id from pr_7_shop.t",
    "table constraint k on theirs.x": "create table theirs.x (id int,"
    " constraint k foreign key (id) references pr_7_shop.t)",
    "function theirs.f()": "create function theirs.f() returns int"
    " begin atomic select max(id) from pr_7_shop.t; end",
    "table theirs.child": "create table theirs.child () inherits (pr_7_shop.t)",
    "table theirs.part": "create table theirs.part partition of pr_7_shop.p"
    " for values from (1) to (2)",
    "the rows here of table theirs.whole": "create table theirs.whole (id int) partition by"
    " range (id); alter table theirs.whole attach partition pr_7_shop.t for values from (0) to (9)",
    "the rows here of table theirs.elder": "create table theirs.elder (id int);"
    " alter table pr_7_shop.t inherit theirs.elder",
    "default value for theirs.d.n": "create table theirs.d (n int default nextval('pr_7_shop.s'))",
    "table theirs.mood": "create table theirs.mood (m pr_7_shop.mood)",
}


@pytest.mark.fault(110)
@pytest.mark.parametrize("named", HANGING)
def test_what_objects_of_others_hang_on_stays_and_they_are_named(
    job: Job, warehouse: Warehouse, named: str
) -> None:
    warehouse.make("pr_7_shop", mark("pull_request=7"))
    warehouse.role.run(
        "create table pr_7_shop.p (id int) partition by range (id);"
        "create sequence pr_7_shop.s; create type pr_7_shop.mood as enum ('good')"
    )
    # Hangs on it from inside the pull request: this one may go, and the table it reads may not.
    warehouse.make(
        "pr_7_shop_marts",
        mark("pull_request=7"),
        "create view pr_7_shop_marts.v as select * from pr_7_shop.t",
    )
    warehouse.admin.run(f"create schema theirs; {HANGING[named]}")
    job.describe(pull_request=7)
    job.run("teardown/drop_schemas", exit_code=70)
    assert schemas(warehouse.admin) == {"pr_7_shop", "theirs"}
    assert job.dropped == ["pr_7_shop_marts"]
    assert f"would be dropped too: `{named}`" in job.kept["pr_7_shop"]
    assert "let them read production's" in job.failure.remedy


def test_a_schema_that_stays_keeps_what_it_hangs_on(job: Job, warehouse: Warehouse) -> None:
    warehouse.make("pr_7_shop", mark("pull_request=7"))
    warehouse.make(
        "pr_7_shop_marts",
        mark("pull_request=7"),
        "create view pr_7_shop_marts.v as select * from pr_7_shop.t",
    )
    warehouse.admin.run(
        "create schema theirs; create view theirs.v as select * from pr_7_shop_marts.v"
    )
    job.describe(pull_request=7)
    job.run("teardown/drop_schemas", exit_code=70)
    assert schemas(warehouse.admin) == {"pr_7_shop", "pr_7_shop_marts", "theirs"}
    assert "`view theirs.v`" in job.kept["pr_7_shop_marts"]
    assert "`view pr_7_shop_marts.v`" in job.kept["pr_7_shop"]
    warehouse.admin.run("drop view theirs.v")
    job.run("teardown/drop_schemas")
    assert schemas(warehouse.admin) == {"theirs"}


def test_what_it_reads_of_productions_is_left_alone(job: Job, warehouse: Warehouse) -> None:
    warehouse.admin.run(
        "create schema analytics; create table analytics.orders (id int primary key);"
        f'grant usage on schema analytics to "{warehouse.role.user}";'
        f'grant select, references on analytics.orders to "{warehouse.role.user}"'
    )
    warehouse.make(
        "pr_7_shop",
        mark("pull_request=7"),
        "create view pr_7_shop.v as select * from analytics.orders;"
        "alter default privileges in schema pr_7_shop grant select on tables to public",
    )
    with warehouse.admin.connect() as reader, reader.transaction():
        # A reader of production's, in the middle of something: nobody waits for it.
        reader.execute("select * from analytics.orders")
        job.describe(pull_request=7)
        job.run("teardown/drop_schemas")
    assert schemas(warehouse.admin) == {"analytics"}
    warehouse.make(
        "pr_7_shop",
        mark("pull_request=7"),
        "create table pr_7_shop.fk (id int references analytics.orders)",
    )
    job.run("teardown/drop_schemas")
    assert schemas(warehouse.admin) == {"analytics"}
    assert warehouse.admin.value("select count(*) from analytics.orders") == 0


def test_a_dry_run_says_it_all_and_changes_nothing(job: Job, warehouse: Warehouse) -> None:
    warehouse.make("pr_7_shop", mark("pull_request=7"))
    warehouse.make("pr_7_shop_marts", mark("pull_request=7"))
    warehouse.admin.run("create schema theirs; create view theirs.v as select id from pr_7_shop.t")
    before = schemas(warehouse.admin)
    with warehouse.role.connect() as builder, builder.transaction():
        # It waits for nobody.
        builder.execute("lock table pr_7_shop_marts.t in access exclusive mode")
        job.describe(pull_request=7, dry_run=True)
        job.run("teardown/drop_schemas")
    assert schemas(warehouse.admin) == before
    assert job.dropped == ["pr_7_shop_marts"]
    assert "`view theirs.v`" in job.kept["pr_7_shop"]
    assert "would be dropped" in job.summary
    assert "This was a dry run" in job.summary


# Races ----------------------------------------------------------------------------------------


MODEL = "{{ config(materialized='table') }} select 1 as id, pg_sleep(600) is null as done"


@pytest.mark.fault(38)
def test_a_close_during_a_build_waits_until_the_cancelled_build_has_ended(
    job: Job, warehouse: Warehouse
) -> None:
    warehouse.make("pr_7_shop", mark("pull_request=7"))
    job.describe(pull_request=7)
    with building(job, warehouse) as dbt:
        with job.start("teardown/drop_schemas") as dropping:
            until(lambda: waits(warehouse))
            dbt.send_signal(signal.SIGINT)
            printed, _ = dropping.communicate(timeout=120)
        assert dropping.returncode == 0, printed
    assert job.dropped == ["pr_7_shop"]
    assert schemas(warehouse.admin) == set()


@pytest.mark.fault(38)
def test_a_build_that_goes_on_is_left_alone_and_the_sweep_comes_back(
    job: Job, warehouse: Warehouse
) -> None:
    warehouse.make("pr_7_shop", mark("pull_request=7"))
    warehouse.make("pr_8_shop", mark("pull_request=8"))
    wanted = tuple(want(name, mark(f"pull_request={n}"), n) for n, name in PULLS.items())
    job.describe(sweep=True)
    hand_over.write(job.work, ChosenSchemas(wanted=wanted))
    with building(job, warehouse) as dbt:
        job.run("teardown/drop_schemas", exit_code=70)
        assert dbt.poll() is None
        assert (
            "somebody works in it (`canceling statement due to lock timeout`)"
            in (job.kept["pr_7_shop"])
        )
        assert "a sweep drops it too" in job.failure.remedy
        assert schemas(warehouse.admin) == {"pr_7_shop"}, "the other one is gone"
    job.run("teardown/drop_schemas")
    assert schemas(warehouse.admin) == set()


@pytest.mark.fault(38)
def test_a_mark_renewed_while_the_sweep_drops_keeps_the_schema(
    job: Job, warehouse: Warehouse
) -> None:
    warehouse.make("pr_7_shop", mark("pull_request=7"))
    job.describe(sweep=True)
    wanted = (want("pr_7_shop", mark("pull_request=7"), 7),)
    hand_over.write(job.work, ChosenSchemas(wanted=wanted))
    with warehouse.role.connect() as push, push.transaction():
        # What prepare_schemas sends as one string.
        push.execute("select pg_advisory_xact_lock(hashtext('dbt-deploy'), hashtext('pr_7_shop'))")
        renewed = mark("pull_request=7", "2026-11-21T09:00:00+00:00")
        push.execute(f"comment on schema pr_7_shop is '{renewed}'")
        dropping = job.start("teardown/drop_schemas")
        until(lambda: waits(warehouse))
    with dropping:
        printed, _ = dropping.communicate(timeout=120)
    assert dropping.returncode == 0, printed
    assert schemas(warehouse.admin) == {"pr_7_shop"}
    assert job.kept == {"pr_7_shop": "it was used again, or marked anew, since it was looked at"}


@pytest.mark.fault(37, 38)
@pytest.mark.parametrize(
    ("comment", "goes"),
    [(mark("pull_request=7", "2026-11-21T09:00:00+00:00"), True), ("somebody else's", False)],
)
def test_a_close_drops_what_a_late_push_renewed_and_not_what_is_anothers_now(
    job: Job, warehouse: Warehouse, comment: str, goes: bool
) -> None:
    warehouse.make("pr_7_shop", mark("pull_request=7"))
    job.describe(pull_request=7)
    with warehouse.role.connect() as late, late.transaction():
        late.execute("select pg_advisory_xact_lock(hashtext('dbt-deploy'), hashtext('pr_7_shop'))")
        literal = comment.replace("'", "''")
        late.execute(f"comment on schema pr_7_shop is '{literal}'".encode())
        dropping = job.start("teardown/drop_schemas")
        until(lambda: waits(warehouse))
    with dropping:
        printed, _ = dropping.communicate(timeout=120)
    assert dropping.returncode == 0, printed
    assert schemas(warehouse.admin) == (set() if goes else {"pr_7_shop"})
    assert job.dropped == (["pr_7_shop"] if goes else [])


@pytest.mark.fault(38)
def test_a_push_and_a_teardown_at_one_time_leave_the_schema_marked_or_gone(
    job: Job, warehouse: Warehouse
) -> None:
    seven = mark("pull_request=7")
    warehouse.make("pr_7_shop", seven)
    job.describe(pull_request=7)
    push = Job(job.work.with_name("push"), job.dbt_command, job.environment)
    push.work.mkdir()
    push.describe(pull_request=7, policy=runs.ci())
    hand_over.write(push.work, plans.state(found=False))
    database, relation = warehouse.admin.name, '"pr_7_shop"."a"'
    node = plans.node("a", database=database, schema="pr_7_shop", relation_name=relation)
    hand_over.write(push.work, plans.plan(node))
    with (
        job.start("teardown/drop_schemas") as dropping,
        push.start("tests/standins/prepare_schema.py") as preparing,
    ):
        told = [process.communicate(timeout=120)[0] for process in (dropping, preparing)]
    assert (dropping.returncode, preparing.returncode) == (0, 0), told
    comment = "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s"
    assert warehouse.admin.rows(comment, ("pr_7_shop",)) in (
        [],
        [(f"{seven.splitlines()[0]}\nlast used {STARTED}",)],
    )


PULLS = {7: "pr_7_shop", 8: "pr_8_shop"}


def want(schema: str, comment: str, number: int) -> WantedSchema:
    return WantedSchema(
        schema=MarkedSchema(schema=schema, comment=comment),
        owner=Owner(pull_request=number),
        why="merged",
    )


@contextlib.contextmanager
def building(job: Job, warehouse: Warehouse) -> Iterator[subprocess.Popen[bytes]]:
    """A dbt build that is in the middle of a table of ``pr_7_shop``; ended as a cancel does."""
    (job.project / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
    (job.project / "models").mkdir(exist_ok=True)
    (job.project / "models" / "slow.sql").write_text(MODEL)
    environment = {
        "PATH": os.environ["PATH"],
        "DBT_DEPLOY_SCHEMA": "pr_7_shop",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
        "DB_PASSWORD": warehouse.role.password,
        **job.environment,
    }
    with subprocess.Popen(
        [job.dbt_command, "build"],
        cwd=job.project,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as dbt:
        try:
            running = (
                "select count(*) from pg_stat_activity where datname = current_database() "
                "and pid <> pg_backend_pid() and query like '%pg_sleep(600)%'"
            )
            until(lambda: bool(warehouse.admin.value(running)))
            yield dbt
        finally:
            dbt.send_signal(signal.SIGINT)
            dbt.wait(timeout=60)


def waits(warehouse: Warehouse) -> bool:
    """Whether the drop waits for a lock."""
    query = (
        "select count(*) from pg_stat_activity where datname = current_database() "
        "and wait_event_type = 'Lock' and query ilike %s"
    )
    return bool(warehouse.admin.value(query, ("%dbt_deploy.job%",)))


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again until it is true; what is waited for happens in another process."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_an_adapter_without_the_macros_is_refused_by_name(
    job: Job, warehouse: Warehouse, tmp_path: Path
) -> None:
    package = tmp_path / "package"
    shutil.copytree(PACKAGE, package)
    (package / "macros" / "postgres_teardown.sql").unlink()
    asked = ["run-operation", "find_schemas", "--args", '{"job": {"token": "T", "prefix": "x"}}']
    where = ["--project-dir", package, "--profiles-dir", job.project, "--profile", "shop"]
    done = subprocess.run(
        [str(word) for word in (job.dbt_command, *asked, *where)],
        env={
            "PATH": os.environ["PATH"],
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
            "DBT_DEPLOY_SCHEMA": "x",
            "DB_PASSWORD": warehouse.role.password,
            **job.environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "dbt-deploy has no macro marked_schemas for the adapter postgres" in done.stdout
    assert "Add postgres__marked_schemas to its dbt_package/macros." in done.stdout
