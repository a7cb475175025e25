"""What dbt-deploy needs to know of ``dbt_project.yml`` and the packages files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dbtdeploy import errors

NAME = re.compile(r"[^\d\W]\w*")
"""What dbt takes as a project's name. It becomes part of a folder's, for forks too."""

STATE_METHOD = re.compile(
    r"\b(state|result|source_status):|method:\s*[\"']?(state|result|source_status)\b"
)
"""As a string and as a mapping: https://docs.getdbt.com/reference/node-selection/yaml-selectors"""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A dbt project folder, by the defaults of dbt 1.8 to 1.12."""

    name: str
    profile: str | None
    target_path: str
    packages_path: str
    stores_failures: bool = False
    """Whether ``flags`` say that tests store the rows they find."""
    selectors_need_state: bool = False
    """Whether selectors.yml compares with state somewhere."""


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
    content = _yaml(path)
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
    )


def needs_deps(folder: Path, packages: Path) -> bool:
    """Whether ``dbt deps`` has to run: packages are listed and not all of it is installed.

    A packages file newer than the folder means that it was edited since.
    """
    listing = [folder / name for name in ("packages.yml", "dependencies.yml", "package-lock.yml")]
    listing = [path for path in listing if path.is_file()]
    if not any(_yaml(path).get("packages") for path in listing):
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


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as cause:
        raise errors.InvalidInput(
            f"{path} is not YAML: {cause}",
            not_done="dbt was not started.",
            remedy="Mend the file; `dbt parse` shows the same fault.",
        ) from None
    return content if isinstance(content, dict) else {}


def _plain(value: object) -> str | None:
    """A string that holds no Jinja; dbt alone can render those."""
    return value if isinstance(value, str) and value and "{{" not in value else None
