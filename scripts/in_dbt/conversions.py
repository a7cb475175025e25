"""Nodes and their resources are made from each other field by field, not by way of dictionaries.

dbt writes a manifest as ``resource_class.from_dict(node.to_dict())`` of each node and reads one
the other way round (``to_resource`` and ``from_resource`` in dbt/contracts/graph/nodes.py). All is
taken apart and put together again, though node and resource hold the same objects: 3 s of CPU each
time, for 5,000 models and 15,000 tests.

Only for classes where each field of the resource is there in the node with the same type, and whose
own fields have defaults; every other goes dbt's way.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, get_type_hints

_plans: dict[Any, Any] = {}


def install() -> None:
    """Put the short way in the place of dbt's."""
    from dbt.contracts.graph.nodes import BaseNode

    to_resource = BaseNode.__dict__.get("to_resource")
    from_resource = getattr(BaseNode.__dict__.get("from_resource"), "__func__", None)
    if to_resource is None or from_resource is None:
        return

    def to_resource_shortly(self: Any) -> Any:
        shared = _shared(type(self))
        if shared is None:
            return to_resource(self)
        return _copy(self, self.resource_class(), shared)

    def from_resource_shortly(cls: Any, resource: Any) -> Any:
        shared = _shared(cls)
        if shared is None or type(resource) is not cls.resource_class():
            return from_resource(cls, resource)
        return _copy(resource, cls, shared)

    BaseNode.to_resource = to_resource_shortly
    BaseNode.from_resource = classmethod(from_resource_shortly)


def _copy(source: Any, made_of: Any, shared: frozenset[str]) -> Any:
    """An instance with the shared fields of another, and defaults for the rest."""
    made = made_of.__new__(made_of)
    values, ours = source.__dict__, made.__dict__
    for name, is_shared, factory, default in _fields(made_of, shared):
        if is_shared:
            ours[name] = values[name]
        else:
            ours[name] = default if factory is None else factory()
    if hasattr(made, "__post_init__"):
        made.__post_init__()
    return made


@functools.lru_cache(maxsize=None)
def _fields(made_of: Any, shared: frozenset[str]) -> list[tuple[str, bool, Any, Any]]:
    """Of each field its name, whether it is shared, the factory of its default, its default."""
    return [
        (
            field.name,
            field.name in shared,
            None if field.default_factory is dataclasses.MISSING else field.default_factory,
            field.default,
        )
        for field in dataclasses.fields(made_of)
    ]


def _shared(node_class: Any) -> frozenset[str] | None:
    """The fields that a node class shares with its resource; None if that is not all there is."""
    if node_class not in _plans:
        try:
            _plans[node_class] = _find_shared(node_class)
        except Exception:
            _plans[node_class] = None
    found: frozenset[str] | None = _plans[node_class]
    return found


def _find_shared(node_class: Any) -> frozenset[str] | None:
    resource_class = node_class.resource_class()
    of_node, of_resource = get_type_hints(node_class), get_type_hints(resource_class)
    fields = {field.name: field for field in dataclasses.fields(node_class)}
    names = [field.name for field in dataclasses.fields(resource_class)]
    if any(name not in fields or of_node[name] != of_resource[name] for name in names):
        return None
    for name, field in fields.items():
        lacks = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if name not in names and lacks:
            return None
    return frozenset(names)
