"""mashumaro's code for dbt's classes, kept between jobs: made once for an environment, then read.

A build reads and writes some 200 of dbt's classes as dictionaries or msgpack. mashumaro writes the
code for that by looking into each field's type, and compiles it: 0.7 s of CPU in each process with
dbt 1.12. The code depends on nothing but the classes, so it is kept in a folder that is named after
all installed packages, as what Python compiles is kept: as code objects, for one version of Python.

Kept is what one ``CodeBuilder`` put on its class, where all that the code names can be found again
by module and name. Whatever is not so is left to mashumaro.

Source: ``CodeBuilder.add_unpack_method`` and ``add_pack_method`` in
mashumaro/core/meta/code/builder.py, 3.14 and 3.17.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import marshal
import re
import sys
import threading
import typing
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import kept_file

PLAIN = (type(None), bool, int, float, str, bytes)
DRAWN = re.compile("[0-9a-f]{32}")
"""mashumaro draws a part of its helpers' names, with ``uuid4``."""

WRAPPERS: Dict[str, Any] = {
    "function": None,
    "classmethod": classmethod,
    "staticmethod": staticmethod,
}

kept = kept_file.KeptCode("codecs.bin")
"""By what tells one piece from another (``_key``), each marshalled by itself."""
_made_by: Dict[Tuple[type, str], Optional[str]] = {}
"""Key of the code that last put this method on this class; None if it is not kept."""
_made: List[Tuple[str, Any]] = []
"""Which maker made each new piece, and with what builder."""


class _Making(threading.local):
    """Keys of what the code that this thread makes needs on other classes; None if not kept."""

    needs: Optional[List[Optional[str]]] = None


_making = _Making()


def use(folder: str) -> None:
    """Take code from this folder; have made what is not there. Before dbt is imported.

    Args:
        folder: of this environment and of no other; it may be missing.
    """
    try:
        from mashumaro.core.meta.code import builder
        from mashumaro.core.meta.types import pack, unpack

        makers = {
            name: getattr(builder.CodeBuilder, name)
            for name in ("add_unpack_method", "add_pack_method")
        }
        lookups = {module: module.get_class_that_defines_method for module in (pack, unpack)}
    except (ImportError, AttributeError):
        return
    kept.use(folder)
    for name, make in makers.items():
        setattr(builder.CodeBuilder, name, _keeping(name, make, vars(builder)))
    for module, look in lookups.items():
        module.get_class_that_defines_method = _noticing(look)


def write_new() -> None:
    """Write the file anew if code was made that was not in it.

    The job whose cache is kept may be a deploy, which writes what later jobs read: with the code
    that writes a class goes the code that reads it, and the other way round; and all that reading a
    manifest may need, which tries each kind of node in turn.
    """
    if kept.new:
        # What other commands of this job have made is not made again.
        kept.read()
        # dbt has done its work: what cannot be made here is made when it is used.
        with contextlib.suppress(Exception):
            _read_all_of_a_manifest()
        for name, builder in _made.copy():
            _make_the_other(name, builder)
    kept.write_new()


def _keeping(name: str, make: Any, base: Dict[str, Any]) -> Any:
    def add(self: Any) -> None:
        key = _key(name, self)
        if key is None or not _put(key, base):
            _make(key, name, make, self, base)
        if _making.needs is not None:
            _making.needs.append(key if key in kept.known else None)

    return add


def _make(key: Optional[str], name: str, make: Any, builder: Any, base: Dict[str, Any]) -> None:
    before = dict(vars(builder.cls))
    outer, needs = _making.needs, []  # type: ignore[var-annotated]
    _making.needs = needs
    try:
        make(builder)
    finally:
        _making.needs = outer
    put = {n: v for n, v in vars(builder.cls).items() if before.get(n) is not v}
    if key is not None and (None in needs or not _keep(key, (name, builder), put, base, needs)):
        key = None
    _made_by.update({(builder.cls, title): key for title in put})


