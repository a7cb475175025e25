"""What is asked of production once a release is live, and what a failure of it means. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dbtdeploy.artifacts.artifacts import RunResults
from dbtdeploy.artifacts.node_status import GOOD, OUTCOMES
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.warehouse import sql_refs
from dbtdeploy.warehouse.release_macro_types import Query, QueryResult

DATA_TESTS = ("--exclude", "test_type:unit")
"""Unit tests read nothing of production's; they ran in staging. ``--exclude-resource-type`` is no
option of ``dbt test`` in 1.8."""


def one_row_each(plan: ReleasePlan) -> tuple[Query, ...]:
    """A query for each relation that went live: can a reader read it."""
    return tuple(
        # Quoted as the warehouse quotes names.
        Query(name=node.name, sql=f"select 1 from {sql_refs.quoted(node.production)} limit 1")  # noqa: S608
        for node in plan.staged
    )


def failed_queries(answers: Iterable[QueryResult]) -> tuple[str, ...]:
    """Each query that did not run, with the warehouse's words."""
    return tuple(f"{one.name}: {one.error}" for one in answers if one.error is not None)


def failed_tests(results: RunResults | None) -> tuple[str, ...]:
    """Each test that did not pass."""
    return tuple(
        f"{result.unique_id}: {result.message or result.status}"
        for result in (results.results if results else ())
        if OUTCOMES.get(result.status) not in GOOD
    )
