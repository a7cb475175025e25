"""Fixtures that more than one test folder uses."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import make_environments
from standins import entry, selection
from standins.dbt import forked
from standins.github import github
from standins.store import s3
from standins.warehouse import postgres, swaps

pytest_plugins = ["fault_table"]

FOREIGN = ("AWS_", "GITHUB_", "DBT_", "RUNNER_", "ACTIONS_", "INPUT_", "PG", "MOTO_")
"""What the host's own cloud, runner, dbt and database would leak into a test."""


ENDING = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Before any test or session fixture: the host's accounts are out of reach."""
    for name in [name for name in os.environ if name.startswith(FOREIGN) or name == "CI"]:
        del os.environ[name]
    # Begun in the background of a script, we would have all our children ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nowhere = os.devnull
    os.environ["AWS_CONFIG_FILE"] = nowhere
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = nowhere
    # A test without credentials must not ask the machine's metadata service for some.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    hands_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if sys.platform == "linux" and not hands_out:
        folder = ENDING.enter_context(tempfile.TemporaryDirectory(prefix="python-"))
        entry.python = str(ENDING.enter_context(forked.python(Path(folder))))


def pytest_unconfigure() -> None:
    """Nothing that we started goes on."""
    ENDING.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One server for the session (with xdist, one for each worker)."""
    with postgres.serve() as server:
        yield server


@pytest.fixture
def database(postgres_server: postgres.Server) -> Iterator[postgres.Database]:
    """A new empty database."""
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made.name)


@pytest.fixture
def warehouse(
    postgres_server: postgres.Server, database: postgres.Database, tmp_path: Path
) -> Iterator[swaps.Warehouse]:
    """Production in it, which releases swap."""
    folder = tmp_path / "macros"
    folder.mkdir()
    with swaps.production(postgres_server, database, folder) as made:
        yield made


@pytest.fixture(scope="session")
def s3_open() -> Iterator[s3.Store]:
    """An S3 server that checks nobody."""
    with s3.serve() as store:
        yield store


@pytest.fixture(scope="session")
def s3_iam() -> Iterator[s3.Store]:
    """An S3 server that checks signatures and policies."""
    with s3.serve(iam=True) as store:
        yield store


@pytest.fixture
def hub() -> Iterator[github.Hub]:
    """A GitHub with nothing on it; a test that breaks the rules of its API fails."""
    with github.serve() as served:
        yield served
    assert not served.violations


def _dbt(version: str) -> Path:
    """The command ``dbt`` of one version; the test is skipped where there is none."""
    command = make_environments.dbt_command(version)
    if not command.is_file():
        reason = make_environments.why_not(version)
        pytest.skip(reason or f"no dbt {version}: python3 tests/make_environments.py {version}")
    return command


@pytest.fixture(scope="session")
def dbt_command() -> Path:
    """The command ``dbt`` of the version most tests run on."""
    return _dbt(make_environments.DBT)


@pytest.fixture(scope="session")
def dbt_process(dbt_command: Path) -> Iterator[forked.Dbt]:
    """The same, forked from a process that has imported it, where that can be."""
    if sys.platform != "linux":
        yield forked.Dbt(command=dbt_command, entry_point=dbt_command)
        return
    with (
        tempfile.TemporaryDirectory(prefix="dbt-") as folder,
        forked.dbt(dbt_command, Path(folder)) as made,
    ):
        yield made


@pytest.fixture(scope="session")
def forked_dbt(dbt_process: forked.Dbt) -> Path:
    """A forked dbt for what is not about dbt's process."""
    return dbt_process.command


@pytest.fixture(scope="session")
def imported_dbt(dbt_process: forked.Dbt) -> Path:
    """A dbt that our scripts start as any other, in a Python that has imported it already."""
    return dbt_process.entry_point


@pytest.fixture(scope="session")
def duckdb_command() -> Path:
    """The command ``dbt`` with the adapter for DuckDB."""
    return _dbt("duckdb")


@pytest.fixture(params=selection.every_dbt())
def any_dbt_command(request: pytest.FixtureRequest) -> Path:
    """The command ``dbt`` of each supported version in turn, for what differs between them."""
    return _dbt(request.param)


@pytest.fixture(params=selection.every_dbt())
def any_imported_dbt(request: pytest.FixtureRequest) -> Path:
    """The same; the version most tests run on in a Python that has imported it already."""
    if request.param == make_environments.DBT:
        imported: Path = request.getfixturevalue("imported_dbt")
        return imported
    return _dbt(request.param)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work folder, as start_run.py would make it."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder
