"""Production: raw tables loaded, ``main`` built, its artifacts in a bucket."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from demo import processes
from standins.store import s3
from standins.warehouse import postgres

BUCKET = "copperpot-dbt"
PREFIX = "prod"
ARTIFACTS = ("manifest.json", "run_results.json", "catalog.json", "sources.json")


@dataclass(frozen=True, kw_only=True)
class Dbt:
    """How dbt is reached, and how it reaches the warehouse."""

    bin_folder: Path
    database: postgres.Database = field(repr=False)

    @property
    def connection(self) -> dict[str, str]:
        """The variables that the shop's profiles.yml reads; a caller's secret ``dbt-env``."""
        return {
            "PGHOST": self.database.host,
            "PGPORT": str(self.database.port),
            "PGUSER": self.database.user,
            "PGDATABASE": self.database.name,
            "DBT_ENV_SECRET_PASSWORD": self.database.password,
        }

    def run(self, *arguments: str, project: Path, commit: str) -> None:
        """Run one dbt command against production.

        Raises:
            CommandFailed: it failed; the message holds dbt's output.
        """
        environment = processes.clean_environment(
            **self.connection,
            # What GitHub sets for every job; dbt writes it into its artifacts.
            DBT_ENV_CUSTOM_ENV_GITHUB_SHA=commit,
        )
        command = [str(self.bin_folder / "dbt"), "--no-use-colors", *arguments, "--target", "prod"]
        processes.run(command, cwd=project, environment=environment)


def load_raw_tables(dbt: Dbt, project: Path, commit: str) -> None:
    """What the loader does every hour, before dbt."""
    dbt.run("run-operation", "load_raw", project=project, commit=commit)


def build(dbt: Dbt, project: Path, commit: str) -> Path:
    """Build production from ``project``; gives the folder of its artifacts.

    ``docs generate`` overwrites run_results.json, so the build's is kept aside and put back.
    """
    target = project / "target"
    dbt.run("build", project=project, commit=commit)
    results = target / "run_results.json"
    kept = shutil.copy(results, target / "run_results.build.json")
    dbt.run("docs", "generate", project=project, commit=commit)
    Path(kept).replace(results)
    return target


def publish(store: s3.Store, target: Path, prefix: str = PREFIX) -> str:
    """What ``aws s3 cp target/… s3://bucket/prod/`` does; gives the address."""
    for name in ARTIFACTS:
        path = target / name
        if path.is_file():
            store.put(BUCKET, f"{prefix}/{name}", path.read_bytes())
    return f"s3://{BUCKET}/{prefix}"
