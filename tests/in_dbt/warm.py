"""A warm dbt a version for many tests, the plain command to compare with, a plugin that looks.

The plugin is a module ``dbt_probe`` on PYTHONPATH, which dbt imports in each command that has a
project, as it does with those of others. What it does is told by variables of that command.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbtdeploy.context.work_files import DbtProject
from dbtdeploy.dbt import commands, interpreter
from dbtdeploy.dbt.dbt_client import Dbt
from dbtdeploy.dbt.dbt_server_client import SavedParse, WarmDbt
from standins.warehouse import postgres

PROBE = """
import atexit, gc, importlib.util, json, os, pkgutil, sys, threading, time

def tell(name, what):
    with open(os.path.join(os.environ["PROBE"], name), "a") as out:
        out.write(what if isinstance(what, str) else json.dumps(what))

def late():
    time.sleep(0.3)
    tell("thread", "done")

if os.environ.get("PROBE"):
    ours = ["checked_build", "saved_parse", "serve", "dbtdeploy"]
    tell("seen.json", {
        "argv": sys.argv, "cwd": os.getcwd(), "environ": dict(os.environ), "path": sys.path,
        "importable": [n for n in ours if n in sys.modules or importlib.util.find_spec(n)],
        "listed": sorted(m.name for m in pkgutil.iter_modules() if m.name in ours),
    })
    atexit.register(tell, "atexit", "done")
    threading.Thread(target=late).start()
    from dbt.task.run import ModelRunner
    compiled = ModelRunner.compile
    def compile(self, manifest):
        tell("collects", str(gc.isenabled()) + "\\n")
        return compiled(self, manifest)
    ModelRunner.compile = compile
if os.environ.get("PROBE_SAYS"):
    for _ in range(3000):
        print("y" * 99)
    sys.stdout.flush()
if os.environ.get("PROBE_WRITES"):
    import dbt.contracts.graph.manifest as graph
    written = graph.Manifest.write
    def write(self, path):
        tell("writes", os.path.basename(path) + "\\n")
        return written(self, path)
    graph.Manifest.write = write
    import dbt.parser.manifest as parser
    loaded = parser.ManifestLoader.load
    def load(self):
        tell("parses", "once\\n")
        return loaded(self)
    parser.ManifestLoader.load = load
