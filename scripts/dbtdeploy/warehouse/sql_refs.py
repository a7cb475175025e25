"""SQL of the team's own checks, with ``{{ ref('x') }}`` put to relations. Pure.

dbt does not know these files, and nothing here runs Jinja: ``ref`` and ``source`` with literal
arguments are understood, all other Jinja is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import cast

from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Manifest, Node
from dbtdeploy.base import errors, text
from dbtdeploy.context.release_files import Spot

CALL = re.compile(r"\{\{-?\s*(?P<function>ref|source)\s*\((?P<arguments>[^(){}]*)\)\s*-?\}\}")
JINJA = re.compile(r"\{[{%#].{0,60}", re.DOTALL)
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
REFERRED = frozenset({"model", "seed", "snapshot"})


class Relations(Struct, frozen=True, kw_only=True):
    """Where each node and source is for a query to read."""

    project: str | None
    nodes: Mapping[str, tuple[Node, str]]
    """Node and its relation, quoted, by unique id."""
    sources: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, manifest: Manifest, staged: Mapping[str, Spot]) -> Relations:
        """Staged nodes in staging, everything else in production.

        Args:
            manifest: parsed with production's target.
            staged: places in staging by unique id; empty to read production alone.
        """
        nodes = {
            unique_id: (node, quoted(staged[unique_id]))
            if unique_id in staged
            else (node, node.relation_name or "")
            for unique_id, node in manifest.nodes.items()
            if node.resource_type in REFERRED
        }
        sources = {
            (source.source_name or "", source.name): source.relation_name or ""
            for source in manifest.sources.values()
        }
        project = manifest.metadata.project_name
        return cls(project=project, nodes=nodes, sources=sources)

    def ref(self, name: str, package: str | None, version: str | None) -> str:
        """The relation of a model, seed or snapshot.

        Raises:
            LookupError: says why there is none.
        """
        named = [
            one
            for one in self.nodes.values()
            if one[0].name == name and package in (None, one[0].package_name)
        ]
        own = [one for one in named if one[0].package_name == self.project] or named
        wanted = [one for one in own if _has_version(one[0], version)]
        relations = {relation for _, relation in wanted}
        if len(relations) > 1:
            raise LookupError("more than one package has it; name the package too")
        if not relations:
            raise LookupError("the project has no such model, seed or snapshot")
        found = relations.pop()
        if not found:
            raise LookupError("it is ephemeral, so there is no relation to read")
        return found

    def source(self, source: str, table: str) -> str:
        """The relation of a source.

        Raises:
            LookupError: there is none.
        """
        if not self.sources.get((source, table)):
            raise LookupError("the project has no such source")
        return self.sources[source, table]


def quoted(spot: Spot) -> str:
    """A place as SQL names it."""
    parts = (spot.database, spot.schema, spot.identifier)
    return ".".join(text.quoted(part) for part in parts if part)


def resolve(sql: str, file: str, relations: Relations) -> str:
    """The query with its relations put in, without its last semicolon.

    Args:
        sql: text of a file.
        file: its name, for messages.
        relations: where things are.

    Raises:
        InvalidInput: no query, Jinja that is not understood, or a name that is not there.
    """

    def put(found: re.Match[str]) -> str:
        try:
            return _relation(found["function"], found["arguments"], relations)
        except (LookupError, SyntaxError, ValueError) as cause:
            said = str(cause) if isinstance(cause, LookupError) else "its arguments are no literals"
            raise _refused(file, f"`{found[0]}`: {said}") from None

    filled = CALL.sub(put, sql)
    left = JINJA.search(filled)
    if left:
        shown = " ".join(left[0].split())
        raise _refused(file, f"`{shown}` is Jinja that these files cannot have")
    query = filled.strip()
    while query.endswith(";"):
        query = query[:-1].rstrip()
    if not COMMENT.sub("", query).strip():
        raise _refused(file, "it holds no query")
    return query


def _relation(function: str, arguments: str, relations: Relations) -> str:
    # CALL lets no parenthesis into the arguments.
    call = cast("ast.Call", ast.parse(f"f({arguments.strip()})", mode="eval").body)
    values = [str(ast.literal_eval(argument)) for argument in call.args]
    named = {word.arg: str(ast.literal_eval(word.value)) for word in call.keywords}
    if function == "source":
        if len(values) != 2 or named:  # noqa: PLR2004 source and table
            raise LookupError("it takes the source and the table")
        return relations.source(values[0], values[1])
    version = named.pop("v", None) or named.pop("version", None)
    if not 1 <= len(values) <= 2 or named:  # noqa: PLR2004 perhaps the package, and the name
        raise LookupError("it takes a name, and the package before it")
    return relations.ref(values[-1], values[0] if len(values) == 2 else None, version)  # noqa: PLR2004


def _has_version(node: Node, version: str | None) -> bool:
    if version is not None:
        return str(node.version) == version
    return node.version is None or str(node.version) == str(node.latest_version)


def _refused(file: str, said: str) -> errors.InvalidInput:
    return errors.InvalidInput(
        f"{file}: {said}.",
        not_done="No query was run, and nothing went live.",
        remedy="Write one query to a file, with `{{ ref('model') }}`, `{{ ref('package', 'model') "
        "}}` and `{{ source('name', 'table') }}` for relations, and no other Jinja.",
    )
