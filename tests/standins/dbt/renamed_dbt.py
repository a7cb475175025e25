"""A copy of an installed dbt in which one name is another one, wherever dbt's own code has it.

What dbt's developers do when they rename something: dbt goes on to work, and whoever relied on the
old name finds nothing. The copy is a virtual environment of links; only the files that hold the
name, and what Python compiled of them, are its own.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

PACKAGES = ("dbt", "dbt_common")

MEANT = {
    "load": rb"(?<=\bdef )load(?=\(self\) -> Manifest)|(?<=\bloader\.)load\b",
    "__version__": rb"(?<!\}\.)\b__version__\b(?!\.py)",
}
"""What is meant of a name that others have too: the method of ManifestLoader; no module."""

IMPORT = re.compile(rb"(?m)^\s*(from +(\.|dbt)[\w.]* +import\b|from .*|import .*)")
"""The part of an import that names modules, or what is not dbt's."""


def make(command: Path, name: str, prefix: Path) -> Path:
    """Gives the copy's command.

    Args:
        command: the command ``dbt`` of a virtual environment.
        name: what is renamed, or with dots in it a module.
        prefix: the folder that becomes the copy.
    """
    original = command.resolve().parent.parent
    (site,) = original.glob("lib/python3*/site-packages")
    copy = prefix / site.relative_to(original)
    copy.mkdir(parents=True)
    for entry in site.iterdir():
        if entry.name in PACKAGES:
            _Package(name).copy(entry, copy / entry.name)
        else:
            (copy / entry.name).symlink_to(entry)
    module = copy / Path(*name.split(".")).with_suffix(".py")
    if "." in name:
        module.rename(module.with_stem(f"{module.stem}_renamed"))
    shutil.copy(original / "pyvenv.cfg", prefix)
    (prefix / "bin").mkdir()
    python = prefix / "bin" / "python"
    python.symlink_to((original / "bin" / "python").readlink())
    made = prefix / "bin" / "dbt"
    made.write_text(f"#!{python}\n{command.read_text().partition(chr(10))[2]}")
    made.chmod(0o755)
    return made


class _Package:
    """Copies folders of Python code with another name for something."""

    def __init__(self, name: str) -> None:
        self._stem = name.rpartition(".")[2]
        self._word = self._stem.encode()
        word = rb"\b" + re.escape(name.encode()) + rb"\b"
        self._old = re.compile(MEANT.get(name, word))
        # Not behind it: a class has names of its own that begin with two underscores.
        self._is_module = "." in name
        self._new = (f"{name}_renamed" if self._is_module else f"renamed_{name}").encode()
        package, _, last = name.rpartition(".")
        self._imported = re.compile(rf"\bfrom {re.escape(package)} import {last}\b( as)?".encode())
        self._by = f"from {package} import {last}_renamed as".encode()
        self._last = f" {last}".encode()
        self._folder = Path(*package.split("."))
        self._beside = re.compile(rf"\bfrom \.{last} import\b".encode())
        self._listed = re.compile(rf"(?m)^    {last},$".encode())

    def copy(self, source: Path, target: Path) -> None:
        target.mkdir()
        changed = set()
        for entry in source.iterdir():
            if entry.name == "__pycache__":
                continue
            if entry.is_dir():
                self.copy(entry, target / entry.name)
            elif (text := self._renamed(entry)) is not None:
                (target / entry.name).write_bytes(text)
                changed.add(entry.stem)
            else:
                (target / entry.name).symlink_to(entry)
        compiled = source / "__pycache__"
        if compiled.is_dir():
            (target / "__pycache__").mkdir()
            for entry in compiled.iterdir():
                if entry.name.partition(".")[0] not in changed:
                    (target / "__pycache__" / entry.name).symlink_to(entry)

    def _renamed(self, file: Path) -> bytes | None:
        """A file's text where it holds the name."""
        if file.suffix != ".py" or self._word not in (text := file.read_bytes()):
            return None
        if self._is_module:
            renamed = self._imported.sub(
                lambda found: self._by + (b"" if found[1] else self._last),
                self._old.sub(self._new, text),
            )
            if file.parent.parts[-len(self._folder.parts) :] == self._folder.parts:
                stem = self._stem
                renamed = self._beside.sub(f"from .{stem}_renamed import".encode(), renamed)
                renamed = self._listed.sub(f"    {stem}_renamed as {stem},".encode(), renamed)
        else:
            renamed = self._between_imports(text)
        return renamed if renamed != text else None

    def _between_imports(self, text: bytes) -> bytes:
        parts, end = [], 0
        for found in IMPORT.finditer(text):
            parts += [self._old.sub(self._new, text[end : found.start()]), found[0]]
            end = found.end()
        return b"".join([*parts, self._old.sub(self._new, text[end:])])
