"""Warm dbts, one a version for the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import make_environments
from dbtdeploy.dbt import dbt_server_client
from in_dbt import warm
from standins.selection import some_of
from standins.warehouse import postgres


@pytest.fixture(scope="session")
def warm_dbts(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], warm.Warm]]:
    """Gives the warm dbt of a version; it is imported (2 to 5 s) when it is first asked for."""
    made: dict[str, warm.Warm] = {}

    def of(version: str) -> warm.Warm:
        command = make_environments.dbt_command(version)
        if not command.is_file():
            pytest.skip(make_environments.why_not(version) or f"no dbt {version}")
        if version not in made:
            made[version] = warm.Warm(version, command, tmp_path_factory.mktemp(f"dbt{version}-"))
        return made[version]

    yield of
    for each in made.values():
        each.server.close()


@pytest.fixture(params=some_of(["1.11", "1.12"], "1.12"))
def any_warm(
    request: pytest.FixtureRequest,
    warm_dbts: Callable[[str], warm.Warm],
    monkeypatch: pytest.MonkeyPatch,
) -> warm.Warm:
    """Each version in turn."""
    return _running(warm_dbts(request.param), monkeypatch)


@pytest.fixture
def newest(warm_dbts: Callable[[str], warm.Warm], monkeypatch: pytest.MonkeyPatch) -> warm.Warm:
    """The newest version."""
    return _running(warm_dbts("1.12"), monkeypatch)


def _running(found: warm.Warm, monkeypatch: pytest.MonkeyPatch) -> warm.Warm:
    """As if a script had started it."""
    assert found.server.is_ready()
    monkeypatch.setitem(dbt_server_client._running, str(found.command), found.server)
    return found


@pytest.fixture(scope="session")
def shops(
    postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], warm.Shop]:
    """Gives the project of ``warm.FILES`` of a version; what is parsed of it once stays."""
    made: dict[str, warm.Shop] = {}

    def of(version: str) -> warm.Shop:
        if version not in made:
            database = postgres_server.create_database()
            database.run(warm.LANDED)
            folder = tmp_path_factory.mktemp(f"shop{version}-")
            made[version] = warm.Shop(warm.write(folder, warm.FILES, database), database)
        made[version].database.run("drop schema if exists made cascade")
        return made[version]

    return of


@pytest.fixture
def shop(any_warm: warm.Warm, shops: Callable[[str], warm.Shop]) -> warm.Shop:
    """The project for ``any_warm``, of which nothing is built."""
    return shops(any_warm.version)


@pytest.fixture
def newest_shop(newest: warm.Warm, shops: Callable[[str], warm.Shop]) -> warm.Shop:
    """The project for ``newest``, of which nothing is built."""
    return shops(newest.version)


@pytest.fixture
def landed(database: postgres.Database) -> postgres.Database:
    """A database with the sources of ``warm.FILES``."""
    database.run(warm.LANDED)
    return database


@pytest.fixture(params=["1.11", "1.12"])
def packages(request: pytest.FixtureRequest) -> Path:
    """The folder with the packages of a real dbt."""
    command = make_environments.dbt_command(request.param)
    if not command.is_file():
        pytest.skip(f"no dbt {request.param}")
    (found,) = command.parent.parent.glob("lib/python3*/site-packages")
    return found
