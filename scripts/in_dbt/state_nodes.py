"""A node in manifest.json is read as the kind that it says it is, not as each in turn.

mashumaro tries the eight or nine classes that a node may be of, one after the other, until one
fits. All but those of its ``resource_type`` refuse it, so that only those are tried, in the same
order (1 s of CPU at 5,000 models and 15,000 tests, of 3).

Source: ``WritableManifest.nodes`` in dbt/artifacts/schemas/manifest/v12/manifest.py.
"""

from __future__ import annotations

import contextlib
import typing
from typing import Any


def install() -> None:
    """Before a manifest is read; left out where dbt is not as it is known."""
    from dbt.artifacts.schemas.manifest import WritableManifest

    upgrade = getattr(WritableManifest.__dict__.get("upgrade_schema_version"), "__func__", None)
    try:
        kinds = _kinds(WritableManifest)
    except (AttributeError, KeyError, NameError, TypeError, ValueError):
        return
    if upgrade is None:
        return

    def upgrade_schema_version(cls: Any, data: Any) -> Any:
        if cls is WritableManifest and not ready:
            ready.append(True)
            _read_by_kind(cls, kinds)
        return upgrade(cls, data)

    ready: list[bool] = []
    WritableManifest.upgrade_schema_version = classmethod(upgrade_schema_version)


def _kinds(manifest: Any) -> dict[str, list[Any]]:
    """The classes of nodes by ``resource_type``, in the order in which mashumaro tries them."""
    _, union = typing.get_type_hints(manifest)["nodes"].__args__
    found: dict[str, list[Any]] = {}
    for kind in union.__args__:
        said = typing.get_type_hints(kind)["resource_type"]
        (value,) = said.__args__
        found.setdefault(value.value, []).append(kind)
    return found


def _read_by_kind(manifest: Any, kinds: dict[str, list[Any]]) -> None:
    # The method is made when it is first called.
    with contextlib.suppress(Exception):
        manifest.from_dict({})
    method = manifest.__dict__.get("from_dict")
    if not isinstance(method, classmethod):
        return
    whole: Any = method.__func__

    def from_dict(cls: Any, d: Any, *args: Any, **options: Any) -> Any:
        try:
            nodes = {
                name: _read(kinds[node["resource_type"]], node) for name, node in d["nodes"].items()
            }
        except Exception:
            # Whatever is wrong with it, dbt says it as it does.
            return whole(cls, d, *args, **options)
        made = whole(cls, {**d, "nodes": {}}, *args, **options)
        made.nodes = nodes
        return made

    manifest.from_dict = classmethod(from_dict)


def _read(kinds: list[Any], node: Any) -> Any:
    # Without it a kind that is tried in vain would put one there: not written by dbt.
    node["database"]
    *first, last = kinds
    for kind in first:
        with contextlib.suppress(Exception):
            return kind.from_dict(node)
    return last.from_dict(node)
