"""dbt's `run-operation` without dbt: our macros, rendered by Jinja, on a real PostgreSQL.

What is faked is the transport: finding the macro, the connection, what the macros are given by dbt
(https://docs.getdbt.com/reference/dbt-jinja-functions). The macros, their SQL and the server are
real. ``commits=False`` is dbt 1.8: what is not committed by the macro itself is undone at the end.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import psycopg
from psycopg.rows import tuple_row

from dbtdeploy.context.work_files import LogError
from dbtdeploy.dbt.dbt_client import Dbt, Line, Outcome
from standins.warehouse.postgres import Database

DISPATCH = {
    "postgres": ("postgres", "default"),
    "redshift": ("redshift", "postgres", "default"),
    "duckdb": ("duckdb", "default"),
}


class MacroError(Exception):
    """A macro refused by ``raise_compiler_error``."""


class MacroDbt(Dbt):
    """Runs a macro as ``dbt run-operation`` would.

    Args:
        database: and the role.
        adapter: the name of an adapter whose macros are wanted.
        commits: whether each query is committed, as dbt 1.11 does.
        edit: may change a statement string before it is sent.
    """

    def __init__(
        self,
        database: Database,
        *,
        adapter: str = "postgres",
        commits: bool = True,
        edit: Callable[[str], str] = lambda statements: statements,
    ) -> None:
        self.database = database
        self.adapter = adapter
        self.commits = commits
        self.edit = edit
        self.queries = 0

    def connection(self) -> list[str]:
        """Nothing has to be named."""
        return []

    def run_ours(
        self,
        arguments: Sequence[str],
        *,
        package: Path,
        target: Path,  # noqa: ARG002  dbt's target folder
        name: str,  # noqa: ARG002  dbt's log folder
        on_line: Line,
        grace_seconds: float,  # noqa: ARG002
    ) -> Outcome:
        """``run-operation MACRO``."""
        macro = arguments[arguments.index("run-operation") + 1]
        try:
            with psycopg.connect(self.database.url, connect_timeout=10) as connection:
                _Run(self, connection, on_line).call(package, macro)
                if not self.commits:
                    connection.rollback()
        except (psycopg.Error, MacroError) as failure:
            logged = (LogError(message=str(failure)),)
            return Outcome(exit_code=1, interrupted=False, errors=logged)
        return Outcome(exit_code=0, interrupted=False, errors=())


class _Return(Exception):
    """How dbt's ``return()`` leaves a macro."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Table:
    """What ``run_query`` gives: rows of columns."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self.rows = list(rows)


class _Run:
    def __init__(self, dbt: MacroDbt, connection: psycopg.Connection[Any], on_line: Line) -> None:
        self._dbt = dbt
        self._connection = connection
        self._print = on_line
        self._macros: dict[str, Any] = {}

    def call(self, package: Path, macro: str) -> None:
        environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)
        environment.globals.update(self._given())
        for path in sorted((package / "macros").rglob("*.sql")):
            code = _compiled(path.read_text(encoding="utf-8"))
            template = jinja2.Template.from_code(environment, code, environment.globals)
            self._macros.update(
                (n, m)
                for n, m in vars(template.module).items()
                if isinstance(m, jinja2.runtime.Macro)
            )
        self.named(macro)()

    def named(self, name: str) -> Callable[..., Any]:
        macro = self._macros[name]

        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                return str(macro(*args, **kwargs))
            except _Return as returned:
                return returned.value

        return called

    def _given(self) -> dict[str, Any]:
        return {
            "dbtdeploy": _Package(self),
            "adapter": self,
            "exceptions": self,
            "run_query": self.run_query,
            "return": self._return,
            "print": self._printed,
            "tojson": json.dumps,
            "fromjson": json.loads,
            "target": {"database": self._dbt.database.name},
        }

    def dispatch(self, name: str, _package: str) -> Callable[..., Any]:
        kinds = DISPATCH[self._dbt.adapter]
        found = next(f"{kind}__{name}" for kind in kinds if f"{kind}__{name}" in self._macros)
        return self.named(found)

    def type(self) -> str:
        return self._dbt.adapter

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def raise_compiler_error(self, message: str) -> None:
        raise MacroError(message)

    def run_query(self, statements: str) -> _Table:
        statements = self._dbt.edit(statements)
        self._dbt.queries += 1
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(statements.encode())
            while cursor.nextset():
                pass
            rows = cursor.fetchall() if cursor.description else []
        if self._dbt.commits:
            self._connection.commit()
        return _Table(rows)

    def _return(self, value: Any) -> None:
        raise _Return(value)

    def _printed(self, text: Any) -> str:
        self._print(str(text))
        return ""


class _Package:
    def __init__(self, run: _Run) -> None:
        self._run = run

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._run.named(name)


@functools.lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    return jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False).compile(text)
