"""A partial deploy's manifest: of what was not built, the definition that production still has.

dbt compares the next build with the published manifest. Published as it is, the manifest of a build
that left out a modified model would make that model look unmodified from then on, though the
warehouse has the old one. Pure.

Nothing is parsed that is not touched: the sections stay slices of the file (``msgspec.Raw``), and
45 MB are spliced in about a third of a second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from dbtdeploy.artifacts.artifacts import Manifest, Node, is_test
from dbtdeploy.artifacts.node_listing import BUILT
from dbtdeploy.artifacts.state_diff import MACROS, PENDING_MARK, RELATION, Reasons
from dbtdeploy.base import json_codec

SECTIONS = ("nodes", "unit_tests", "functions")
"""Those of manifest.json that hold what can be built."""

Entries = dict[str, msgspec.Raw]
Links = dict[str, list[str]]


def pending(manifest: Manifest, state: Manifest | None, built: Collection[str]) -> tuple[str, ...]:
    """What is not in the warehouse as this manifest says.

    That is what was modified and not built, and what was not built though something that is
    compiled into it was modified: an ephemeral model, a source, the place of a relation. Sources
    and ephemeral models themselves are never pending. Nor is a test where all that it reads was
    built: it was left out on purpose, as by ``--exclude-resource-type unit_test``.

    Args:
        manifest: of the build.
        state: the one it was compared with; None where there was none.
        built: the ids that have a good result.

    Returns:
        Their ids, in the order of the manifest.
    """
    before = state if state is not None else Manifest()
    reasons = Reasons(manifest, before)
    left_out = [unique_id for unique_id in _buildable(manifest) if unique_id not in built]
    models = [unique_id for unique_id in _buildable(manifest) if not is_test(unique_id)]
    below = _below_changed(manifest, before, reasons, left_out)
    return tuple(
        unique_id
        for unique_id in left_out
        if (unique_id in below or reasons.of(unique_id))
        and not (is_test(unique_id) and _all_read_is_built(unique_id, manifest, models, built))
    )


def behind(manifest: Manifest, state: Manifest | None, built: Collection[str]) -> tuple[str, ...]:
    """What reads a node that was built anew from another definition, and was not built after it.

    ``state:modified+`` selects it by that node's change, which the published manifest hides.

    Args:
        manifest: of the build.
        state: the one it was compared with; None where there was none.
        built: the ids that have a good result.
    """
    reasons = Reasons(manifest, state if state is not None else Manifest())
    return tuple(
        unique_id
        for unique_id in _buildable(manifest)
        if unique_id not in built
        and not is_test(unique_id)
        and any(
            parent in built and reasons.of(parent)
            for parent in _read_through(unique_id, manifest, set())
        )
    )


def manifest(new: bytes, old: bytes | None, pending: Iterable[str]) -> bytes:
    """The manifest to publish: the new one, with the old entries of what is pending.

    What is pending and new is left out. Macros are the new ones: those who were built have used
    them. A pending node that would therefore not be seen as modified is marked, see ``_marked``.

    Args:
        new: manifest.json of the build.
        old: the one it was compared with; None where there was none.
        pending: what ``pending`` found.
    """
    wanted = set(pending)
    if not wanted:
        return new
    document = json_codec.decode(new, Entries)
    before = json_codec.decode(old, Entries) if old else {}
    entries = {name: _section(document, name) for name in SECTIONS}
    kept = {
        unique_id: entry
        for name in SECTIONS
        for unique_id, entry in _section(before, name).items()
        if unique_id in wanted
    }
    mark = _invisible(document, before, entries, kept)
    for section in entries.values():
        for unique_id in wanted & section.keys():
            if unique_id in kept:
                old_entry = kept[unique_id]
                section[unique_id] = _marked(old_entry) if unique_id in mark else old_entry
            else:
                del section[unique_id]
    document |= {
        name: _raw(section) for name, section in entries.items() if section or name in document
    }
    _mend_maps(document, removed=wanted - kept.keys(), kept=kept)
    return msgspec.json.encode(document)


def _buildable(manifest: Manifest) -> Iterator[str]:
    for section in (manifest.nodes, manifest.unit_tests, manifest.functions):
        for unique_id, node in section.items():
            if node.resource_type in BUILT and node.materialized != "ephemeral":
                yield unique_id


def _below_changed(
    manifest: Manifest, state: Manifest, reasons: Reasons, left_out: Iterable[str]
) -> frozenset[str]:
    """Of what was left out, that into which something changed is compiled.

    A unit test reads what it is given, not what its model reads.
    """
    known: dict[str, bool] = {}
    return frozenset(
        unique_id
        for unique_id in left_out
        if not unique_id.startswith("unit_test.")
        and any(
            _compiles_anew(p, manifest, state, reasons, known) for p in _reads(unique_id, manifest)
        )
    )


def _compiles_anew(
    unique_id: str, manifest: Manifest, state: Manifest, reasons: Reasons, known: dict[str, bool]
) -> bool:
    """Whether what reads this node gets other SQL than it had, though its own lines stay."""
    if unique_id not in known:
        known[unique_id] = False
        node, old = manifest.find(unique_id), state.find(unique_id)
        if node is not None and old is not None:
            own = reasons.of(unique_id)
            if node.materialized == "ephemeral":
                known[unique_id] = bool(own) or any(
                    _compiles_anew(parent, manifest, state, reasons, known)
                    for parent in _reads(unique_id, manifest)
                )
            else:
                known[unique_id] = RELATION in own or (
                    node.resource_type == "source" and node.relation_name != old.relation_name
                )
    return known[unique_id]


def _all_read_is_built(
    unique_id: str, manifest: Manifest, models: Collection[str], built: Collection[str]
) -> bool:
    reads = set(_reads(unique_id, manifest)).intersection(models)
    return all(parent in built for parent in reads or models)


def _reads(unique_id: str, manifest: Manifest) -> list[str]:
    node = manifest.find(unique_id)
    return [parent for parent in node.depends_on.nodes if parent] if node else []


def _read_through(unique_id: str, manifest: Manifest, seen: set[str]) -> Iterator[str]:
    """What a node reads, itself or through ephemeral models."""
    for parent in _reads(unique_id, manifest):
        node = manifest.find(parent)
        if parent in seen or node is None:
            continue
        seen.add(parent)
        if node.materialized == "ephemeral":
            yield from _read_through(parent, manifest, seen)
        else:
            yield parent


def _section(document: Mapping[str, msgspec.Raw], name: str) -> Entries:
    return json_codec.decode(document[name], Entries) if name in document else {}


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _invisible(
    document: Entries, before: Entries, entries: Mapping[str, Entries], kept: Entries
) -> frozenset[str]:
    """Which old entries dbt would not tell from the project's next state by themselves.

    Those with no difference of their own, and those that use a macro which is now another: should
    their own lines be put back one day, the macro's change would be forgotten.
    """
    now = {i: section[i] for section in entries.values() for i in kept if i in section}
    new, old = _part(document, now), _part(before, kept)
    forward, backward = Reasons(new, old), Reasons(old, new)
    return frozenset(
        unique_id
        for unique_id in kept
        if not forward.of(unique_id)
        or MACROS in forward.of(unique_id)
        or backward.changed_macros(unique_id)
    )


def _part(document: Entries, entries: Entries) -> Manifest:
    """A manifest of a few nodes, whatever their kind, and all macros."""
    nodes = {i: json_codec.decode(entry, Node) for i, entry in entries.items()}
    macros = json_codec.decode(
        b'{"macros":' + bytes(document.get("macros", msgspec.Raw(b"{}"))) + b"}", Manifest
    ).macros
    return Manifest(nodes=nodes, macros=macros)


def _marked(entry: msgspec.Raw) -> msgspec.Raw:
    """An entry that dbt finds modified whatever the project says.

    Of a unit test it compares a checksum; of other tests the fqn and eight settings; of all else
    each key of ``unrendered_config`` (``same_contents`` in 1.8 to 1.12).
    """
    fields, node = json_codec.decode(entry, Entries), json_codec.decode(entry, Node)
    if node.resource_type == "unit_test":
        return _raw(fields | {"checksum": _raw(PENDING_MARK)})
    if node.resource_type == "test":
        fqn = [part for part in node.fqn if part != PENDING_MARK]
        return _raw(fields | {"fqn": _raw([*fqn, PENDING_MARK])})
    config = json_codec.decode(fields.get("unrendered_config", msgspec.Raw(b"{}")), Entries)
    return _raw(fields | {"unrendered_config": _raw(config | {PENDING_MARK: _raw(value=True)})})


def _mend_maps(document: Entries, *, removed: Collection[str], kept: Entries) -> None:
    """Make ``parent_map`` and ``child_map`` agree with what was put back or removed."""
    if "parent_map" not in document or "child_map" not in document:
        return
    parents = json_codec.decode(document["parent_map"], Links)
    children = json_codec.decode(document["child_map"], Links)
    there = parents.keys() - set(removed)
    for unique_id in (*removed, *kept):
        for parent in parents.pop(unique_id, []):
            children[parent] = [child for child in children.get(parent, []) if child != unique_id]
    for unique_id in removed:
        for child in children.pop(unique_id, []):
            if child in parents:
                parents[child] = [parent for parent in parents[child] if parent != unique_id]
    for unique_id, entry in kept.items():
        reads = json_codec.decode(entry, Node).depends_on.nodes
        parents[unique_id] = [parent for parent in reads if parent in there]
        for parent in parents[unique_id]:
            children[parent] = sorted({*children.get(parent, []), unique_id})
    document |= {"parent_map": _raw(parents), "child_map": _raw(children)}
