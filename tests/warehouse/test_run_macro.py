"""The package that pull requests' macros are run in."""

from __future__ import annotations

import re
from pathlib import Path

from dbtdeploy.warehouse import run_macro

MADE = re.compile(r"\{%-?\s*macro (\w+)\(")
CALLED = re.compile(r"\bdbtdeploy\.(\w+)\(")
DISPATCHED = re.compile(r"adapter\.dispatch\('(\w+)', 'dbtdeploy'\)")


def _all(package: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(package.rglob("*.sql")))


def test_it_is_a_part_of_our_macros_that_needs_no_other(tmp_path: Path) -> None:
    package = run_macro._lay_out(tmp_path / "package")
    assert (package / "dbt_project.yml").is_file()
    found = _all(package)
    made = set(MADE.findall(found))
    assert {"prepare_schemas", "find_schemas", "drop_schemas"} <= made
    assert len(found) < len(_all(run_macro.PACKAGE)) / 4
    assert set(CALLED.findall(found)) <= made
    assert {f"default__{name}" for name in DISPATCHED.findall(found)} <= made


def test_it_is_laid_out_anew(tmp_path: Path) -> None:
    (tmp_path / "package" / "macros").mkdir(parents=True)
    (tmp_path / "package" / "macros" / "left.sql").write_text("")
    package = run_macro._lay_out(tmp_path / "package")
    assert not (package / "macros" / "left.sql").exists()
