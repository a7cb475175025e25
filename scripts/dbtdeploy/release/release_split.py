"""What of a release is built in staging, and what in place afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from dbtdeploy.artifacts.artifacts import TESTS, Manifest
from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import HandOver
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.context.work_files import Plan, PlannedNode


class WholePlan(HandOver, frozen=True, kw_only=True):
    """The plan as dbt listed it; from then on ``Plan`` is what is built next."""

    FILE: ClassVar[str] = hand_over.PLAN

    nodes: tuple[PlannedNode, ...]


def keep_whole(work: Path) -> Plan:
    """All that dbt listed for the release, kept once."""
    whole = hand_over.read_if_there(work, WholePlan)
    if whole is None:
        whole = WholePlan(nodes=hand_over.read(work, Plan).nodes)
        hand_over.write(work, whole)
    return Plan(nodes=whole.nodes)


def staged(planned: Plan, plan: ReleasePlan, manifest: Manifest) -> list[PlannedNode]:
    """What is built in staging: a test with the models that it reads."""
    return [node for node in planned.nodes if not _is_direct(node, plan, manifest)]


def direct(planned: Plan, plan: ReleasePlan, manifest: Manifest) -> list[PlannedNode]:
    """What is built in place, with the tests that read any of it."""
    return [node for node in planned.nodes if _is_direct(node, plan, manifest)]


def _is_direct(node: PlannedNode, plan: ReleasePlan, manifest: Manifest) -> bool:
    ids = {one.unique_id for one in plan.direct}
    if node.resource_type not in TESTS:
        return node.unique_id in ids
    known = manifest.find(node.unique_id)
    return not ids.isdisjoint(known.depends_on.nodes if known else ())
