"""What of a release is built in staging, and what in place afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

from dbtdeploy import files
from dbtdeploy.artifacts import Manifest
from dbtdeploy.files import Plan, PlannedNode
from dbtdeploy.release_files import ReleasePlan

WHOLE = "whole_plan.json"
"""plan.json as dbt listed it; from then on plan.json is what is built next."""

DIRECT = "direct_state"
"""In the work folder; there once something is built in place."""

TESTS = ("test", "unit_test")


def keep_whole(work: Path) -> Plan:
    """All that dbt listed for the release, kept once."""
    if not (work / WHOLE).exists():
        shutil.copyfile(work / files.PLAN, work / WHOLE)
    return files.read(work / WHOLE, Plan)


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
