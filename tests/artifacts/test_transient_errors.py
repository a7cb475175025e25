"""Which failures pass by themselves."""

from __future__ import annotations

import pytest

from dbtdeploy.artifacts import transient_errors
from dbtdeploy.artifacts.artifacts import Result

PASSING = (
    "server closed the connection unexpectedly\n\tThis probably means the server terminated",
    'connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused',
    'connection to server at "db" (10.0.0.1), port 5432 failed: timeout expired',
    "SSL connection has been closed unexpectedly",
    "terminating connection due to administrator command",
    "terminating connection because of crash of another server process",
    "FATAL:  the database system is starting up",
    "FATAL:  the database system is shutting down",
    "FATAL:  the database system is not yet accepting connections",
    "FATAL:  sorry, too many clients already",
    "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
    'FATAL:  too many connections for role "dbt"',
    "deadlock detected\n  DETAIL:  Process 1 waits for ShareLock",
    "could not serialize access due to concurrent update",
    "canceling statement due to lock timeout",
    "canceling statement due to conflict with recovery",
    "tuple concurrently updated",
    "connection already closed",
)

STAYING = (
    'column "amont" does not exist',
    'password authentication failed for user "dbt"',
    "permission denied for schema raw",
    "canceling statement due to statement timeout",
    "canceling statement due to user request",
    'could not translate host name "db" to address: Name or service not known',
    "",
    None,
)


@pytest.mark.parametrize("message", PASSING)
def test_what_passes(message: str) -> None:
    said = transient_errors.reason(f"Database Error in model a (models/a.sql)\n  {message}")
    assert said
    assert said in message


@pytest.mark.parametrize("message", STAYING)
def test_what_stays(message: str | None) -> None:
    assert transient_errors.reason(message) is None


def results(**ends: tuple[str, str | None]) -> dict[str, Result]:
    return {i: Result(unique_id=i, status=s, message=m) for i, (s, m) in ends.items()}


LOST = "server closed the connection unexpectedly"


def test_what_was_skipped_or_never_reached_is_built_too() -> None:
    fault = transient_errors.of_results(
        results(a=("success", None), b=("error", LOST), t=("warn", "1"), c=("skipped", None)),
        ["a", "b", "c", "d", "t"],
    )
    assert fault == transient_errors.Fault(failed=("b",), again=("b", "c", "d"), reason=LOST)


@pytest.mark.parametrize(
    "other",
    [("error", "syntax error"), ("fail", LOST), ("evaporated", LOST), ("partial success", LOST)],
)
def test_one_other_failure_and_there_is_no_retry(other: tuple[str, str]) -> None:
    assert transient_errors.of_results(results(a=("error", LOST), b=other), []) is None


def test_a_good_build_has_no_fault() -> None:
    assert transient_errors.of_results(results(a=("success", LOST)), ["a", "b"]) is None


def test_a_dbt_that_built_nothing() -> None:
    assert transient_errors.of_messages([LOST]) == transient_errors.Fault(
        failed=(), again=(), reason=LOST
    )
    assert transient_errors.of_messages([LOST, "Compilation Error"]) is None
    assert transient_errors.of_messages([]) is None
