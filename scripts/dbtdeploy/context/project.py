"""What dbt-deploy needs to know of ``dbt_project.yml`` and the packages files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from dbtdeploy.base import errors, yaml_codec

NAME = re.compile(r"[^\d\W]\w*")
"""What dbt takes as a project's name. It becomes part of a folder's, for forks too."""

RESOURCE_PATHS = {
    "model-paths": ("models",),
    "seed-paths": ("seeds",),
    "test-paths": ("tests",),
    "analysis-paths": ("analyses",),
    "macro-paths": ("macros",),
    "snapshot-paths": ("snapshots",),
    "function-paths": ("functions",),
    "docs-paths": (),
    "asset-paths": (),
}
"""Where a project's files are, and where if it does not say so
(https://docs.getdbt.com/reference/dbt_project.yml)."""

PACKAGES, LOCK = ("packages.yml", "dependencies.yml"), "package-lock.yml"

STATE_METHOD = re.compile(
    r"\b(state|result|source_status):|method:\s*[\"']?(state|result|source_status)\b"
)
"""As a string and as a mapping: https://docs.getdbt.com/reference/node-selection/yaml-selectors"""


class Project(Struct, frozen=True, kw_only=True):
    """A dbt project folder, by the defaults of dbt 1.8 to 1.12."""

    name: str
    profile: str | None
    target_path: str
    packages_path: str
    stores_failures: bool = False
    """Whether ``flags`` say that tests store the rows they find."""
    selectors_need_state: bool = False
    """Whether selectors.yml compares with state somewhere."""
    reads: tuple[str, ...] | None = None
    """See ``reads``."""


def read_project(folder: Path) -> Project:
    """Read ``dbt_project.yml``.

    Raises:
        InvalidInput: there is none, or it is not YAML with a name.
    """
    path = folder / "dbt_project.yml"
    if not path.is_file():
        raise errors.InvalidInput(
            f"There is no dbt_project.yml in {folder}.",
            not_done="dbt was not started.",
            remedy="Check the repository out before this action, and set the input `project-dir` "
            "to the folder that holds dbt_project.yml.",
        )
    content = read_yaml(path)
    name = content.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise errors.InvalidInput(
            f"{path} has no `name`, or one that dbt does not take.",
            not_done="dbt was not started.",
            remedy="Give the project a name of letters, digits and underscores, as "
            "`name: analytics`.",
        )
    return Project(
        name=name,
        profile=_plain(content.get("profile")),
        target_path=_plain(content.get("target-path")) or "target",
        packages_path=_plain(content.get("packages-install-path")) or "dbt_packages",
        stores_failures=_flag(content, "store_failures"),
        selectors_need_state=_selectors_need_state(folder / "selectors.yml"),
        reads=_reads(folder, content),
    )


def reads(folder: Path) -> tuple[str, ...] | None:
    """The folders that dbt reads, from the project's own; None if it cannot be said.

    Beside them it reads files at the project's top, and what ``dbt deps`` installed.

    Raises:
        InvalidInput: dbt_project.yml or a packages file is not YAML.
    """
    path = folder / "dbt_project.yml"
    return _reads(folder, read_yaml(path)) if path.is_file() else None


def _reads(folder: Path, content: dict[str, Any]) -> tuple[str, ...] | None:
    own, local = _resource_paths(content), _local_packages(folder)
    return None if own is None or local is None else tuple(dict.fromkeys((*own, *local)))


def _resource_paths(content: dict[str, Any]) -> tuple[str, ...] | None:
    found: list[object] = []
    for name, default in RESOURCE_PATHS.items():
        said = content.get(name)
        paths = list(default) if said is None else said
        if not isinstance(paths, list):
            return None
        found += paths
    return _all_plain(found)


def _local_packages(folder: Path) -> tuple[str, ...] | None:
    """The folders of local packages, and of those that they name; None if it cannot be said."""
    found, pending = {os.path.normpath(folder): ""}, [""]
    while pending:
        package = pending.pop()
        named = _named_by(folder, package)
        if named is None:
            return None
        for path in named:
            # dbt 1.x takes it from the project's folder, whichever package names it.
            elsewhere = Path(package, path).as_posix()
            for name in (path, elsewhere) if (folder / elsewhere).is_dir() else (path,):
                place = os.path.normpath(folder / name)
                if place not in found:
                    found[place] = name
                    pending.append(name)
    return tuple(name for name in found.values() if name)


def _named_by(folder: Path, package: str) -> tuple[str, ...] | None:
    """The local packages that the project, or a local package of it, names."""
    try:
        listed = [
            one
            for name in (*PACKAGES, *([] if package else [LOCK]))
            if (folder / package / name).is_file()
            for one in read_yaml(folder / package / name).get("packages") or ()
        ]
        if package and not _reads_its_own(folder / package):
            return None
    except errors.InvalidInput:
        if package:
            return None
        raise
    local = [one["local"] for one in listed if _is_local(one)]
    # Without a lock file another day may bring other packages.
    if len(local) < len(listed) and not (folder / LOCK).is_file():
        return None
    return _all_plain(local)


def _reads_its_own(package: Path) -> bool:
    """Whether a local package reads nothing outside its folder."""
    path = package / "dbt_project.yml"
    paths = _resource_paths(read_yaml(path)) if path.is_file() else ()
    return paths is not None and not any(
        Path(path).is_absolute() or ".." in Path(path).parts for path in paths
    )


def _all_plain(paths: Iterable[object]) -> tuple[str, ...] | None:
    plain = [_plain(path) for path in paths]
    return None if None in plain else tuple(path for path in plain if path)


def _is_local(package: object) -> bool:
    return isinstance(package, dict) and "local" in package


def needs_deps(folder: Path, packages: Path) -> bool:
    """Whether ``dbt deps`` has to run: packages are listed and not all of it is installed.

    A packages file newer than the folder means that it was edited since.
    """
    listing = [folder / name for name in (*PACKAGES, LOCK)]
    listing = [path for path in listing if path.is_file()]
    if not any(read_yaml(path).get("packages") for path in listing):
        return False
    if not packages.is_dir() or not any(packages.iterdir()):
        return True
    return max(path.stat().st_mtime for path in listing) > packages.stat().st_mtime


def _selectors_need_state(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return STATE_METHOD.search(text) is not None


def _flag(content: dict[str, Any], name: str) -> bool:
    flags = content.get("flags")
    return isinstance(flags, dict) and flags.get(name) is True


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file; empty where it holds no mapping.

    Raises:
        InvalidInput: it is not YAML.
    """
    try:
        content = yaml_codec.load(path.read_text(encoding="utf-8"))
    except (yaml_codec.NotYaml, UnicodeDecodeError) as cause:
        raise errors.InvalidInput(
            f"{path} is not YAML: {cause}",
            not_done="dbt was not started.",
            remedy="Mend the file; `dbt parse` shows the same fault.",
        ) from None
    return content if isinstance(content, dict) else {}


def _plain(value: object) -> str | None:
    """A string that holds no Jinja; dbt alone can render those."""
    return value if isinstance(value, str) and value and "{{" not in value else None
