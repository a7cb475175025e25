"""Runs in the interpreter of a dbt: the methods and docstrings of the dataclasses that dbt imports.

Usage: ``python dataclasses_driver.py IN_DBT [FOLDER]``, with the folder where code is kept.
Prints a JSON object: ``made``, the methods of each dataclass, whole, and its docstring; ``new``,
how many sources were compiled that were not kept.
"""

# Python 3.8, and dbt is imported where it is needed.
# ruff: noqa: PLC0415

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

ADDRESS = re.compile(" at 0x[0-9a-f]+")


def classes(of: Any, seen: set[Any]) -> Iterator[Any]:
    for each in type.__subclasses__(of):
        if each not in seen:
            seen.add(each)
            yield each
            yield from classes(each, seen) if each is not type else ()


def described(cls: Any) -> dict[str, str]:
    found = {"__doc__": ADDRESS.sub("", str(cls.__doc__))}
    for name, method in vars(cls).items():
        function = getattr(method, "__wrapped__", method)
        if isinstance(function, FunctionType) and is_of_dataclasses(cls, name, function):
            found[name] = ADDRESS.sub(
                "",
                repr(
                    (
                        function.__qualname__,
                        written(function.__code__),
                        function.__defaults__,
                        function.__kwdefaults__,
                        sorted(function.__annotations__),
                    )
                ),
            )
    return found


def is_of_dataclasses(cls: Any, name: str, function: FunctionType) -> bool:
    """And not one that mashumaro made, which draws its names."""
    made = function.__code__.co_filename == "<string>"
    return made and function.__qualname__ == f"{cls.__qualname__}.{name}"


def written(code: CodeType) -> Any:
    constants = [written(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_flags, constants


def more() -> list[Any]:
    """Of kinds that dbt may have none of: with slots, with a docstring, without a signature."""

    @dataclass(frozen=True, order=True, **({"slots": True} if sys.version_info >= (3, 10) else {}))
    class Slotted:
        a: int
        b: str = "b"

    @dataclass
    class Told:
        """It says what it is."""

        a: int = 1

    class Meta(type):
        def __call__(cls, *args: Any) -> Any:
            return super().__call__(*args)

    @dataclass
    class Called(metaclass=Meta):
        a: int

    @dataclass(frozen=True)
    class Below(Slotted):
        c: float = 1.0

    assert Below.__doc__ is not None
    assert Below(1, "x").__doc__ == Below.__doc__
    return [Slotted, Told, Called, Below]


def main(in_dbt: str, *folder: str) -> None:
    sys.path.insert(0, in_dbt)
    kept: Any = importlib.import_module("kept_dataclasses")
    if folder:
        kept.use(folder[0])
    import dbt.adapters.postgres
    import dbt.cli.main  # noqa: F401  all classes

    held = more()
    made: dict[str, list[str]] = {}
    for cls in classes(object, set()):
        if "__dataclass_fields__" in vars(cls):
            told = json.dumps(described(cls), sort_keys=True)
            made.setdefault(f"{cls.__module__}.{cls.__qualname__}", []).append(told)
    assert all(f"{cls.__module__}.{cls.__qualname__}" in made for cls in held)
    new = len(kept.kept.new)
    kept.kept.write_new()
    print(json.dumps({"made": {name: sorted(told) for name, told in made.items()}, "new": new}))


if __name__ == "__main__":
    main(*sys.argv[1:])
