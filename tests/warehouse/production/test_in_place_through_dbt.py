"""What real dbt does to a copy, done to the live table: every strategy that dbt-postgres has.

Production is built once, then the same second build runs twice: in staging, for a release, and in
a twin of production, as a deploy would. After the release both hold the same rows and columns and
saw the same events, and production's tables are the objects that they were.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dbtdeploy.artifacts import artifacts
from dbtdeploy.release import in_place
from standins.warehouse.greens import Shop
from standins.warehouse.postgres import Database, Server

SOURCE = """
{{% set second = var('step', 1) == 2 %}}
select n as id, n % 3 as part, 'v' || n {value} as v{more}
from generate_series(1, 6) n where n <= {{{{ 6 if second else 4 }}}}
{{% if is_incremental() %}} {where} {{% endif %}}
"""


def model(config: str, value: str = "", more: str = "", where: str = "and n > 2") -> str:
    return f"{{{{ config(materialized='incremental', {config}) }}}}\n" + SOURCE.format(
        value=value, more=more, where=where
    )


SECOND = "|| '{{ '!' if second }}'"
WIDER = "{% if second %}, n * 1.5 as w{% endif %}"
SNAPSHOT = """
{{% snapshot {name} %}}
{{{{ config(unique_key='id', {config}, hard_deletes='{deletes}') }}}}
select n as id, 'v' || case when n < 3 then {{{{ var('step', 1) }}}} else n end as v,
  timestamp '2026-01-01' + n * interval '1 day' + {{{{ var('step', 1) }}}} * interval '1 hour' as at
from generate_series(1, 5) n where n <> {{{{ var('step', 1) }}}} + 2
{{% endsnapshot %}}
"""

MODELS = {
    "appended": model("incremental_strategy='append'"),
    "keyless": model(""),
    "one_key": model("unique_key='id'", SECOND),
    "two_keys": model("unique_key=['id', 'part']", SECOND),
    "predicates": model(
        "unique_key='id', incremental_predicates=[\"DBT_INTERNAL_DEST.part < 2\"]"
        ", incremental_strategy='merge'",
        SECOND,
    ),
    "merged": model("unique_key='id', incremental_strategy='merge'", SECOND),
    "merged_some": model(
        "unique_key='id', incremental_strategy='merge', merge_update_columns=['part']", SECOND
    ),
    "never_matched": model("incremental_strategy='merge'"),
    "wider": model("unique_key='id', on_schema_change='append_new_columns'", SECOND, WIDER),
    "synced": model(
        "unique_key='id', on_schema_change='sync_all_columns'",
        SECOND,
        "{% if second %}, n::bigint as k{% else %}, n as k, 1 as gone{% endif %}",
    ),
    "longer": model("unique_key='id'", "").replace(
        "as v", "{% if second %}::varchar(40){% else %}::varchar(2){% endif %} as v"
    ),
    "reads_itself": model("unique_key='id'", where="and n > (select max(id) - 1 from {{ this }})"),
    "batches": "{{ config(materialized='incremental', incremental_strategy='microbatch',"
    " unique_key='id', event_time='at', batch_size='day', begin='2026-01-01',"
    " concurrent_batches=false) }}\n"
    "select id, at, v || '{{ var('step', 1) }}' as v from {{ ref('events') }}",
    "events": "{{ config(event_time='at') }} select n as id,"
    " timestamp '2026-01-01' + n * interval '8 hours' as at, 'v' as v"
    " from generate_series(1, {{ 12 if var('step', 1) == 2 else 6 }}) n",
}
SNAPSHOTS = {
    name: SNAPSHOT.format(name=name, config=config, deletes=deletes)
    for name, config, deletes in (
        ("by_time", "strategy='timestamp', updated_at='at'", "ignore"),
        ("by_check", "strategy='check', check_cols=['v']", "ignore"),
        ("invalidated", "strategy='timestamp', updated_at='at'", "invalidate"),
        ("with_deleted", "strategy='check', check_cols=['v']", "new_record"),
    )
}
LIVE = [name for name in (*MODELS, *SNAPSHOTS) if name != "events"]

TIMES = "dbt_updated_at|dbt_valid_from|dbt_valid_to|dbt_scd_id"
"""When a snapshot was taken, which differs between two builds."""

SEEN = """
create table twin.audit (n bigint generated always as identity, schema text, name text, op text,
  row jsonb);
create function twin.seen() returns trigger language plpgsql as $$
begin
  insert into twin.audit (schema, name, op, row)
    values (tg_table_schema, tg_table_name, tg_op, jsonb_build_array(
      to_jsonb(old) - array['dbt_updated_at', 'dbt_valid_from', 'dbt_valid_to', 'dbt_scd_id'],
      to_jsonb(new) - array['dbt_updated_at', 'dbt_valid_from', 'dbt_valid_to', 'dbt_scd_id']));
  return null;
