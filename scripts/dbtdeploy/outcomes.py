"""What dbt's statuses mean, and what a skipped node waits for. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from dbtdeploy.artifacts import Manifest, Result
from dbtdeploy.report import GOOD, WAITING, Outcome

OUTCOMES: Mapping[str, Outcome] = {
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


def outcome(result: Result | None) -> Outcome:
    """A status as one of ours; a status nobody knows is ``unknown``, which never counts as good."""
    return "missing" if result is None else OUTCOMES.get(result.status, "unknown")


def rows(result: Result | None, resource_type: str) -> tuple[int | None, int | None]:
    """The rows a table has now, and those a statement wrote into a table that was there.

    Returns:
        (total, written); None where the adapter does not say.
    """
    response = (result.adapter_response if result else None) or {}
    affected, code = response.get("rows_affected"), str(response.get("code", "")).upper()
    if not isinstance(affected, int) or isinstance(affected, bool) or affected < 0:
        return None, None
    if code in TOTAL_CODES or (resource_type == "seed" and code == "INSERT"):
        return affected, None
    return (None, affected) if code in WRITTEN_CODES else (None, None)


class Waiting:
    """Finds what made dbt skip a node: the nearest failed nodes and tests above it.

    Args:
        manifest: the current one.
        outcomes: of everything selected.
    """

    def __init__(self, manifest: Manifest, outcomes: Mapping[str, Outcome]) -> None:
        self._manifest = manifest
        self._outcomes = outcomes
        self._failed_tests: dict[str, list[str]] = {}
        for unique_id, how in outcomes.items():
            if _is_test(unique_id) and how not in GOOD and how not in WAITING:
                for parent in self._parents(unique_id):
                    self._failed_tests.setdefault(parent, []).append(unique_id)

    def causes(self, unique_id: str) -> tuple[str, ...]:
        """Ids of what a skipped node or test waits for; empty if that cannot be told."""
        # dbt runs a model's unit tests before the model, all its other tests after it.
        own = [test for test in self._failed_tests.get(unique_id, ()) if _is_unit_test(test)]
        found: dict[str, None] = dict.fromkeys(own)
        seen: set[str] = set()
        queue = deque(self._parents(unique_id))
        while queue:
            parent = queue.popleft()
            if parent in seen:
                continue
            seen.add(parent)
            how = self._outcomes.get(parent)
            if how is not None and how not in GOOD and how not in WAITING:
                found[parent] = None
                continue
            tests = [test for test in self._failed_tests.get(parent, ()) if test != unique_id]
            found.update(dict.fromkeys(tests))
            if how in WAITING:
                queue.extend(self._parents(parent))
        return tuple(found)

    def _parents(self, unique_id: str) -> list[str]:
        node = self._manifest.find(unique_id)
        return [parent for parent in node.depends_on.nodes if parent] if node else []


def _is_test(unique_id: str) -> bool:
    return unique_id.startswith("test.") or _is_unit_test(unique_id)


def _is_unit_test(unique_id: str) -> bool:
    return unique_id.startswith("unit_test.")
