"""What mashumaro makes late is what it makes at once."""

from __future__ import annotations

from pathlib import Path

from in_dbt.warm import Warm

DRIVER = Path(__file__).with_name("codecs_driver.py")
IN_DBT = Path(__file__).parents[2] / "scripts" / "in_dbt"


def test_the_same_code_is_made_and_none_that_is_not_used(any_warm: Warm, tmp_path: Path) -> None:
    early, late = (
        any_warm.told(DRIVER, IN_DBT, when, folder=tmp_path) for when in ("early", "late")
    )
    assert late["made"].keys() == early["made"].keys()
    assert [k for k, code in late["made"].items() if code != early["made"][k]] == []
    assert late["at once"] < 0.1 * early["at once"]
