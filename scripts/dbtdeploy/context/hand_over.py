"""What the steps of a run hand to each other: typed parts, a file per phase in the work folder.

Each type says which file it is part of; a file is a JSON object with a key for each part. Writing a
part replaces the file whole or not at all and leaves its other parts as they are, so that what a
step has left outlives whatever is killed after it. Unknown parts and fields are passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, TypeVar

import msgspec
from msgspec import Raw, Struct

from dbtdeploy.base import errors, json_codec

RUN = "run.json"
"""What was asked. Written once, before anything else, and by it a work folder is known as ours."""
ADMISSION = "admission.json"
"""The lease and the tag. Apart, for freeing the environment after a kill needs nothing else."""
STATE = "state.json"
"""What production last ran. Apart, for each fetch begins by removing what an older run fetched."""
PLAN = "plan.json"
"""What is to be built, dropped or taken back, and what was looked at before it. All of it is there
before dbt builds, and restoring dependents after a killed build reads it."""
BUILT = "built.json"
"""What dbt did. Apart, for the process that writes it may be killed over it."""
LIVE = "live.json"
"""How far a release or a rollback came in the warehouse. Apart, for it is true whatever the store
or GitHub say after it."""
PUBLISHED = "published.json"
"""What was told to the store and to GitHub, and what was dropped. Written by steps that hold keys,
after all that runs the project's code."""
FAILURE = "failure.json"
"""The first failure. Apart, for any step may leave it, and only where there is none."""


class HandOver(Struct, frozen=True, kw_only=True):
    """A part of one of the files above."""

    FILE: ClassVar[str]


class Alone(HandOver, frozen=True, kw_only=True):
    """A file of its own, without a key: what is published as it is, and ``failure.json``."""


H = TypeVar("H", bound=HandOver)
T = TypeVar("T")


def write(work: Path, part: HandOver) -> None:
    """Write a part into its file."""
    path = work / part.FILE
    if isinstance(part, Alone):
        write_file(path, part)
    else:
        encoded = Raw(msgspec.json.encode(part))
        write_file(path, {**_parts(path), type(part).__name__: encoded})


def read(work: Path, kind: type[H]) -> H:
    """Read a part.

    Raises:
        EarlierStepMissing: it is not there.
        InvalidInput: the file is not what its name says.
    """
    found = read_if_there(work, kind)
    if found is None:
        raise _missing(f"{kind.__name__} is not in {work / kind.FILE}.")
    return found


def read_if_there(work: Path, kind: type[H]) -> H | None:
    """Like ``read``, with None where it is not there."""
    path = work / kind.FILE
    if issubclass(kind, Alone):
        return read_file(path, kind) if path.exists() else None
    part = _parts(path).get(kind.__name__)
    return None if part is None else _decoded(path, bytes(part), kind)


def is_there(work: Path, kind: type[HandOver]) -> bool:
    """Whether a step has left this part."""
    path = work / kind.FILE
    return path.is_file() if issubclass(kind, Alone) else kind.__name__ in _parts(path)


def remove(work: Path, kind: type[HandOver]) -> None:
    """Remove a part, so that an older run's is not taken for this one's."""
    path = work / kind.FILE
    if issubclass(kind, Alone):
        path.unlink(missing_ok=True)
    elif is_there(work, kind):
        write_file(path, {name: p for name, p in _parts(path).items() if name != kind.__name__})


def write_file(path: Path, value: object) -> None:
    """Write a value as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    partial.replace(path)


def read_file(path: Path, kind: type[T]) -> T:
    """Read a file that holds nothing else.

    Raises:
        EarlierStepMissing: the file is not there.
        InvalidInput: the file is not what its name says.
    """
    try:
        return _decoded(path, path.read_bytes(), kind)
    except FileNotFoundError:
        raise _missing(f"{path.name} is not in {path.parent}.") from None


def _parts(path: Path) -> dict[str, Raw]:
    return read_file(path, dict[str, Raw]) if path.is_file() else {}


def _decoded(path: Path, content: bytes, kind: type[T]) -> T:
    try:
        return json_codec.decode(content, kind)
    except msgspec.DecodeError as cause:
        raise errors.InvalidInput(
            f"{path} cannot be read: {cause}",
            not_done="This step did nothing.",
            remedy="Delete the work folder and run the scripts again from start_run.py.",
        ) from None


def _missing(what: str) -> errors.EarlierStepMissing:
    return errors.EarlierStepMissing(
        what,
        not_done="This step did nothing.",
        remedy="Run the scripts in the order of action.yml, beginning with start_run.py.",
    )
