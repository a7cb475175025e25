"""Rules of the layout that no linter knows."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
PACKAGE = SCRIPTS / "dbtdeploy"
PYPROJECT = SCRIPTS.parent / "pyproject.toml"

ORDER = (
    *("admin", "fork_comment", "ci", "rollback", "clean_up", "release", "deploy", "teardown"),
    *("notify", "report", "warehouse", "github", "dbt", "store", "artifacts", "context"),
    *("setup", "base"),
)
"""The packages from top to bottom: each imports only itself and those that come after it."""

DOORS = {
    "boto3": {"store"},
    "botocore": {"store"},
    "github": {"github"},
    "jinja2": {"report/render.py"},
    "requests": {"notify/http_client.py", "github/artifact_download.py"},
    "subprocess": {"base/git_client.py", "dbt", "setup/uv_client.py"},
}
"""Each library that touches the world, and the one door to it: a package or a module."""

NOBODYS = {
    "aiohttp",
    "asyncio",
    "certifi",
    "http.client",
    "httpx",
    "urllib.request",
    "urllib3",
}
"""Other ways out into the network; there is one client per service."""

DISTRIBUTIONS = {
    "botocore": "boto3",
    "github": "pygithub",
    "markupsafe": "jinja2",
    "yaml": "pyyaml",
}
"""What comes with the library that is declared, or is named otherwise there."""

NOT_SCRIPTS = ("dbtdeploy", "in_dbt")

MODULES_IN_A_FOLDER = 24

MODULES = sorted(PACKAGE.rglob("*.py"))
OURS = [
    *MODULES,
    *SCRIPTS.glob("*.py"),
    *(p for p in SCRIPTS.glob("*/*.py") if p.parent.name != "in_dbt"),
]
"""All that runs in our own environment."""

STARTED = sorted(path for path in SCRIPTS.glob("*/*.py") if path.parent.name in {"run"})


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imported(path: Path) -> Iterator[str]:
    for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            yield from (f"{found.module}.{alias.name}" for alias in found.names)


def test_every_package_has_its_place_in_the_order() -> None:
    there = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert there == set(ORDER)


def test_imports_run_downwards_only() -> None:
    upwards = [
        f"{name(path)} imports {module}"
        for path in MODULES
        for module in imported(path)
        if module.startswith("dbtdeploy.")
        if ORDER.index(module.split(".")[1]) < ORDER.index(path.relative_to(PACKAGE).parts[0])
    ]
    assert upwards == []


def test_no_module_is_in_two_places() -> None:
    stems = [path.stem for path in MODULES if path.stem != "__init__"]
    assert sorted(stems) == sorted(set(stems))


def test_the_test_of_a_module_lies_where_the_module_does() -> None:
    folders = {path.stem: path.parent.relative_to(PACKAGE) for path in MODULES}
    elsewhere = [
        path.name
        for path in (SCRIPTS.parent / "tests").rglob("test_*.py")
        if (folder := folders.get(path.stem.removeprefix("test_")))
        if path.parent.relative_to(SCRIPTS.parent / "tests") != folder
    ]
    assert elsewhere == []


def test_no_folder_is_too_full_to_be_read() -> None:
    standins = (SCRIPTS.parent / "tests/standins").rglob("*.py")
    folders = {path.parent for path in [*MODULES, *SCRIPTS.glob("*/*.py"), *standins]}
    full = {
        folder.name: count
        for folder in folders
        if (count := len(list(folder.glob("[!_]*.py")))) > MODULES_IN_A_FOLDER
    }
    assert full == {}


def test_each_library_that_touches_the_world_has_its_door() -> None:
    found = {
        (library, path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else SCRIPTS).as_posix())
        for path in OURS
        for library in {module.split(".")[0] for module in imported(path)} & set(DOORS)
    }
    beside = {(lib, one) for lib, one in found if not {one, one.split("/")[0]} & DOORS[lib]}
    assert beside == set()
    assert {library for library, _ in found} == set(DOORS)


def test_there_is_no_other_way_out() -> None:
    beside = [
        f"{path.name} imports {module}"
        for path in OURS
        for module in imported(path)
        if any(f"{module}.".startswith(f"{one}.") for one in NOBODYS)
    ]
    assert beside == []


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    text = PYPROJECT.read_text(encoding="utf-8")
    listed = text.partition("\ndependencies = [")[2].partition("]")[0]
    declared = set(re.findall(r'"([\w-]+)[^"]*"', listed))
    own = {path.stem for path in SCRIPTS.iterdir()}
    modules = {module.split(".")[0] for path in OURS for module in imported(path)}
    others = modules - set(sys.stdlib_module_names) - own - {"_typeshed", "mypy_boto3_s3"}
    assert {DISTRIBUTIONS.get(module, module) for module in others} == declared


def test_only_settings_read_the_environment() -> None:
    read = {
        path.name
        for path in [*MODULES, *SCRIPTS.glob("*.py"), *SCRIPTS.glob("*/*.py")]
        if path.parent.name != "in_dbt"
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.Attribute) and found.attr in ("environ", "getenv", "environb")
    }
    assert read == {"settings.py"}


def test_no_script_hides_a_module_of_the_standard_library_or_of_dbt() -> None:
    for path in [*SCRIPTS.iterdir()]:
        assert path.stem not in sys.stdlib_module_names
        assert not path.stem.startswith("dbt_")


def test_a_types_name_means_one_thing_in_all_of_scripts() -> None:
    names: list[str] = []
    for path in SCRIPTS.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names += [found.name for found in ast.walk(tree) if isinstance(found, ast.ClassDef)]
        names += [
            target.id
            for found in tree.body
            if isinstance(found, ast.Assign)
            for target in found.targets
            if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z][a-z]\w*", target.id)
        ]
    shared = {one for one in names if names.count(one) > 1 and not one.startswith("_")}
    assert sorted(shared) == []


def test_every_script_says_its_phase_and_nothing_hangs_on_its_file_name() -> None:
    names = [path for path in SCRIPTS.glob("*/*.py") if path.parent.name not in NOT_SCRIPTS]
    without = [path.name for path in names if "\nPHASE = Phase." not in path.read_text()]
    assert without == []
    files = {path.name for path in names} | {f"{path.parent.name}/{path.stem}" for path in names}
    hanging = [
        f"{name(path)}: {found.value}"
        for path in MODULES
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.Constant) and found.value in files
    ]
    assert hanging == []
