"""What one pull request's build leaves behind, as the earlier steps would write it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.base import json_codec
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.report.build_report import BuildReportInputs
from dbtdeploy.report.source_links import Sources
from standins.jobs import plans, runs

Entry = dict[str, Any]

RUN = runs.run(
    runs.ci(state="s3://acme-dbt/prod"),
    event=work_files.Event(
        name="pull_request",
        repository="acme/analytics",
        sha="9f3c2e1aa5b0c7d8e9f00112233445566778899a",
        ref="better-orders",
        pull_request=482,
        run_id=77,
        run_url="https://github.com/acme/analytics/actions/runs/77",
    ),
    dbt=runs.project("/nowhere/analytics", profile=None),
    selection=work_files.Selection(select="state:modified+"),
    schema="pr_482",
)

STATE = plans.state(
    location="s3://acme-dbt/prod",
    dbt_version="1.11.16",
    adapter="postgres",
    generated_at="2026-11-21T05:58:00Z",
    commit="a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
    artifacts=("manifest.json", "run_results.json"),
    driver="release",
)

BUILD = plans.build(
    command="dbt build --select state:modified+ --defer --favor-state --state state"
)


def model(
    name: str, *parents: str, sql: str = "select 1", kind: str = "model", **over: Any
) -> Entry:
    """A node of the manifest; ``parents`` are models' names or whole ids."""
    materialized = over.pop("materialized", "table" if kind == "model" else kind)
    digest = f"sha of {sql} {name if sql == 'select 1' else ''}"
    folder = {"model": "models", "seed": "seeds", "snapshot": "snapshots"}[kind]
    return {
        "unique_id": f"{kind}.shop.{name}",
        "resource_type": kind,
        "name": name,
        "package_name": "shop",
        "original_file_path": f"{folder}/{name}.{'csv' if kind == 'seed' else 'sql'}",
        "fqn": ["shop", name],
        "database": "db",
        "schema": "pr_482",
        "alias": name,
        "relation_name": f'"db"."pr_482"."{name}"',
        "raw_code": sql,
        "checksum": {"name": "sha256", "checksum": digest},
        "config": {"materialized": materialized},
        "unrendered_config": {"materialized": materialized},
        "depends_on": {"nodes": [_id(p) for p in parents], "macros": []},
        **over,
    }


def test(name: str, on: str, *others: str, **over: Any) -> Entry:
    """A generic test's node."""
    return {
        "unique_id": f"test.shop.{name}.0a1b2c3d4e",
        "resource_type": "test",
        "name": name,
        "package_name": "shop",
        "original_file_path": "models/_models.yml",
        "fqn": ["shop", name],
        "config": {"materialized": "test", "severity": "ERROR"},
        "depends_on": {"nodes": [_id(p) for p in (on, *others)], "macros": []},
        "attached_node": _id(on),
        "column_name": "id",
        "test_metadata": {"name": name.split("_", maxsplit=1)[0], "kwargs": {"column_name": "id"}},
        "raw_code": "{{ test_unique() }}",
        **over,
    }


def _id(name: str) -> str:
    return name if "." in name else f"model.shop.{name}"


def result(
    entry: Entry,
    status: str = "success",
    *,
    rows: int | None = None,
    seconds: float = 0.3,
    **over: Any,
) -> Entry:
    """A node's result, as dbt-postgres writes it."""
    code = over.pop("code", "CREATE VIEW" if rows is None else "SELECT")
    return {
        "unique_id": entry["unique_id"],
        "status": status,
        "execution_time": seconds,
        "message": over.pop("message", f"{code} {rows}"),
        "failures": over.pop("failures", None),
        "adapter_response": {"code": code, "rows_affected": -1 if rows is None else rows}
        if status == "success"
        else {},
        **over,
    }


