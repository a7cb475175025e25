"""The reusable workflows with our actions by their full name, for whatever does not know ``$/``.

    python tools/pin_workflows.py REPOSITORY REF FOLDER

``uses: $/deploy`` is this repository's action at the very commit that the workflow is of, so that
who pins the workflow pins the action. Only github.com resolves it, by a runner of 2.336.0 or newer:
a copy is made for act and actionlint, and each release carries one for GitHub Enterprise Server.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
CALLERS = ROOT / "templates" / "workflows"

OWN = re.compile(r"(?m)^( +(?:- )?uses: )\$/([\w-]+)$")
CALLED = re.compile(r"(?m)^( +uses: )org/dbt-deploy(/\.github/workflows/[\w-]+\.yml)@v1$")


def pinned(text: str, repository: str, ref: str) -> str:
    """A workflow that names our actions, or a caller that names our workflows, in full.

    Args:
        text: the workflow.
        repository: ``owner/name``.
        ref: a commit or a tag.
    """
    text = OWN.sub(rf"\g<1>{repository}/\g<2>@{ref}", text)
    return CALLED.sub(rf"\g<1>{repository}\g<2>@{ref}", text)


def reusable() -> list[Path]:
    """The workflows that others call."""
    paths = sorted(WORKFLOWS.glob("*.yml"))
    return [path for path in paths if OWN.search(path.read_text(encoding="utf-8"))]


def write(folder: Path, repository: str, ref: str) -> None:
    """Write the reusable workflows and their callers into a new folder."""
    for name, paths in {"workflows": reusable(), "callers": sorted(CALLERS.glob("*.yml"))}.items():
        (folder / name).mkdir(parents=True)
        for path in paths:
            text = pinned(path.read_text(encoding="utf-8"), repository, ref)
            (folder / name / path.name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[3]), sys.argv[1], sys.argv[2])
