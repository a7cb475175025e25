"""The soak of ``make bench``, small: deploys, prunes and reads at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bench_soak
from standins.jobs.deploys import Environment
from standins.store import s3


@pytest.mark.more
@pytest.mark.fault(7, 12)
@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_no_reader_sees_a_mixed_version(kind: str, tmp_path: Path, s3_open: s3.Store) -> None:
    (tmp_path / "store").mkdir()
    place = Environment(location=str(tmp_path / "store"), temp=tmp_path)
    if kind == "s3":
        location = f"s3://{s3_open.create_bucket()}/prod"
        place = Environment(location=location, temp=tmp_path, variables=s3_open.environ)
    done = bench_soak.soak(place, deploys=15, reads=100)
    assert done.faults == ()
    assert (done.deploys, done.last) == (15, 15)
    assert done.reads >= 100
    assert all(15 in each.seen for each in done.read)
    assert sum(each.pruned for each in done.deployed) > 0
