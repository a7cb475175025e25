"""A release from the lease to the published version: real scripts, store and PostgreSQL, no dbt.

What dbt would build in staging is made by plain SQL; the scripts from the swap on, and those that
settle, run as processes, with a command ``dbt`` that runs our macros (``swaps.py``).
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.context import hand_over, release_files, work_files
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import ReleaseNode
from dbtdeploy.store import environment_settings, in_flight
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.publication import version_reader, versions
from dbtdeploy.warehouse import release_macros, release_schemas
from dbtdeploy.warehouse.release_macro_types import Pair, ProductionRelation, StagingBaseline
from standins.jobs import deploys, plans, runs
from standins.jobs.deploys import Ended, Environment, artifacts_of, model
from standins.warehouse import swaps
from standins.warehouse.macros import MacroDbt
from standins.warehouse.swaps import PLACE, RELEASE, Warehouse, spot, unique_id

OLD, NEW = [10, 20, 30, 40, 50], [20, 40, 60, 80, 100]
"""Amounts of production's orders, before and after the release."""


class Killed(Exception):
    """A script ended by the kill that a test asked for."""


class Refused(Exception):
    """A script ended with a failure of its own."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.out)
        self.ended = ended


@dataclass(kw_only=True)
class Place:
    """A store, and the warehouse that it tells of."""

    store: Environment
    warehouse: Warehouse
    dbt: Path
    outputs: dict[str, str] = field(default_factory=dict)
    """Of the last script."""
    policy: Release = field(default_factory=runs.release)
    runs: int = 0

    def begin(self, number: int, tag: str | None = None, *, crash_at: str = "") -> Path:
        """Take the lease and settle: a release of a tag, or a scheduled deploy."""
        run = replace(deploys.RUN, dbt=replace(deploys.RUN.dbt, command=str(self.dbt)))
        run = replace(run, event=replace(run.event, name="push" if tag else "schedule"))
        if tag:
            run = replace(run, policy=replace(self.policy, tag=tag))
        work = self.store.prepare(number, run=run, build=deploys.BUILD)
        work = work.rename(work.with_name(f"{work.name}-{self._next()}"))
        self.good("deploy/take_lease", work)
        self.good("deploy/recover_release", work, crash_at=crash_at)
        return work

    def stage(self, work: Path, number: int, tag: str, *, until: str = "") -> None:
        """What the scripts from plan_release.py to check_release.py leave.

        ``until`` names the point at which they are killed, so that the rest is left undone.
        """
        self.store.fetch(work)
        held = hand_over.read(work, HeldLease)
        nonce = held.nonce
        dbt = MacroDbt(self.warehouse.owner)
        release_id = f"{datetime.now(timezone.utc):%Y%m%dt%H%M%S}"
        wanted = [
            ProductionRelation(unique_id=unique_id(name), spot=spot(name)) for name in RELEASE
        ]
        look = release_macros.read_production(
            dbt, work=work, place=PLACE, wanted=wanted, removed=[]
        )
        hand_over.write(work, look)
        opened = self.store.open()
        in_flight.write(
            opened,
            InFlight(
                what="release",
                release_id=release_id,
                tag=tag,
                phase="staging",
                environment=PLACE.environment,
                project=PLACE.project,
                commit=held.commit,
            ),
        )
        if until == "release-recorded":
            raise Killed
        green = release_schemas.staging_schema(release_id, PLACE.project)
        release_macros.prepare(
            dbt,
            work=work,
            place=PLACE,
            release_id=release_id,
            tag=tag,
            nonce=nonce,
            schemas=[green],
            baselines=[
                StagingBaseline(unique_id=unique_id(n), staging=spot(n, green), production=spot(n))
                for n, one in RELEASE.items()
                if one.back_by == "leave"
            ],
        )
        if until == "release-staged":
            raise Killed
        for one in RELEASE.values():
            self.warehouse.owner.run(one.sql.format(schema=green))
        pairs = [Pair(unique_id=unique_id(n), staging=spot(n, green)) for n in RELEASE]
        measured = release_macros.measure(dbt, work=work, pairs=pairs, checks=[])
        hand_over.write(work, measured)
        self._artifacts(work, number)
        plan = plans.release(
            *(_node(name, green) for name in RELEASE),
            tag=tag,
            commit=held.commit or "",
            environment=PLACE.environment,
            project=PLACE.project,
            release_id=release_id,
            before=self.store.pointer().version,
            final=True,
        )
        hand_over.write(work, plan)
        if until == "release-checked":
            raise Killed

    def _artifacts(self, work: Path, number: int) -> None:
        nodes = {
            unique_id(name): model(name, number, relation_name=f'"analytics"."{name}"')
            for name in RELEASE
        }
        made = artifacts_of(number, nodes=nodes)
        (work / release_files.PRODUCTION_MANIFEST).write_bytes(made["manifest.json"])
        results = json.loads(made["run_results.json"])
        results["results"] = [
            {"unique_id": i, "status": "success", "execution_time": 1.5} for i in nodes
        ]
        (work / work_files.RUN_RESULTS).write_text(json.dumps(results))

    def release(self, number: int, tag: str, *, crash_at: str = "") -> Path:
        """A release of a tag, from the lease to its end, or until it is killed."""
        work = self.begin(number, tag)
        outputs = self.outputs
        try:
            if outputs.get("build") == "true":
                self.stage(work, number, tag, until=crash_at)
            if outputs.get("build") == "true" or outputs.get("swapped") == "true":
                self.good("release/swap_release", work, crash_at=crash_at)
        finally:
            # The job's last steps run though a script was killed.
            self.good("deploy/release_lease", work)
        return work

    def scheduled(self, *, crash_at: str = "") -> Ended:
        """A scheduled deploy of what is live, as ``status`` tells it to check out; not built."""
        pointer = self.store.pointer()
        index = version_reader.read_index(self.store.open(), pointer)
        number = int((index.commit or "0")[:7], 16)
        run = replace(deploys.RUN, dbt=replace(deploys.RUN.dbt, command=str(self.dbt)))
        run = replace(run, event=replace(run.event, name="schedule"))
        work = self.store.prepare(number, run=run, build=None)
        self.good("deploy/take_lease", work)
        try:
            return self.good("deploy/recover_release", work, crash_at=crash_at)
        except Refused as refused:
            return refused.ended
        finally:
            self.good("deploy/release_lease", work)

    def wait_for_dbt(self) -> None:
        """Return when no session of the owner's is left."""
        query = "select count(*) from pg_stat_activity where usename = %s"
        deadline = time.monotonic() + 90
        while self.warehouse.admin.value(query, (self.warehouse.owner.user,)):
            assert time.monotonic() < deadline, "dbt goes on"
            time.sleep(0.1)

    def versions(self) -> list[str]:
        """All that are in the store."""
        keys = (entry.key for entry in self.store.open().list(versions.VERSIONS))
        return sorted({key.split("/")[1] for key in keys})

    def good(self, script: str, work: Path, *, crash_at: str = "") -> Ended:
        """Run a script that must end well, or be killed where the test says."""
        crash = {"DBT_DEPLOY_TEST": "1", "DBT_DEPLOY_CRASH_AT": crash_at} if crash_at else {}
        ended = self.store.script(script, work, **crash)
        if crash_at and ended.code == -signal.SIGKILL:
            raise Killed
        if ended.code != 0:
            raise Refused(ended)
        self.outputs = dict(ended.outputs)
        return ended

    def _next(self) -> int:
        self.runs += 1
        return self.runs

    @property
    def live(self) -> str:
        """``old`` or ``new``; fails where the warehouse is neither whole, or the store differs."""
        amounts = self.warehouse.amounts()
        (total,) = self.warehouse.rows("select total from analytics.totals")
        assert amounts in (OLD, NEW)
        new = amounts == NEW
        assert total == sum(amounts)
        assert self.warehouse.rows("select count(*) from analytics.events") == [4 if new else 3]
        assert self.warehouse.rows("select amount from reports.ours order by id") == amounts
        assert not self.warehouse.admin.rows(
            "select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where nspname like 'dbt_green_%' and relkind in ('r', 'v')"
        )
        assert in_flight.read(self.store.open()) is None
        seen = self.store.temp / f"seen-{self._next()}"
        number = 2 if new else 1
        current = self.store.current(seen)
        assert set(current.values()) == {number}, current
        assert set(self.store.latest().values()) == {number}
        shutil.rmtree(seen)
        return "new" if new else "old"


def _node(name: str, green: str) -> ReleaseNode:
    staged = RELEASE[name]
    return plans.release_node(
        name,
        materialized=staged.materialized,
        production=spot(name),
        staging=spot(name, green),
        back_by=staged.back_by,
    )


def make(store: Environment, warehouse: Warehouse) -> Place:
    """An environment that releases drive, with version 1 of production in it."""
    made = Place(
        store=store,
        warehouse=warehouse,
        dbt=swaps.command(store.temp / "warehouse", warehouse.owner),
    )
    deploys.publish_at_once(store.open(), 1)
    environment_settings.change(
        store.open(), lambda there: replace(there, driver=environment_settings.RELEASE)
    )
    return made
