"""What a slim CI job costs beside its SQL: the recipe written by hand, and our action.

    .venv/bin/python tests/benchmarks/bench_overhead.py [models ...]
        [--repeat N] [--only SCENARIO ...] [--dbt 1.12] [--keep FOLDER [--stop]]

On generated projects with one leaf model changed in each pull request, step by step by the stand-in
for the runner, on real dbt and PostgreSQL. ``--keep`` leaves servers, environments and production
in a folder for the next call; ``--stop`` ends those servers and removes what jobs left there.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from benchmarks.overhead import prepared, ratios, runs, servers  # noqa: E402  found above
from benchmarks.overhead.exported import Action  # noqa: E402
from benchmarks.overhead.prepared import Bench  # noqa: E402
from benchmarks.overhead.runs import Run  # noqa: E402
from benchmarks.overhead.scenarios import SCENARIOS, Author  # noqa: E402
from demo import processes, production  # noqa: E402
from standins import github  # noqa: E402
from standins.runner import Usage  # noqa: E402

SIZES = (100, 1_000, 5_000)


def main() -> None:
    """Measure and print."""
    asked = arguments()
    processes.forget_accounts()
    if asked.stop:
        servers.stop(asked.keep)
        shutil.rmtree(asked.keep / "trash", ignore_errors=True)
        return
    with bench(asked.keep, asked.dbt) as made:
        for size in asked.sizes:
            measure(made, size, asked.only, asked.repeat)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=[])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--dbt", default="1.12")
    parser.add_argument("--keep", type=lambda text: Path(text).resolve())
    parser.add_argument("--stop", action="store_true")
    asked = parser.parse_args()
    asked.sizes = asked.sizes or list(SIZES)
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


def measure(made: Bench, size: int, names: Sequence[str], repeat: int) -> list[Run]:
    """Run the scenarios of one size in turn, so many times."""
    author = Author(prepared.prepare(made, size))
    done: list[Run] = []
    for _ in range(repeat):
        for name in names:
            done.append(author.run(name))
            show(size, done[-1])
    if repeat > 1:
        for name in names:
            cpu = [ratios.whole(run).cpu_seconds for run in done if run.scenario == name]
            print(f"{size:>6} {name}: median {statistics.median(cpu):.2f} s of CPU")
    return done


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
