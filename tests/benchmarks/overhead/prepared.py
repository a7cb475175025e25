"""What is there before a pull request is opened: environments, a repository, production."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import generated
from benchmarks.overhead import measured
from benchmarks.overhead.servers import Servers
from dbtdeploy import environments
from demo import events, jobs, processes, production, world
from demo.production import Dbt
from demo.repository import ROOT, Repository
from demo.world import World
from standins import github, postgres

REQUIREMENTS = ROOT / "tests" / "requirements"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The folder that all sizes share."""

    folder: Path
    servers: Servers
    hub: github.Hub
    dbt: str
    """Version of dbt, as ``1.12``."""

    @property
    def environment(self) -> Path:
        """Where our action keeps its environments; the archive holds them under this path."""
        return self.folder / f"environment-{self.dbt}"

    @property
    def workspace(self) -> Path:
        """Every job's checkout, one after the other, as on GitHub's runners."""
        return self.folder / "workspace"

    @property
    def archive(self) -> Path:
        """As actions/cache would have stored it."""
        return self.folder / f"environment-{self.dbt}.tzst"

    def put_away(self, path: Path) -> None:
        """Move a folder out of the way; it is removed at the very end.

        ext4 looks long for inodes where many were freed in the last minutes: an environment takes
        2 s of CPU to restore, and 15 s right after the one before it was removed.
        """
        if path.exists():
            trash = self.folder / "trash"
            trash.mkdir(exist_ok=True)
            path.rename(trash / uuid.uuid4().hex)

    @property
    def requirements(self) -> str:
        """The locked list that both sides install."""
        return (REQUIREMENTS / f"dbt-{self.dbt}.txt").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One size, deployed."""

    bench: Bench
    world: World
    project: generated.Project
    size: int
    deploy_seconds: float

    @property
    def recipe_state(self) -> str:
        """Where the recipe finds production's manifest, and may read it."""
        return f"{self.world.production.state_url}/by-hand"

    def next_number(self) -> int:
        """Of a pull request that was never there before."""
        file = self.world.folder / "number"
        number = int(file.read_text()) + 1 if file.is_file() else 1
        file.write_text(str(number))
        return number


def index_variables() -> dict[str, str]:
    """How this machine reaches its package index; no cache of packages with it."""
    found = {
        name: value
        for name, value in processes.clean_environment().items()
        if name.startswith(processes.KEPT_PREFIXES) or name == "SSL_CERT_FILE"
    }
    for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "PIP_FIND_LINKS"):
        found.pop(name, None)
    # dbt 1.12's parser cannot be built without GitHub; see tests/requirements/override.txt.
    return {**found, "UV_OVERRIDE": str(REQUIREMENTS / "override.txt")}


def make_environment(bench: Bench) -> None:
    """Our environment and dbt's, made once as a first job would and not measured."""
    project = bench.workspace
    project.mkdir(exist_ok=True)
    (project / "requirements.txt").write_text(bench.requirements, encoding="utf-8")
    variables = processes.clean_environment(
        **index_variables(),
        PATH=jobs.search_path(),
        DBT_DEPLOY_ENV_FOLDER=str(bench.environment),
        DBT_DEPLOY_DBT="requirements.txt",
        GITHUB_WORKSPACE=str(project),
        RUNNER_TEMP=str(bench.folder),
    )
    script = str(ROOT / "scripts" / "setup_environment.py")
    for mode in ("own", "dbt"):
        processes.run(["python3", script, mode], cwd=project, environment=variables)
    stamps = bench.environment.glob(f"*/{environments.STAMP}")
    newest = max(stamp.stat().st_mtime for stamp in stamps)
    if not bench.archive.is_file() or bench.archive.stat().st_mtime < newest:
        measured.save(measured.Cache(folder=bench.environment, archive=bench.archive))


def prepare(bench: Bench, size: int) -> Prepared:
    """A size's repository and production, as an earlier call left them or made anew."""
    folder = bench.folder / f"{bench.dbt}-{size}"
    project = generated.plan(size)
    ready = folder / "ready.json"
    if ready.is_file():
        told = json.loads(ready.read_text())
        bench.put_away(folder / "jobs")
        made = _world(bench, folder, size, told["passwords"])
        return Prepared(
            bench=bench, world=made, project=project, size=size, deploy_seconds=told["seconds"]
        )
    bench.put_away(folder)
    generated_repository = generated.write(project, folder / "origin")
    generated_repository.commit("main", "Pin dbt", {"requirements.txt": bench.requirements})
    passwords = _load(bench, project, size)
    made = _world(bench, folder, size, passwords)
    seconds = _deploy(bench, made, folder)
    ready.write_text(json.dumps({"passwords": passwords, "seconds": seconds}))
    prepared = Prepared(bench=bench, world=made, project=project, size=size, deploy_seconds=seconds)
    _publish_for_the_recipe(prepared)
    return prepared


