"""What is kept of mashumaro's code is what mashumaro makes, and it is not made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from in_dbt.warm import Warm

DRIVER = Path(__file__).with_name("codecs_driver.py")
IN_DBT = Path(__file__).parents[2] / "scripts" / "in_dbt"


def told(warm: Warm, kept: Path, *how: str) -> dict[str, Any]:
    return dict(warm.told(DRIVER, IN_DBT, str(kept), *how, folder=kept.parent))


def is_read(told: dict[str, Any], whole: dict[str, Any]) -> bool:
    """But for a few classes that no module has under their name."""
    return len(told["made"]) < 0.1 * len(whole["made"])


def test_what_is_read_is_what_is_made(any_warm: Warm, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    first, again = told(any_warm, kept), told(any_warm, kept)
    assert is_read(again, first)
    plain = any_warm.told(DRIVER, IN_DBT, "late", folder=tmp_path)
    for one in (first, again):
        assert one["put"].keys() == plain["put"].keys()
        assert [k for k, put in one["put"].items() if put != plain["put"][k]] == []


def test_what_one_job_writes_the_next_can_read(newest: Warm, tmp_path: Path) -> None:
    """The first may be a deploy and what it kept all that there is for pull requests."""
    anew = told(newest, tmp_path / "empty", "reads")
    told(newest, tmp_path / "kept", "writes")
    assert is_read(told(newest, tmp_path / "kept", "reads"), anew)


def test_what_is_not_whole_is_made_anew(newest: Warm, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    first = told(newest, kept)
    (file,) = kept.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert told(newest, kept)["made"].keys() == first["made"].keys()
    assert len(file.read_bytes()) > 0.9 * len(whole)
    assert is_read(told(newest, kept), first)


def test_a_piece_brings_all_that_it_needs(newest: Warm, tmp_path: Path) -> None:
    """In another process, where other pieces are there already, or are not."""
    kept = tmp_path / "kept"
    told(newest, kept)
    assert newest.told(DRIVER, IN_DBT, str(kept), "alone", folder=tmp_path) == []
