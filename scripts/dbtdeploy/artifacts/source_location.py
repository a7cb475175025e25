"""The file and line of an error or a test: dbt's words and the sources in, a place out.

A line is given only where it is certain; a link to the wrong line costs more than none. All paths
here are relative to the dbt project.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Node, decoded
from dbtdeploy.base import yaml_codec

FILE = re.compile(r"(?P<file>[\w@.+~ -]+(?:/[\w@.+~ -]+)*\.(?:sql|py|ya?ml|csv|md))")
IN_PARENTHESES = re.compile(r"\((?P<file>[^()\n]+\.(?:sql|py|ya?ml|csv|md))\)")
LINE = re.compile(r"(?:^|\s)(?:near )?line (?P<line>\d{1,7})\b")
DATABASE_LINE = re.compile(r"^\s*LINE \d+: (?P<snippet>.*)$", re.MULTILINE)
MISSING_COLUMN = re.compile(r'column "?(?:[^"\n]*\.)?(?P<name>\w+)"? does not exist')

MIN_SNIPPET = 3
"""A shorter snippet, say ``)``, tells nothing though it may be unique."""


class SourceLocation(Struct, frozen=True, kw_only=True):
    """A file from the dbt project's root, and its 1-based line if that is certain."""

    file: str
    line: int | None = None


def place_in_message(message: str, find: Callable[[str], str | None]) -> SourceLocation | None:
    """Where dbt itself says an error is: ``(models/x.sql)`` and ``line 7``.

    Args:
        message: dbt's. Some fifty of its messages name a file, each in words of its own.
        find: completes a path from the project's root; None where no such file is.

    Nothing tells where a path begins, which may hold blanks: ``The schema file at models/a b.yml``
    is read from each word on, and the first file that is there counts. Only a path in parentheses,
    behind the name of a node, is believed where it is not there.
    """
    file = _mentioned(message, find)
    if file is None:
        found = IN_PARENTHESES.search(message)
        if found is None:
            return None
        file = found["file"].strip()
    line = LINE.search(message)
    return SourceLocation(file=find(file) or file, line=int(line["line"]) if line else None)


def _mentioned(message: str, find: Callable[[str], str | None]) -> str | None:
    for said in FILE.finditer(message):
        words = said["file"].split(" ")
        tails = (" ".join(words[start:]) for start in range(len(words)))
        there = next((tail for tail in tails if tail and find(tail) is not None), None)
        if there is not None:
            return there
    return None


def line_of_error(message: str, source: str) -> int | None:
    """The line of a node's own file that an error is about.

    Args:
        message: dbt's, with the database's inside.
        source: the file as it is on disk.

    A database counts the lines of the compiled and wrapped SQL, so its number is useless here;
    the snippet behind it is looked for instead. Jinja counts the lines of the file without its
    leading blank ones, as dbt strips them.
    """
    snippet = DATABASE_LINE.search(message)
    if snippet is not None:
        found = _only_line_with(
            source, snippet["snippet"].strip().removeprefix("...").removesuffix("...")
        )
        if found:
            return found
    column = MISSING_COLUMN.search(message)
    if column is not None:
        return _only_line_matching(source, rf"\b{re.escape(column['name'])}\b")
    line = LINE.search(message) if snippet is None else None
    if line is None:
        return None
    stripped = source[: len(source) - len(source.lstrip())].count("\n")
    number = int(line["line"]) + stripped
    return number if number <= len(source.splitlines()) else None


def line_of_test(test: Node, owner: Node | None, source: str) -> int | None:
    """The line of a yml file where a generic test or a unit test stands.

    Args:
        test: from the manifest.
        owner: the model, seed, snapshot or source table it is on.
        source: the yml file's text.
    """
    try:
        root = yaml_codec.compose(source)
    except yaml_codec.NotYaml:
        return None
    if test.resource_type == "unit_test":
        named = _entries(root, "unit_tests", test.name)
        return _line(named[0]) if len(named) == 1 else None
    metadata = decoded(test.test_metadata)
    if owner is None or not isinstance(metadata, dict):
        return None
    lists = [place for entry in _owners(root, owner) for place in _test_lists(entry, test)]
    found = [item for tests in lists for item in tests.value if _is_test(item, test, metadata)]
    return _line(found[0]) if len(found) == 1 else None


def _only_line_with(source: str, snippet: str) -> int | None:
    wanted = " ".join(snippet.split())
    if len(wanted) < MIN_SNIPPET:
        return None
    lines = [" ".join(line.split()) for line in source.splitlines()]
    found = [number for number, line in enumerate(lines, start=1) if wanted in line]
    return found[0] if len(found) == 1 else None


def _only_line_matching(source: str, pattern: str) -> int | None:
    wanted = re.compile(pattern)
    found = [n for n, line in enumerate(source.splitlines(), start=1) if wanted.search(line)]
    return found[0] if len(found) == 1 else None


def _owners(root: yaml.Node | None, owner: Node) -> list[yaml.Node]:
    if owner.resource_type == "source":
        sources = _entries(root, "sources", owner.source_name or "")
        return [table for source in sources for table in _entries(source, "tables", owner.name)]
    return [
        entry
        for kind in ("models", "seeds", "snapshots")
        for entry in _entries(root, kind, owner.name)
    ]


def _test_lists(entry: yaml.Node, test: Node) -> list[yaml.Node]:
    """The lists a test may stand in: of its column, or of the whole table; of versions too."""
    holders = [entry, *_items(_get(entry, "versions"))]
    if test.column_name:
        name = test.column_name.strip('"`[]')
        holders = [column for holder in holders for column in _entries(holder, "columns", name)]
    keys = ("tests", "data_tests")
    lists = [_get(holder, key) for holder in holders for key in keys]
    return [found for found in lists if isinstance(found, yaml.SequenceNode)]


def _is_test(item: yaml.Node, test: Node, metadata: dict[str, Any]) -> bool:
    plain = str(metadata.get("name"))
    names = {plain, f"{metadata.get('namespace')}.{plain}"}
    if isinstance(item, yaml.ScalarNode):
        return item.value in names
    own_name, kind = _scalar(_get(item, "name")), _scalar(_get(item, "test_name"))
    arguments: yaml.Node | None = item
    if kind is None and isinstance(item, yaml.MappingNode) and item.value:
        key, arguments = item.value[0]
        kind, own_name = key.value, _scalar(_get(arguments, "name"))
    if kind not in names:
        return False
    if own_name is not None:
        return own_name == test.name or test.name.startswith(own_name)
    return _same_arguments(arguments, metadata.get("kwargs") or {})


def _same_arguments(arguments: yaml.Node | None, expected: dict[str, Any]) -> bool:
    """Whether no argument written in the yml contradicts what dbt parsed."""
    nested = _get(arguments, "arguments")
    written = {}
    for node in (arguments, nested):
        if isinstance(node, yaml.MappingNode):
            written.update({key.value: value for key, value in node.value})
    return all(
        _constructed(value) == expected[name] for name, value in written.items() if name in expected
    )


def _constructed(node: yaml.Node) -> object:
    try:
        return yaml_codec.construct(node)
    except yaml_codec.NotYaml:
        return None


def _get(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _entries(node: yaml.Node | None, key: str, name: str) -> list[yaml.Node]:
    return [item for item in _items(_get(node, key)) if _scalar(_get(item, "name")) == name]


def _scalar(node: yaml.Node | None) -> str | None:
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
