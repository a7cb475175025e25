"""CPU seconds and peak memory of the report, and of reading state, on a large project.

    .venv/bin/python tests/benchmarks/bench_report.py [models]

5,000 models, 15,000 results and a 40 MB manifest, on both sides. Each measured part is a process of
its own, so that its peak is its own. Ends with 1 when a limit is passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from standins import entry

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from standins.jobs import builds  # noqa: E402  found by the line above

MODELS = 5_000
TESTS_PER_MODEL = 2
CPU_SECONDS = 2.0
PEAK_MB = 400
FILLER = "select column_one, column_two, column_three from somewhere where it_is = 'so'\n" * 12
"""About a kilobyte of SQL, twice a node: as raw and as compiled code. A real manifest of 5,000
models weighs 44 MB."""


def main() -> int:
    """Measure, print a line for each part, and compare with the limits."""
    models = int(sys.argv[1]) if len(sys.argv) > 1 else MODELS
    with tempfile.TemporaryDirectory() as folder:
        work = large(models).write(Path(folder))
        size = (work / "state" / "manifest.json").stat().st_size / 1e6
        print(f"{models:,} models, {3 * models:,} results, manifest of {size:.0f} MB on both sides")
        report = measure(entry.script("deploy/write_report")[1:], work)
        print(f"report: {report[0]:.2f} s of CPU, peak {report[1]:.0f} MB")
        read = measure(["-c", reading(work)], work)
        print(f"reading the state alone: {read[0]:.2f} s of CPU, peak {read[1]:.0f} MB")
    within = report[0] < CPU_SECONDS and report[1] < PEAK_MB
    print("within" if within else "OVER", f"the limits of {CPU_SECONDS} s and {PEAK_MB} MB")
    return 0 if within else 1


def large(models: int) -> builds.Built:
    """The first model changed, one in ten failed, the others hang on them or on nothing."""
    before = [_model(number) for number in range(models)]
    tests = [
        {**builds.test(f"{kind}_m{number}_id", f"m{number}"), "compiled_code": FILLER}
        for number in range(models)
        for kind in ("unique", "not_null")[:TESTS_PER_MODEL]
    ]
    now = [builds.edited(before[0], "select 2"), *before[1:], *tests]
    fine = [builds.result(entry, rows=number) for number, entry in enumerate(before)]
    passed = [builds.result(entry, "pass", failures=0) for entry in tests]
    return replace(
        builds.passed(),
        now=now,
        before=[*before, *tests],
        results=[*map(_some_fail, range(models), fine), *passed],
        results_before=[*fine, *passed],
        build=replace(builds.BUILD, exit_code=1),
    )


def _model(number: int) -> builds.Entry:
    parents = [f"m{number // 2}"] if number else []
    columns = {f"c{i}": {"name": f"c{i}", "description": "words " * 8} for i in range(12)}
    sql = f"select {number}\n{FILLER}"
    return builds.model(f"m{number}", *parents, sql=sql, compiled_code=sql, columns=columns)


def _some_fail(number: int, result: builds.Entry) -> builds.Entry:
    changed: dict[str, Any] = (
        {"status": "error", "message": builds.AMONT} if number % 10 == 9 else {}
    )
    return {**result, **changed}


def reading(work: Path) -> str:
    """A program that parses production's artifacts and nothing else."""
    folder = work / "state"
    return (
        "from pathlib import Path\nfrom dbtdeploy.artifacts import artifacts\n"
        f"assert artifacts.read_manifest(Path({str(folder / 'manifest.json')!r}))\n"
        f"assert artifacts.read_run_results(Path({str(folder / 'run_results.json')!r}))\n"
    )


def measure(arguments: list[str], work: Path) -> tuple[float, float]:
    """CPU seconds and peak megabytes of one Python process, its start included."""
    environment = {
        "PATH": os.defpath,
        "DBT_DEPLOY_WORK": str(work),
        "PYTHONPATH": str(ROOT / "scripts"),
    }
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments[0]} ended with {process.returncode}")
    per_megabyte = 1024 * 1024 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / per_megabyte


if __name__ == "__main__":
    raise SystemExit(main())
