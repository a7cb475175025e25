"""What a slim CI job costs beside its SQL: the recipe written by hand, and our action.

    .venv/bin/python tests/benchmarks/bench_overhead.py [models ...] [--output FOLDER]
        [--repeat N] [--only SCENARIO ...] [--dbt 1.12] [--keep FOLDER [--stop]]

On generated projects with one leaf model changed in each pull request, step by step by the stand-in
for the runner, on real dbt and PostgreSQL. What is measured is HEAD, not the working tree. Without
sizes it is the whole run, which writes ``benchmarks/``; with sizes it writes where ``--output``
says. ``--keep`` leaves servers, environments and production in a folder for the next call;
``--stop`` ends those servers and removes what jobs left there.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import make_environments  # noqa: E402  found by the line above
from benchmarks.overhead import (  # noqa: E402
    goals,
    machine,
    prepared,
    ratios,
    results,
    runs,
    servers,
)
from benchmarks.overhead.exported import Action  # noqa: E402
from benchmarks.overhead.prepared import Bench  # noqa: E402
from benchmarks.overhead.results import Measurement  # noqa: E402
from benchmarks.overhead.runs import Run  # noqa: E402
from benchmarks.overhead.scenarios import SCENARIOS, Author  # noqa: E402
from demo import processes, production  # noqa: E402
from standins.github import github  # noqa: E402
from standins.runner.runner import Usage  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one size is measured where the command line does not say."""

    repeat: int
    left_out: tuple[str, ...] = ()


PLANS: Mapping[int, Plan] = {
    100: Plan(repeat=3, left_out=("ours-full-later",)),
    1_000: Plan(repeat=1, left_out=("ours-full-later",)),
    # One full recipe takes 4 to 8 minutes here; its goal is at 1,000.
    5_000: Plan(repeat=1, left_out=("recipe-full", "ours-full", "ours-full-later")),
}
"""Forty minutes in all on 2 cores, half of them deploying and measuring 5,000 models."""

ONCE = ("pip-cached", "ours-profiled")
OUTPUT = ROOT / "benchmarks"


def main() -> None:
    """Measure, print, and write."""
    asked = arguments()
    processes.forget_accounts()
    if asked.stop:
        servers.stop(asked.keep)
        shutil.rmtree(asked.keep / "trash", ignore_errors=True)
        return
    about = {"machine": machine.machine(), "date": f"{datetime.now(timezone.utc):%Y-%m-%d}"}
    with bench(asked.keep, asked.dbt) as made:
        done = [measure(made, size, asked.only, asked.repeat) for size in asked.sizes or PLANS]
        about["versions"] = machine.versions(made)
    for goal in goals.judge({one.size: results.figures(one) for one in done}):
        print(f"{goal.size:>6} {goals.WORDS[goal.name]}: {goal.measured:.2f}, {goal.verdict}")
    output = asked.output or (None if asked.sizes or asked.only else OUTPUT)
    if output:
        results.write(output, done, **about)
        print(f"Written: {output}")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[])
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=[])
    parser.add_argument("--output", type=lambda text: Path(text).resolve())
    parser.add_argument("--dbt", default=make_environments.DBT)
    parser.add_argument("--keep", type=lambda text: Path(text).resolve())
    parser.add_argument("--stop", action="store_true")
    asked = parser.parse_args()
    if asked.stop and not asked.keep:
        parser.error("--stop needs --keep")
    return asked


@contextlib.contextmanager
def bench(keep: Path | None, dbt: str) -> Iterator[Bench]:
    """Servers and environments, in a folder that stays or in one that does not."""
    with contextlib.ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = servers.start(folder)
        if not keep:
            stack.callback(servers.stop, folder)
        hub = stack.enter_context(github.serve())
        made = Bench(folder=folder, servers=running, hub=hub, dbt=dbt, action=Action.of_head())
        buckets = running.store.client().list_buckets()["Buckets"]
        if production.BUCKET not in [bucket["Name"] for bucket in buckets]:
            running.store.create_bucket(production.BUCKET)
        made.workspace.mkdir(exist_ok=True)
        yield made


def measure(made: Bench, size: int, only: Sequence[str], repeat: int | None) -> Measurement:
    """Run the scenarios of one size in turn, so many times."""
    plan = PLANS.get(size, Plan(repeat=1))
    began = time.monotonic()
    ready = prepared.prepare(made, size)
    author = Author(ready)
    names = only or [name for name in SCENARIOS if name not in plan.left_out]
    done: list[Run] = []
    for number in range(repeat or plan.repeat):
        for name in names:
            if number == 0 or name not in ONCE:
                done.append(author.run(name))
                show(size, done[-1])
    print(f"\n{size:,} models took {time.monotonic() - began:.0f} s.")
    left_out = () if only else plan.left_out
    return results.measurement(size, done, ready.deploy_seconds, left_out)


def show(size: int, run: Run) -> None:
    """Print one job, a line for each stage."""
    print(f"\n{run.scenario}, {size:,} models  ({run.log})")
    for stage in run.stages:
        aside = "  (installing)" if stage.name in runs.INSTALLING else ""
        _line(stage.name + aside, stage.usage)
    _line("in all", ratios.whole(run))
    for process in run.dbt:
        _line(f"of it dbt {process.name}", process.usage)
    sys.stdout.flush()


def _line(name: str, usage: Usage) -> None:
    peak = usage.peak_bytes / 1e6
    print(f"  {name:<48}{usage.wall_seconds:7.2f} s {usage.cpu_seconds:7.2f} s CPU {peak:6.0f} MB")


if __name__ == "__main__":
    main()
