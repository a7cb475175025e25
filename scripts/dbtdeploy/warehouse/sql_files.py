"""A folder of SQL files of the team's own, read only."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.base import errors
from dbtdeploy.warehouse import sql_refs
from dbtdeploy.warehouse.release_macro_types import Query


def read(folder: Path, relations: sql_refs.Relations) -> tuple[Query, ...]:
    """Every ``.sql`` file below a folder as a query, named by its path there, in that order.

    Args:
        folder: absolute.
        relations: what ``ref`` and ``source`` stand for.

    Raises:
        InvalidInput: no such folder, no such file in it, or one that cannot be understood.
    """
    files = sorted(path for path in folder.rglob("*.sql") if path.is_file())
    if not files:
        said = "holds no .sql file" if folder.is_dir() else "is no folder"
        raise errors.InvalidInput(
            f"{folder} {said}.",
            not_done="No query was run, and nothing went live.",
            remedy="Check the inputs `checks` and `smoke-queries`: each names a folder of the "
            "repository that holds one query to a file.",
        )
    return tuple(_query(path, folder, relations) for path in files)


def _query(path: Path, folder: Path, relations: sql_refs.Relations) -> Query:
    name = path.relative_to(folder).as_posix()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise errors.InvalidInput(
            f"{path} cannot be read: {cause}.",
            not_done="No query was run, and nothing went live.",
            remedy="Save it as UTF-8 text with one query.",
        ) from None
    return Query(name=name, sql=sql_refs.resolve(text, name, relations))
