"""Which failures pass by themselves: a warehouse that was not there, or in its own way. Pure.

Only PostgreSQL's are known. They are told by their text, for that is all dbt keeps of them; a
server whose ``lc_messages`` is not English gets no retry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Result
from dbtdeploy.artifacts.node_status import GOOD, OUTCOMES, WAITING

TEXTS = (
    # libpq: fe-misc.c, fe-connect.c, fe-secure.c, fe-secure-openssl.c; the system's words for it.
    r"server closed the connection unexpectedly",
    r"could not (?:receive data from|send data to) server",
    r"SSL connection has been closed unexpectedly",
    r"SSL SYSCALL error: EOF detected",
    r"Connection (?:refused|reset by peer|timed out)",
    r"timeout expired",
    r"No route to host",
    r"Temporary failure in name resolution",
    # psycopg2 on a connection that is gone: connection_type.c, cursor_type.c.
    r"connection already closed",
    r"connection pointer is NULL",
    # The server: 57P01 to 57P05 and 25P03 (tcop/postgres.c, postmaster.c).
    r"terminating connection (?:due to|because of) [a-z -]+",
    r"the database system is (?:starting up|shutting down|in recovery mode"
    r"|not (?:yet )?accepting connections)",
    # 53300 (storage/lmgr/proc.c, utils/init/postinit.c).
    r"too many clients already",
    r"remaining connection slots are reserved",
    r"too many connections for (?:role|database)",
    # 40P01, 40001, 55P03 (deadlock.c, predicate.c, heapam.c, tcop/postgres.c).
    r"deadlock detected",
    r"could not serialize access due to",
    r"canceling statement due to (?:lock timeout|conflict with recovery)",
    # Two sessions that change one catalog row at one time, such as grants (heapam.c, XX000).
    r"tuple concurrently (?:updated|deleted)",
)
"""A statement timeout is none: somebody set it, and the same query would meet it again.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""

PATTERN = re.compile("|".join(TEXTS))


class Fault(Struct, frozen=True, kw_only=True):
    """A build that failed by transient faults only."""

    failed: tuple[str, ...]
    """Ids of what failed so."""
    again: tuple[str, ...]
    """These, what was skipped behind them, and what was never reached."""
    reason: str
    """The warehouse's words about the first; no data in them."""


def reason(message: str | None) -> str | None:
    """The words in a message that tell a transient fault; None where there are none."""
    found = PATTERN.search(message or "")
    return found[0].strip() if found else None


def of_results(results: Mapping[str, Result], planned: Iterable[str]) -> Fault | None:
    """The fault of a build that ran to its end; None where anything failed for another reason.

    Args:
        results: of the build, by node.
        planned: ids of all that it was to build and that dbt reports on.
    """
    ends = {unique_id: OUTCOMES.get(result.status) for unique_id, result in results.items()}
    failed = [i for i, end in ends.items() if end not in GOOD and end not in WAITING]
    reasons = [_of(results[i]) for i in failed]
    if not failed or None in reasons:
        return None
    open_ends = (i for i, end in ends.items() if end not in GOOD)
    missed = (i for i in planned if i not in results)
    again = tuple(dict.fromkeys((*open_ends, *missed)))
    return Fault(failed=tuple(failed), again=again, reason=reasons[0] or "")


def of_messages(messages: Iterable[str]) -> Fault | None:
    """The fault of a dbt that built nothing; None where it logged any other error."""
    reasons = [reason(message) for message in messages]
    if not reasons or None in reasons:
        return None
    return Fault(failed=(), again=(), reason=reasons[0] or "")


def _of(result: Result) -> str | None:
    # A test that failed has found rows; whatever it says of them is no fault of the connection.
    return reason(result.message) if OUTCOMES.get(result.status) == "error" else None
