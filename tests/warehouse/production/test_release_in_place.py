"""Tables that dbt writes into, changed in place: as a build right there would have left them.

Each test runs the same statements on staging's copy and on a twin, and compares: rows, columns,
what an audit trigger saw, and all that was ever made on the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbtdeploy.base import errors
from dbtdeploy.warehouse.release_macro_types import Swapped
from standins.warehouse.greens import Release, Shop
from standins.warehouse.postgres import Database, Server

AUDIT = """
create table twin.audit (n bigint generated always as identity, schema text, op text, row text);
grant all on twin.audit to public;
create function twin.seen() returns trigger language plpgsql as $$
begin
  insert into twin.audit (schema, op, row) values (tg_table_schema, tg_op,
    case when tg_level = 'ROW' then concat(old::text, ' > ', new::text) end);
  return null;
end $$;
"""

COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text
from pg_attribute a where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
order by a.attname
"""

MADE_ON_IT = """
with t as (select 'analytics.t'::regclass as oid)
select pg_get_constraintdef(k.oid) from pg_constraint k join t on k.conrelid = t.oid
union all select pg_get_indexdef(i.indexrelid) from pg_index i join t on i.indrelid = t.oid
union all select concat(pg_get_triggerdef(g.oid), g.tgenabled) from pg_trigger g
  join t on g.tgrelid = t.oid
union all select pg_get_ruledef(w.oid) from pg_rewrite w join t on w.ev_class = t.oid
union all select polname || pg_get_expr(polqual, polrelid) from pg_policy join t on polrelid = t.oid
union all select pg_get_statisticsobjdef(x.oid) from pg_statistic_ext x join t on stxrelid = t.oid
union all select row(relacl, reloptions, relrowsecurity, relowner, obj_description(c.oid))::text
  from pg_class c join t using (oid)
union all select row(attname, attstattarget, attacl)::text
  from pg_attribute join t on attrelid = oid
order by 1
"""


@dataclass
class Table:
    """`analytics.t`, and the same in schema `twin`."""

    shop: Shop
    columns: str
    rows: str
    more: Sequence[str] = ()
    """Made on both; ``{t}`` is the table."""
    keys: tuple[str, ...] = ()
    updates: tuple[str, ...] | None = None
    release: Release = field(init=False)
    oid: int = field(init=False)

    def __post_init__(self) -> None:
        for schema in ("analytics", "twin"):
            name = f"{schema}.t"
            self.shop.owner.run(f"create table {name} ({self.columns}); {self.rows.format(t=name)}")
            for one in self.more:
                self.shop.owner.run(one.format(t=name, schema=schema))
            self.shop.owner.run(
                f"create trigger seen after insert or update or delete on {name}"
                " for each row execute function twin.seen()"
            )
        self.oid = self.shop.database.value("select 'analytics.t'::regclass::oid")
        self.release = self.shop.begin()
        self.prepare()

    def prepare(self) -> None:
        self.release.prepare("t")

    def build(self, *statements: str) -> None:
        """What dbt does, in staging and in the twin."""
        for name in (f"{self.release.green()}.t", "twin.t"):
            with self.shop.owner.connect() as connection:
                for one in statements:
                    connection.execute(one.format(t=name).encode())

    def swap(self) -> Swapped:
        self.release.stage("t", None, "incremental", keys=self.keys, updates=self.updates)
        return self.release.go()

    def contents(self, schema: str, columns: str = "t.*") -> list[Any]:
        query = f"select ({columns})::text from {schema}.t order by 1"
        return [row for (row,) in self.shop.database.rows(query)]

    def audit(self, schema: str) -> list[Any]:
        query = f"select op, row from twin.audit where schema = '{schema}' order by n"
        return self.shop.database.rows(query)

    def alike(self, columns: str = "t.*", *, in_order: bool = True) -> None:
        """As the twin, and still the same object."""
        assert self.contents("analytics", columns) == self.contents("twin", columns)
        ours, theirs = (
            self.shop.database.rows(COLUMNS, (f"{schema}.t",)) for schema in ("analytics", "twin")
        )
        assert ours == theirs
        seen, expected = self.audit("analytics"), self.audit("twin")
        assert (seen if in_order else sorted(seen)) == (expected if in_order else sorted(expected))
        assert self.shop.database.value("select 'analytics.t'::regclass::oid") == self.oid


@pytest.fixture
def shop(tmp_path: Path, postgres_server: Server, database: Database) -> Shop:
    made = Shop(tmp_path, postgres_server, database)
    database.run(f"create schema twin authorization {made.owner.user}")
    made.owner.run(AUDIT)
    return made


ROWS = "insert into {t} select n, 'v' || n from generate_series(1, 5) n"

BUILDS: dict[str, tuple[tuple[str, ...], Any]] = {
    "append": (("insert into {t} values (1, 'again'), (6, null)",), None),
    "delete+insert": (
        ("delete from {t} where id in (2, 3); insert into {t} values (2, 'new'), (9, '9')",),
        None,
    ),
    "merge": (
        (
            "merge into {t} as d using (values (2, 'two'), (7, 'seven')) as s(id, v) on d.id = s.id"
            " when matched then update set id = s.id, v = s.v"
            " when not matched then insert (id, v) values (s.id, s.v)",
        ),
        (),
    ),
    "snapshot": (
        ("update {t} set v = 'closed' where id = 4", "insert into {t} values (4, 'open')"),
        None,
    ),
    "twice": (
        (
            "insert into {t} values (6, 'a')",
            "update {t} set v = v || 'b' where id > 4",
            "update {t} set v = v || 'c' where id > 5",
            "delete from {t} where id = 5",
            "insert into {t} values (5, 'back')",
        ),
        None,
    ),
    "nothing": (("delete from {t} where id > 100",), None),
    "new column": (
        ("alter table {t} add column w numeric(6,2)", "insert into {t} (id, w) values (8, 1.5)"),
        None,
    ),
}


