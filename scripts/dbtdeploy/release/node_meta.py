"""What a model's own lines say of its release: ``config.meta.dbt_deploy``, and its grants. Pure.

Under ``dbt_deploy`` it may hold ``method: direct``, ``row_count: block``,
``row_count_tolerance: 20`` in per cent, ``fresh_column: loaded_at`` and ``fresh_hours: 24``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Node, decoded
from dbtdeploy.base import errors
from dbtdeploy.context.release_files import Method

KEY = "dbt_deploy"
SHORT_METHOD = "dbt_deploy_method"
"""The same as ``method`` under ``dbt_deploy``, in one line."""

METHODS = ("blue-green", "direct")
ROW_COUNTS = ("warn", "block", "off")
MOST = 1_000_000_000

KEYS = ("method", "row_count", "row_count_tolerance", "fresh_column", "fresh_hours")

RowCount = Literal["warn", "block", "off"]

PLAIN = re.compile(r"[A-Za-z_][\w$]*")
QUOTED = re.compile(r'"([^"]+)"')


class ModelMeta(Struct, frozen=True, kw_only=True):
    """What one model asks for; None where it says nothing."""

    method: Method | None = None
    row_count: RowCount | None = None
    row_count_tolerance: float | None = None
    fresh_column: str | None = None
    fresh_hours: float | None = None


def of(node: Node) -> ModelMeta:
    """Read a node's ``meta``.

    Raises:
        InvalidInput: it says something that dbt-deploy does not know; names the node.
    """
    meta = node.meta_said
    said = meta.get(KEY)
    if said is not None and not isinstance(said, dict):
        raise _refused(node, f"`meta.{KEY}` is {said!r} and should hold keys of its own")
    model_meta: Mapping[str, Any] = said or {}
    for name in model_meta:
        if name not in KEYS:
            raise _refused(node, f"`meta.{KEY}` has the key {name!r}, which dbt-deploy has not")
    method = model_meta.get("method", meta.get(SHORT_METHOD))
    return ModelMeta(
        method=cast("Method | None", _one_of(node, "method", method, METHODS)),
        row_count=cast(
            "RowCount | None", _one_of(node, "row_count", model_meta.get("row_count"), ROW_COUNTS)
        ),
        row_count_tolerance=_number(node, "row_count_tolerance", model_meta),
        fresh_column=_name(node, model_meta),
        fresh_hours=_number(node, "fresh_hours", model_meta),
    )


def managed_privileges(node: Node) -> tuple[str, ...]:
    """The privileges that the config ``grants`` names, so that dbt alone decides on them."""
    return tuple(sorted(str(name).upper() for name in _mapping(decoded(node.config.grants))))


def unique_columns(node: Node) -> tuple[str, ...]:
    """Columns in which no two rows of an incremental model or a snapshot may be alike.

    Empty where there are none, where rows are only appended, and where a key is an expression.
    A snapshot has many rows for each of its keys; what dbt makes unique is ``dbt_scd_id``.
    """
    if node.resource_type == "snapshot":
        renamed = _mapping(decoded(node.config.snapshot_meta_column_names))
        return (str(renamed.get("dbt_scd_id") or "dbt_scd_id"),)
    if node.materialized != "incremental":
        return ()
    if decoded(node.config.incremental_strategy) in ("append", "insert_overwrite"):
        return ()
    key = decoded(node.config.unique_key)
    keys = [key] if isinstance(key, str) else key if isinstance(key, list) else []
    columns = [_column(str(one).strip()) for one in keys]
    return tuple(c for c in columns if c is not None) if None not in columns else ()


def _column(text: str) -> str | None:
    """A column as the warehouse spells it: dbt writes ``unique_key`` into SQL as it stands."""
    if PLAIN.fullmatch(text):
        return text.lower()
    found = QUOTED.fullmatch(text)
    return found[1] if found else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _one_of(node: Node, key: str, value: object, allowed: tuple[str, ...]) -> str | None:
    # YAML 1.1 reads a bare `off` as false.
    value = "off" if value is False and "off" in allowed else value
    if value is None or (isinstance(value, str) and value in allowed):
        return value
    choices = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
    raise _refused(node, f"`{key}` is {value!r} and should be {choices}")


def _number(node: Node, key: str, model_meta: Mapping[str, Any]) -> float | None:
    value = model_meta.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST:
        raise _refused(node, f"`{key}` is {value!r} and should be a number from 0 on")
    return float(value)


def _name(node: Node, model_meta: Mapping[str, Any]) -> str | None:
    value = model_meta.get("fresh_column")
    if value is None:
        return None
    column = _column(value) if isinstance(value, str) else None
    if column is None:
        raise _refused(node, f"`fresh_column` is {value!r} and should be the name of a column")
    return column


def _refused(node: Node, said: str) -> errors.InvalidInput:
    where = f" ({node.original_file_path})" if node.original_file_path else ""
    return errors.InvalidInput(
        f"{node.resource_type.capitalize()} `{node.name}`{where}: {said}.",
        not_done="Nothing was built.",
        remedy=f"Mend the config `meta` of `{node.name}`. Under `{KEY}` it may hold "
        f"{', '.join(f'`{key}`' for key in KEYS)}.",
    )
