"""Releases in a store, and the rollback's scripts on them as the action runs them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from dbtdeploy.clean_up import clean_up_files
from dbtdeploy.context import hand_over, release_files
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.release_files import ReleaseRecord, Spot, SwappedNode
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.rollback import rollback_finish
from dbtdeploy.store import environment_settings, in_flight
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import publish, versions
from standins.dbt import quick_dbt
from standins.jobs import deploys, runs
from standins.jobs.deploys import NAMES, PAGE, Ended, Environment, artifacts_of, commit_of
from standins.warehouse import swaps
from standins.warehouse.swaps import Warehouse


def node(name: str, back_by: str = "restore", *, release_id: str = "r") -> SwappedNode:
    """One relation as a swap left it."""
    return SwappedNode(
        unique_id=f"model.shop.{name}",
        resource_type="model",
        name=name,
        materialized="table",
        production=Spot(database="db", schema="analytics", identifier=name),
        kept_in=f"analytics__kept_{release_id}",
        back_by=back_by,  # type: ignore[arg-type]
    )


@dataclass(kw_only=True)
class Place:
    """One environment: its store, and a stand-in of dbt that knows its warehouse."""

    store: Environment
    dbt: Path | None = None
    """The command; ``quick_dbt`` if None."""
    runs: int = 100

    @property
    def warehouse(self) -> Path:
        """The folder of ``quick_dbt``."""
        return self.store.temp / "warehouse"

    def deploy(self, number: int, **over: Any) -> versions.Index:
        """A version that was deployed; its artifacts bear the number."""
        return self.publish(number, **over)

    def release(
        self, number: int, tag: str, *nodes: SwappedNode, direct: tuple[str, ...] = (), **over: Any
    ) -> versions.Index:
        """A version that a release published, with its record."""
        release_id = f"20261121t0{number:02d}000"
        record = ReleaseRecord(
            release_id=release_id,
            tag=tag,
            commit=commit_of(number),
            environment="production",
            project="shop",
            before=self.store.pointer().version,
            nodes=tuple(replace(one, kept_in=f"analytics__kept_{release_id}") for one in nodes),
            direct=tuple(f"model.shop.{name}" for name in direct),
        )
        if self.dbt is None:
            (self.warehouse / "state").write_text("live")
        return self.publish(
            number,
            {release_files.RECORD: msgspec.json.encode(record)},
            kind=versions.RELEASED,
            tag=tag,
            release_id=release_id,
            **over,
        )

    def publish(
        self, number: int, more: dict[str, bytes] | None = None, *, days_ago: float = 0, **over: Any
    ) -> versions.Index:
        """A version, through the library."""
        opened = self.store.open()
        nonce = deploys.take(opened, "deploy")
        contents = {name: artifacts_of(number)[name] for name in (*NAMES, PAGE)} | (more or {})
        draft = versions.Index(
            **{
                "version": "",
                "environment": "production",
                "project": "shop",
                "kind": versions.DEPLOYED,
                "created_at": "",
                "objects": {},
                "commit": commit_of(number),
                "created_by": "octocat",
                **over,
            }
        )
        published = publish.publish(
            opened,
            draft,
            contents,
            moment=datetime.now(timezone.utc) - timedelta(days=days_ago),
            nonce=nonce,
            by="octocat",
            claim=lambda version: lease.renew(opened, nonce, publishing=version),
        )
        publish.copy_latest(opened, contents, prove=lambda: None)
        opened.put(versions.DOCS, contents[PAGE])
        lease.renew(opened, nonce, done=True)
        lease.release(opened, nonce)
        return published.index

    def begin(self, **asked: Any) -> Path:
        """A rollback's run, with the lease; gives its work folder. Settles what was left before."""
        self.runs += 1
        command = self.dbt or self.warehouse / "dbt"
        run = replace(
            deploys.RUN,
            policy=runs.rollback(**asked),
            dbt=replace(deploys.RUN.dbt, command=str(command)),
        )
        work = self.store.prepare(self.runs, run=run, build=None)
        opened = self.store.open()
        nonce = deploys.take(opened, "rollback")
        held = HeldLease(nonce=nonce, purpose="rollback", taken_at="", seconds=lease.SECONDS)
        hand_over.write(work, held)
        self.settle(nonce)
        return work

    def settle(self, nonce: str) -> str:
        """What recover_release.py does about a rollback."""
        record = in_flight.read(self.store.open())
        if record is None:
            return ""
        return rollback_finish.finish_rollback(
            self.store.open(),
            record,
            state=(self.warehouse / "state").read_text,  # type: ignore[arg-type]
            nonce=nonce,
            by="the next run",
        )

    def plan(self, work: Path) -> Ended:
        """plan_rollback.py."""
        return self.store.script("rollback/plan_rollback", work)

    def back(self, work: Path, *, crash_at: str = "") -> Ended:
        """roll_back.py."""
        crash = {"DBT_DEPLOY_TEST": "1", "DBT_DEPLOY_CRASH_AT": crash_at} if crash_at else {}
        return self.store.script("rollback/roll_back", work, **crash)

    def sum_up(self, work: Path, **environment: str) -> Ended:
        """write_rollback_summary.py."""
        return self.store.script("rollback/write_rollback_summary", work, **environment)

    def roll_back(self, **asked: Any) -> Ended:
        """A whole rollback: both scripts, and the lease released."""
        work = self.begin(**asked)
        ended = self.plan(work)
        if ended.code == 0 and ended.outputs["proceed"] == "true":
            ended = self.back(work)
        self.end(work)
        return ended

    def end(self, work: Path) -> None:
        """Release the lease."""
        held = hand_over.read(work, HeldLease)
        lease.release(self.store.open(), held.nonce)

    def answer(self, **over: Any) -> None:
        """Let the warehouse answer otherwise."""
        (self.warehouse / "answer.json").write_text(json.dumps(over))

    @property
    def hold(self) -> environment_settings.Hold | None:
        return environment_settings.read(self.store.open()).hold

    @property
    def live(self) -> str:
        """What the warehouse holds."""
        return (self.warehouse / "state").read_text()


def beside(warehouse: Warehouse, folder: Path) -> Place:
    """A store beside a warehouse, with the version that the first build published."""
    (folder / "store").mkdir()
    store = Environment(location=str(folder / "store"), temp=folder)
    made = Place(store=store, dbt=swaps.command(folder / "warehouse", warehouse.owner))
    made.deploy(1)
    return made


def make(store: Environment) -> Place:
    """An empty environment."""
    place = Place(store=store)
    quick_dbt.write(place.warehouse)
    return place


def planned(ended: Ended) -> RollbackPlan:
    """``RollbackPlan``."""
    return hand_over.read(ended.work, RollbackPlan)


def done(ended: Ended) -> RolledBack:
    """``RolledBack``."""
    return hand_over.read(ended.work, RolledBack)


def cleaned_up(ended: Ended) -> clean_up_files.CleanUpDone:
    """``CleanUpDone``."""
    return hand_over.read(ended.work, clean_up_files.CleanUpDone)