@pytest.mark.fault(86, 91)
@pytest.mark.parametrize("name", BUILDS)
def test_rows_columns_and_events_are_those_of_a_build_in_place(shop: Shop, name: str) -> None:
    statements, updates = BUILDS[name]
    table = Table(shop, "id int, v text", ROWS, updates=updates)
    table.build(*statements)
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    table.alike()
    assert [one for one in shop.schemas() if "dbt_log" in one or "dbt_green" in one] == []


def test_a_column_that_goes_is_dropped_last(shop: Shop) -> None:
    """Readers wait for that, so the triggers of the live table still see the column."""
    table = Table(shop, "id int, v text", ROWS)
    table.build("alter table {t} drop column v", "insert into {t} values (8)")
    assert table.swap().outcome == "done"
    assert table.contents("analytics") == table.contents("twin")
    assert table.audit("analytics") == [("INSERT", " > (8,)")]


def test_equal_rows_are_told_apart(shop: Shop) -> None:
    rows = "insert into {t} select 1, 'same' from generate_series(1, 4)"
    table = Table(shop, "id int, v text", rows)
    one = "ctid = (select min(ctid) from {t} where v = 'same')"
    table.build(f"delete from {{t}} where {one}", f"update {{t}} set v = 'one' where {one}")
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    table.alike()


def test_a_type_that_grows_and_one_that_is_rewritten(shop: Shop) -> None:
    """dbt fills a new column, drops the old one and renames; the live one stays where it is."""
    table = Table(
        shop,
        "id int, v varchar(2), w int",
        "insert into {t} select n, 'v' || n, n from generate_series(1, 9) n",
    )
    for name, to in (("v", "varchar(20)"), ("w", "bigint")):
        table.build(
            f"alter table {{t}} add column {name}__dbt_alter {to}",
            f"update {{t}} set {name}__dbt_alter = {name}",
            f"alter table {{t}} drop column {name} cascade",
            f"alter table {{t}} rename column {name}__dbt_alter to {name}",
        )
    table.build(
        "delete from {t} where id = 3",
        "insert into {t} (id, v, w) values (3, 'long enough', 30000000000)",
        "update {t} set v = 'seven' where id = 7",
    )
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    columns = "row(id, v, w)"
    assert table.contents("analytics", columns) == table.contents("twin", columns)


@pytest.mark.fault(101)
def test_defaults_and_numbers_come_out_as_after_an_insert_there(shop: Shop) -> None:
    columns = """
        id int generated always as identity,
        number int generated by default as identity (start 100),
        old serial, v text default 'none', loaded timestamptz default now(),
        twice text generated always as (v || v) stored
    """
    table = Table(shop, columns, "insert into {t} (v) values ('a'), ('b'), ('c')")
    table.build(
        "alter table {t} add column more int",
        "insert into {t} (v, more) values ('d', 1)",
        "insert into {t} (number, more) values (7, 2)",
    )
    before = shop.database.value("select last_value from analytics.t_old_seq")
    assert before == 3
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    kept = "row(id, number, old, v, twice, more)"
    assert table.contents("analytics", kept) == table.contents("twin", kept)
    shop.owner.run("insert into analytics.t (v) values ('after')")
    assert shop.owner.rows("select id, number, old from analytics.t where v = 'after'") == [
        (6, 104, 6)
    ]


@pytest.mark.fault(93, 98, 101)
def test_all_that_was_made_on_the_table_stays(shop: Shop) -> None:
    reader = shop.reader.user
    more = (
        "create index by_v on {t} (v)",
        "alter table {t} add constraint whole primary key (id)",
        "create rule none as on delete to {t} where old.id < 0 do instead nothing",
        "create trigger off before insert on {t} for each row execute function twin.seen()",
        "alter table {t} disable trigger off",
        f"create policy few on {{t}} for select to {reader} using (id < 3)",
        "alter table {t} enable row level security",
        f"grant select on {{t}} to {reader}",
        "create statistics {schema}.two on id, v from {t}",
        "comment on table {t} is 'by hand'",
        "alter table {t} set (fillfactor = 70), alter column v set statistics 50",
    )
    table = Table(shop, "id int, v text", ROWS, more=more)
    shop.owner.run("create table marts.child (id int references analytics.t on delete cascade)")
    shop.owner.run("insert into marts.child values (1), (2)")
    before = shop.database.rows(MADE_ON_IT)
    table.build("delete from {t} where id in (1, 5)", "insert into {t} values (5, 'five')")
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    table.alike()
    assert shop.database.rows(MADE_ON_IT) == before
    assert shop.owner.rows("select id from marts.child") == [(2,)]


