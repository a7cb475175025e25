"""Production in a database of its own: roles that own, use and read it, and a small project."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.lease import lease
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.warehouse import dependents
from standins import entry
from standins.jobs import plans, runs
from standins.warehouse.postgres import Database, Server

PROJECT = """
name: shop
version: "1.0"
profile: shop
flags:
  send_anonymous_usage_stats: false
"""

CATALOG = """
select json_agg(x order by x.name, x.kind) from (
  select c.oid::regclass::text as name, c.relkind::text as kind,
    array(select x::text from unnest(c.relacl) x order by 1) as acl,
    concat(c.reloptions, pg_get_viewdef(c.oid), c.relispopulated) as definition,
    pg_get_userbyid(c.relowner) as owner, obj_description(c.oid, 'pg_class') as comment,
    (select array_agg(concat(a.attname, a.attacl, col_description(c.oid, a.attnum),
        (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d
          where d.adrelid = c.oid and d.adnum = a.attnum)) order by a.attnum)
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0) as columns,
    array(select concat(pg_get_indexdef(i.indexrelid), obj_description(i.indexrelid))
      from pg_index i where i.indrelid = c.oid order by 1) as indexes,
    array(select pg_get_triggerdef(t.oid) from pg_trigger t where t.tgrelid = c.oid)
      || array(select pg_get_ruledef(w.oid) from pg_rewrite w
        where w.ev_class = c.oid and w.rulename <> '_RETURN') as more
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname not like 'pg_%' and n.nspname <> 'information_schema' and c.relkind in ('v', 'm')
  union all
  select p.oid::regprocedure::text, 'f', array(select x::text from unnest(p.proacl) x order by 1),
    pg_get_functiondef(p.oid),
    pg_get_userbyid(p.proowner), obj_description(p.oid, 'pg_proc'), null, null, null
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname not like 'pg_%' and n.nspname <> 'information_schema'
  union all
  select conname, 'k', null, pg_get_constraintdef(oid), null, null, null, null, null
  from pg_constraint where contype = 'f'
  union all
  select polname, 'p', null, concat(pg_get_expr(polqual, polrelid), polcmd, polroles), null, null,
    null, null, null
  from pg_policy
  union all
  select concat(adrelid::regclass, adnum), 'd', null, pg_get_expr(adbin, adrelid), null, null, null,
    null, null
  from pg_attrdef
  union all
  select concat(rulename, ev_class::regclass), 'r', null, pg_get_ruledef(w.oid), null, null, null,
    null, null
  from pg_rewrite w join pg_class c on c.oid = w.ev_class where c.relkind = 'r'
) x
"""


class Production:
    """The database, a project that builds it, a store with a lease, and the two scripts."""

    def __init__(self, folder: Path, server: Server, database: Database, dbt_command: Path) -> None:
        self.server = server
        self.database = database
        self.owner = server.create_role(database)
        self.other = server.create_role(database)
        self.reader = server.create_role(database)
        database.run(
            f"create schema analytics authorization {self.owner.user};"
            f"grant usage, create on schema analytics to {self.other.user};"
            f"grant usage on schema analytics to {self.reader.user};"
        )
        self.dbt_command = dbt_command
        self.project = folder / "project"
        self.folder = folder
        self.store = Folder(folder / "store")
        (folder / "store").mkdir()
        self.work = folder / "work"
        self.environment: dict[str, str] = {}
        self.nodes: list[work_files.PlannedNode] = []
        self.write("dbt_project.yml", PROJECT)
        self.write(
            "profiles.yml", json.dumps({"shop": {"target": "p", "outputs": {"p": self._target()}}})
        )

    def model(self, name: str, sql: str, materialized: str = "table", **config: Any) -> None:
        """A model of the project, not planned yet."""
        settings = ", ".join(
            f"{key}={value!r}" for key, value in {"materialized": materialized, **config}.items()
        )
        self.write(f"models/{name}.sql", f"{{{{ config({settings}) }}}}\n{sql}\n")

    def plan(self, name: str, materialized: str = "table", **fields: Any) -> None:
        """Have a node in plan.json."""
        kind = fields.pop("resource_type", "model")
        if kind == "function":
            fields["relation_name"] = None
        self.nodes.append(
            plans.node(name, kind, database=self.database.name, materialized=materialized, **fields)
        )

    def begin(self, *, full_refresh: bool = False, state: str | None = None, **asked: Any) -> None:
        """A run of its own: a fresh work folder, and the lease, from whomever had it.

        ``asked`` replaces inputs of the deploy.
        """
        self.work = self.folder / f"work-{len(list(self.folder.iterdir()))}"
        self.work.mkdir()
        lease.mark_broken(self.store, by="nobody", reason="the run before is gone")
        taken = lease.take(
            self.store, Lease(nonce=lease.new_nonce(), holder="me", purpose="a test")
        )
        assert isinstance(taken, lease.Taken)
        hand_over.write(self.work, taken.held)
        run = runs.run(
            runs.deploy(state=state or self.store.location, **asked),
            dbt=runs.project(self.project, command=str(self.dbt_command)),
            selection=work_files.Selection(full_refresh=full_refresh),
        )
        hand_over.write(self.work, run)
        hand_over.write(self.work, plans.plan(*self.nodes))

    def check(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """check_production.py."""
        return self.script("deploy/check_production", environment)

    def restore(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """restore_dependents.py."""
        return self.script("deploy/restore_dependents", environment)

    def list_nodes(self) -> None:
        """``dbt ls``, which leaves the manifest of the project as it is now."""
        subprocess.run(
            [self.dbt_command, "ls", "--quiet"],
            cwd=self.project,
            env=self._environment({}),
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def build(self, *arguments: str) -> int:
        """``dbt build`` as it is, its results where build_production.py would leave them."""
        with self.building(*arguments) as process:
            out, _ = process.communicate()
        (self.work / "dbt.txt").write_text(out)
        results = self.project / "target" / "run_results.json"
        if results.is_file():
            (self.work / work_files.RUN_RESULTS).write_bytes(results.read_bytes())
        return process.returncode

    @contextmanager
    def building(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The same, under way."""
        with subprocess.Popen(
            [self.dbt_command, "build", *arguments],
            cwd=self.project,
            env=self._environment({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            yield process

    @property
    def kept(self) -> tuple[deploy_files.Dependent, ...]:
        """What check_production.py says it kept."""
        return hand_over.read(self.work, deploy_files.Dependents).kept

    @property
    def leftovers(self) -> tuple[str, ...]:
        """What it says a killed dbt left."""
        return hand_over.read(self.work, deploy_files.Dependents).leftovers

    @property
    def restored(self) -> deploy_files.Restored:
        """What restore_dependents.py says."""
        return hand_over.read(self.work, deploy_files.Restored)

    @property
    def failure(self) -> work_files.Failure:
        """The failure of a script."""
        return hand_over.read(self.work, work_files.Failure)

    @property
    def in_store(self) -> list[str]:
        """Full names in kept.json."""
        return [one.full_name for one in dependents.read_earlier(self.store).dependents]

    def catalog(self) -> Any:
        """Everything that may hang on a table, as the catalog describes it."""
        return self.database.value(CATALOG)

    def there(self, *names: str) -> list[str]:
        """Those of these relations of ``analytics`` that exist."""
        found = self.database.rows(
            "select relname from pg_class where relnamespace = 'analytics'::regnamespace"
        )
        return [name for name in names if (name,) in found]

    def script(
        self, name: str, environment: dict[str, str], *, scripts: Path = entry.SCRIPTS
    ) -> subprocess.CompletedProcess[str]:
        """Any script of ours, with more in its environment."""
        return subprocess.run(
            entry.script(name, scripts=scripts),
            env=self._environment(environment),
            capture_output=True,
            text=True,
            check=False,
        )

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DBT_DEPLOY_WORK": str(self.work),
            "DBT_PASSWORD": self.owner.password,
            **self.environment,
            **more,
        }

    def _target(self) -> dict[str, Any]:
        return {
            "type": "postgres",
            "host": self.owner.host,
            "port": self.owner.port,
            "user": self.owner.user,
            "password": "{{ env_var('DBT_PASSWORD') }}",
            "dbname": self.owner.name,
            "schema": "analytics",
            "threads": 1,
        }

    def write(self, path: str, text: str) -> None:
        file = self.project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
