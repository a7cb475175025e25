"""What a release must hold so that nothing in production reads across its edge. Pure.

Relations are swapped one by one, and PostgreSQL's views follow the relation, not its name: a view
that stays while what it reads is replaced would go on reading the old one. So whatever is replaced
takes along all that is built from it, through ephemeral models too; tests hold nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence

from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import errors, text
from dbtdeploy.context.release_files import ReleaseNode

RELATIONS = frozenset({"model", "seed", "snapshot", "function"})

LISTED = 50

Children = Mapping[str, Sequence[str]]


def children(manifest: Manifest) -> Children:
    """What reads each node or source directly; tests and exposures are left out."""
    found: dict[str, list[str]] = {}
    for section in (manifest.nodes, manifest.functions):
        for unique_id, node in section.items():
            if node.resource_type in RELATIONS:
                for parent in node.depends_on.nodes:
                    if parent:
                        found.setdefault(parent, []).append(unique_id)
    return found


def below(start: Iterable[str], reads: Children) -> dict[str, str]:
    """Everything below some nodes, with the node of ``start`` that it was reached from first."""
    found: dict[str, str] = {}
    waiting = deque((unique_id, unique_id) for unique_id in start)
    while waiting:
        current, origin = waiting.popleft()
        for child in reads.get(current, ()):
            if child not in found:
                found[child] = origin
                waiting.append((child, origin))
    return found


def refuse_open(nodes: Sequence[ReleaseNode], manifest: Manifest) -> None:
    """Refuse a release whose swap would leave something reading the old relations.

    Args:
        nodes: all that the release brings, with its method.
        manifest: of the tagged commit.

    Raises:
        ReleaseNotClosed: names what is left out, and what it reads.
    """
    reads = children(manifest)
    _refuse_left_out(nodes, manifest, reads)
    refuse_built_too_early(nodes, manifest)


def built_too_early(
    nodes: Sequence[ReleaseNode], reads: Children
) -> tuple[tuple[ReleaseNode, ReleaseNode], ...]:
    """Staged nodes that read, at any distance, one that is built in place only later.

    Returns:
        Each with that one.
    """
    by_id = {node.unique_id: node for node in nodes}
    direct = [node.unique_id for node in nodes if node.method == "direct"]
    return tuple(
        (by_id[unique_id], by_id[origin])
        for unique_id, origin in below(direct, reads).items()
        if unique_id in by_id and by_id[unique_id].method == "blue-green"
    )


def _refuse_left_out(nodes: Sequence[ReleaseNode], manifest: Manifest, reads: Children) -> None:
    brought = {node.unique_id for node in nodes}
    staged = [node.unique_id for node in nodes if node.method == "blue-green"]
    left_out = {
        unique_id: origin
        for unique_id, origin in below(staged, reads).items()
        if unique_id not in brought and not _is_ephemeral(unique_id, manifest)
    }
    if not left_out:
        return
    lines = [f"{_name(i, manifest)}, which reads {_name(o, manifest)}" for i, o in left_out.items()]
    raise errors.ReleaseNotClosed(
        "This release replaces relations and leaves out what is built from them:\n"
        + text.bullets(lines, LISTED),
        not_done="Nothing was built, and production is as it was.",
        remedy="Release them too: let the input `exclude` not name them, and let `select` end with "
        "a `+`, as in `state:modified+`. Or release by the method `direct`, which builds in place.",
    )


def refuse_built_too_early(nodes: Sequence[ReleaseNode], manifest: Manifest) -> None:
    """Refuse a staged node that reads one that is built in place only later.

    Raises:
        ReleaseNotClosed: names both.
    """
    found = built_too_early(nodes, children(manifest))
    if not found:
        return
    lines = [
        f"{_name(staged.unique_id, manifest)}, which reads {_name(direct.unique_id, manifest)}"
        for staged, direct in found
    ]
    names = _few({staged.name for staged, _ in found})
    origins = _few({direct.name for _, direct in found})
    raise errors.ReleaseNotClosed(
        "What is built in place comes after the swap, so these would be built from what it was "
        "before:\n" + text.bullets(lines, LISTED),
        not_done="Nothing was built, and production is as it was.",
        remedy=f"Give {names} the method `direct` too, in its `meta`: "
        f"`dbt_deploy: {{method: direct}}`. Or take it away from {origins}.",
    )


def _is_ephemeral(unique_id: str, manifest: Manifest) -> bool:
    node = manifest.find(unique_id)
    return node is not None and node.materialized == "ephemeral"


def _name(unique_id: str, manifest: Manifest) -> str:
    node = manifest.find(unique_id)
    kind, _, rest = unique_id.partition(".")
    if node is None:
        return f"{kind} {rest.split('.')[-1]}"
    version = "" if node.version is None else f".v{node.version}"
    return f"{node.resource_type} {node.name}{version}"


def _few(names: Collection[str], most: int = 3) -> str:
    return text.first([f"`{name}`" for name in sorted(names)], most)
