"""One digest of all that dbt reads in a checkout: a pull request may change none of it.

Where it is the one that the current version was built from, ``state:modified`` has nothing to
find: the same files, parsed by the same dbt. What else could tell two parses apart is looked for
in the files when a version is made (see ``why_unsettled``); a version of which it cannot be said
bears no digest, and neither does a checkout. Whatever is in doubt counts as changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from dbtdeploy.base import errors
from dbtdeploy.context import project, work_files
from dbtdeploy.context.project import LOCK, read_yaml

SCHEME = "1"
"""Goes into the digest. To be raised when what is read, or how, changes."""

CALLERS = (".github/workflows", ".github/actions")
"""Where inputs of ours are set."""

AT_THE_TOP = ("*.yml", "*.yaml", ".dbtignore", ".env")
"""Of a project's folder and of that of the profiles."""

PLAIN_FILES = frozenset({"100644", "100755"})
GLOB = re.compile(r"[*?\[\\]")

MODIFIED = re.compile(r"@?\d*\+?state:(modified|new)(\.\w+)?\+?\d*")
"""https://docs.getdbt.com/reference/node-selection/graph-operators"""

JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
OTHER_ELSEWHERE = re.compile(
    r"\b(target|env_var|builtins|run_started_at|invocation_id|flags|modules|context|thread_id)\b"
)
"""What Jinja in yml can read and another run may have otherwise. Variables of the command line are
in the digest."""

PROJECT = "dbt_project.yml"
NOT_COMPARED = frozenset(
    {PROJECT, "profiles.yml", "selectors.yml", "packages.yml", "dependencies.yml", LOCK}
)
"""A profile is meant to say something else; packages are what the lock file says."""

AS_WRITTEN = frozenset(
    (
        *("models", "seeds", "snapshots", "tests", "data_tests", "unit_tests", "sources"),
        *("functions", "exposures", "metrics", "semantic-models", "saved-queries"),
        *("on-run-start", "on-run-end", "query-comment", "vars"),
    )
)
"""Keys of dbt_project.yml whose values dbt compares as they are written, or not at all."""