def _keep(
    key: str, made: Tuple[str, Any], put: Dict[str, Any], base: Dict[str, Any], needs: List[Any]
) -> bool:
    try:
        entry = _entry(made[1].cls, put, made[1].globals, base)
        if entry is None:
            return False
        kept.add(key, marshal.dumps((*entry, needs)))
        _made.append(made)
    except Exception:
        # Whatever a class may do when it is looked at: the code is there, and dbt goes on with it.
        return False
    return True


def _read_all_of_a_manifest() -> None:
    from dbt.artifacts.schemas.manifest import WritableManifest

    seen: Set[Any] = set()
    left: List[Any] = [WritableManifest]
    while left:
        kind = left.pop()
        left.extend(typing.get_args(kind))
        if hasattr(kind, "__dataclass_fields__") and kind not in seen:
            seen.add(kind)
            left.extend(typing.get_type_hints(kind).values())
            with contextlib.suppress(Exception):
                # What is missing in it shows when the code is there.
                kind.from_dict({})


def _make_the_other(name: str, builder: Any) -> None:
    """The code that reads a class for the code that writes it, or the other way round."""
    reads = name == "add_unpack_method"
    coders = {}
    try:
        if builder.format_name == "msgpack" and (builder.decoder or builder.encoder):
            from mashumaro.mixins import msgpack

            coders = (
                {"encoder": msgpack.default_encoder}
                if reads
                else {"decoder": msgpack.default_decoder}
            )
        other = type(builder)(
            builder.cls,
            allow_postponed_evaluation=builder.allow_postponed_evaluation,
            format_name=builder.format_name,
            default_dialect=builder.default_dialect,
            **coders,
        )
        other.add_pack_method() if reads else other.add_unpack_method()
    except Exception:
        # dbt has done its work; a class that cannot be both read and written is made when it is.
        return


def _noticing(look: Any) -> Any:
    """What the code finds there already is needed as much as what is made for it."""

    @functools.wraps(look)
    def get_class_that_defines_method(method_name: str, cls: Any) -> Any:
        needs, found = _making.needs, look(method_name, cls)
        if needs is not None and (found, method_name) in _made_by:
            needs.append(_made_by[found, method_name])
        return found

    return get_class_that_defines_method


def _key(name: str, builder: Any) -> Optional[str]:
    """All that tells one piece of code from another; None for one that is not kept."""
    special = (builder.dialect, builder.initial_type_args, builder.encoder_kwargs)
    if any(special) or builder.attrs is not builder.cls:
        return None
    parts = [builder.cls, builder.decoder, builder.encoder, builder.default_dialect]
    stored = [_stored(part) for part in parts]
    if None in stored:
        return None
    return repr((name, builder.format_name, builder.allow_postponed_evaluation, stored))


def _entry(
    cls: Any, put: Dict[str, Any], names: Dict[str, Any], base: Dict[str, Any]
) -> Optional[Any]:
    """What was put on a class, and what its code names; None if that cannot be kept."""
    methods: Dict[int, Tuple[List[str], Any]] = {}
    ways = {}
    used: Set[str] = set()
    for name, value in put.items():
        if id(value) in methods:
            methods[id(value)][0].append(name)
            continue
        method = _method(value, names)
        way = None if method else _way(value, cls)
        if method is not None:
            methods[id(value)] = ([name], method)
            used.update(_names(method[2]))
        elif way is not None:
            ways[name] = way
        else:
            return None
    # A helper of an earlier piece of code is not there when only this one is put.
    if any(DRAWN.search(name) and name not in put and name not in names for name in used):
        return None
    found = {}
    for name in sorted(used & names.keys()):
        if name in base and base[name] is names[name]:
            continue
        found[name] = _stored(names[name])
        if found[name] is None:
            return None
    return _stored(cls), found, list(methods.values()), ways


