"""How long a release lets readers wait, and what it copies, beside the way before tables stayed.

    make bench BENCH=release [ROWS="100000 1000000"] [CHANGED="0.1 10"]

Each case is a release of two tables of so many rows: one is incremental, with so many percent of
its rows changed, and the other is replaced; with and without a materialized view and a foreign key
of others on each. Both ways run on a real PostgreSQL, below dbt. Writes
``benchmarks/release.json``: what is measured takes the place of the same case, and the other cases
stay. Ends with 1 when a reader waits for 0.3 s or more.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from benchmarks.overhead.machine import machine  # noqa: E402  found by the line above
from standins.warehouse import postgres  # noqa: E402

RESULTS = ROOT / "benchmarks" / "release.json"
CASE = Path(__file__).with_name("release_case.py")

BEFORE = "e689ca28f9a040f3900c6eb926e497aa9dd40434"
"""The last commit whose releases replaced incremental tables by copies."""

ROWS = "100000 1000000 10000000"
CHANGED = "0.1 10"
GOAL = 0.3
"""Seconds that a reader may wait."""

KEY = ("rows", "changed_percent", "outside")
Case = dict[str, Any]


def main() -> int:
    """Measure, write, print a line for each case, and compare with the goal."""
    known = _known()
    sizes = [int(size) for size in _words("ROWS", ROWS)]
    changes = [float(change) for change in _words("CHANGED", CHANGED)]
    print(f"{'rows':>12}{'changed':>9}{'outside':>9}   a reader waits, now and before; copied")
    slow = 0
    with tempfile.TemporaryDirectory(prefix="dbt-deploy-before-") as folder:
        before = unpacked(BEFORE, Path(folder))
        for rows, percent, outside in itertools.product(sizes, changes, (False, True)):
            case = dict(zip(KEY, (rows, percent, outside), strict=True))
            found = measured(case, before, known)
            known = merged(known, [found])
            write(known)
            print(line(found), flush=True)
            slow += found["reader_wait_s"] >= GOAL
    print(f"{slow} over" if slow else "within", f"the goal of {GOAL} s, in {RESULTS}")
    return 1 if slow else 0


def measured(case: Case, before: Path | None, known: Sequence[Case]) -> Case:
    """One case, the way of today and the way before it."""
    now = run(ROOT, case)
    if before is not None:
        then = {"measured": today(), **run(before, case)}
    else:
        same = [one for one in known if key(one) == key(case)]
        then = same[0]["before"] if same else {}
    head = _git("rev-parse", "--short=12", "HEAD").strip()
    return {**case, "measured": today(), "commit": head, **now, "before": then}


def run(tree: Path, case: Case) -> Case:
    """One release of a tree, in a process that imports that tree."""
    asked = {
        "tree": str(tree),
        "rows": case["rows"],
        "changed": round(case["rows"] * case["changed_percent"] / 100),
        "outside": case["outside"],
    }
    command = [sys.executable, str(CASE), json.dumps(asked)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: Case = json.loads(done.stdout)
    return found


def unpacked(commit: str, folder: Path) -> Path | None:
    """The files of a commit; None in a clone that has not got it, whose figures then stay."""
    archive = folder / "tree.tar"
    try:
        _git("archive", "--output", str(archive), commit)
    except subprocess.CalledProcessError:
        print(f"This clone has no commit {commit[:12]}: its figures stay as they were recorded.")
        return None
    with tarfile.open(archive) as files:
        files.extractall(folder / "tree", filter="data")
    return folder / "tree"


def merged(known: Iterable[Case], found: Sequence[Case]) -> list[Case]:
    """All cases, those found now in place of the same ones, in the order of their size."""
    kept = [one for one in known if key(one) not in map(key, found)]
    return sorted([*kept, *found], key=key)


def key(case: Case) -> tuple[Any, ...]:
    """What tells a case from all others."""
    return tuple(case[name] for name in KEY)


def line(case: Case) -> str:
    """A case as people read it."""
    before = case["before"].get("reader_wait_s", float("nan"))
    return (
        f"{case['rows']:>12,}{case['changed_percent']:>7} %{'yes' if case['outside'] else 'no':>9}"
        f"   {case['reader_wait_s']:.3f} s {before:>9.3f} s {case['copied_bytes'] / 1e6:>8.1f} MB"
    )


def write(cases: Sequence[Case]) -> None:
    """Write the results, whole after each case."""
    text = {
        "goal_s": GOAL,
        "before_commit": BEFORE[:12],
        "machine": machine(),
        "postgres_settings": postgres.SETTINGS,
        "cases": cases,
    }
    RESULTS.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")


def today() -> str:
    """The date, as people write it into a file."""
    return datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()


def _known() -> list[Case]:
    if not RESULTS.is_file():
        return []
    cases: list[Case] = json.loads(RESULTS.read_text(encoding="utf-8"))["cases"]
    return cases


def _words(name: str, usual: str) -> list[str]:
    return (os.environ.get(name) or usual).split()


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    raise SystemExit(main())
