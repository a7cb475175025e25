"""Runs in the interpreter of a dbt: the code that mashumaro makes to read and write its classes.

Usage: ``python codecs_driver.py IN_DBT early|late``; prints a JSON object of the code by class,
format and method, the last that was made, and how many pieces were made by the import.
"""

# Python 3.8, and dbt is imported where it is needed.
# ruff: noqa: PLC0415

from __future__ import annotations

import contextlib
import importlib
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

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


def use_all() -> None:
    """Read and write each class in each way, as far as that comes without its fields."""
    from mashumaro.mixins.dict import DataClassDictMixin

    for cls in dict.fromkeys(classes(DataClassDictMixin)):
        cls.__abstractmethods__ = frozenset()
        for name, method in list(vars(cls).items()):
            if not (name.startswith("__mashumaro_") and name.endswith("__")):
                continue
            # What is missing shows when the code runs, after it has been made.
            with contextlib.suppress(Exception):
                if isinstance(method, classmethod):
                    getattr(cls, name)(b"" if "msgpack" in name else {})
                else:
                    getattr(object.__new__(cls), name)()


def main(in_dbt: str, when: str) -> None:
    sys.path.insert(0, in_dbt)
    write_down_what_is_made()
    if when == "late":
        importlib.import_module("late_codecs").install()
    import dbt.adapters.postgres
    import dbt.cli.main  # noqa: F401  all classes

    at_once = len(made)
    use_all()
    print(json.dumps({"at once": at_once, "made": made}))


if __name__ == "__main__":
    main(*sys.argv[1:])
