"""The input ``dbt`` understood: already installed, a requirements file, or requirements.

Standard library only: ``setup_environment.py`` runs before anything is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dbtdeploy.base import errors

INSTALLED = "installed"

REQUIREMENT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*"  # name
    r"(\[[A-Za-z0-9._,-]+\])?"  # extras
    r"((===?|~=|!=|<=?|>=?)[A-Za-z0-9.*+!_-]+(,(?=[=~!<>])|$))*"  # versions
)
"""Names, extras and versions of https://packaging.python.org/specifications/dependency-specifiers/.
Markers, URLs and options belong in a requirements file."""

INCLUDE = re.compile(r"^(?:-r|-c|--requirement|--constraint)[ =]?\s*(\S+)")


@dataclass(frozen=True, kw_only=True)
class DbtRequirement:
    """What to install, as arguments of ``uv pip install``. Empty: dbt is already installed."""

    arguments: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    """The requirements file, and those it includes, in reading order."""
    pinned: bool = True
    """Every requirement names one exact version, so it means the same next week."""

    @property
    def installed(self) -> bool:
        """Dbt is the caller's own, found on PATH."""
        return not self.arguments


def understand(text: str, folders: tuple[Path, ...]) -> DbtRequirement:
    """Make sense of the input ``dbt``.

    Args:
        text: ``installed``, a path, or requirements with blanks between them.
        folders: where a relative path may begin, the first that has it.

    Raises:
        InvalidInput: none of the three, or a file that is not there.
    """
    text = text.strip()
    if not text or text == INSTALLED:
        return DbtRequirement()
    for folder in folders:
        path = folder / text
        if path.is_file():
            return _from_file(path.resolve())
    if re.search(r"(/|\.txt$|\.in$|\.toml$)", text) and not re.search(r"\s", text):
        looked = " or ".join(dict.fromkeys(str(folder) for folder in folders))
        raise _invalid(f"names the file `{text}`, which is not in {looked}")
    return _from_words(text)


def _from_words(text: str) -> DbtRequirement:
    # `dbt-core >= 1.11, < 1.12` is one requirement: blanks around operators mean nothing.
    words = re.sub(r"\s*(===?|~=|!=|<=|>=|<|>|,)\s*", r"\1", text).split()
    for word in words:
        if not REQUIREMENT.fullmatch(word):
            raise _invalid(f"holds `{word}`, which is not a requirement")
    return DbtRequirement(arguments=tuple(words), pinned=all(map(_is_pinned, words)))


def _from_file(path: Path) -> DbtRequirement:
    files: dict[Path, str] = {}
    _read(path, files)
    lines = [line for content in files.values() for line in _lines(content)]
    requirements = [line for line in lines if not line.startswith("-")]
    pinned = path.suffix != ".toml" and all(map(_is_pinned, requirements))
    return DbtRequirement(arguments=("--requirement", str(path)), files=tuple(files), pinned=pinned)


def _read(path: Path, files: dict[Path, str]) -> None:
    """Read a requirements file and what it includes, each once."""
    if path in files or not path.is_file():
        return
    files[path] = path.read_text(encoding="utf-8", errors="replace")
    for line in _lines(files[path]):
        if included := INCLUDE.match(line):
            _read((path.parent / included[1]).resolve(), files)


def _lines(content: str) -> Iterator[str]:
    for raw in content.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if line:
            yield line


def _is_pinned(requirement: str) -> bool:
    return re.search(r"={2,3}\s*[^\s*]+(\s|;|$)", requirement) is not None


def _invalid(trouble: str) -> errors.InvalidInput:
    return errors.InvalidInput(
        f"The input `dbt` {trouble}.",
        not_done="No environment was made and dbt was not started.",
        remedy="Give requirements such as `dbt-core~=1.12.0 dbt-postgres`, the path of a "
        "requirements file, or `installed` if a dbt is on PATH already.",
    )
