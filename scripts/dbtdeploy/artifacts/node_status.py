"""What dbt's statuses mean, and what a skipped node waits for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from dbtdeploy.artifacts.artifacts import Manifest, Result, is_test

NodeOutcome = Literal[
    "passed", "warned", "failed", "error", "partial", "skipped", "unknown", "missing"
]

GOOD: frozenset[NodeOutcome] = frozenset({"passed", "warned"})
WAITING: frozenset[NodeOutcome] = frozenset({"skipped", "missing"})

NODE_FAILED = 1
"""dbt's exit code when it ran to its end and something failed."""

OUTCOMES: Mapping[str, NodeOutcome] = {
    "success": "passed",
    "pass": "passed",
    "no-op": "passed",
    "reused": "passed",
    "warn": "warned",
    "fail": "failed",
    "error": "error",
    "runtime error": "error",
    "partial success": "partial",
    "skipped": "skipped",
}
"""dbt-core's NodeStatus (artifacts/schemas/results.py, 1.8 to 1.12)."""

TOTAL_CODES = frozenset({"SELECT", "CREATE TABLE", "CREATE TABLE AS", "CTAS"})
WRITTEN_CODES = frozenset({"INSERT", "MERGE", "UPDATE", "DELETE"})
"""Values of ``adapter_response.code``. Snowflake's ``SUCCESS`` counts 1 for any statement, so a
code that is not listed says nothing about rows."""


def outcome(result: Result | None) -> NodeOutcome:
    """A status as one of ours; a status nobody knows is ``unknown``, which never counts as good."""
    return "missing" if result is None else OUTCOMES.get(result.status, "unknown")


def rows(result: Result | None, materialized: str | None) -> tuple[int | None, int | None]:
    """The rows a table has now, and those a statement wrote into a table that was there.

    A table with a contract, and a seed, are created empty and then filled by an INSERT.

    Returns:
        (total, written); None where the adapter does not say.
    """
    response = (result.adapter_response if result else None) or {}
    affected, code = response.get("rows_affected"), str(response.get("code", "")).upper()
    if not isinstance(affected, int) or isinstance(affected, bool) or affected < 0:
        return None, None
    if code in TOTAL_CODES or (materialized in FILLED and code == "INSERT"):
        return affected, None
    return (None, affected) if code in WRITTEN_CODES else (None, None)


FILLED = frozenset({"table", "seed"})

CAUSES_KEPT = 10
"""Failures listed for one waiting node; whole lists would grow quadratically."""


class Waiting:
    """Finds what made dbt skip a node: the nearest failed nodes and tests above it.

    Args:
        manifest: the current one.
        outcomes: of everything selected.
    """

    def __init__(self, manifest: Manifest, outcomes: Mapping[str, NodeOutcome]) -> None:
        self._manifest = manifest
        self._outcomes = outcomes
        self._causes: dict[str, tuple[str, ...]] = {}
        self._failed_tests: dict[str, list[str]] = {}
        for unique_id, how in outcomes.items():
            if is_test(unique_id) and how not in GOOD and how not in WAITING:
                for parent in self._parents(unique_id):
                    self._failed_tests.setdefault(parent, []).append(unique_id)

    def causes(self, unique_id: str) -> tuple[str, ...]:
        """Ids of what a skipped node or test waits for; empty if that cannot be told."""
        open_ids = [unique_id]
        while open_ids:
            current = open_ids[-1]
            above = [p for p in self._parents(current) if self._outcomes.get(p) in WAITING]
            missing = [parent for parent in above if parent not in self._causes]
            if current in self._causes:
                open_ids.pop()
            elif missing:
                open_ids.extend(missing)
            else:
                self._causes[current] = self._near(current)
                open_ids.pop()
        return self._causes[unique_id]

    def _near(self, unique_id: str) -> tuple[str, ...]:
        """Causes of one node, its waiting parents' being known."""
        # dbt runs a model's unit tests before the model, all its other tests after it.
        found = [test for test in self._failed_tests.get(unique_id, ()) if _is_unit_test(test)]
        for parent in self._parents(unique_id):
            how = self._outcomes.get(parent)
            if how in WAITING:
                found += self._causes[parent]
            elif how is not None and how not in GOOD:
                found.append(parent)
            else:
                found += [test for test in self._failed_tests.get(parent, ()) if test != unique_id]
        return tuple(dict.fromkeys(found))[:CAUSES_KEPT]

    def _parents(self, unique_id: str) -> list[str]:
        node = self._manifest.find(unique_id)
        return [parent for parent in node.depends_on.nodes if parent] if node else []


def _is_unit_test(unique_id: str) -> bool:
    return unique_id.startswith("unit_test.")