CONFIG = re.compile(r"\bconfig\s*\(")
LITERAL = re.compile(
    r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b(?:true|false|none)\b|-?\d+(?:\.\d+)?"""
    r"""|\w+\s*=(?!=)|var\s*\(|[\s()\[\]{},:])*""",
    re.IGNORECASE | re.DOTALL,
)
"""The inside of ``config(...)`` where it says the same for every target."""

NAME = re.compile(r"[A-Za-z_]\w*")
SET_BLOCK = re.compile(r"\{%-?\s*set\s+(\w+)\s*-?%\}(.*?)\{%-?\s*endset\s*-?%\}", re.DOTALL)


class TrackedFile(Struct, frozen=True, kw_only=True):
    """One file as git has it."""

    tag: str
    """``H`` where the work tree is meant to have it as it is."""
    mode: str
    blob: str
    path: str
    """From the top of the repository."""


def read_listing(text: str) -> Iterator[TrackedFile]:
    """What ``git ls-files -v -s -z`` prints."""
    for line in text.split("\0"):
        if line:
            head, _, path = line.partition("\t")
            tag, mode, blob, _stage = head.split(" ")
            yield TrackedFile(tag=tag, mode=mode, blob=blob, path=path)


def pathspecs(dbt: work_files.DbtProject, top: Path) -> tuple[str, ...] | None:
    """What git is asked about; None where it cannot be said what dbt reads.

    Args:
        dbt: the project.
        top: folder of the repository, resolved.
    """
    folder = Path(dbt.project_dir)
    if dbt.reads is None or not folder.is_relative_to(top) or GLOB.search(dbt.project_dir):
        return None
    read = [_inside(folder / name, top) for name in (*dbt.reads, dbt.packages_path)]
    # git lists nothing that lies beyond a link; a link itself shows in its list.
    if any(name is None or _is_beyond_a_link(top / name) for name in read):
        return None
    folders = [folder]
    if dbt.profiles_dir and Path(dbt.profiles_dir).is_relative_to(top):
        folders.append(Path(dbt.profiles_dir))
    tops = [place.relative_to(top) / name for place in folders for name in AT_THE_TOP]
    return (
        *(f":(top,literal){name}" for name in (*read, *CALLERS)),
        *(f":(top,glob){name}" for name in tops),
    )


def installed_packages(
    dbt: work_files.DbtProject, top: Path, entries: Iterable[TrackedFile]
) -> str | None:
    """The folder of ``dbt deps`` from the top, if it is not part of the repository."""
    name = _inside(Path(dbt.packages_path), top)
    if name is None or any(entry.path.startswith(f"{name}/") for entry in entries):
        return None
    return name


def digest(entries: Iterable[TrackedFile], dbt: Iterable[str], variables: str | None) -> str | None:
    """The digest; None where the files may be other than git says.

    Args:
        entries: of all that dbt reads.
        dbt: the distributions that make up dbt, with their versions.
        variables: the input ``vars``.
    """
    whole = hashlib.sha256()
    for word in (SCHEME, *sorted(dbt), variables or ""):
        whole.update(f"{word}\0".encode())
    for entry in sorted(entries, key=lambda entry: entry.path):
        # A link leads elsewhere, a submodule is another repository, and what is marked to be
        # skipped or left alone may not lie there.
        if entry.mode not in PLAIN_FILES or entry.tag != "H":
            return None
        whole.update(f"{entry.mode} {entry.blob} {entry.path}\0".encode())
    return f"{SCHEME}:{whole.hexdigest()}"


def compares_only(selection: work_files.Selection) -> bool:
    """Whether all that is selected is what differs from the state, or hangs on it."""
    words = (selection.select or "").split()
    return bool(words) and all(
        any(MODIFIED.fullmatch(part) for part in word.split(",")) for word in words
    )


def why_unsettled(dbt: work_files.DbtProject) -> str | None:
    """Why a configuration of the project may say something else in another environment.

    Read are the files as they lie there, those of installed packages too.

    Returns:
        The first file that is in doubt; None if all say the same everywhere.
    """
    installed = Path(dbt.packages_path)
    packages = sorted(installed.iterdir()) if installed.is_dir() else []
    top = Path(dbt.project_dir)
    for folder in (top, *packages):
        found = _unsettled(folder)
        if found is not None:
            name = found.relative_to(top) if found.is_relative_to(top) else found.name
            return f"{name} may say something else in another environment"
    return None


def _unsettled(folder: Path) -> Path | None:
    """The first file in doubt of one project, or one package; its folder if it is no project."""
    try:
        reads = project.reads(folder)
    except errors.InvalidInput:
        return folder
    if reads is None:
        return folder
    if not all(map(_says_the_same, _projects_values(read_yaml(folder / PROJECT), compared=True))):
        return folder / PROJECT
    top = (path for pattern in AT_THE_TOP[:2] for path in folder.glob(pattern))
    inside = (path for name in reads for path in _files(folder / name))
    checked = (*(path for path in top if path.name not in NOT_COMPARED), *inside)
    return next((path for path in checked if not _holds_the_same(path)), None)


def _projects_values(value: object, *, compared: bool) -> Iterator[str]:
    """The texts of dbt_project.yml by which two parses of it may differ for dbt.

    It compares configurations as they are written there, but leaves out what is not enabled.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            of_nodes = compared and key in AS_WRITTEN
            enabled = str(key).lstrip("+") == "enabled"
            yield from _projects_values(inner, compared=(compared and not of_nodes) or enabled)
    elif isinstance(value, list):
        for inner in value:
            yield from _projects_values(inner, compared=compared)
    elif isinstance(value, str) and compared:
        yield value


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _says_the_same(text: str) -> bool:
    return not any(OTHER_ELSEWHERE.search(jinja) for jinja in JINJA.findall(text))


def _holds_the_same(path: Path) -> bool:
    if path.suffix in (".yml", ".yaml"):
        return _says_the_same(path.read_text(encoding="utf-8", errors="replace"))
    if path.suffix in (".sql", ".py"):
        return _is_literal(path.read_text(encoding="utf-8", errors="replace"))
    return True


def _is_literal(text: str) -> bool:
    """Whether every ``config(...)`` holds constants only."""
    constants = _constants(text)
    for call in CONFIG.finditer(text):
        # It must get as far as the parenthesis that ends the call.
        if not _closes(text[call.end() : _end_of_constants(text, call.end(), constants)]):
            return False
    return True


def _end_of_constants(text: str, start: int, constants: frozenset[str]) -> int:
    end = start
    while True:
        if literal := LITERAL.match(text, end):
            end = literal.end()
        name = NAME.match(text, end)
        if name is None or name[0] not in constants:
            return end
        end = name.end()


def _constants(text: str) -> frozenset[str]:
    """Names that a block sets to a text without Jinja, and that are else only used as arguments.

    So does dbt_utils: ``{% set set_diff %} ... {% endset %}{{ config(fail_calc = set_diff) }}``.
    """
    names = [found[1] for found in SET_BLOCK.finditer(text) if "{" not in found[2]]
    return frozenset(
        name
        for name in names
        if len(re.findall(rf"\b{name}\b", text)) == 1 + len(re.findall(rf"=\s*{name}\b", text))
    )


def _closes(inside: str) -> bool:
    depth = 1
    for token in re.findall(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[()]""", inside, re.DOTALL):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            return True
    return False


def _is_beyond_a_link(path: Path) -> bool:
    return path.parent.resolve() != path.parent


def _inside(path: Path, top: Path) -> str | None:
    """A path from the top; None outside of it."""
    # ``..`` is taken out by name alone: a link on the way would show as one in git's list.
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    plain = Path(*parts)
    return plain.relative_to(top).as_posix() if plain.is_relative_to(top) else None