def _names(bench: Bench, size: int) -> tuple[str, str, str]:
    ending = f"{bench.dbt.replace('.', '_')}_{size}"
    return f"bench_{ending}", f"dbt_prod_{ending}", f"dbt_ci_{ending}"


def _load(bench: Bench, project: generated.Project, size: int) -> dict[str, str]:
    """A database with the raw tables, and two roles that may do what the README says."""
    server = bench.servers.warehouse
    name, producer, reader = _names(bench, size)
    server.drop_database(name)
    for role in (producer, reader):
        server.database().run(f"drop role if exists {role}")
    database = server.create_database(name)
    ways = {role: server.create_role(database, role) for role in (producer, reader)}
    database.run("create schema raw")
    statements = generated.raw_tables(project).split(";")
    for start in range(0, len(statements), 200):
        database.run(";".join(statements[start : start + 200]))
    grants = [
        f"grant create on database {name} to {producer}, {reader}",
        f"grant usage on schema raw to {producer}, {reader}",
        f"grant select on all tables in schema raw to {producer}, {reader}",
    ]
    for schema in generated.SCHEMAS:
        grants += [
            f"create schema {schema} authorization {producer}",
            f"grant usage on schema {schema} to {reader}",
            f"alter default privileges for role {producer} in schema {schema}"
            f" grant select on tables to {reader}",
        ]
    database.run(";".join(grants))
    return {role: way.password for role, way in ways.items()}


def _world(bench: Bench, folder: Path, size: int, passwords: Mapping[str, str]) -> World:
    server, (name, producer, reader) = bench.servers.warehouse, _names(bench, size)
    bin_folder = bench.folder / "no-dbt-but-what-the-action-installs"

    def connection(role: str) -> dict[str, str]:
        way: postgres.Database = server.database(name, user=role, password=passwords[role])
        return Dbt(bin_folder=bin_folder, database=way).connection

    owner = server.database(name, user=producer, password=passwords[producer])
    return World(
        folder=folder,
        warehouse=server,
        database=server.database(name),
        store=bench.servers.store,
        github=bench.hub,
        repository=Repository(folder=folder / "origin"),
        dbt=Dbt(bin_folder=bin_folder, database=owner),
        production=world.environment_at(
            bench.servers.store, f"{production.PREFIX}-{bench.dbt}-{size}", None
        ),
        artifacts=folder,
        pull_request_role=connection(reader),
        production_role=connection(producer),
    )


def _deploy(bench: Bench, made: World, folder: Path) -> float:
    """Deploy ``main`` by the action itself; gives the seconds it took."""
    print(f"Deploying {folder.name} ...", file=sys.stderr, flush=True)
    bench.put_away(bench.workspace)
    checkout = made.repository.check_out_only("main", bench.workspace)
    for left in bench.folder.glob(f"{bench.workspace.name}-runner-*"):
        bench.put_away(left)
    began = time.monotonic()
    job = jobs.run(
        made,
        checkout,
        events.push(checkout),
        command="deploy",
        inputs={"dbt": "requirements.txt"},
        variables={**index_variables(), "DBT_DEPLOY_ENV_FOLDER": str(bench.environment)},
    )
    (folder / "deploy.log").write_text(job.log)
    if not job.succeeded:
        raise SystemExit(f"Production was not deployed; see {folder / 'deploy.log'}")
    return time.monotonic() - began


def _publish_for_the_recipe(prepared: Prepared) -> None:
    """Production's manifest where people copy it by hand."""
    built = prepared.bench.workspace / "target" / "manifest.json"
    _, _, prefix = prepared.recipe_state.removeprefix("s3://").partition("/")
    prepared.world.store.put(production.BUCKET, f"{prefix}/manifest.json", built.read_bytes())


def recipe_python(bench: Bench) -> Path:
    """A fresh environment with pip and nothing else, which stands for setup-python's Python."""
    fresh, used = bench.folder / "recipe-fresh", bench.folder / "recipe-python"
    if not fresh.is_dir():
        bench.put_away(used)
        environment = {**processes.clean_environment(), **index_variables()}
        python = str(Path(sys.executable).resolve())
        for command in (
            [python, "-m", "venv", str(used)],
            [str(used / "bin" / "python"), "-m", "pip", "install", "--quiet", "--upgrade", "pip"],
        ):
            subprocess.run(command, env=environment, check=True)
        used.rename(fresh)
    bench.put_away(used)
    shutil.copytree(fresh, used, symlinks=True)
    return used / "bin"


def aws_command(bench: Bench) -> Path:
    """A folder with a command ``aws``, the recipe's stand-in for the command line."""
    command = bench.folder / "bin" / "aws"
    command.parent.mkdir(exist_ok=True)
    script = ROOT / "tests" / "benchmarks" / "recipe" / "aws_s3_cp.py"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
    command.chmod(0o755)
    return command.parent


def path_for(*folders: Path) -> str:
    """PATH with these folders first."""
    return os.pathsep.join([*map(str, folders), jobs.search_path()])
