"""A model that moves, in a whole job of a release."""

from __future__ import annotations

import re

import pytest

from e2e.conftest import Manager
from e2e.test_deploy import green
from e2e.test_slim_ci import changed

MOVED = changed(
    "models/marts/daily_sales.sql",
    "materialized='incremental'",
    "materialized='incremental', alias='sales_per_day'",
)


@pytest.mark.fault(59, 85)
def test_an_incremental_model_that_would_lose_its_history_is_refused(manager: Manager) -> None:
    database = manager.world.database
    green(manager.run("drive", driver="release"))
    rows = "select count(*), max(tableoid::bigint) from {}"
    before = database.rows(rows.format("analytics_marts.daily_sales"))

    refused = manager.release(manager.tag("v1.4.0", MOVED), "v1.4.0")
    assert not refused.succeeded
    assert "a moved model would lose its history" in refused.summary
    assert database.rows(rows.format("analytics_marts.daily_sales")) == before

    # What it advises works.
    moves = re.search(r"begin;.*?commit;", refused.summary, re.DOTALL)
    assert moves is not None, refused.summary
    database.run(moves[0])
    assert database.rows(rows.format("analytics_marts.sales_per_day")) == before