class Built(Struct, frozen=True, kw_only=True):
    """All files of one run; ``None`` for what was not written."""

    now: Sequence[Entry] = ()
    before: Sequence[Entry] | None = ()
    results: Sequence[Entry] | None = ()
    results_before: Sequence[Entry] | None = ()
    selected: Sequence[Entry] | None = None
    """What the plan holds; by default what has a result."""
    run: work_files.Run = RUN
    state: work_files.State | None = STATE
    schemas: work_files.Schemas | None = field(default_factory=work_files.Schemas)
    build: work_files.Build | None = BUILD
    failure: work_files.Failure | None = None
    planned: bool = True
    sources: dict[str, str] = field(default_factory=dict)

    def manifest(self, entries: Sequence[Entry]) -> bytes:
        nodes = {e["unique_id"]: e for e in entries if not e["unique_id"].startswith("unit_test.")}
        units = {e["unique_id"]: e for e in entries if e["unique_id"].startswith("unit_test.")}
        metadata = {"dbt_version": "1.11.16", "adapter_type": "postgres"}
        return json.dumps({"metadata": metadata, "nodes": nodes, "unit_tests": units}).encode()

    def plan(self) -> work_files.Plan | None:
        if not self.planned:
            return None
        ids = [e["unique_id"] for e in self.results or ()]
        chosen = self.selected
        if chosen is None:
            chosen = [e for e in self.now if e["unique_id"] in ids]
        return plans.plan(*(plans.of_manifest(e, schema="pr_482") for e in chosen))

    def inputs(self) -> BuildReportInputs:
        def results(entries: Sequence[Entry] | None) -> artifacts.RunResults | None:
            if entries is None:
                return None
            return json_codec.decode(json.dumps({"results": list(entries)}), artifacts.RunResults)

        def manifest(entries: Sequence[Entry] | None) -> artifacts.Manifest | None:
            if entries is None:
                return None
            return json_codec.decode(self.manifest(entries), artifacts.Manifest)

        found = self.state is not None and self.state.found
        return BuildReportInputs(
            run=self.run,
            state=self.state,
            plan=self.plan(),
            schemas=self.schemas,
            build=self.build,
            failure=self.failure,
            manifest=manifest(self.now) if self.planned else None,
            results=results(self.results) if self.build and self.build.results else None,
            production_manifest=manifest(self.before) if found else None,
            production_results=results(self.results_before) if found else None,
            sources=Sources(read=self.sources.get, find=self._find),
        )

    def _find(self, path: str) -> str | None:
        found = [name for name in self.sources if name == path or name.endswith("/" + path)]
        return found[0] if len(found) == 1 else None

    def write(self, folder: Path) -> Path:
        """Lay everything out as the steps do. Returns the work folder."""
        work, project = folder / "work", folder / "checkout"
        target = project / "target"
        target.mkdir(parents=True)
        for name, text in self.sources.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")
        dbt = replace(self.run.dbt, project_dir=str(project), target_path=str(target))
        hand_over.write(work, replace(self.run, dbt=dbt))
        for part in (self.state, self.plan(), self.schemas, self.build, self.failure):
            if part is not None:
                hand_over.write(work, part)
        (target / "manifest.json").write_bytes(self.manifest(self.now))
        if self.build and self.build.results:
            _results(work / work_files.RUN_RESULTS, self.results)
        if self.state is not None and self.state.found and self.before is not None:
            (work / work_files.STATE_FOLDER).mkdir(exist_ok=True)
            (work / work_files.STATE_FOLDER / "manifest.json").write_bytes(
                self.manifest(self.before)
            )
            _results(work / work_files.STATE_FOLDER / "run_results.json", self.results_before)
        return work


def _results(path: Path, entries: Sequence[Entry] | None) -> None:
    if entries is not None:
        path.write_text(json.dumps({"results": list(entries)}), encoding="utf-8")


STG_PAYMENTS = model("stg_payments", sql="select id from raw", materialized="view")
FCT_ORDERS = model("fct_orders", "stg_payments", sql="select\n    sum(amount) as total\nfrom x")
DIM_CUSTOMERS = model("dim_customers", "fct_orders")
CUSTOMER_LTV = model("customer_ltv", "dim_customers", materialized="incremental")
UNIQUE_PAYMENTS = test("unique_stg_payments_id", "stg_payments")
UNIQUE_ORDERS = test("unique_fct_orders_id", "fct_orders")
NOT_NULL_ORDERS = test("not_null_fct_orders_id", "fct_orders")
LEGACY = model(
    "stg_legacy_orders", sql="select 'legacy'", relation_name='"db"."analytics"."stg_legacy_orders"'
)