def test_what_a_build_changes_besides_rows_is_done_to_the_live_table_too(shop: Shop) -> None:
    reader = shop.reader.user
    table = Table(shop, "id int, v text", ROWS, more=("create index by_v on {t} (v)",))
    table.build(
        "create index if not exists by_v on {t} (v)",
        "create index if not exists by_id on {t} (id)",
        f"grant select on {{t}} to {reader}",
        "comment on column {t}.v is 'what it''s \\ worth'",
    )
    table.release.stage("t", None, "incremental", managed=("select",))
    assert table.release.go().outcome == "done"
    table.alike()
    indexes = "select indexname from pg_indexes where schemaname = 'analytics' order by 1"
    assert shop.database.rows(indexes) == [("by_id",), ("by_v",)]
    assert shop.reader.rows("select count(*) from analytics.t") == [(5,)]
    said = "select col_description('analytics.t'::regclass, 2)"
    assert shop.database.value(said) == "what it's \\ worth"


@pytest.mark.parametrize(
    ("statement", "outcome", "said"),
    [
        ("truncate {t}", "unfit", "emptied it by TRUNCATE"),
        ("alter table {t} add constraint c check (id > 0)", "unfit", "constraint c"),
        ("alter table {t} disable trigger dbt_deploy_row", "unfit", "trigger dbt_deploy_row"),
        ("delete from {t} where id = 1; alter table {t} alter id type bigint", "unfit", "2 rows"),
    ],
)
def test_what_no_log_can_see_is_refused_by_name(
    shop: Shop, statement: str, outcome: str, said: str
) -> None:
    table = Table(shop, "id int, v text", ROWS)
    shop.owner.run(statement.format(t=f"{table.release.green()}.t"))
    table.release.stage("t", None, "incremental")
    swapped = table.release.go()
    assert swapped.outcome == outcome, swapped
    assert said in "\n".join(swapped.detail)
    assert "analytics.t" in "\n".join(swapped.detail)
    assert table.audit("analytics") == []


@pytest.mark.fault(82, 104)
@pytest.mark.parametrize(
    "write",
    [
        "insert into analytics.t values (9, 'theirs')",
        "delete from analytics.t where id = 1",
        "update analytics.t set v = v where id = 1",
        "delete from analytics.t where id = 1; insert into analytics.t values (1, 'v1')",
    ],
)
def test_without_a_key_nobody_else_may_have_written(shop: Shop, write: str) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("insert into {t} values (6, 'six')")
    shop.owner.run(write)
    before = shop.state()
    swapped = table.swap()
    assert swapped.outcome == "changed"
    assert "analytics.t was written to since its rows were copied into staging" in swapped.detail[0]
    assert shop.state() == before
    assert "six" not in "".join(table.contents("analytics"))


@pytest.mark.fault(82, 104)
def test_with_a_key_what_others_wrote_stays(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS, keys=("id",))
    table.build("delete from {t} where id in (2); insert into {t} values (2, 'new'), (6, 'six')")
    for schema in ("analytics", "twin"):
        shop.owner.run(
            f"insert into {schema}.t values (9, 'theirs');"
            f"update {schema}.t set v = 'theirs' where id = 1; delete from {schema}.t where id = 3"
        )
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    assert table.contents("analytics") == table.contents("twin")


@pytest.mark.fault(82, 104)
@pytest.mark.parametrize(
    ("write", "said"),
    [
        ("insert into analytics.t values (6, 'theirs')", "others wrote 1 rows with keys"),
        ("update analytics.t set v = 'theirs' where id = 2", "others wrote"),
        ("delete from analytics.t where id = 2", "of 1 rows that the release deletes, 0 are"),
    ],
)
def test_a_key_that_both_touch_is_refused(shop: Shop, write: str, said: str) -> None:
    table = Table(shop, "id int, v text", ROWS, keys=("id",))
    table.build("delete from {t} where id in (2); insert into {t} values (2, 'new'), (6, 'six')")
    shop.owner.run(write)
    swapped = table.swap()
    assert swapped.outcome == "changed"
    assert said in swapped.detail[0]
    assert "six" not in "".join(table.contents("analytics"))


@pytest.mark.fault(83)
def test_a_policy_that_hides_rows_from_the_owner_refuses_the_copy(shop: Shop) -> None:
    shop.owner.run(
        "create table analytics.t as select n as id from generate_series(1, 5) n;"
        "alter table analytics.t enable row level security;"
        "alter table analytics.t force row level security;"
        "create policy few on analytics.t using (id < 3)"
    )
    release = shop.begin()
    with pytest.raises(errors.ReleaseStepFailed, match="rows that a policy hides") as refused:
        release.prepare("t")
    assert "ALTER TABLE analytics.t NO FORCE ROW LEVEL SECURITY" in str(refused.value)


FORCED = """
alter table {t} enable row level security; alter table {t} force row level security;
"""