def _method(value: Any, names: Dict[str, Any]) -> Optional[Tuple[Any, ...]]:
    kind = type(value).__name__
    if kind not in WRAPPERS:
        return None
    made = value if WRAPPERS[kind] is None else value.__func__
    if type(made) is not FunctionType or made.__globals__ is not names:
        return None
    if made.__closure__ or made.__dict__ or made.__annotations__:
        return None
    defaults = [_stored(one) for one in made.__defaults__ or ()]
    by_name = {name: _stored(one) for name, one in (made.__kwdefaults__ or {}).items()}
    if None in defaults or None in by_name.values():
        return None
    return kind, made.__name__, made.__code__, defaults, by_name


def _way(value: Any, cls: Any) -> Optional[Tuple[Any, ...]]:
    """Of a method that the class itself has for reading or writing a type, or one of its fields."""
    method = value.__func__ if isinstance(value, staticmethod) else value
    for kind, way in _by_type(cls).items():
        if isinstance(method, MethodType) and method.__self__ is way:
            where = ("type", _stored(kind), method.__name__, method is not value)
            return where if where[1] and _found(where, cls) == method else None
    for name, field in getattr(cls, "__dataclass_fields__", {}).items():
        for key in ("serialize", "deserialize"):
            if field.metadata.get(key) is method:
                return ("field", name, key, method is not value)
    return None


def _by_type(cls: Any) -> Dict[Any, Any]:
    found: Dict[Any, Any] = getattr(getattr(cls, "Config", None), "serialization_strategy", {})
    return found


def _found(where: Tuple[Any, ...], cls: Any) -> Any:
    """The method that ``_way`` described; raises AttributeError or KeyError where it is not."""
    if where[0] == "field":
        return cls.__dataclass_fields__[where[1]].metadata[where[2]]
    return getattr(_by_type(cls)[_value(where[1])], where[2])


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _stored(value: Any) -> Optional[Tuple[str, ...]]:
    """How to have this value again: itself, a module, or a name in a module; None if in no way."""
    if type(value) in PLAIN:
        return ("plain", value)
    if isinstance(value, ModuleType):
        where: Tuple[str, ...] = ("named", value.__name__, "")
    elif isinstance(value, enum.Enum):
        where = ("named", type(value).__module__, type(value).__qualname__ + "." + value.name)
    else:
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if not isinstance(module, str) or not isinstance(name, str):
            return None
        where = ("named", module, name)
    try:
        return where if _value(where) is value else None
    except (AttributeError, KeyError):
        return None


def _value(where: Tuple[str, ...]) -> Any:
    """Raises AttributeError or KeyError where it is not."""
    if where[0] == "plain":
        return where[1]
    value: Any = sys.modules[where[1]]
    for part in filter(None, where[2].split(".")):
        value = getattr(value, part)
    return value


def _put(key: str, base: Dict[str, Any], on_the_way: Tuple[str, ...] = ()) -> bool:
    """Put kept code on its class; False, and that is unchanged, where it or a name is not found."""
    if key not in kept.known:
        return False
    where, found, methods, ways, needs = marshal.loads(kept.known[key])  # noqa: S302  as in KeptCode
    try:
        cls = _value(where)
        names = {**base, **{name: _value(where) for name, where in found.items()}}
        ready = [(titles, _function(method, names)) for titles, method in methods]
        for name, way in ways.items():
            method = _found(way, cls)
            ready.append(([name], staticmethod(method) if way[-1] else method))
    except (AttributeError, KeyError):
        return False
    way = (*on_the_way, key)
    if not all(need in way or _put(need, base, way) for need in needs):
        return False
    for titles, function in ready:
        for title in titles:
            setattr(cls, title, function)
            _made_by[cls, title] = key
    return True


def _function(method: Tuple[Any, ...], names: Dict[str, Any]) -> Any:
    kind, name, code, defaults, by_name = method
    made = FunctionType(code, names, name, tuple(map(_value, defaults)) or None)
    made.__kwdefaults__ = {key: _value(where) for key, where in by_name.items()} or None
    wrapper = WRAPPERS[kind]
    return made if wrapper is None else wrapper(made)
