"""Where things stand in the repository, and the address that opens them there. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from urllib.parse import quote

from msgspec import Struct

from dbtdeploy.artifacts import source_location
from dbtdeploy.artifacts.artifacts import Manifest, Node, decoded
from dbtdeploy.context.work_files import Run
from dbtdeploy.report import report


def address(server_url: str, repository: str, commit: str, path: str, line: int | None) -> str:
    """The page of a file at a commit, at a line of it if there is one."""
    anchor = f"#L{line}" if line else ""
    return f"{server_url}/{repository}/blob/{commit}/{quote(path)}{anchor}"


def _nothing(_path: str) -> str | None:
    return None


class Sources(Struct, frozen=True, kw_only=True):
    """The dbt project's files, for whoever may read them.

    ``read`` gives a file's text by its path in the project, None if it is not there. ``find``
    completes a path that dbt cut short: ``_staging.yml`` may be ``models/_staging.yml``.
    """

    read: Callable[[str], str | None] = _nothing
    find: Callable[[str], str | None] = _nothing


def in_repository(run: Run, place: source_location.SourceLocation | None) -> report.Place | None:
    """A place in the dbt project as one in the repository, with its address at this commit."""
    if place is None:
        return None
    root = run.dbt.repository_path or "."
    path = posixpath.normpath(posixpath.join(root, place.file))
    if path.startswith(("../", "/")):
        return None
    return report.Place(file=path, line=place.line, url=_url(run, path, place.line))


def of_message(message: str, sources: Sources) -> source_location.SourceLocation | None:
    """Where dbt says, in its own words, that an error is."""
    said = source_location.place_in_message(message, sources.find)
    if said is None:
        return None
    line, source = said.line, sources.read(said.file)
    if source is not None and not said.file.endswith((".yml", ".yaml")):
        line = source_location.line_of_error(message, source)
    return source_location.SourceLocation(file=said.file, line=line)


def of_node(
    node: Node | None, message: str | None, run: Run, sources: Sources
) -> report.Place | None:
    """Where a model, seed or snapshot stands, at the line of its error if that is certain."""
    if node is None or not _ours(node, run):
        return None
    source = sources.read(node.original_file_path) if message else None
    line = source_location.line_of_error(message, source) if message and source else None
    return in_repository(
        run, source_location.SourceLocation(file=node.original_file_path, line=line)
    )


def of_test(unique_id: str, manifest: Manifest, run: Run, sources: Sources) -> report.Place | None:
    """Where a test is declared."""
    node = manifest.find(unique_id)
    if node is None or not _ours(node, run):
        return None
    source = sources.read(node.original_file_path) if _in_yml(node) else None
    line = source_location.line_of_test(node, _owner(node, manifest), source) if source else None
    return in_repository(
        run, source_location.SourceLocation(file=node.original_file_path, line=line)
    )


def _owner(test: Node, manifest: Manifest) -> Node | None:
    """The table a generic test is on; a relationships test depends on another one first."""
    if test.attached_node:
        return manifest.find(test.attached_node)
    parents = [manifest.find(parent) for parent in test.depends_on.nodes if parent]
    sources = [parent for parent in parents if parent and parent.resource_type == "source"]
    return sources[0] if len(sources) == 1 else None


def _in_yml(node: Node) -> bool:
    return node.resource_type == "unit_test" or decoded(node.test_metadata) is not None


def _ours(node: Node, run: Run) -> bool:
    """Whether a node's file is in this repository: a package's paths start at the package."""
    return bool(node.original_file_path) and node.package_name == run.dbt.name


def _url(run: Run, path: str, line: int | None) -> str | None:
    event = run.event
    if not (event.repository and event.sha):
        return None
    return address(event.server_url, event.repository, event.sha, path, line)
