"""What releases left word of in the store, at random: read and planned with, or a named error."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from dbtdeploy.base import errors, json_codec
from dbtdeploy.context import release_files
from dbtdeploy.context.release_files import Column, ReleaseRecord, Spot, SwappedNode
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.rollback import rollback_page_model, rollback_plan, rollback_records
from dbtdeploy.rollback.rollback_target import Target
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.warehouse.release_macro_types import Swapped, TookBack
from standins.dbt.artifacts import all_artifacts
from standins.jobs import runs
from standins.store.published import published
from standins.text.mutants import mutated

RUN = runs.run(runs.rollback(), event=runs.event())
RECORD = ReleaseRecord(
    release_id="20261121t060000ab12",
    tag="v1.4.0",
    commit="a" * 40,
    environment="production",
    project="shop",
    before="20261121T060100Z-3d3c42e",
    before_tag="v1.3.0",
    by="ida",
    run_url="https://example.com",
    nodes=(
        SwappedNode(
            unique_id="model.shop.a",
            resource_type="model",
            name="a",
            materialized="table",
            production=Spot(database="shop", schema="analytics", identifier="a"),
            kept_in="analytics__kept_20261121t060000ab12_0a1b2c3d",
            back_by="restore",
            columns=(Column(name="id", type="integer"),),
            statements=("create view analytics.a as select 1",),
        ),
    ),
    direct=("model.shop.b",),
)
WRITTEN = msgspec.json.encode(RECORD)


@pytest.mark.fuzz
@given(content=mutated(WRITTEN))
def test_a_release_s_record(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Folder(Path(folder))
        to = published(store, number=1)
        more = {**all_artifacts(), release_files.RECORD: content}
        leaving = replace(published(store, more, number=2), kind="release", tag="v1.4.0")
        target = Target(leaving=leaving, to=to, releases=(leaving,))
        with contextlib.suppress(errors.StateCorrupt):
            known = rollback_records.of(store, target)
            rollback_records.swapped(known)
            plan = rollback_plan.draft(store, target, known, run=RUN)
            names = tuple(node.production.identifier for node in known[0].nodes)
            took = TookBack(swapped=Swapped(outcome="done"), restored=names, left=names)
            answered = msgspec.json.encode(rollback_plan.answered(plan, took))
            plan = json_codec.decode(answered, RollbackPlan)
            rollback_page_model.lines(plan)
            rollback_page_model.plan_summary(plan, RUN.event)
            done = RolledBack(
                plan=plan,
                by=known[0].by,
                run_url=known[0].run_url,
                at="",
                seconds=0.1,
                attempts=1,
                hold_reason="",
                reason="",
            )
            rollback_page_model.done_summary(done)
            assert rollback_page_model.status(plan, done, None)
