"""The fields of dbt's artifacts in which a value stays, and those in which it is replaced. Pure.

dbt knows a node by its id and files, finds its table by the relation's names, and compares some
texts as they stand. Only there, and at that place of the document, a value that is a secret as well
may stay: a field of the same name in ``meta``, in arguments or in a column is the project's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dbtdeploy.base.redact import OPEN, Redact, Redactor, in_values

OF_DOCUMENT = frozenset(
    {"adapter_type", "dbt_schema_version", "dbt_version", "generated_at", "project_name"}
)
"""Of ``metadata``: what dbt says of itself."""

MAPS = frozenset({"parent_map", "child_map", "group_map"})
"""Lists of ids by id."""

IDS = frozenset(
    {
        *("access", "checksum", "depends_on", "fqn", "language", "name", "original_file_path"),
        *("package_name", "path", "resource_type", "source_name", "status", "type", "unique_id"),
    }
)
"""Of an entry: names of the repository's files, and dbt's own words."""

OF_CONFIG = frozenset({"materialized", "severity"})

RELATION = frozenset({"alias", "database", "identifier", "relation_name", "schema"})
"""Of an entry and its configuration, where dbt reads the artifact again: other places show ``***``
for a schema that is a secret as well."""

OF_ALL = ("unrendered_config", "checksum", "fqn", "contract")
COMPARED: Mapping[str, tuple[str, ...]] = {
    "nodes": (
        *(*OF_ALL, "columns", "description", "raw_code"),
        *("unrendered_database", "unrendered_schema"),
    ),
    "sources": (
        *(*OF_ALL, "quoting", "freshness", "external", "loader", "loaded_at_field"),
        *("unrendered_database", "unrendered_schema"),
    ),
    "exposures": (
        *(*OF_ALL, "owner", "description", "label", "maturity", "type", "url"),
        "depends_on",
    ),
    "metrics": (
        *(*OF_ALL, "description", "label", "filter", "metadata", "type", "type_params"),
        "time_granularity",
    ),
    "semantic_models": (
        *(*OF_ALL, "model", "description", "defaults", "entities", "dimensions", "measures"),
        *("config", "primary_entity", "group"),
    ),
    "saved_queries": (
        *(*OF_ALL, "query_params", "description", "label", "config", "group", "exports", "tags"),
    ),
    "unit_tests": OF_ALL,
    "functions": (*OF_ALL, "columns", "description", "raw_code", "arguments", "returns"),
    "macros": ("macro_sql",),
    "docs": ("block_contents",),
}
"""Fields that ``state:modified`` compares as they stand in the manifest (dbt-core 1.8 to 1.12,
``same_contents`` of dbt/contracts/graph/nodes.py). ``columns`` and ``description`` count only where
the documentation is persisted in the warehouse."""

PERSISTED = ("columns", "description")
NO_RELATION = ("exposure", "metric", "semantic_model", "saved_query")


class ArtifactFields:
    """Takes secrets out of one document, and knows what it left.

    Args:
        redact: hides every secret there is.
        is_state: whether dbt reads the document again, so that relations keep their names.
        numbers: whether a number that is a secret becomes a text.
    """

    def __init__(self, redact: Redact, *, is_state: bool, numbers: bool = False) -> None:
        self._redact = redact
        self._is_state = is_state
        self._numbers = numbers
        self._of_entry = IDS | RELATION if is_state else IDS
        self._of_config = OF_CONFIG | RELATION if is_state else OF_CONFIG
        self.kept: set[str] = set()
        """Texts that were left as they are."""

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to hide."""
        return isinstance(self._redact, Redactor) and self._redact.is_empty

    def redacted(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document without secrets."""
        return {kind: self._kind(kind, found) for kind, found in document.items()}

    def _kind(self, kind: str, found: Any) -> Any:
        if kind in MAPS:
            return found
        if kind == "metadata" and isinstance(found, dict):
            return self._some(found, OF_DOCUMENT)
        if isinstance(found, dict):
            return {key: self._entry(kind, one) for key, one in found.items()}
        if isinstance(found, list):
            return [self._entry(kind, one) for one in found]
        return self._all(found)

    def _entry(self, kind: str, entry: Any) -> Any:
        if isinstance(entry, list):
            # Of `disabled`: entries that share an id.
            return [self._entry(kind, one) for one in entry]
        if not isinstance(entry, dict):
            return self._all(entry)
        return {field: self._field(kind, entry, field) for field in entry}

    def _field(self, kind: str, entry: Mapping[str, Any], field: str) -> Any:
        found = entry[field]
        if field in self._of_entry or (self._is_state and _is_compared(kind, entry, field)):
            if field != "checksum":
                self.kept.update(_texts(found))
            return found
        if field in ("config", "metadata") and isinstance(found, dict):
            return self._some(found, self._of_config)
        if field == "columns" and isinstance(found, dict):
            return self._columns(found)
        return self._all(found, is_open=field in OPEN)

    def _columns(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        if not self._is_state:
            return {self._redact(key): self._all(one) for key, one in columns.items()}
        self.kept.update(columns)
        names = frozenset({"name"})
        return {
            key: self._some(one, names) if isinstance(one, dict) else self._all(one)
            for key, one in columns.items()
        }

    def _some(self, found: Mapping[str, Any], kept: frozenset[str]) -> dict[str, Any]:
        self.kept.update(text for key in kept & found.keys() for text in _texts(found[key]))
        return {
            key: one if key in kept else self._all(one, is_open=key in OPEN)
            for key, one in found.items()
        }

    def _all(self, found: Any, *, is_open: bool = False) -> Any:
        return in_values(found, self._redact, kept=(), keys=not is_open, numbers=self._numbers)


def _is_compared(kind: str, entry: Mapping[str, Any], field: str) -> bool:
    if field not in COMPARED.get(kind, ()):
        return False
    if field not in PERSISTED or entry.get("resource_type") in (None, *NO_RELATION):
        return True
    config = entry.get("config") or {}
    return any((config.get("persist_docs") or {}).values())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