YML = """\
models:
  - name: stg_payments
    columns:
      - name: id
        data_tests:
          - unique
  - name: fct_orders
    columns:
      - name: id
        data_tests: [unique, not_null]
"""

AMONT = """\
Database Error in model fct_orders (models/fct_orders.sql)
  column "amont" does not exist
  LINE 14:     sum(amont) as total
                   ^
  HINT:  Perhaps you meant to reference the column "orders.amount".
  compiled code at target/run/shop/models/fct_orders.sql"""


def edited(entry: Entry, sql: str) -> Entry:
    """A node whose SQL has changed."""
    return {**entry, "raw_code": sql, "checksum": {"name": "sha256", "checksum": f"sha of {sql}"}}


def passed() -> Built:
    """One changed model, two that hang on it, all well."""
    fct = edited(FCT_ORDERS, "select\n    sum(amount) as total\nfrom y")
    everything = [
        STG_PAYMENTS,
        FCT_ORDERS,
        DIM_CUSTOMERS,
        CUSTOMER_LTV,
        UNIQUE_ORDERS,
        NOT_NULL_ORDERS,
    ]
    return Built(
        now=[STG_PAYMENTS, fct, *everything[2:]],
        before=everything,
        results=[
            result(fct, rows=10_251, seconds=2.1),
            result(DIM_CUSTOMERS, rows=935, seconds=0.8),
            result(CUSTOMER_LTV, rows=12, seconds=0.4, code="INSERT"),
            result(UNIQUE_ORDERS, "pass", failures=0, seconds=0.1),
            result(NOT_NULL_ORDERS, "pass", failures=0, seconds=0.1),
        ],
        results_before=[
            result(FCT_ORDERS, rows=10_239, seconds=2.0),
            result(DIM_CUSTOMERS, rows=935, seconds=0.8),
            result(CUSTOMER_LTV, rows=8, seconds=0.3, code="INSERT"),
            result(UNIQUE_ORDERS, "pass", failures=0, seconds=0.1),
            result(NOT_NULL_ORDERS, "pass", failures=0, seconds=0.1),
        ],
        schemas=work_files.Schemas(
            schemas=("pr_482",),
            baselines=(
                work_files.Baseline(unique_id="model.shop.customer_ltv", how="all", rows=935),
            ),
        ),
    )


def failed() -> Built:
    """The comment of shared/comments/failed.md."""
    stg = edited(STG_PAYMENTS, "select id, amount from raw")
    source = "select\n    customer_id,\n    sum(amont) as total\nfrom {{ ref('stg_payments') }}\n"
    fct = edited(FCT_ORDERS, source.strip())
    base = passed()
    return replace(
        base,
        now=[
            stg,
            fct,
            DIM_CUSTOMERS,
            CUSTOMER_LTV,
            UNIQUE_PAYMENTS,
            UNIQUE_ORDERS,
            NOT_NULL_ORDERS,
        ],
        before=[*(base.before or ()), UNIQUE_PAYMENTS, LEGACY],
        results=[
            result(stg),
            result(fct, "error", message=AMONT, seconds=0.2),
            result(DIM_CUSTOMERS, "skipped", seconds=0.0),
            result(CUSTOMER_LTV, "skipped", seconds=0.0),
            result(
                UNIQUE_PAYMENTS,
                "fail",
                failures=12,
                message="Got 12 results, configured to fail if != 0",
            ),
            result(UNIQUE_ORDERS, "skipped", seconds=0.0),
            result(NOT_NULL_ORDERS, "skipped", seconds=0.0),
        ],
        results_before=[
            *(base.results_before or ()),
            result(STG_PAYMENTS, seconds=0.3),
            result(UNIQUE_PAYMENTS, "fail", failures=12),
        ],
        schemas=work_files.Schemas(),
        build=replace(BUILD, exit_code=1),
        sources={"models/fct_orders.sql": source, "models/_models.yml": YML},
    )


def failure(kind: str, title: str, what: str, **over: Any) -> work_files.Failure:
    """What cli.run leaves of an expected failure."""
    said: dict[str, Any] = {
        "not_done": "Nothing was built.",
        "remedy": "Mend it.",
        "phase": Phase.PLAN,
        **over,
    }
    return work_files.Failure(kind=kind, title=title, what=what, exit_code=1, **said)
