"""Rules of the layout that no linter knows."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
PACKAGE = SCRIPTS / "dbtdeploy"

JOINTS = {
    "build_step.py",
    "cli.py",
    "dbt_step.py",
    "fingerprint_step.py",
    "plan_step.py",
    "prepare_step.py",
    "release_warehouse.py",
    "report_step.py",
    "run_job.py",
    "run_macro.py",
    "store_step.py",
}
"""Between the scripts and the edges: the error boundary, and what the dbt scripts share."""

OWNERS = {
    "boto3": set(),
    "github": {
        "edges/deployments.py",
        "edges/github_api.py",
        "edges/pulls.py",
        "edges/releases.py",
        "edges/tags.py",
    },
    "certifi": {"edges/rest.py"},
    "jinja2": {"render.py"},
    "requests": {"edges/http.py"},
    "subprocess": {
        "edges/dbt_process.py",
        "edges/dbt_version.py",
        "edges/git.py",
        "edges/uv.py",
        "edges/warm_dbt.py",
    },
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imported(path: Path) -> Iterator[str]:
    for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            yield from (f"{found.module}.{alias.name}" for alias in found.names)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_core_imports_no_edge(path: Path) -> None:
    if name(path).startswith("edges/") or name(path) in JOINTS:
        return
    assert [module for module in imported(path) if module.startswith("dbtdeploy.edges")] == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_each_library_that_touches_the_world_has_its_module(path: Path) -> None:
    for library, owners in OWNERS.items():
        if name(path) not in owners:
            assert library not in {module.split(".")[0] for module in imported(path)}


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS.glob("*.py")], ids=lambda p: p.name)
def test_only_settings_read_the_environment(path: Path) -> None:
    read = [
        found
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.Attribute) and found.attr in ("environ", "getenv", "environb")
    ]
    # uv gets the runner's environment whole, before settings can be told apart from it.
    assert not read or path.name in ("settings.py", "uv.py")


def test_no_script_hides_a_module_of_the_standard_library_or_of_dbt() -> None:
    for path in [*SCRIPTS.glob("*.py"), PACKAGE]:
        assert path.stem not in sys.stdlib_module_names
        assert not path.stem.startswith("dbt_")
