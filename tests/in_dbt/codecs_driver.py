"""Runs in the interpreter of a dbt: the code that mashumaro makes to read and write its classes.

Usage: ``python codecs_driver.py IN_DBT early|late|FOLDER``, with the folder where code is kept.
Prints a JSON object: ``made``, the code by class, format and method, the last that was made;
``at once``, how many pieces were made by the import; ``put``, what stands on each class at the end.

With ``reads`` or ``writes`` after it only that is used.

``python codecs_driver.py IN_DBT FOLDER alone``: uses each msgpack method of dbt's graph in a
process of its own, twice, with and without what is kept. Prints uses by which the kept puts less.
"""

# Python 3.8, and dbt is imported where it is needed.
# ruff: noqa: PLC0415

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

DRAWN = re.compile("[0-9a-f]{32}| at 0x[0-9a-f]+")
"""Parts of names that mashumaro draws, and addresses."""

made: dict[str, str] = {}


def write_down_what_is_made() -> None:
    from mashumaro.core.meta.code.builder import CodeBuilder

    compiled = CodeBuilder.compile

    def compile_and_tell(self: Any) -> None:
        code = self.lines.as_text()
        name = re.search(r"def (\w+)", code)
        assert name is not None, code
        key = f"{self.cls.__module__}.{self.cls.__qualname__} {self.format_name} {name[1]}"
        # Names that are drawn, and arguments by name where a class that is finished takes them by
        # position.
        code = re.sub(r"[0-9a-f]{32}", "", code)
        made[re.sub(r"[0-9a-f]{32}", "", key)] = re.sub(
            r"return cls\(.*\)$", lambda call: re.sub(r"\w+=", "", call[0]), code, flags=re.M
        )
        compiled(self)

    CodeBuilder.compile = compile_and_tell


def classes(of: Any) -> Iterator[Any]:
    for each in of.__subclasses__():
        yield each
        yield from classes(each)


def methods() -> Iterator[tuple[Any, str, Any]]:
    from mashumaro.mixins.dict import DataClassDictMixin

    for cls in dict.fromkeys(classes(DataClassDictMixin)):
        for name, method in list(vars(cls).items()):
            if name.startswith("__mashumaro_") and name.endswith("__"):
                yield cls, name, method


def use(cls: Any, name: str, method: Any) -> None:
    """Read or write this class, as far as that comes without its fields."""
    cls.__abstractmethods__ = frozenset()
    # What is missing shows when the code runs, after it has been made.
    with contextlib.suppress(Exception):
        if isinstance(method, classmethod):
            getattr(cls, name)(b"" if "msgpack" in name else {})
        else:
            getattr(object.__new__(cls), name)()


def alone(kept: Any) -> list[str]:
    found = []
    nothing: dict[str, bytes] = {}
    for cls, name, method in methods():
        if cls.__module__.startswith("dbt.contracts.graph.") and "msgpack" in name:
            by_kept, made = (
                named_after(cls, name, method, known) for known in (kept.kept.known, nothing)
            )
            if not made <= by_kept:
                found.append(f"{cls.__qualname__} {name}: {sorted(made - by_kept)}")
    return found


def named_after(cls: Any, name: str, method: Any, known: dict[str, bytes]) -> set[str]:
    """The methods that are on the classes after one use, by a forked process."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        sys.modules["kept_codecs"].kept.known = known
        use(cls, name, method)
        with os.fdopen(writing, "w") as told:
            told.write("\n".join(f"{cls.__qualname__} {name}" for cls, name, _ in methods()))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        content = said.read()
    os.wait()
    return set(content.split("\n"))


def what_is_put() -> dict[str, list[str]]:
    """The methods of mashumaro's by class and name, whole: code, defaults, what the code names."""
    from mashumaro.mixins.dict import DataClassDictMixin

    found: dict[str, list[str]] = {}
    for cls in dict.fromkeys(classes(DataClassDictMixin)):
        for name, method in vars(cls).items():
            if DRAWN.search(name) or name.startswith("__mashumaro_"):
                key = DRAWN.sub("", f"{cls.__module__}.{cls.__qualname__} {name}")
                found.setdefault(key, []).append(DRAWN.sub("", repr(described(method))))
    return {key: sorted(methods) for key, methods in found.items()}


def described(method: Any) -> Any:
    function = getattr(method, "__func__", method)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        return method
    code, known = function.__code__, function.__globals__
    names = {name: known[name] for name in sorted(set(named(code))) if name in known}
    defaults = function.__defaults__, function.__kwdefaults__
    return type(method), function.__name__, written(code), defaults, names


def named(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from named(constant)


def written(code: CodeType) -> Any:
    constants = [written(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_flags, constants


def main(in_dbt: str, when: str, *how: str) -> None:
    sys.path.insert(0, in_dbt)
    write_down_what_is_made()
    if when != "early":
        importlib.import_module("late_codecs").install()
    kept = importlib.import_module("kept_codecs")
    if "/" in when:
        kept.use(when)
    import dbt.adapters.postgres
    import dbt.cli.main  # noqa: F401  all classes

    if how == ("alone",):
        print(json.dumps(alone(kept)))
        return
    at_once = len(made)
    for cls, name, method in list(methods()):
        if not how or isinstance(method, classmethod) is ("reads" in how):
            use(cls, name, method)
    told = {"at once": at_once, "made": dict(made), "put": what_is_put()}
    kept.write_new()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