"""

NOT_COMPARED = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?|\b\d+\.\d+s\b|\d+\.\d+ seconds?|\x1b\[\d*m")
PASSING = {
    *("generated_at", "invocation_id", "invocation_started_at", "created_at", "run_started_at"),
    *("started_at", "completed_at", "execution_time", "elapsed_time", "thread_id"),
    "cache_selected_only",
}
"""The last is what a checked build sets where the caller has not."""


@dataclass(frozen=True)
class Ended:
    """One command: its exit code, and the lines of its output."""

    code: int
    lines: list[str]

    def comparable(self) -> list[str]:
        """The lines without what no two runs have in common."""
        return [NOT_COMPARED.sub("~", line) for line in self.lines]


class Warm:
    """A dbt of one version, warm and plain."""

    def __init__(self, version: str, command: Path, folder: Path) -> None:
        self.version = version
        self.command = command
        self._probe = folder / "probe"
        self._probe.mkdir()
        (self._probe / "dbt_probe.py").write_text(PROBE)
        variables = self.variables(folder, ONLY_WHILE_IMPORTED="1")
        found = interpreter.find(str(command), folder=folder, variables=variables)
        assert isinstance(found, interpreter.Interpreter), found
        self.server = WarmDbt(found, folder=str(folder), variables=variables)

    def variables(self, home: Path, **more: str) -> dict[str, str]:
        """The environment of a command; whatever else is in ours is not in it."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": str(self._probe),
            **more,
        }

    def run(self, arguments: Sequence[str], folder: Path, **options: Any) -> Ended:
        """Run a command warm; ``variables`` are added, the rest is of ``WarmDbt.start``."""
        variables = self.variables(folder, **options.pop("variables", {}))
        process = self.server.start(arguments, folder=str(folder), variables=variables, **options)
        lines = list(process.lines())
        return Ended(process.wait()[0], lines)

    def plain(
        self, arguments: Sequence[str], folder: Path, *, variables: Mapping[str, str] | None = None
    ) -> Ended:
        """Run the command itself."""
        done = subprocess.run(
            [self.command, *arguments],
            cwd=folder,
            env=self.variables(folder, **(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout.splitlines())

    def edge(self, folder: Path, logs: Path, variables: Mapping[str, str]) -> Dbt:
        """What the scripts use; to be warm it needs ``server`` as the one that runs."""
        project = DbtProject(
            command=str(self.command),
            project_dir=str(folder),
            repository_path=".",
            name="shop",
            profiles_dir=str(folder),
            profile="shop",
            target=None,
            target_path=str(folder / "target"),
            packages_path=str(folder / "dbt_packages"),
        )
        return Dbt(
            project,
            variables=self.variables(folder, **variables),
            redact=lambda text: text,
            logs=logs,
            one_process=True,
        )


def lines(*selection: str, extra: Sequence[str] = (), then: Sequence[str] = ()) -> dict[str, Any]:
    """The command lines of a checked build of what is selected."""
    parse = commands.parsing(tuple(extra))
    assert not isinstance(parse, str)
    keys = ("--output", "json", "--output-keys", commands.LISTED_KEYS)
    found = {
        "parse": parse,
        "ls": [*commands.SILENT, "ls", *selection, *keys],
        "build": ["build", "--no-use-colors", *selection, *extra],
    }
    return {**found, "then": then} if then else found


def no_parse(folder: Path) -> SavedParse:
    """No saved parse to start from."""
    return SavedParse(folders=(), kept=None, report=str(folder / "used.json"))


PROFILE = """
shop:
  outputs:
    dev: {{type: postgres, host: {host}, port: {port}, user: "{user}", dbname: {name}, threads: 1,
      password: "{{{{ env_var('PASSWORD', 'wrong') }}}}",
      schema: "{{{{ env_var('SCHEMA', 'made') }}}}", connect_timeout: 2}}
  target: dev
"""

PROJECT = """
name: shop
version: "1.0.0"
profile: shop
flags: {send_anonymous_usage_stats: false}
on-run-start: ["create table if not exists {{ target.schema }}.hooked (i int)"]
seeds: {+quote_columns: false}
"""

PROPERTIES = """
version: 2
sources:
  - {name: raw, schema: landing, tables: [{name: orders}, {name: customers}]}
models:
  - name: stg_orders
    columns: [{name: id, tests: [unique, not_null]}]
  - name: stg_customers
    columns:
      - name: id
        tests:
          - relationships: {to: ref('stg_orders'), field: id}
  - {name: alone, columns: [{name: id, tests: [not_null]}]}
  - {name: doubled, columns: [{name: id, tests: [unique]}]}
exposures:
  - {name: board, type: dashboard, owner: {email: a@example.com}, depends_on: [ref('alone')]}
unit_tests:
  - name: adds_up
    model: alone
    given: [{input: ref('countries'), rows: [{id: 1}]}]
    expect: {rows: [{id: 2}]}
"""

FILES = {
    "dbt_project.yml": PROJECT,
    "models/properties.yml": PROPERTIES,
    "models/stg_orders.sql": "{{ config(materialized='table') }}"
    " select * from {{ source('raw', 'orders') }}",
    "models/stg_customers.sql": "select * from {{ source('raw', 'customers') }}",
    "models/joined.sql": "select o.id from {{ ref('stg_orders') }} o"
    " join {{ ref('stg_customers') }} using (id)",
    "models/last.sql": "select * from {{ ref('joined') }}",
    "models/alone.sql": "select c.id + 1 as id from {{ ref('countries') }} c",
    "models/passing.sql": "{{ config(materialized='ephemeral') }} select 1 as one",
    "models/doubled.sql": "select one as id from {{ ref('passing') }} union all select 1",
    "models/hangs_on_doubled.sql": "select * from {{ ref('doubled') }}",
    "models/grown.sql": "{{ config(materialized='incremental') }}"
    " select * from {{ ref('stg_orders') }} {% if is_incremental() %} where false {% endif %}",
    "snapshots/kept.sql": "{% snapshot kept %}{{ config(target_schema=target.schema,"
    " unique_key='id', strategy='check', check_cols='all') }}"
    " select * from {{ ref('stg_orders') }}{% endsnapshot %}",
    "seeds/countries.csv": "id\n1\n2\n",
    "tests/none_negative.sql": "select * from {{ ref('stg_orders') }} where id < 0",
}
"""Two tests fail: the relationship, on which ``joined`` and ``last`` hang, and that ``doubled`` is
unique. The models begin with sources."""

LANDED = """
create schema if not exists landing;
create table landing.orders as select 1 as id;
create table landing.customers as select 2 as id;
"""


@dataclass(frozen=True)
class Shop:
    """A project with its warehouse."""

    folder: Path
    database: postgres.Database

    @property
    def variables(self) -> dict[str, str]:
        """What its profile needs."""
        return {"PASSWORD": self.database.password}

    def schemas(self) -> set[str]:
        """The schemas that are there."""
        return {name for (name,) in self.database.rows("select nspname from pg_namespace")}


def write(folder: Path, files: Mapping[str, str], database: postgres.Database) -> Path:
    """Lay out a project with its profile; the password is the variable PASSWORD."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profiles.yml").write_text(
        PROFILE.format(
            host=database.host, port=database.port, user=database.user, name=database.name
        )
    )
    return folder


def plain_json(path: Path) -> Any:
    """An artifact without what no two runs have in common."""
    return _lasting(json.loads(path.read_text()))


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(each) for key, each in value.items() if key not in PASSING}
    return [_lasting(each) for each in value] if isinstance(value, list) else value


def texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All files below a folder with their content."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
