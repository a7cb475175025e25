"""What one deploy leaves behind, as its steps would write it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.context.policies import Deploy
from dbtdeploy.report.build_deploy_report import Steps
from dbtdeploy.report.build_report import BuildReportInputs
from dbtdeploy.store import failed_nodes
from standins.jobs import builds, runs
from standins.jobs.builds import Built, Entry, edited, model, result

BEFORE = "20261121T055800Z-a1b2c3d"
VERSION = "20261121T090052Z-9f3c2e1"

RUN = replace(
    builds.RUN,
    event=replace(builds.RUN.event, name="push", ref="main", pull_request=None),
    dbt=replace(builds.RUN.dbt, target="prod"),
    selection=work_files.Selection(),
    schema="",
    policy=runs.deploy(state=builds.RUN.policy.state, docs_url="https://acme.example/docs"),
)
MODIFIED = replace(
    runs.changed(RUN, Deploy, retry_failed=True),
    selection=work_files.Selection(select="state:modified+"),
)

STATE = replace(builds.STATE, version=BEFORE)
NO_STATE = replace(builds.STATE, found=False, commit=None)

LEASE = deploy_files.HeldLease(
    nonce="n", purpose="deploy", taken_at="2026-11-21T09:00:01+00:00", seconds=300
)
PUBLISHED = deploy_files.Publication(
    location="s3://acme-dbt/prod",
    version=VERSION,
    previous=BEFORE,
    docs="s3://acme-dbt/prod/docs/index.html",
    docs_url="https://acme.example/docs",
)
KEPT_FAILED = deploy_files.Publication(
    location="s3://acme-dbt/prod", failed="failed/20261121T090052Z-77-1/"
)


class Deployed(Built, frozen=True, kw_only=True):
    """All files of one deploy; ``None`` for what was not written."""

    run: work_files.Run = RUN
    state: work_files.State | None = STATE
    schemas: work_files.Schemas | None = None
    not_now: deploy_files.NotNow | None = None
    lease: deploy_files.HeldLease | None = LEASE
    freshness: deploy_files.Freshness | None = None
    dependents: deploy_files.Dependents | None = None
    restored: deploy_files.Restored | None = None
    docs: deploy_files.Docs | None = None
    publication: deploy_files.Publication | None = PUBLISHED
    began: bool = True
    again: Sequence[Entry] = ()
    """What failed since the version before, and is built again for that."""

    def inputs(self) -> BuildReportInputs:
        steps = Steps(
            not_now=self.not_now,
            lease=self.lease,
            freshness=self.freshness,
            dependents=self.dependents,
            restored=self.restored,
            docs=self.docs,
            publication=self.publication,
            build=self.build,
            state=self.state,
            began=self.began,
            again=frozenset(entry["unique_id"] for entry in self.again),
        )
        return replace(super().inputs(), deploy=steps)

    def write(self, folder: Path) -> Path:
        work = super().write(folder)
        for part in (
            self.not_now,
            self.lease,
            self.freshness,
            self.dependents,
            self.restored,
            self.docs,
            self.publication,
        ):
            if part is not None:
                hand_over.write(work, part)
        if self.began:
            (work / work_files.LOG).parent.mkdir(parents=True, exist_ok=True)
            (work / work_files.LOG).write_text("Running with dbt\n", encoding="utf-8")
        if self.again:
            failed = [{"unique_id": entry["unique_id"], "status": "error"} for entry in self.again]
            (work / failed_nodes.FOLDER).mkdir()
            path = work / failed_nodes.FOLDER / failed_nodes.RUN_RESULTS
            path.write_text(json.dumps({"results": failed}), encoding="utf-8")
        return work


def _of(built: Built, **over: Any) -> Deployed:
    kept = {name: getattr(built, name) for name in ("now", "before", "results", "results_before")}
    return Deployed(**{**kept, "sources": built.sources, **over})


def deployed() -> Deployed:
    """One changed model, two below it, one built as it was; all well."""
    built = builds.passed()
    view = result(builds.STG_PAYMENTS, seconds=0.2)
    return _of(
        built,
        results=[view, *(built.results or ())],
        results_before=[view, *(built.results_before or ())],
    )


def failed() -> Deployed:
    """One model failed, one test too, two models are skipped, one is new."""
    return _of(builds.failed(), build=replace(builds.BUILD, exit_code=1), publication=KEPT_FAILED)


def tests_failed() -> Deployed:
    """Every model is new, and a test found rows."""
    whole = deployed()
    results = list(whole.results or ())
    message = "Got 3 results, configured to fail if != 0"
    results[4] = result(builds.UNIQUE_ORDERS, "fail", failures=3, message=message)
    return replace(
        whole,
        results=results,
        build=replace(builds.BUILD, exit_code=1),
        publication=KEPT_FAILED,
    )


def refused(kind: str, title: str, what: str, **over: Any) -> Deployed:
    """Stopped before anything was built."""
    failure = builds.failure(kind, title, what, **over)
    return replace(
        deployed(), failure=failure, build=None, planned=False, publication=None, began=False
    )


def unfinished(failure: work_files.Failure | None, done: int = 2) -> Deployed:
    """dbt was stopped when it had built so many models."""
    whole = deployed()
    return replace(
        whole,
        selected=list(whole.now),
        results=list(whole.results or ())[:done],
        build=replace(builds.BUILD, exit_code=2, interrupted=True),
        failure=failure,
        publication=KEPT_FAILED,
    )


def large(models: int = 300, tests: int = 1000, *, failing: int = 0) -> Deployed:
    """A build of everything, in which three models have changed."""
    nodes = [model(f"int_orders_by_region_{i}", sql=f"select {i}") for i in range(models)]
    checks = [builds.test(f"unique_model_{i}", nodes[i % models]["name"]) for i in range(tests)]
    now = [*(edited(node, "select 'new'") for node in nodes[:3]), *nodes[3:]]
    said = 'Database Error in model x (models/x.sql)\n  relation "raw.orders" does not exist'
    built = [
        result(node, "error", message=said)
        if i < failing
        else result(node, rows=1000 + i, seconds=1.5 + i % 7)
        for i, node in enumerate(now)
    ]
    return _of(
        builds.passed(),
        now=[*now, *checks],
        before=[*nodes, *checks],
        results=[*built, *(result(test, "pass", failures=0, seconds=0.1) for test in checks)],
        results_before=[result(node, rows=1000 + i, seconds=1.6) for i, node in enumerate(nodes)],
        build=replace(builds.BUILD, exit_code=1 if failing else 0),
        publication=KEPT_FAILED if failing else PUBLISHED,
    )
