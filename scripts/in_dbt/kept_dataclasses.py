"""The methods of dataclasses, kept between jobs as compiled code; their docstrings, when read.

Importing dbt makes 500 dataclasses. For each, Python writes the source of some methods and compiles
it (0.15 s of CPU in all), and a docstring from the signature (0.05 s), which nothing reads.

What is kept is found by the whole source, so that it is what Python would have made of it.
Sources: ``_create_fn`` and ``_process_class`` in Lib/dataclasses.py, of 3.13 on
``_FuncBuilder.add_fns_to_class``.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from typing import Any

import kept_file

kept = kept_file.KeptCode("dataclasses.bin")
"""By the source."""


def use(folder: str) -> None:
    """Take code from this folder; have compiled what is not there. Before dbt is imported.

    Args:
        folder: of this environment and of no other; it may be missing.
    """
    kept.use(folder)
    # Found before Python's own by the one call of ``exec`` that the module has.
    dataclasses.exec = _exec  # type: ignore[attr-defined]
    _leave_docstrings()


def _exec(source: Any, names: Any = None, local_names: Any = None) -> None:
    code = kept.known.get(source)
    if code is None:
        code = compile(source, "<string>", "exec", dont_inherit=True)
        kept.add(source, code)
    exec(code, names, local_names)  # noqa: S102  as the module does


def _leave_docstrings() -> None:
    process = getattr(dataclasses, "_process_class", None)
    # From 3.14 on the text is made of annotations that are not evaluated.
    if process is None or sys.version_info >= (3, 14):
        return

    def process_class(cls: Any, *args: Any, **options: Any) -> Any:
        if cls.__doc__:
            return process(cls, *args, **options)
        late = _Docstring()
        cls.__doc__ = late
        try:
            return process(cls, *args, **options)
        finally:
            late.is_finished = True

    dataclasses._process_class = process_class  # type: ignore[attr-defined]


class _Docstring:
    """The text that Python would make with the class, made when it is asked for."""

    is_finished = False

    def __get__(self, _instance: Any, owner: Any) -> str:
        # While the class is made it only has to be there, so that none is made.
        signature = _signature(owner) if self.is_finished else "()"
        return str(owner.__name__) + signature


def _signature(cls: Any) -> str:
    try:
        return str(inspect.signature(cls)).replace(" -> None", "")
    except (TypeError, ValueError):
        return ""
