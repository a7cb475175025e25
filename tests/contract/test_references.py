"""What a docstring or comment points to is there: files by name, failures by class."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for path in [
        *(ROOT / "scripts").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "tools").glob("*.py"),
        *(ROOT / "templates" / "dbt_package").rglob("*.sql"),
    ]
    if "__pycache__" not in path.parts
)
NAMED = re.compile(r"``([\w/]*\w\.py)``|\b((?:scripts|tests)/[\w/]+\.py)\b")
RAISED = re.compile(r"^ {4}((?:[A-Z]\w+, )*[A-Z]\w+)(?: and others)?:", re.MULTILINE)
OTHERS = {"Requester.py"}
"""Files of PyGithub's, named as sources of facts."""


def words(path: Path) -> str:
    """The text of a source in which our own files are named."""
    return path.read_text(encoding="utf-8")


def test_a_file_that_is_named_is_there() -> None:
    there = {str(path.relative_to(ROOT)) for path in SOURCES}
    missing = [
        f"{path.relative_to(ROOT)} names {name}"
        for path in SOURCES
        for found in NAMED.finditer(words(path))
        if (name := found[1] or found[2]) not in OTHERS
        if not any(f"/{one}".endswith(f"/{name}") for one in there)
    ]
    assert missing == []


def _raised(path: Path) -> Iterator[str]:
    """The failures that the docstrings of a module name."""
    for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(found, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            _, _, raises = (ast.get_docstring(found) or "").partition("Raises:\n")
            for names in RAISED.findall(raises.partition("\n\n")[0]):
                yield from names.split(", ")


def test_a_failure_that_is_named_is_a_class() -> None:
    modules = [path for path in SOURCES if path.suffix == ".py" and "scripts" in path.parts]
    classes = {
        found.name
        for path in modules
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.ClassDef)
    }
    unknown = [
        f"{path.relative_to(ROOT)} names {name}"
        for path in modules
        for name in _raised(path)
        if name not in classes and not hasattr(builtins, name)
    ]
    assert unknown == []
