"""Bytecode of ours, kept and laid; real modules, real imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

from dbtdeploy.report import render
from dbtdeploy.setup import bytecode

HASHED = b"\x03\x00\x00\x00"
"""The flags of bytecode that is checked by its source's hash (PEP 552)."""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    (folder / "dbtdeploy" / "edges").mkdir(parents=True)
    (folder / "in_dbt").mkdir()
    names = ("dbtdeploy/__init__.py", "dbtdeploy/core.py", "dbtdeploy/edges/edge.py")
    for name in (*names, "in_dbt/beside.py"):
        (folder / name).write_text("SAID = 'first'\n")
    return folder


def imported(scripts: Path) -> str:
    """What a module says, and whether Python had to compile it."""
    program = "from dbtdeploy import core; print(core.SAID)"
    environment = {"PYTHONPATH": str(scripts), "PATH": os.defpath}
    told = subprocess.run(
        [sys.executable, "-v", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    compiled = f"code object from {scripts / 'dbtdeploy' / 'core.py'}\n" in told.stderr
    return f"{told.stdout.strip()} {'compiled' if compiled else 'found'}"


def test_what_is_kept_is_found_in_the_next_job(scripts: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    bytecode.keep(scripts, kept)
    bytecode.lay(kept, scripts)
    laid = list(scripts.rglob("*.pyc"))
    assert len(laid) == 4
    assert {path.read_bytes()[4:8] for path in laid} == {HASHED}
    assert imported(scripts) == "first found"


def test_another_source_is_compiled_whatever_its_size_and_time(
    scripts: Path, tmp_path: Path
) -> None:
    kept, module = tmp_path / "kept", scripts / "dbtdeploy" / "core.py"
    bytecode.keep(scripts, kept)
    bytecode.lay(kept, scripts)
    before, sizes = module.stat(), bytecode.sizes(scripts, scripts)
    module.write_text("SAID = 'other'\n")
    os.utime(module, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert bytecode.sizes(scripts, scripts) == sizes
    assert imported(scripts) == "other compiled"


def test_what_lies_there_stays(scripts: Path, tmp_path: Path) -> None:
    assert imported(scripts) == "first compiled"
    before = {path: path.read_bytes() for path in scripts.rglob("*.pyc")}
    kept = tmp_path / "kept"
    bytecode.keep(scripts, kept)
    bytecode.lay(kept, scripts)
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(scripts.rglob("*.pyc"))) == 4


def test_where_nothing_was_kept_nothing_is_laid(scripts: Path, tmp_path: Path) -> None:
    bytecode.lay(tmp_path / "nowhere", scripts)
    assert not [path for path in scripts.rglob("*") if path.is_file() and path.suffix != ".py"]


def test_a_folder_that_cannot_be_written_is_left(scripts: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    bytecode.keep(scripts, kept)
    (scripts / "dbtdeploy" / "__pycache__").write_text("in the way")
    bytecode.lay(kept, scripts)
    assert imported(scripts) == "first compiled"


def test_another_size_or_name_is_another_version(scripts: Path) -> None:
    seen = [bytecode.sizes(scripts, scripts)]
    for name in ("dbtdeploy/core.py", "dbtdeploy/new.py", "report/new.md.j2"):
        (scripts / name).parent.mkdir(exist_ok=True)
        (scripts / name).write_text("SAID = 'longer'\n")
        seen.append(bytecode.sizes(scripts, scripts))
    assert len(set(map(tuple, seen))) == 4


def test_templates_are_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = tmp_path / "templates"
    monkeypatch.setattr(render, "COMPILED", compiled)
    made: list[str] = []
    compile_anew = jinja2.Environment.compile

    def counting(self: jinja2.Environment, source: str, name: str, *more: str) -> object:
        made.append(name)
        return compile_anew(self, source, name, *more)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", counting)
    monkeypatch.setattr(render, "_environment", render._environment.__wrapped__)
    compiled.mkdir()
    render.compile_all()
    assert "no_report.md.j2" in made
    made.clear()
    text = render.template("no_report.md.j2", commit="abc", too_long=False, run_url="x")
    assert made == []
    for path in compiled.iterdir():
        path.write_bytes(path.read_bytes()[:-20])
    assert text == render.template("no_report.md.j2", commit="abc", too_long=False, run_url="x")
    assert made