@pytest.mark.fault(83)
@pytest.mark.parametrize(
    ("policies", "passes"),
    [
        ("create policy all_of_it on {t} to {owner} using (true) with check (true)", True),
        (
            "create policy a on {t} using (true); create policy b on {t} to {other} using (id = 1)",
            True,
        ),
        (
            "create policy a on {t} using (true);"
            " create policy b on {t} as restrictive for insert with check (true)",
            True,
        ),
        ("create policy a on {t} for select using (true)", False),
        (
            "create policy a on {t} using (true);"
            " create policy b on {t} as restrictive for delete using (id <> 1)",
            False,
        ),
        ("create policy a on {t} as restrictive using (true)", False),
        ("select 1", False),
    ],
)
def test_forced_row_level_security_passes_only_where_all_that_applies_is_true(
    shop: Shop, policies: str, passes: bool
) -> None:
    roles = {"owner": shop.owner.user, "other": shop.other.user}
    made = FORCED + policies.format(t="{t}", **roles)
    if not passes:
        shop.owner.run("create table analytics.t (id int);" + made.format(t="analytics.t"))
        release = shop.begin()
        with pytest.raises(errors.ReleaseStepFailed, match="rows that a policy hides"):
            release.prepare("t")
        return
    table = Table(shop, "id int, v text", ROWS, more=(made,))
    table.build("delete from {t} where id = 2; insert into {t} values (2, 'new'), (6, 'six')")
    table.build("update {t} set v = 'u' where id = 1")
    assert table.swap().outcome == "done"
    table.alike()
    back = shop.take_back(table.release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert len(table.contents("analytics")) == 5


@pytest.mark.fault(91)
def test_a_publication_of_all_tables_does_not_stop_the_build(shop: Shop) -> None:
    shop.database.run("create publication everything for all tables")
    table = Table(shop, "id int, v text", ROWS)
    for schema in ("analytics", "twin"):
        shop.owner.run(f"alter table {schema}.t replica identity full")
    table.build("update {t} set v = 'u' where id = 1", "delete from {t} where id = 2")
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    table.alike()
    identity = "select relreplident::text from pg_class where oid = 'analytics.t'::regclass"
    assert shop.database.value(identity) == "f"


@pytest.mark.fault(94)
def test_partitions_stay_with_their_rows(shop: Shop) -> None:
    shop.owner.run(
        """
        create table analytics.t (id int, v text) partition by range (id);
        create table analytics.t_1 partition of analytics.t for values from (0) to (10);
        create table marts.t_2 partition of analytics.t for values from (10) to (100);
        insert into analytics.t values (1, 'a'), (2, 'b'), (11, 'c');
        """
    )
    release = shop.begin()
    release.prepare("t")
    green = f"{release.green()}.t"
    shop.owner.run(f"delete from {green} where id in (2, 11)")
    shop.owner.run(f"insert into {green} values (12, 'd')")
    shop.owner.run(f"update {green} set id = 20 where id = 1")
    release.stage("t", None, "incremental")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    assert shop.owner.rows("select * from analytics.t_1") == []
    assert shop.owner.rows("select * from marts.t_2 order by id") == [(12, "d"), (20, "a")]
    assert shop.take_back(release, restore_incremental=True).swapped.outcome == "done"
    assert shop.owner.rows("select * from analytics.t_1 order by id") == [(1, "a"), (2, "b")]
    assert shop.owner.rows("select * from marts.t_2 order by id") == [(11, "c")]


def test_what_reads_a_copy_in_staging_reads_the_live_table_afterwards(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("insert into {t} values (6, 'six')")
    green = table.release.green()
    name = f"""'{green}.t, "t" and a ''quote'''"""
    table.release.stage("big", f"select id, {name} as said from {green}.t where id > 3", "view")
    table.release.stage("bigger", f"select id from {green}.big where id > 4", "view")
    table.release.stage("counted", f"select count(*) as n from {green}.t", "materialized_view")
    shop.owner.run(f"grant select on {green}.bigger to {shop.reader.user}")
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    table.alike()
    shop.owner.run("insert into analytics.t values (7, 'seven')")
    assert shop.owner.rows("select id from analytics.big order by 1") == [(4,), (5,), (6,), (7,)]
    assert shop.reader.rows("select id from analytics.bigger order by 1") == [(5,), (6,), (7,)]
    assert shop.owner.rows("select distinct said from analytics.big") == [
        (f"""{green}.t, "t" and a 'quote'""",)
    ]
    shop.owner.run("refresh materialized view analytics.counted")
    assert shop.owner.rows("select n from analytics.counted") == [(7,)]


def test_readers_go_on_while_rows_are_changed(shop: Shop) -> None:
    """A reader that never ends is in nobody's way: no lock that stops it is asked for."""
    table = Table(shop, "id int, v text", ROWS)
    table.build("update {t} set v = 'new' where id = 1")
    with psycopg.connect(shop.owner.url) as reader:
        reader.execute("select * from analytics.t")
        swapped = table.swap()
        assert (swapped.outcome, swapped.attempts) == ("done", 1), swapped
    table.alike()


# Taken back --------------------------------------------------------------------------------------


@pytest.mark.fault(34)
def test_the_releases_rows_are_taken_back_and_others_stay(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS, keys=("id",))
    table.build(
        "delete from {t} where id = 1",
        "update {t} set v = 'new' where id = 2",
        "delete from {t} where id = 3; insert into {t} values (3, 'again')",
        "insert into {t} values (6, 'six')",
        "update {t} set v = 'seven' where id = 6",
    )
    assert table.swap().outcome == "done"
    shop.owner.run("insert into analytics.t values (7, 'theirs')")
    with psycopg.connect(shop.owner.url, autocommit=True) as connection:
        connection.execute("vacuum (freeze) analytics.t")
    shop.owner.run("update analytics.t set v = 'theirs' where id = 4")
    plan = shop.take_back(table.release, restore_incremental=True, dry_run=True)
    assert plan.restored == ("analytics.t",)
    back = shop.take_back(table.release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert back.restored == ("analytics.t",)
    rows = shop.owner.rows("select id, v from analytics.t order by id")
    assert rows == [
        *((1, "v1"), (2, "v2"), (3, "v3")),
        *((4, "theirs"), (5, "v5"), (7, "theirs")),
    ]
    assert shop.database.value("select 'analytics.t'::regclass::oid") == table.oid
    assert table.release.kept() not in shop.schemas()


@pytest.mark.fault(35)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "update analytics.t set v = 'theirs' where id = 2",
            "1 of the rows that the release wrote",
        ),
        ("delete from analytics.t where id = 6", "1 of the rows that the release wrote"),
        ("vacuum full analytics.t", "was rewritten since"),
        ("drop table analytics.t; create table analytics.t (id int, v text)", "was made anew"),
    ],
)
def test_rows_that_were_written_to_since_are_not_taken_back(
    shop: Shop, change: str, said: str
) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("update {t} set v = 'new' where id = 2", "insert into {t} values (6, 'six')")
    assert table.swap().outcome == "done"
    with psycopg.connect(shop.owner.url, autocommit=True) as connection:
        for one in change.split(";"):
            connection.execute(one.encode())
    before = table.contents("analytics")
    back = shop.take_back(table.release, restore_incremental=True)
    assert back.swapped.outcome == "changed"
    assert said in back.swapped.detail[0]
    assert table.contents("analytics") == before


