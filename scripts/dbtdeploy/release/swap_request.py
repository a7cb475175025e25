"""The plan, the look at production and the figures -> what the swap is asked to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.context.release_files import ReleaseNode, ReleasePlan, ReleaseRecord, SwappedNode
from dbtdeploy.context.work_files import Run, State
from dbtdeploy.release import in_place, node_meta
from dbtdeploy.store.lease import lease_messages
from dbtdeploy.warehouse import release_schemas
from dbtdeploy.warehouse.preflight import Preflight
from dbtdeploy.warehouse.release_macro_types import LiveProduction, LiveRelation, Measured, SwapPair

NOT_LOOKED_AT = LiveProduction(role="", database="", look=Preflight())
"""Where there is no blue-green, nobody looks."""


class Known(Struct, frozen=True, kw_only=True):
    """What earlier steps found out."""

    plan: ReleasePlan
    live: LiveProduction
    measured: Measured
    manifest: Manifest

    @property
    def relations(self) -> Mapping[str, LiveRelation]:
        """What is live of the plan, by unique id."""
        return {one.unique_id: one for one in self.live.live}


def record(known: Known, run: Run, state: State, *, token: str) -> ReleaseRecord:
    """What is kept of a release, to take it back one day.

    Args:
        known: what earlier steps found out.
        run: the release's.
        state: which version is current.
        token: ends the names of the keeping schemas.
    """
    plan = known.plan
    return ReleaseRecord(
        release_id=plan.release_id,
        tag=plan.tag,
        commit=plan.commit,
        environment=plan.environment,
        project=plan.project,
        before=plan.before,
        before_tag=state.tag,
        by=lease_messages.who(run.event),
        run_url=run.event.run_url,
        nodes=tuple(_node(node, known, token) for node in plan.staged if node.staging is not None),
        direct=tuple(node.unique_id for node in plan.direct),
    )


def pairs(known: Known) -> list[SwapPair]:
    """What goes live, and what is expected to be there instead."""
    return [_pair(node, known) for node in known.plan.staged if node.staging is not None]


def _node(node: ReleaseNode, known: Known, token: str) -> SwappedNode:
    before = known.relations.get(node.unique_id)
    after = {one.unique_id: one.columns_after for one in known.measured.nodes}
    schema = node.production.schema
    return SwappedNode(
        unique_id=node.unique_id,
        resource_type=node.resource_type,
        name=node.name,
        materialized=node.materialized,
        production=node.production,
        kept_in=release_schemas.kept_schema(schema, known.plan.release_id, token)
        if before
        else None,
        back_by=node.back_by,
        columns=after.get(node.unique_id, ()),
        statements=before.statements if before else (),
    )


def _pair(node: ReleaseNode, known: Known) -> SwapPair:
    before, definition = known.relations.get(node.unique_id), known.manifest.find(node.unique_id)
    return SwapPair(
        unique_id=node.unique_id,
        name=node.name,
        method=node.method,
        production=node.production,
        staging=node.staging or node.production,
        expected_oid=before.oid if before else None,
        expected_columns=before.columns if before else (),
        managed_privileges=node_meta.managed_privileges(definition) if definition else (),
        keys=in_place.keys(definition, known.manifest) if definition else (),
        updates=in_place.updated_columns(definition) if definition else None,
        seed=node.resource_type == "seed",
        rows_before=node.rows_before,
        rows_after=node.rows_after,
        seconds=node.seconds,
    )
