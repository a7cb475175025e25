"""What pull requests keep in the store: which schemas they use.

The role of every pull request may write all of it, so nothing is dropped because an entry says so,
no entry is shown that is not as we would have written it, and a deploy reads none of it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import quote

import msgspec
from msgspec import Struct

from dbtdeploy.base import errors, json_codec
from dbtdeploy.context.work_files import Run
from dbtdeploy.store.object_store import Store

PREFIX = "pull-requests/"
NUMBER = re.compile(r"[1-9][0-9]{0,9}")
SCHEMA = re.compile(r"\w[\w$-]{0,254}")
"""A name that is inert in a log and in Markdown; another one is not ours."""

MOST_BYTES = 100_000
MOST_ENTRIES = 5_000
"""Of a listing: whoever fills the prefix must not keep a sweep busy for hours."""

NOT_CHANGED = "The registry of pull requests was not changed"

POLICY = (
    "Let the role write under pull-requests/ of the store, so that a sweep finds these schemas if "
    "the warehouse does not show them. In its IAM policy:\n"
    '    {{"Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], '
    '"Resource": "{resource}"}}'
)


class RegisteredPullRequest(Struct, frozen=True, kw_only=True):
    """``pull-requests/<number>/<project>-<target>.json``."""

    repository: str
    pull_request: int
    project: str
    target: str
    schemas: tuple[str, ...]
    sha: str
    run_url: str
    at: str
    """ISO 8601, UTC."""


def key(run: Run, number: int) -> str:
    """Where the entry of a pull request is, for this run's project and target."""
    return f"{PREFIX}{number}/{run.dbt.name}-{quote(run.dbt.target or '', safe='')}.json"


def write(store: Store, run: Run, number: int, schemas: Iterable[str]) -> None:
    """Say which schemas a pull request is about to use."""
    entry = RegisteredPullRequest(
        repository=run.event.repository,
        pull_request=number,
        project=run.dbt.name,
        target=run.dbt.target or "",
        schemas=tuple(schemas),
        sha=run.event.sha,
        run_url=run.event.run_url,
        at=run.started_at,
    )
    store.put(key(run, number), msgspec.json.encode(entry))


def numbers(store: Store, run: Run) -> list[int]:
    """The pull requests that have an entry for this run's project and target."""
    found = set()
    for entry in islice(store.list(PREFIX), MOST_ENTRIES):
        number = entry.key.removeprefix(PREFIX).partition("/")[0]
        if NUMBER.fullmatch(number) and entry.key == key(run, int(number)):
            found.add(int(number))
    return sorted(found)


def read(store: Store, run: Run, number: int) -> RegisteredPullRequest | None:
    """The entry of a pull request; None where there is none, or it is not as we write it."""
    stored = store.get(key(run, number))
    if stored is None or len(stored.body) > MOST_BYTES:
        return None
    try:
        entry = json_codec.decode(stored.body, RegisteredPullRequest)
    except msgspec.DecodeError:
        return None
    place = (entry.repository, entry.pull_request, entry.project, entry.target)
    if place != (run.event.repository, number, run.dbt.name, run.dbt.target or ""):
        return None
    return entry if all(SCHEMA.fullmatch(name) for name in entry.schemas) else None


def forget(store: Store, run: Run, number: int) -> None:
    """Remove the entry of a pull request."""
    store.delete(key(run, number))


@contextlib.contextmanager
def changed(location: str) -> Iterator[None]:
    """Within it a failure says that all else goes on, and which right the registry needs.

    Args:
        location: of the store, as the input says it.
    """
    try:
        yield
    except errors.DbtDeployError as failure:
        failure.not_done = "All else goes on without it."
        if isinstance(failure, errors.StateAccessDenied):
            failure.remedy = _right(location)
        raise


def _right(location: str) -> str:
    if not location.startswith("s3://"):
        return "Let the job's user write in that folder."
    return POLICY.format(resource=f"arn:aws:s3:::{location[5:].rstrip('/')}/{PREFIX}*.json")