def test_an_added_column_goes_with_its_release(shop: Shop) -> None:
    table = Table(
        shop, "id int generated always as identity, v text", "insert into {t} (v) values ('a')"
    )
    table.build(
        "alter table {t} add column w int",
        "insert into {t} (v, w) values ('b', 1)",
        "delete from {t} where id = 1",
    )
    assert table.swap().outcome == "done"
    assert shop.take_back(table.release, restore_incremental=True).swapped.outcome == "done"
    assert shop.owner.rows("select * from analytics.t") == [(1, "a")]


@pytest.mark.parametrize("at_once", [True, False])
def test_releases_that_changed_the_same_rows_are_taken_back(shop: Shop, at_once: bool) -> None:
    table = Table(shop, "id int, v text", ROWS)
    releases = [table.release]
    table.build(
        "update {t} set v = 'one' where id in (1, 2, 3)",
        "insert into {t} values (6, 'six')",
        "delete from {t} where id = 5",
    )
    assert table.swap().outcome == "done"
    for builds in (
        ("update {t} set v = v || ' two' where id in (1, 4)", "delete from {t} where id = 2"),
        ("update {t} set v = v || ' three' where id in (1, 6)", "insert into {t} values (2, 'n')"),
        ("delete from {t} where id in (2, 6)",),
    ):
        release = shop.begin()
        release.prepare("t")
        for one in builds:
            shop.owner.run(one.format(t=f"{release.green()}.t"))
        release.stage("t", None, "incremental")
        assert release.go().outcome == "done"
        releases.insert(0, release)
    shop.owner.run("insert into analytics.t values (7, 'theirs')")
    for some in [releases] if at_once else [[one] for one in releases]:
        for dry_run in (True, False):
            back = shop.take_back(*some, restore_incremental=True, dry_run=dry_run)
            assert back.swapped.outcome == "done", back
    assert shop.owner.rows("select id, v from analytics.t order by id") == [
        *((n, f"v{n}") for n in range(1, 6)),
        (7, "theirs"),
    ]


