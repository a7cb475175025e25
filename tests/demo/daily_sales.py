"""What a company's database grows onto an incremental table, and who else writes into it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from demo.pull_requests import wrong
from demo.world import PRODUCTION, PULL_REQUESTS, World
from standins.warehouse.postgres import Database

MODEL = "models/marts/daily_sales.sql"
BOOKKEEPING = "bookkeeping"
"""Enters what was sold before there was a shop."""

FIRST_DAY = "2025-01-01"
"""The shop's; what lies before it is bookkeeping's alone, by a policy."""

PAUSE = 1.0
"""Seconds between two rows of bookkeeping's."""

GROWN = f"""
grant usage on schema analytics_marts to {BOOKKEEPING};
set role {PRODUCTION};
create schema audit;
create table audit.daily_sales (what text, day date, by_whom text);
create function audit.note() returns trigger language plpgsql security definer as $$
begin
  insert into audit.daily_sales values (tg_op,
    case tg_op when 'DELETE' then old.order_date else new.order_date end, session_user);
  return null;
end $$;
create trigger note after insert or update or delete on analytics_marts.daily_sales
  for each row execute function audit.note();
alter table analytics_marts.daily_sales enable row level security;
create policy of_the_shop on analytics_marts.daily_sales for select to {PULL_REQUESTS}
  using (order_date >= '{FIRST_DAY}');
create policy before_the_shop on analytics_marts.daily_sales to {BOOKKEEPING}
  using (order_date < '{FIRST_DAY}');
grant select, insert on analytics_marts.daily_sales to {BOOKKEEPING};
reset role;
update raw.orders set status = 'cancelled' where id = 10240
"""
"""An order of the last week is cancelled, too, so that a build changes a row of the table."""

WRITE = f"""
insert into analytics_marts.daily_sales (order_date, orders, customers, items, amount)
select coalesce(min(order_date), '{FIRST_DAY}') - 1, 1, 1, 1, 10 from analytics_marts.daily_sales
"""
SHOPS_ROWS = f"""
select count(*), md5(string_agg(t::text, ' ' order by order_date))
from analytics_marts.daily_sales t where order_date >= '{FIRST_DAY}'
"""


@dataclass(kw_only=True)
class Grown:
    """The table with all of it, as it was before the release."""

    bookkeeping: Database
    oid: int
    shops_rows: tuple[object, ...]
    written: int = 0
    """Rows of bookkeeping's."""

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Bookkeeping writes a row a second meanwhile."""
        over = threading.Event()
        failures: list[Exception] = []

        def write() -> None:
            try:
                while not over.wait(PAUSE):
                    self.bookkeeping.run(WRITE)
                    self.written += 1
            except Exception as failure:
                failures.append(failure)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if failures:
            raise failures[0]

    def kept(self, world: World) -> list[str]:
        """What of it is not there any more; prints what is."""
        value = world.database.value
        theirs = self.bookkeeping.value("select count(*) from analytics_marts.daily_sales")
        noted = f"select count(*) from audit.daily_sales where by_whom = '{BOOKKEEPING}'"
        ours = f"select count(*) from audit.daily_sales where by_whom = '{PRODUCTION}'"
        seen = _reader(world).value(
            f"select count(*) from analytics_marts.daily_sales where order_date < '{FIRST_DAY}'"
        )
        oid = value("select 'analytics_marts.daily_sales'::regclass::oid")
        print(
            f"  daily_sales holds {theirs} rows of bookkeeping's, {seen} of which readers see;"
            f" its trigger saw {value(noted)} of theirs, and {value(ours)} changes of dbt-deploy's"
        )
        return wrong(
            (self.written > 1, "bookkeeping wrote no rows"),
            (theirs == self.written, f"{theirs} of bookkeeping's {self.written} rows are there"),
            (value(noted) == self.written, "the trigger did not see each of bookkeeping's rows"),
            (seen == 0, "readers see rows that the policy hides"),
            (oid == self.oid, "daily_sales is another table"),
        )

    def events(self, world: World) -> dict[str, int]:
        """What the trigger saw of dbt-deploy, by what was done."""
        query = "select what, count(*) from audit.daily_sales where by_whom = %s group by what"
        return {str(what): count for what, count in world.database.rows(query, (PRODUCTION,))}


def grow(world: World) -> Grown:
    """An audit trigger, two policies, and a role that writes."""
    bookkeeping = world.warehouse.create_role(world.database, BOOKKEEPING)
    world.database.run(GROWN)
    return Grown(
        bookkeeping=bookkeeping,
        oid=world.database.value("select 'analytics_marts.daily_sales'::regclass::oid"),
        shops_rows=shops_rows(world),
    )


def shops_rows(world: World) -> tuple[object, ...]:
    """How many rows are not bookkeeping's, and a digest of them."""
    (row,) = world.database.rows(SHOPS_ROWS)
    return row


def by_its_orders(model: str) -> str:
    """The model, so that it asks the orders for the last week, and not its own table.

    A build that reads the table which others write to might depend on their rows; a release of
    it would be refused.
    """
    changed = model.replace("from {{ this }}", "from {{ ref('fct_orders') }}")
    assert changed != model
    return changed


def _reader(world: World) -> Database:
    role = world.pull_request_role
    return world.warehouse.database(
        role["PGDATABASE"], user=role["PGUSER"], password=role["DBT_ENV_SECRET_PASSWORD"]
    )
