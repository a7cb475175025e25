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

import make_environments
from benchmarks import generated
from benchmarks.overhead import measured
from benchmarks.overhead.exported import Action
from benchmarks.overhead.servers import Servers
from demo import events, jobs, processes, production, world
from demo.production import Dbt
from demo.repository import NAME, ROOT, Repository
from demo.world import World
from standins.github import github
from standins.runner import runner
from standins.warehouse import postgres

DEPLOY_RUN_IDS = 17_000_000_000

LARGE = 1_000
WITHOUT_TESTS = "--exclude-resource-type test"
"""From so many models on production is deployed without its tests: 10,000 of them take long, and
what is measured never looks at their results."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The folder that all sizes share."""

    folder: Path
    servers: Servers
    hub: github.Hub
    dbt: str
    """Version of dbt, as ``1.12``."""

    action: Action

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

    @property
    def archive_key(self) -> Path:
        """Which version of ours it is for."""
        return self.archive.with_suffix(".key")

    def has_archive(self) -> bool:
        """Whether a job of this version finds its environment in the cache."""
        key = self.archive_key
        return self.archive.is_file() and key.is_file() and key.read_text() == self.action.key

    def fresh_runner(self) -> Path:
        """Nothing of an earlier job's, and our action downloaded anew; gives its folder."""
        folder = self.folder / "action"
        tools = self.environment.with_name(f"{self.environment.name}-tools")
        for left in (self.environment, tools, folder):
            self.put_away(left)
        return self.action.unpack(folder)

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
        return (make_environments.REQUIREMENTS / f"dbt-{self.dbt}.txt").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One size, deployed."""

    bench: Bench
    world: World
    project: generated.Project
    size: int
    deploy_seconds: float

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
    return {**found, "UV_OVERRIDE": str(make_environments.OVERRIDE)}


def prepare(bench: Bench, size: int) -> Prepared:
    """A size's repository and production, as an earlier call left them or made anew."""
    folder = bench.folder / f"{bench.dbt}-{size}"
    project = generated.plan(size)
    ready = folder / "ready.json"
    told = json.loads(ready.read_text()) if ready.is_file() else None
    if told is None:
        bench.put_away(folder)
        repository = generated.write(project, folder / "origin")
        repository.commit("main", "Pin dbt", {"requirements.txt": bench.requirements})
        told = {"passwords": _load(bench, project, size)}
    bench.put_away(folder / "jobs")
    made = _world(bench, folder, size, told["passwords"])
    if told.get("key") != bench.action.key:
        seconds = _deploy(bench, made, size)
        told = {**told, "seconds": seconds, "key": bench.action.key}
        _publish_for_the_recipe(bench, made)
        ready.write_text(json.dumps(told))
    return Prepared(
        bench=bench, world=made, project=project, size=size, deploy_seconds=told["seconds"]
    )


def _names(bench: Bench, size: int) -> tuple[str, str, str]:
    ending = f"{bench.dbt.replace('.', '_')}_{size}"
    return f"bench_{ending}", f"dbt_prod_{ending}", f"dbt_ci_{ending}"


def _load(bench: Bench, project: generated.Project, size: int) -> dict[str, str]:
    """A database with the raw tables, and two roles that may do what docs/set-up.md says."""
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
        f"alter role {producer} in database {name} set search_path = public",
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


def _deploy(bench: Bench, made: World, size: int) -> float:
    """Deploy ``main`` by the action itself; gives the seconds it took.

    The first one finds no environment and leaves one in the cache at its end, with all that the
    action keeps in that folder; so it is on GitHub, where a deploy's cache is there for every pull
    request.
    """
    print(f"Deploying {size:,} models ...", file=sys.stderr, flush=True)
    bench.put_away(bench.workspace)
    checkout = made.repository.check_out_only("main", bench.workspace)
    event = events.push(checkout)
    secret = "\n".join(f"{k}={v}" for k, v in made.production_role.items())
    inputs = {
        **ours(made, secret),
        "target": "prod",
        "threads": "8",
        # Nobody looks at it here, and the catalog of 5,000 relations takes minutes.
        "docs": "false",
        **({"dbt-args": WITHOUT_TESTS} if size >= LARGE else {}),
    }
    temp = made.folder / "jobs" / "deploy"
    temp.mkdir(parents=True)
    job = runner.Job(
        workspace=checkout.folder,
        temp=temp,
        event_name=event.name,
        event=event.payload,
        repository=NAME,
        sha=event.sha,
        ref=event.ref,
        token=made.github.create_token("github-actions[bot]", installation=True),
        api_url=made.github.url,
        run_id=DEPLOY_RUN_IDS + size,
        path=path_for(),
        environment={
            "LANG": "C.UTF-8",
            **index_variables(),
            **made.production.deployer.environ,
            "DBT_DEPLOY_ENV_FOLDER": str(bench.environment),
        },
        secrets=(secret,),
    )
    there = bench.has_archive()
    cache = measured.Cache(
        folder=bench.environment, archive=bench.archive, restore=there, save=not there
    )
    began = time.monotonic()
    done = measured.run(bench.fresh_runner() / "deploy", inputs, job, cache)
    (made.folder / "deploy.log").write_text(done.log)
    if done.conclusion != runner.SUCCESS:
        raise SystemExit(f"Production was not deployed; see {made.folder / 'deploy.log'}")
    if not there:
        bench.archive_key.write_text(bench.action.key)
    return time.monotonic() - began


def ours(made: World, secret: str) -> dict[str, str]:
    """The inputs that every job of ours has."""
    return {
        "state": made.production.state_url,
        "dbt": "requirements.txt",
        "dbt-env": secret,
        "aws-region": made.store.region,
        "aws-endpoint-url": made.store.url,
    }


def _publish_for_the_recipe(bench: Bench, made: World) -> None:
    """Production's manifest where people copy it by hand."""
    built = bench.workspace / "target" / "manifest.json"
    _, _, prefix = recipe_state(made).removeprefix("s3://").partition("/")
    made.store.put(production.BUCKET, f"{prefix}/manifest.json", built.read_bytes())


def recipe_state(made: World) -> str:
    """Where the recipe finds production's manifest, and may read it."""
    return f"{made.production.state_url}/by-hand"


def pip_cache(bench: Bench) -> measured.Cache:
    """What stands for pip's own cache, as setup-python keeps it with ``cache: pip``.

    A folder of the same wheels: pip keeps only what an index lets it keep by its headers, which a
    mirror may not. It asks no index then, in the recipe's favour.
    """
    folder, archive = bench.folder / "pip-cache", bench.folder / "pip-cache.tzst"
    if not archive.is_file():
        listed = bench.folder / "requirements.txt"
        listed.write_text(bench.requirements, encoding="utf-8")
        pip = [str(recipe_python(bench) / "python"), "-m", "pip", "download", "--no-deps"]
        subprocess.run(
            [*pip, "--quiet", "--dest", str(folder), "-r", str(listed)],
            env={**processes.clean_environment(), **index_variables()},
            check=True,
        )
        measured.save(measured.Cache(folder=folder, archive=archive))
    return measured.Cache(
        folder=folder, archive=archive, restore=True, step="actions/setup-python@"
    )


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