def test_what_others_wrote_between_two_releases_keeps_both(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("update {t} set v = 'one' where id = 1")
    assert table.swap().outcome == "done"
    shop.owner.run("update analytics.t set v = 'theirs' where id = 1")
    second = shop.begin()
    second.prepare("t")
    shop.owner.run(f"update {second.green()}.t set v = v || ' two' where id = 1")
    second.stage("t", None, "incremental")
    assert second.go().outcome == "done"
    back = shop.take_back(second, table.release, restore_incremental=True)
    assert back.swapped.outcome == "changed", back
    assert shop.owner.rows("select v from analytics.t where id = 1") == [("theirs two",)]


def test_a_trigger_that_writes_its_own_row_is_no_hindrance(shop: Shop) -> None:
    shop.owner.run(
        """
        create function twin.stamp() returns trigger language plpgsql as $$ begin
          execute format('update %s set n = n + 1 where id = $1', tg_relid::regclass) using new.id;
          return null;
        end $$;
        """
    )
    stamp = (
        "create trigger stamp after insert or update of v on {t} for each row"
        " execute function twin.stamp()"
    )
    rows = ROWS.replace("n, 'v' || n", "n, 'v' || n, 0")
    table = Table(shop, "id int, v text, n int", rows, more=(stamp,))
    table.release.stage("t", None, "incremental")
    green = f"{table.release.green()}.t"
    shop.owner.run(f"update {green} set v = 'new' where id = 1")
    shop.owner.run(f"insert into {green} values (6, 'six', 0)")
    swapped = table.release.go()
    assert swapped.outcome == "done", swapped
    written = "select v, n from analytics.t where id in (1, 6) order by id"
    assert shop.owner.rows(written) == [("new", 1), ("six", 1)]
    back = shop.take_back(table.release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    # It is an UPDATE, too, and the trigger does what it does.
    assert shop.owner.rows(written) == [("v1", 1)]


@pytest.mark.parametrize("action", ["cascade", "set null", "no action"])
def test_rows_that_a_foreign_key_took_along_refuse_the_way_back(shop: Shop, action: str) -> None:
    table = Table(shop, "id int primary key, v text", ROWS)
    shop.owner.run(
        f"""
        create table marts.children (parent int references analytics.t on delete {action})
          partition by list (parent);
        create table marts.rest partition of marts.children default;
        insert into marts.children values (5), (1);
        """
    )
    if action == "no action":
        shop.owner.run("delete from marts.children where parent = 5")
    table.build("delete from {t} where id = 5")
    assert table.swap().outcome == "done"
    assert shop.take_back(table.release, dry_run=True).swapped.outcome == "done"
    back = shop.take_back(table.release, restore_incremental=True)
    if action == "no action":
        assert back.swapped.outcome == "done", back
        return
    assert back.swapped.outcome == "changed", back
    assert "does not put back: 1 of marts.rest" in back.swapped.detail[0]
    assert len(table.contents("analytics")) == 4


# What reads the table -----------------------------------------------------------------------------


def test_views_of_ours_are_made_again_where_a_column_changes(shop: Shop) -> None:
    table = Table(shop, "id int, v text, gone int", "insert into {t} values (1, 'a', 7)")
    shop.owner.run(
        f"""
        create view marts.reads as select id, v from analytics.t;
        create view analytics.downstream as select id, gone from analytics.t;
        grant select on marts.reads to {shop.reader.user};
        """
    )
    green = f"{table.release.green()}"
    table.build("alter table {t} alter id type bigint", "alter table {t} drop column gone cascade")
    table.release.stage("downstream", f"select id from {green}.t", "view")
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    assert "marts.reads" in swapped.repointed
    shop.owner.run("insert into analytics.t values (30000000000, 'b')")
    assert len(shop.reader.rows("select * from marts.reads")) == 2
    assert len(shop.owner.rows("select * from analytics.downstream")) == 2
    back = shop.take_back(table.release)
    assert back.swapped.outcome == "unfit", back
    assert "gone" in back.swapped.detail[0]


def test_a_pull_requests_view_goes_with_the_column_that_it_reads(shop: Shop) -> None:
    other = shop.other.user
    shop.database.run(f"comment on role {other} is 'dbt-deploy: pull requests'")
    table = Table(shop, "id int, v text", ROWS)
    shop.owner.run(f"grant select on analytics.t to {other}")
    shop.other.run("create view marts.theirs as select v from analytics.t")
    table.build("alter table {t} drop column v")
    swapped = table.swap()
    assert swapped.outcome == "done", swapped
    assert shop.database.value("select to_regclass('marts.theirs')") is None


def test_an_added_column_that_views_read_goes_with_them(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("alter table {t} add column w int", "insert into {t} values (6, 'six', 6)")
    table.release.stage("reads", f"select w from {table.release.green()}.t", "view")
    assert table.swap().outcome == "done"
    assert shop.owner.rows("select w from analytics.reads where w is not null") == [(6,)]
    back = shop.take_back(table.release, restore_incremental=True)
    assert back.swapped.outcome == "done", back
    assert back.removed == ("analytics.reads",)
    assert len(shop.owner.rows("select id, v from analytics.t")) == 5


@pytest.mark.fault(87)
@pytest.mark.parametrize("restore", [False, True])
def test_an_added_column_goes_though_its_rows_stay(shop: Shop, restore: bool) -> None:
    table = Table(shop, "id int, v text", ROWS)
    shop.other.run("create view marts.theirs as select 1 as one")
    shop.owner.run(f"grant select on analytics.t to {shop.other.user}")
    shop.other.run(
        "create or replace view marts.theirs as select count(id)::int as one from analytics.t"
    )
    table.build(
        "alter table {t} add column w int",
        "insert into {t} values (6, 'six', 6), (7, 'seven', null)",
    )
    assert table.swap().outcome == "done"
    for dry_run in (True, False):
        back = shop.take_back(table.release, restore_incremental=restore, dry_run=dry_run)
        assert back.swapped.outcome == "done", back
        assert (back.columns_dropped, back.columns_stay) == (("analytics.t.w",), ())
    assert [name for name, *_ in shop.database.rows(COLUMNS, ("analytics.t",))] == ["id", "v"]
    assert len(table.contents("analytics")) == 5 if restore else 7
    kept = [] if restore else [(6, "six", 6)]
    assert shop.owner.rows(f"select * from {table.release.undone()}.t") == kept


@pytest.mark.fault(87)
@pytest.mark.parametrize("role", ["owner", "other"])
def test_an_added_column_that_others_use_stays_and_is_told(shop: Shop, role: str) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("alter table {t} add column w int")
    assert table.swap().outcome == "done"
    shop.owner.run(f"grant select on analytics.t to {shop.other.user}")
    getattr(shop, role).run("create view marts.theirs as select w from analytics.t")
    before = shop.state()
    back = shop.take_back(table.release)
    assert back.swapped.outcome == "done", back
    assert back.columns_dropped == ()
    (said,) = back.columns_stay
    assert said.startswith("analytics.t.w: ")
    assert "marts.theirs" in said
    assert shop.state() == before


def test_eleven_tables_at_once_are_told_apart(shop: Shop) -> None:
    names = [f"t{number}" for number in range(1, 12)]
    for name in names:
        shop.owner.run(f"create table analytics.{name} as select '{name}'::text as said")
    release = shop.begin()
    release.prepare(*names)
    for name in names:
        shop.owner.run(f"insert into {release.green()}.{name} values ('{name} too')")
        release.stage(name, None, "incremental")
        release.stage(f"v_{name}", f"select * from {release.green()}.{name}", "view")
    swapped = release.go()
    assert swapped.outcome == "done", swapped
    for name in names:
        rows = shop.owner.rows(f"select said from analytics.v_{name} order by 1")
        assert rows == [(name,), (f"{name} too",)]


# What another role may try ------------------------------------------------------------------------


@pytest.mark.fault(109)
def test_a_schema_in_the_place_of_a_kept_one_is_never_read(shop: Shop) -> None:
    """Once a clean-up dropped it, its name is anybody's who may make schemas."""
    other = shop.other.user
    table = Table(shop, "id int, v text", ROWS)
    table.build("insert into {t} values (6, 'six')")
    assert table.swap().outcome == "done"
    kept = table.release.kept()
    mark = shop.database.value(
        f"select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = '{kept}'"
    )
    assert [one.outcome for one in shop.clean_up()] == ["dropped"]
    shop.database.run(f"create schema {kept} authorization {other}")
    shop.other.run(
        f"""
        create table {kept}.called (who text);
        grant all on schema {kept} to public; grant all on {kept}.called to public;
        create function {kept}.call() returns bool language plpgsql as $$
          begin insert into {kept}.called values (current_user); return true; end $$;
        create table {kept}.t (id bigint, layout text, old text, of oid, live tid);
        insert into {kept}.t values (1, 'row_x', '(1)', 0, '(0,1)');
        alter table {kept}.t enable row level security;
        create policy p on {kept}.t using ({kept}.call());
        grant select on {kept}.t to public;
        comment on schema {kept} is '{mark}';
        """
    )
    for dry_run in (True, False):
        with pytest.raises(errors.ExposedToOthers, match=kept):
            shop.take_back(table.release, restore_incremental=True, dry_run=dry_run)
    assert shop.database.rows(f"select * from {kept}.called") == []


def test_no_comment_is_read_as_an_instruction(shop: Shop) -> None:
    said = '{"dbt-deploy": "rows that a release changed in place", "layouts": {"x": [}}'
    shop.owner.run(
        f"create table analytics.orders as select 1 as id; comment on table analytics.orders is"
        f" '{said}'"
    )
    release = shop.begin()
    release.stage("orders", "select 2 as id")
    assert release.go().outcome == "done"
    back = shop.take_back(release)
    assert back.swapped.outcome == "done", back
    assert shop.owner.rows("select id from analytics.orders") == [(1,)]


def test_a_dry_run_cannot_write(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("insert into {t} values (6, 'six')")
    assert table.swap().outcome == "done"
    shop.owner.run(
        f"""
        create function marts.writes() returns bool language plpgsql as $$
          begin insert into marts.called values (1); return true; end $$;
        create table marts.called (n int);
        alter table {table.release.kept()}.t enable row level security;
        alter table {table.release.kept()}.t force row level security;
        create policy p on {table.release.kept()}.t using (marts.writes());
        """
    )
    plan = shop.take_back(table.release, restore_incremental=True, dry_run=True)
    assert plan.swapped.outcome == "failed", plan
    assert shop.owner.rows("select * from marts.called") == []


# What a stranger's database had -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("alter table {t} rename v to w", "column v"),
        ("alter table {t} add column active bool not null default true", "column active"),
        (
            "alter table {t} add column twice int generated always as (id * 2) stored",
            "column twice",
        ),
        ("alter table {t} add column n serial", "column n"),
        ("alter table {t} alter id set not null", "column id"),
        ("alter table {t} alter id set default 5", "column id"),
        ("alter table {t} alter v set storage external", "column v"),
        ("alter table {t} replica identity full", "replica identity"),
        ("grant select (id) on {t} to public", "column id"),
    ],
)
def test_what_a_hook_changes_of_a_column_is_refused_by_name(
    shop: Shop, statement: str, said: str
) -> None:
    table = Table(shop, "id int, v text", ROWS)
    shop.owner.run(statement.format(t=f"{table.release.green()}.t"))
    before = shop.state()
    swapped = table.swap()
    assert swapped.outcome == "unfit", swapped
    assert f"analytics.t: its build changed the {said} of the table" in "\n".join(swapped.detail)
    assert shop.state() == before


def test_a_hooks_grant_is_given_on_the_live_table(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build(f"grant select on {{t}} to {shop.reader.user}")
    assert table.swap().outcome == "done"
    assert len(shop.reader.rows("select * from analytics.t")) == 5


def test_numbers_are_those_that_other_staged_tables_hold(shop: Shop) -> None:
    columns = "id int generated always as identity, n serial, v text"
    table = Table(shop, columns, "insert into {t} (v) values ('a'), ('b')")
    green = table.release.green()
    table.build("insert into {t} (v) values ('c')")
    table.release.stage("facts", f"select id, n from {green}.t where v = 'c'")
    table.release.stage("t", None, "incremental")
    shop.owner.run("create table analytics.facts as select 0 as id, 0 as n")
    table.release.plan()
    with psycopg.connect(shop.owner.url) as reader:
        reader.execute("select * from analytics.facts")
        assert table.release.swap(tries=2).outcome == "busy"
    assert table.release.swap().outcome == "done"
    joined = "select v from analytics.facts f join analytics.t using (id, n)"
    assert shop.owner.rows(joined) == [("c",)]
    shop.owner.run("insert into analytics.t (v) values ('d')")
    assert shop.owner.rows("select id, n from analytics.t where v = 'd'") == [(4, 4)]


def test_numbers_that_others_drew_meanwhile_refuse_it(shop: Shop) -> None:
    columns = "id int generated by default as identity, v text"
    table = Table(shop, columns, "insert into {t} (v) values ('a')", keys=("id",))
    table.build("insert into {t} (v) values ('ours')")
    shop.owner.run("insert into analytics.t (v) values ('theirs')")
    swapped = table.swap()
    assert swapped.outcome == "changed", swapped
    assert table.contents("analytics") == ["(1,a)", "(2,theirs)"]


def test_as_many_numbers_as_the_build_drew_may_be_others_all_the_same(shop: Shop) -> None:
    columns = "id int generated by default as identity, v text"
    table = Table(shop, columns, "insert into {t} (v) values ('a')", keys=("v",))
    table.build("insert into {t} (v) values ('ours')")
    shop.owner.run("insert into analytics.t (v) values ('theirs')")
    swapped = table.swap()
    assert swapped.outcome == "changed", swapped
    assert "others drew numbers from analytics.t_id_seq" in swapped.detail[0]
    assert table.contents("analytics") == ["(1,a)", "(2,theirs)"]


def test_rows_that_a_cascade_takes_along_refuse_it(shop: Shop) -> None:
    more = ("alter table {t} add parent int references {t} on delete cascade",)
    table = Table(shop, "id int primary key", "insert into {t} values (1), (2), (3)", more=more)
    shop.owner.run("update analytics.t set parent = 1 where id > 1")
    table.prepare()
    shop.owner.run(
        f"delete from {table.release.green()}.t where id = 1;"
        f"insert into {table.release.green()}.t values (1)"
    )
    swapped = table.swap()
    assert swapped.outcome == "unfit", swapped
    assert "it would have 1 rows and not 3" in swapped.detail[0]
    assert len(table.contents("analytics")) == 3


@pytest.mark.parametrize("event", ["update", "delete"])
def test_a_trigger_that_keeps_a_row_refuses_the_way_back(shop: Shop, event: str) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("insert into {t} values (6, 'six')", "update {t} set v = 'new' where id = 1")
    assert table.swap().outcome == "done"
    shop.owner.run(
        "create function marts.keep() returns trigger language plpgsql as"
        " $$ begin return null; end $$;"
        f"create trigger keep before {event} on analytics.t for each row"
        " execute function marts.keep()"
    )
    before = table.contents("analytics")
    back = shop.take_back(table.release, restore_incremental=True)
    assert back.swapped.outcome == "unfit", back
    assert "1 of 2 rows could be taken back" in back.swapped.detail[0]
    assert table.contents("analytics") == before


def test_a_copy_that_the_build_replaced_has_no_rows_of_others(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS)
    green = table.release.green()
    shop.owner.run(
        f"create table {green}.t2 as select * from {green}.t; drop table {green}.t cascade;"
        f"alter table {green}.t2 rename to t"
    )
    shop.owner.run("insert into analytics.t values (9, 'theirs')")
    swapped = table.swap()
    assert swapped.outcome == "changed", swapped
    assert "was written to since" in swapped.detail[0]
    assert len(table.contents("analytics")) == 6


def test_tables_are_changed_in_the_order_in_which_they_were_built(shop: Shop) -> None:
    shop.owner.run(
        "create table analytics.parents (id int primary key);"
        "create table analytics.children (id int references analytics.parents)"
    )
    release = shop.begin()
    release.prepare("children", "parents")
    shop.owner.run(f"insert into {release.green()}.parents values (1)")
    shop.owner.run(f"insert into {release.green()}.children values (1)")
    for name in ("children", "parents"):
        release.stage(name, None, "incremental")
    assert release.go().outcome == "done"
    assert shop.owner.rows("select * from analytics.children") == [(1,)]


def test_a_rule_that_changes_writes_is_refused_before_the_build(shop: Shop) -> None:
    shop.owner.run(
        "create table analytics.t (id int);"
        "create rule r as on insert to analytics.t do instead nothing"
    )
    release = shop.begin()
    with pytest.raises(errors.ReleaseStepFailed, match=r"analytics\.t has the rule r"):
        release.prepare("t")


@pytest.mark.parametrize("restore", [True, False])
def test_a_table_that_is_gone_is_named_in_a_rollback(shop: Shop, restore: bool) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("insert into {t} values (6, 'six')")
    assert table.swap().outcome == "done"
    shop.owner.run("drop table analytics.t")
    back = shop.take_back(table.release, restore_incremental=restore)
    if restore:
        assert back.swapped.outcome == "changed", back
        assert back.swapped.detail == ("analytics.t is gone",)
    else:
        assert back.left == ("analytics.t",)


def test_a_short_statement_timeout_of_the_role_does_not_strike_in_the_swap(shop: Shop) -> None:
    table = Table(shop, "id int, v text", ROWS)
    table.build("insert into {t} values (6, 'six')")
    shop.database.run(f"alter role {shop.owner.user} set statement_timeout = '1500ms'")
    shop.owner.run("create table analytics.slow as select 1 as id")
    shop.owner.run(
        "create function twin.slow() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(2); return null; end $$;"
        "create trigger slow after insert on analytics.t for each row execute function twin.slow()"
    )
    assert table.swap().outcome == "done"
