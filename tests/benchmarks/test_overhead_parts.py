"""What a measured job runs: our action as it is committed, and the profiler put into a copy."""

from __future__ import annotations

import cProfile
from pathlib import Path

from benchmarks.overhead import profiled
from benchmarks.overhead.exported import Action
from demo.repository import ROOT


def test_an_action_is_unpacked_without_bytecode(tmp_path: Path) -> None:
    folder = Action.of_head().unpack(tmp_path / "action")
    assert (folder / "action.yml").is_file()
    assert not list(folder.rglob("__pycache__"))


def test_the_wrapper_names_what_serve_has(tmp_path: Path) -> None:
    served = tmp_path / "scripts" / "in_dbt" / "serve.py"
    served.parent.mkdir(parents=True)
    original = (ROOT / "scripts" / "in_dbt" / "serve.py").read_text(encoding="utf-8")
    served.write_text(original, encoding="utf-8")
    profiled.wrap(tmp_path, tmp_path)
    compile(served.read_text(encoding="utf-8"), "serve.py", "exec")
    assert served.with_name("unprofiled_serve.py").read_text(encoding="utf-8") == original
    for function in ("def _import()", "def _run(command: str, request", "def main("):
        assert function in original


def test_profiles_are_read_by_command(tmp_path: Path) -> None:
    for number in (1, 2):
        profile = cProfile.Profile()
        profile.runcall(sorted, [3, 1, 2])
        profile.dump_stats(tmp_path / f"build.{number}.profile")
    found = profiled.read(tmp_path)
    assert list(found) == ["build"]
    calls = {one.name: one.calls for one in found["build"]}
    assert calls["built-in method builtins.sorted"] == 2
