"""What the warehouse said of a microbatch model's failing batches. Pure.

dbt's result of such a model says ``ERROR`` or ``PARTIAL SUCCESS (2/3)`` and no more. The words are
in dbt's log: first the exception, then the line of the batch (1.11 and 1.12).
https://docs.getdbt.com/docs/build/incremental-microbatch
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

BATCH = re.compile(r"Batch \d+ of \d+ ERROR creating batch \S+ of (\S+)")
EXCEPTION = re.compile(r"(?s)(?:\[ERROR\]: )?Unhandled error.*?Exception on worker thread\. (.*)")


def words(said: Iterable[str]) -> dict[str, str]:
    """The warehouse's words by relation, ``schema.name`` as dbt's log has it; each word once."""
    found: dict[str, dict[str, None]] = {}
    exception = ""
    for message in said:
        if batch := BATCH.match(message):
            if exception:
                found.setdefault(batch[1], {})[exception] = None
            exception = ""
        elif raised := EXCEPTION.match(message):
            exception = raised[1].strip()
    return {relation: "\n".join(texts) for relation, texts in found.items()}


def message(result: Mapping[str, Any], known: Mapping[str, str]) -> str | None:
    """A result's message with those words; None where there are none for it."""
    if not (result.get("batch_results") or {}).get("failed"):
        return None
    parts = re.findall(r"[^\".`\[\]]+", result.get("relation_name") or "")
    said = known.get(".".join(parts[-2:]))
    return f"{result.get('message') or ''}\n{said}".strip() if said else None
