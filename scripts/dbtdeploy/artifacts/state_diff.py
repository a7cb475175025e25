"""Why dbt counts a node as modified: two manifests in, reasons out.

What dbt selected is the truth (plan.json); this only explains it, by the rules of dbt-core's
``state:modified`` subselectors (``StateSelectorMethod`` in graph/selector_methods.py, ``same_*``
in contracts/graph/nodes.py, 1.8 to 1.12). ``tests/contract/test_reasons.py`` holds the two
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from dbtdeploy.artifacts.artifacts import Manifest, Node, decoded

NEW = "new"
BODY = "body"
CONFIGS = "configs"
RELATION = "relation"
MACROS = "macros"
CONTRACT = "contract"
PERSISTED_DESCRIPTIONS = "persisted_descriptions"
MOVED = "moved"
"""The file moved, so its fqn did; dbt has no subselector for it, only ``state:modified``."""
ACCESS = "access"
"""Access, latest version or deprecation date; no subselector either."""
DEFINITION = "definition"
"""A unit test's, or a source's, own lines."""
PENDING = "pending"
"""An earlier deploy left it out, though something that is compiled into it had changed."""

PENDING_MARK = "dbt_deploy_pending"
"""How ``partial_manifest.py`` says so: a key of ``unrendered_config``, a test's checksum or fqn."""

RELATION_KEYS = ("database", "schema", "alias")
NOT_COMPARED = frozenset({*RELATION_KEYS, "tags", "group", PENDING_MARK})
"""Config keys that dbt marks ``CompareBehavior.Exclude``, and our own."""


NOTHING: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Reasons:
    """Compares one manifest with the one it grew from.

    Args:
        current: of the checkout.
        state: the one it grew from.
        unseen: what changed for a node and is in no manifest, by unique id.
    """

    def __init__(
        self, current: Manifest, state: Manifest, unseen: Mapping[str, tuple[str, ...]] = NOTHING
    ) -> None:
        self._unseen = unseen
        self._current = current
        self._state = state
        self._changed_macros = {
            unique_id
            for unique_id, macro in current.macros.items()
            if unique_id not in state.macros or state.macros[unique_id].macro_sql != macro.macro_sql
        }
        self._reached: dict[str, frozenset[str]] = {}
        self._found: dict[str, tuple[str, ...]] = {}

    def of(self, unique_id: str) -> tuple[str, ...]:
        """The reasons of one node; empty for one that did not change itself."""
        if unique_id not in self._found:
            self._found[unique_id] = self._compare(unique_id)
        return self._found[unique_id]

    def _compare(self, unique_id: str) -> tuple[str, ...]:
        new = self._current.find(unique_id)
        if new is None:
            return ()
        old = self._state.find(unique_id)
        if old is None:
            return (NEW,)
        found = _differences(new, old)
        if _is_marked(old):
            found.append(PENDING)
        if self.changed_macros(unique_id):
            found.append(MACROS)
        return (*found, *self._unseen.get(unique_id, ()))

    def changed_macros(self, unique_id: str) -> tuple[str, ...]:
        """Names of the changed macros that a node calls, itself or through others."""
        node = self._current.find(unique_id)
        if node is None or not self._changed_macros:
            return ()
        reached: set[str] = set()
        for macro in node.depends_on.macros:
            reached |= self._reach(macro)
        return tuple(sorted(self._current.macros[macro].name for macro in reached))

    def _reach(self, start: str | None) -> frozenset[str]:
        """Changed macros at or below one macro; what it calls may call it back."""
        if start is None or start not in self._current.macros:
            return frozenset()
        if start not in self._reached:
            seen: set[str] = set()
            waiting = [start]
            while waiting:
                macro = waiting.pop()
                if macro in seen or macro not in self._current.macros:
                    continue
                seen.add(macro)
                waiting.extend(m for m in self._current.macros[macro].depends_on.macros if m)
            self._reached[start] = frozenset(seen & self._changed_macros)
        return self._reached[start]


def _differences(new: Node, old: Node) -> list[str]:
    if new.resource_type == "unit_test":
        return [DEFINITION] if new.checksum != old.checksum and not _is_marked(old) else []
    if new.resource_type == "source":
        return [DEFINITION] if _source_parts(new) != _source_parts(old) else []
    new_config, old_config = _configs(new, old)
    checks = {
        BODY: _body_changed(new, old),
        CONFIGS: _compared(new_config) != _compared(old_config),
        RELATION: any(new_config.get(key) != old_config.get(key) for key in RELATION_KEYS),
        CONTRACT: _contract_changed(new, old),
        PERSISTED_DESCRIPTIONS: _descriptions_changed(new, old),
        MOVED: new.fqn != [part for part in old.fqn if part != PENDING_MARK],
        ACCESS: new.resource_type == "model" and _reference(new) != _reference(old),
    }
    if _is_generic_test(new):
        # dbt compares a generic test by its arguments' config and name only.
        checks = {key: value for key, value in checks.items() if key in (CONFIGS, MOVED)}
    return [reason for reason, changed in checks.items() if changed]


def _is_marked(old: Node) -> bool:
    return PENDING_MARK in (old.checksum, *old.fqn) or f'"{PENDING_MARK}":'.encode() in bytes(
        old.unrendered_config
    )


def _is_generic_test(node: Node) -> bool:
    return node.resource_type == "test" and decoded(node.test_metadata) is not None


def _body_changed(new: Node, old: Node) -> bool:
    if new.resource_type == "seed":
        return new.checksum != old.checksum
    return new.raw_code != old.raw_code


def _configs(new: Node, old: Node) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if bytes(new.unrendered_config) == bytes(old.unrendered_config):
        same = _config(new)
        return same, same
    return _config(new), _config(old)


def _config(node: Node) -> Mapping[str, Any]:
    found = decoded(node.unrendered_config) or {}
    # What no dbt writes is still another config than one that it does.
    return found if isinstance(found, dict) else {"": found}


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in NOT_COMPARED}


def _contract_changed(new: Node, old: Node) -> bool:
    if new.resource_type != "model":
        return False
    if not new.contract.enforced and not old.contract.enforced:
        return False
    both = new.contract.enforced and old.contract.enforced
    return not (both and new.contract.checksum == old.contract.checksum)


def _descriptions_changed(new: Node, old: Node) -> bool:
    persisted = new.config.persist_docs or {}
    if persisted.get("relation") and new.description != old.description:
        return True
    return bool(persisted.get("columns")) and _columns(new) != _columns(old)


def _columns(node: Node) -> dict[str, Any]:
    columns = decoded(node.columns) or {}
    return {
        name: column.get("description") if isinstance(column, dict) else None
        for name, column in columns.items()
    }


def _reference(node: Node) -> tuple[object, ...]:
    return (node.latest_version, node.access, node.deprecation_date)


def _source_parts(node: Node) -> tuple[object, ...]:
    schema = (node.unrendered_database, node.unrendered_schema)
    raws = (node.quoting, node.freshness, node.external, node.unrendered_config)
    return (
        # dbt 1.8 writes no unrendered schema; the rendered one holds the target's there.
        schema if any(schema) else (node.database, node.schema),
        node.identifier,
        node.fqn,
        node.loaded_at_field,
        *(_plain(raw) for raw in raws),
    )


def _plain(raw: msgspec.Raw) -> object:
    value = decoded(raw)
    return _compared(value) if isinstance(value, dict) else value
