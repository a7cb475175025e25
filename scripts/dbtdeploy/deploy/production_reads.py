"""All that a deploy or a release reads with production's role, beside what it builds. Pure.

To read another role's view is to run its functions: what is left out here is not checked for whose
it is (``untrusted_roles.sql``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.context.policies import BuildsProduction, Release
from dbtdeploy.warehouse import relations_read
from dbtdeploy.warehouse.relations_read import RelationRead
from dbtdeploy.warehouse.release_macro_types import Query

HOOK = "operation"
"""The resource type of ``on-run-start`` and ``on-run-end``, which dbt runs whatever is selected."""


def of(
    manifest: Manifest,
    built: Iterable[str],
    policy: BuildsProduction,
    *,
    watched: Collection[str],
    queries: Iterable[Query] = (),
) -> tuple[RelationRead, ...]:
    """The relations that the run reads and does not write, in order.

    Args:
        manifest: of the project as it is built.
        built: unique ids of what is built.
        policy: what is asked for.
        watched: the sources that say how old they may be; dbt asks all of them.
        queries: the team's own, with relations put in.
    """
    return relations_read.of(
        manifest,
        built,
        readers=_readers(manifest, policy),
        asked=[
            *(watched if policy.source_freshness != "off" else ()),
            *_named(manifest, [query.sql for query in queries]),
        ],
    )


def _readers(manifest: Manifest, policy: BuildsProduction) -> list[str]:
    """Nodes that dbt runs or compiles whatever is built.

    Documentation compiles the whole project, and macros may query while their node is compiled.
    """
    tests = isinstance(policy, Release) and policy.production_tests
    return [
        unique_id
        for unique_id, node in manifest.nodes.items()
        if policy.docs or node.resource_type == HOOK or (tests and node.resource_type == "test")
    ]


def _named(manifest: Manifest, texts: list[str]) -> list[str]:
    """What is in a query by the very name that ``ref`` and ``source`` put there."""
    return [
        unique_id
        for nodes in (manifest.nodes, manifest.sources)
        for unique_id, node in nodes.items()
        if node.relation_name and any(node.relation_name in text for text in texts)
    ]
