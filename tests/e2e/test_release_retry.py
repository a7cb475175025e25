"""A release whose warehouse is gone for a moment, while it is built in staging."""

from __future__ import annotations

import pytest

from e2e.conftest import Manager
from e2e.test_deploy import DOUBLED, green
from e2e.test_release import ORDERS
from e2e.test_slim_ci import changed

CUSTOMERS = "models/marts/dim_customers.sql"
ONCE = (
    "{% if execute and run_query(\"select nextval('public.tries')\").rows[0][0] | int == 1 %}"
    "{% do run_query(\"do $$ begin raise 'terminating connection due to administrator command';"
    ' end $$") %}{% endif %}\n'
)


@pytest.mark.more
@pytest.mark.fault(23)
def test_what_is_built_again_reads_what_was_built_before_it(manager: Manager) -> None:
    world = manager.world
    green(manager.run("drive", driver="release"))
    world.database.run(
        "create sequence public.tries; grant usage on sequence public.tries to public"
    )
    lifetime = changed(CUSTOMERS, "sum(paid) as", "sum(amount) as")
    tagged = manager.tag("v4.7.0", {**DOUBLED, CUSTOMERS: ONCE + str(lifetime[CUSTOMERS])})
    job = green(manager.release(tagged, "v4.7.0", docs="false"))
    assert "retry 1" in job.log
    orders = world.database.value(f"select sum(amount) from {ORDERS} where status <> 'cancelled'")
    customers = "select sum(lifetime_value) from analytics_marts.dim_customers"
    assert world.database.value(customers) == orders
