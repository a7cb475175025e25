"""A whole release, and a whole deploy of as large a change, on generated projects: their seconds.

    .venv/bin/python tests/benchmarks/bench_release_job.py [models ...]

Every step of action.yml by the stand-in for the runner, with real dbt, PostgreSQL and S3 (moto).
How long the swap takes of it is in bench_swap.py.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import make_environments  # noqa: E402  found by the line above
from demo import events, jobs, production, repository, tagging, world  # noqa: E402
from demo.jobs import Job  # noqa: E402
from demo.production import Dbt  # noqa: E402
from demo.repository import Checkout, Repository  # noqa: E402
from demo.world import World  # noqa: E402
from standins.github import github  # noqa: E402
from standins.store import s3  # noqa: E402
from standins.warehouse import postgres  # noqa: E402

SIZES = (100, 1_000)
CHANGED = (5, 50)
ROOTS = 10

PROJECT = """name: bench
version: "1.0.0"
profile: bench
flags: {send_anonymous_usage_stats: false}
models: {bench: {+materialized: table}}
"""
PROFILE = """bench:
  target: prod
  outputs:
    prod:
      type: postgres
      host: "{{ env_var('PGHOST') }}"
      port: "{{ env_var('PGPORT') | as_number }}"
      user: "{{ env_var('PGUSER') }}"
      password: "{{ env_var('DBT_ENV_SECRET_PASSWORD') }}"
      dbname: "{{ env_var('PGDATABASE') }}"
      schema: analytics
      threads: 4
"""
ROOT_MODEL = "select i as id, 'row ' || i as name from generate_series(1, 1000) as i\n"


def main() -> None:
    """Print a line for each size and number of changed models."""
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    print("whole job: one run each, seconds; a test for each model")
    print(f"{'models changed':>15} {'of project':>11} {'release':>9} {'deploy':>9}")
    jobs.set_up()
    for size in sizes:
        with generated(size) as made:
            done(run(made, check_out(made, "first"), "deploy"))
            for number, changed in enumerate(CHANGED):
                made.repository.commit("main", f"Deploy {number}", edit(changed, 2 * number + 1))
                done(run(made, check_out(made, f"again-{number}"), "store", driver="deploy"))
                deploy = seconds(made, check_out(made, f"deploy-{number}"), "deploy")
                done(run(made, check_out(made, f"drive-{number}"), "store", driver="release"))
                made.repository.commit("main", f"Release {number}", edit(changed, 2 * number + 2))
                tag = f"v1.{number}.0"
                checkout = tagging.push_tag(made, tag, "main", made.folder / tag)
                release = seconds(made, checkout, "release", tag=tag)
                print(f"{changed:>15,} {size:>11,} {release:>7.1f} s {deploy:>7.1f} s", flush=True)


def seconds(made: World, checkout: Checkout, action: str, *, tag: str = "") -> float:
    """Wall time of one job, which must succeed."""
    began = time.monotonic()
    done(run(made, checkout, action, tag=tag))
    return time.monotonic() - began


def run(made: World, checkout: Checkout, action: str, *, tag: str = "", driver: str = "") -> Job:
    """One job of the action."""
    event = events.tag(checkout, tag) if tag else events.push(checkout)
    if action == "store":
        inputs = {"command": "drive", "driver": driver}
    else:
        inputs = {"docs": "false", **({"build": "modified"} if action == "deploy" else {})}
    return jobs.run(made, checkout, event, action=action, inputs=inputs)


def done(job: Job) -> None:
    """Stop the benchmark at a job that failed."""
    if not job.succeeded:
        raise SystemExit(f"A job failed:\n{job.log}")


def check_out(made: World, name: str) -> Checkout:
    """The main branch as it is."""
    return made.repository.check_out_only("main", made.folder / name)


def edit(changed: int, value: int) -> dict[str, str | None]:
    """Another value in so many models that nothing reads."""
    return {f"models/leaf_{n}.sql": leaf(n, value) for n in range(changed)}


def leaf(number: int, value: int) -> str:
    """A model that reads one of the roots."""
    root = f"{{{{ ref('root_{number % ROOTS}') }}}}"
    return f"select id, name, {value} as value from {root}\n"


@contextlib.contextmanager
def generated(size: int) -> Iterator[World]:
    """A world around a generated project of so many models, with nothing deployed yet."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbt-deploy-bench-")))
        warehouse = stack.enter_context(postgres.serve())
        store = stack.enter_context(s3.serve(iam=True))
        hub = stack.enter_context(github.serve())
        store.create_bucket(production.BUCKET)
        database = warehouse.create_database(world.WAREHOUSE)
        owner = warehouse.create_role(database, world.PRODUCTION)
        reader = warehouse.create_role(database, world.PULL_REQUESTS)
        database.run(world.GRANT_ON_DATABASE)
        bin_folder = make_environments.dbt_command(make_environments.DBT).parent
        dbt = Dbt(bin_folder=bin_folder, database=owner)
        yield World(
            folder=folder,
            warehouse=warehouse,
            database=database,
            store=store,
            github=hub,
            repository=project(folder / "origin", size),
            dbt=dbt,
            production=world.environment_at(store, production.PREFIX, None),
            artifacts=folder,
            pull_request_role=Dbt(bin_folder=bin_folder, database=reader).connection,
            production_role=dbt.connection,
        )


def project(folder: Path, size: int) -> Repository:
    """A repository with a project of so many models."""
    names = [f"root_{n}" for n in range(ROOTS)] + [f"leaf_{n}" for n in range(size - ROOTS)]
    tested = "".join(
        f"  - name: {name}\n    columns: [{{name: id, data_tests: [unique]}}]\n" for name in names
    )
    files = {
        "dbt_project.yml": PROJECT,
        "profiles.yml": PROFILE,
        "models/_models.yml": f"models:\n{tested}",
        **{f"models/root_{n}.sql": ROOT_MODEL for n in range(ROOTS)},
        **{f"models/leaf_{n}.sql": leaf(n, 0) for n in range(size - ROOTS)},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    made = repository.Repository(folder=folder)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "Generated")
    return made


if __name__ == "__main__":
    main()
