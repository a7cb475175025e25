"""Our macros are parsed once for an environment; a project of the caller's never is that way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from in_dbt import warm
from in_dbt.warm import Warm
from standins import postgres

OURS = {
    "dbt_project.yml": "{name: ours, profile: shop, model-paths: []}",
    "macros/tell.sql": "{% macro tell() %}{{ print('first in ' ~ target.schema ~ ' as '"
    " ~ run_query('select current_user')[0][0]) }}{% endmacro %}",
}


def test_it_is_parsed_once_for_every_connection_and_anew_when_it_changes(
    newest: Warm, postgres_server: postgres.Server, database: postgres.Database, tmp_path: Path
) -> None:
    package = warm.write(tmp_path / "ours", OURS, database)
    other = replace(postgres_server.create_role(database), host="localhost")
    parse = newest.kept / "own_package" / "partial_parse.msgpack"
    parse.unlink(missing_ok=True)

    def told(schema: str, role: postgres.Database) -> str:
        # The profile of the caller's project, which names schema, user and host.
        caller = warm.write(tmp_path / schema, {}, role)
        edge = newest.edge(caller, tmp_path / "logs", {"PASSWORD": role.password, "SCHEMA": schema})
        lines: list[str] = []
        outcome = edge.run_ours(
            ["--quiet", "run-operation", "tell"],
            package=package,
            target=tmp_path / "never",
            name=schema,
            on_line=lines.append,
            grace_seconds=1,
        )
        assert outcome.exit_code == 0, lines
        return "\n".join(lines)

    assert told("one", database) == f"first in one as {database.user}"
    made = parse.stat().st_mtime_ns
    assert told("two", other) == f"first in two as {other.user}"
    assert parse.stat().st_mtime_ns == made
    macro = package / "macros" / "tell.sql"
    macro.write_text(macro.read_text().replace("first", "changed"))
    assert told("three", database) == f"changed in three as {database.user}"
    assert parse.stat().st_mtime_ns != made
    assert not (tmp_path / "never").exists()


def test_a_project_of_the_callers_is_not_taken_for_one_of_another_connection(
    newest: Warm, database: postgres.Database, tmp_path: Path
) -> None:
    files = {"dbt_project.yml": warm.PROJECT, "models/one.sql": "select '{{ target.schema }}'"}
    folder = warm.write(tmp_path, files, database)
    for schema in ("one", "two"):
        variables = {"PASSWORD": database.password, "SCHEMA": schema}
        assert newest.run(["parse"], folder, variables=variables, own_package=True).code == 0
        nodes = json.loads((folder / "target" / "manifest.json").read_text())["nodes"]
        assert nodes["model.shop.one"]["schema"] == schema
