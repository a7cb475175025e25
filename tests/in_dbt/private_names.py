"""What ``scripts/in_dbt`` uses of dbt's that dbt does not call public, read out of both sources.

A name counts if ``in_dbt`` imports it from dbt, or reads or sets it on anything but itself and the
modules of Python, and dbt defines it. What stands in the schemas of dbt's artifacts is public
(``dbt/artifacts``), and so is the programmatic interface.
https://docs.getdbt.com/reference/programmatic-invocations
"""

from __future__ import annotations

import array
import ast
import io
import re
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jinja2

IN_DBT = Path(__file__).parents[2] / "scripts" / "in_dbt"
PACKAGES = ("dbt", "dbt_common")

PUBLIC = {
    *("cli", "dbtRunner", "callbacks", "invoke", "success", "exception", "result", "info"),
    "target_name",  # a field of dbt's log events, whose names another package lays down
}
PUBLIC_MODULES = {"dbt.cli.main"}
ATTRIBUTES = {"getattr", "hasattr", "setattr"}

OF_PYTHON = (
    *(str, bytes, int, list, tuple, dict, set, frozenset, type, BaseException, SystemExit),
    *(OSError, re.Pattern, re.Match, io.TextIOWrapper, socket.socket, array.array),
    *(
        jinja2.Environment,
        *(kind for kind in vars(jinja2.nodes).values() if isinstance(kind, type)),
    ),
)
"""Whose attributes cannot be told from dbt's by their names."""


def of(packages: Path) -> list[str]:
    """The private names that are used, those of modules with dots.

    Args:
        packages: the folder that holds dbt's packages.
    """
    defined, public = _defined(packages), _in_class_or_module(packages / "dbt" / "artifacts")
    of_python = {name for kind in OF_PYTHON for name in dir(kind)} | {
        name for node in OF_PYTHON for name in getattr(node, "fields", ())
    }
    names = (_touched() & defined) - public - of_python - PUBLIC - _own()
    modules = _modules(packages) - PUBLIC_MODULES
    names -= {name.rpartition(".")[2] for name in modules}
    return sorted(names) + sorted(modules)


def _sources() -> Iterator[ast.Module]:
    for file in sorted(IN_DBT.rglob("*.py")):
        yield ast.parse(file.read_text())


def _touched() -> set[str]:
    return {name for tree in _sources() for name in _Used(tree).names}


def _own() -> set[str]:
    """Functions and classes of in_dbt itself."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {n.name for tree in _sources() for n in ast.walk(tree) if isinstance(n, kinds)} - {
        "load",  # ManifestLoader's too
    }


def _modules(packages: Path) -> set[str]:
    found = set()
    for tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and _is_of_dbt(node):
                module = node.module or ""
                inner = {f"{module}.{each.name}" for each in node.names}
                found |= {module, *inner}
            elif isinstance(node, ast.Import):
                found |= {each.name for each in node.names if each.name.startswith("dbt.")}
    return {
        name for name in found if (packages / Path(*name.split("."))).with_suffix(".py").exists()
    }


def _is_of_dbt(node: ast.ImportFrom) -> bool:
    return node.level == 0 and (node.module or "").partition(".")[0] in PACKAGES


class _Used(ast.NodeVisitor):
    """What one file uses of others."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: set[str] = set()
        self._known = {"self", "run"}
        """Names of what is no object of dbt's: modules of Python and of in_dbt, its own classes."""
        self._of_dbt: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and _is_of_dbt(node):
                self._of_dbt |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level:
                self._known |= {each.name for each in node.names}
            elif isinstance(node, ast.Import):
                names = {each.name.partition(".")[0] for each in node.names}
                self._known |= names - set(PACKAGES)
        self.names |= self._of_dbt
        self.visit(tree)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        root: ast.expr = node
        depth = 0
        while isinstance(root, ast.Attribute):
            root, depth = root.value, depth + 1
        is_known = isinstance(root, ast.Name) and root.id in self._known
        if not is_known or (depth > 1 and isinstance(root, ast.Name) and root.id == "self"):
            self.names.add(node.attr)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Name) and called.id in ATTRIBUTES:
            self.names |= {
                str(each.value) for each in node.args[1:2] if isinstance(each, ast.Constant)
            }
        while isinstance(called, ast.Attribute):
            called = called.value
        if isinstance(called, ast.Name) and called.id in self._of_dbt:
            self.names |= {each.arg for each in node.keywords if each.arg}
        self.generic_visit(node)


def _defined(packages: Path) -> set[str]:
    return set().union(*(_in_class_or_module(packages / name) for name in PACKAGES))


@cache
def _in_class_or_module(folder: Path) -> set[str]:
    """What the modules below a folder define that can be reached from outside."""
    found = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
                found |= set(_arguments(node))
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {name for each in targets for name in _target(each, node.col_offset)}
    return found


def _arguments(node: ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef) and node.name == "__init__":
        yield from (each.arg for each in node.args.args)


def _target(target: ast.expr, column: int) -> Iterator[str]:
    for each in ast.walk(target):
        if isinstance(each, ast.Attribute):
            yield each.attr
        elif isinstance(each, ast.Name) and column <= 4:
            yield each.id
