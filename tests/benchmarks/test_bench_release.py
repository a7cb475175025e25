"""The benchmark of how a release lets readers wait: a small case, and what its file keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bench_release
from benchmarks.bench_release import Case


def case(rows: int, *, outside: bool = True, **figures: object) -> Case:
    return {"rows": rows, "changed_percent": 10.0, "outside": outside, **figures}


def test_a_small_case_has_all_figures() -> None:
    found = bench_release.run(bench_release.ROOT, case(1_000))
    assert 0 < found["reader_locked_s"] <= found["swap_s"]
    assert found["reader_wait_s"] > 0
    assert found["copied_bytes"] > 1_000 * len("a row's hash of 32 characters")


def test_a_case_measured_again_takes_its_own_place_only() -> None:
    known = [case(10, outside=False), case(10), case(1_000, n=1)]
    found = bench_release.merged(known, [case(10, n=2), case(100)])
    assert found == [case(10, outside=False), case(10, n=2), case(100), case(1_000, n=1)]


def test_without_the_old_commit_its_recorded_figures_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench_release.unpacked("0" * 40, tmp_path) is None
    monkeypatch.setattr(bench_release, "run", lambda *_: {"reader_wait_s": 0.1})
    recorded = {"reader_wait_s": 3.0, "measured": "2026-11-30"}
    known = [case(10, outside=False, before={}), case(10, before=recorded)]
    assert bench_release.measured(case(10), None, known)["before"] == recorded