end $$;
"""


class Project:
    """A project that can be built into any schema."""

    def __init__(self, folder: Path, role: Database, command: Path) -> None:
        self.folder, self.command = folder, command
        (folder / "models").mkdir(parents=True)
        (folder / "snapshots").mkdir()
        (folder / "dbt_project.yml").write_text(
            json.dumps({"name": "shop", "version": "1.0", "profile": "shop"})
        )
        output = {
            "type": "postgres",
            "host": role.host,
            "port": role.port,
            "user": role.user,
            "password": role.password,
            "dbname": role.name,
            "schema": "{{ env_var('INTO') }}",
            "threads": 2,
        }
        profile = {"shop": {"target": "prod", "outputs": {"prod": output}}}
        (folder / "profiles.yml").write_text(json.dumps(profile))
        for name, text in MODELS.items():
            (folder / "models" / f"{name}.sql").write_text(text)
        for name, text in SNAPSHOTS.items():
            (folder / "snapshots" / f"{name}.sql").write_text(text)

    def build(self, schema: str, step: int) -> None:
        times = ("2026-01-01", "2026-01-04") if step == 1 else ("2026-01-02", "2026-01-06")
        ended = subprocess.run(
            [
                *(self.command, "build", "--vars", json.dumps({"step": step})),
                *("--event-time-start", times[0], "--event-time-end", times[1]),
                *("--profiles-dir", ".", "--no-send-anonymous-usage-stats", "--no-use-colors"),
            ],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "INTO": schema,
                "LANG": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-6000:]


def columns(database: Database, schema: str, name: str) -> list[tuple[str, str]]:
    query = (
        "select attname::text, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by 1"
    )
    return database.rows(query, (f"{schema}.{name}",))


def contents(database: Database, schema: str, name: str) -> list[str]:
    """Rows as JSON, columns by name: a column that was retyped may stand elsewhere."""
    query = f"select to_jsonb(t) - string_to_array('{TIMES}', '|') from {schema}.{name} t"
    return sorted(json.dumps(row, sort_keys=True) for (row,) in database.rows(query))


def events(
    database: Database, schema: str, name: str, *, ordered: bool
) -> tuple[list[tuple[str, str]], list[str]]:
    """What the trigger saw: each row once, and the order of the statements where that is told."""
    query = "select op, row from twin.audit where schema = %s and name = %s order by n"
    found = database.rows(query, (schema, name))
    rows = sorted((op, json.dumps(row, sort_keys=True)) for op, row in found)
    return rows, [op for op, _ in found] if ordered else []


@pytest.mark.fault(34, 53, 86)
def test_every_strategy_leaves_what_it_leaves_in_production(
    tmp_path: Path, postgres_server: Server, database: Database, dbt_command: Path
) -> None:
    shop = Shop(tmp_path, postgres_server, database)
    database.run(f"create schema twin authorization {shop.owner.user}")
    project = Project(tmp_path / "project", shop.owner, dbt_command)
    project.build("analytics", 1)
    # Keyless tables may hold the same row twice.
    shop.owner.run("insert into analytics.keyless select * from analytics.keyless")
    shop.owner.run(SEEN)
    for name in LIVE:
        shop.owner.run(
            f"create table twin.{name} (like analytics.{name} including all);"
            f"insert into twin.{name} select * from analytics.{name}"
        )
        for schema in ("analytics", "twin"):
            shop.owner.run(
                f"create trigger seen after insert or update or delete on {schema}.{name}"
                " for each row execute function twin.seen()"
            )
    oids = {name: database.value(f"select 'analytics.{name}'::regclass::oid") for name in LIVE}

    release = shop.begin()
    release.prepare(*LIVE)
    project.build(release.green(), 2)
    manifest = artifacts.read_manifest(project.folder / "target" / "manifest.json")
    assert manifest is not None
    for name in LIVE:
        kind = "snapshot" if name in SNAPSHOTS else "model"
        known = manifest.find(f"{kind}.shop.{name}")
        assert known is not None
        release.stage(
            name,
            None,
            known.materialized or "",
            keys=in_place.keys(known, manifest),
            updates=in_place.updated_columns(known),
        )
    project.build("twin", 2)
    swapped = release.go()
    assert swapped.outcome == "done", swapped

    for name in LIVE:
        ours, theirs = (contents(database, schema, name) for schema in ("analytics", "twin"))
        assert ours == theirs, name
        assert columns(database, "analytics", name) == columns(database, "twin", name), name
        assert database.value(f"select 'analytics.{name}'::regclass::oid") == oids[name], name
        if name in ("synced", "longer"):
            # dbt writes each row to change a column's type; ALTER TABLE does it without.
            continue
        ordered = "merge" not in name and name not in ("predicates", "batches")
        seen = events(database, "analytics", name, ordered=ordered)
        assert seen == events(database, "twin", name, ordered=ordered), name
        assert seen[0], name


def test_which_models_may_share_their_table_with_other_writers(
    tmp_path: Path, postgres_server: Server, database: Database, dbt_command: Path
) -> None:
    shop = Shop(tmp_path, postgres_server, database)
    project = Project(tmp_path / "project", shop.owner, dbt_command)
    subprocess.run(
        [dbt_command, "--quiet", "parse", "--profiles-dir", "."],
        cwd=project.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "INTO": "analytics"},
        check=True,
    )
    manifest = artifacts.read_manifest(project.folder / "target" / "manifest.json")
    assert manifest is not None
    found = {
        node.name: in_place.keys(node, manifest)
        for node in manifest.nodes.values()
        if node.name in LIVE
    }
    assert {name: keys for name, keys in found.items() if keys} == {
        **dict.fromkeys(("one_key", "merged", "merged_some", "wider", "synced", "longer"), ("id",)),
        "two_keys": ("id", "part"),
        "batches": ("id",),
    }
    updates = {
        node.name: in_place.updated_columns(node)
        for node in manifest.nodes.values()
        if node.name in LIVE
    }
    assert {name: sets for name, sets in updates.items() if sets is not None} == {
        **dict.fromkeys(("merged", "predicates", "never_matched", "batches"), ()),
        "merged_some": ("part",),
    }
