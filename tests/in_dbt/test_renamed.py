"""One private name of dbt's after the other renamed: production stays, and the result is dbt's."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import make_environments
from dbtdeploy.base import errors
from dbtdeploy.dbt.dbt_server_client import SavedParse
from in_dbt import private_names, warm
from standins.dbt import renamed_dbt
from standins.jobs import modified_builds as builds
from standins.jobs.modified_builds import Production, PullRequest
from standins.selection import more
from standins.warehouse import postgres

VERSIONS = ("1.11", "1.12")
NOTHING = "no_name_of_dbt"
USED = "dbt started from production's parse"


def cases() -> list[Any]:
    """Each name in each dbt; `make test` has the one that let a pull request into production."""
    name = "read_manifest_for_partial_parse"
    found = [pytest.param("1.12", NOTHING), pytest.param("1.12", name), more("1.11", NOTHING)]
    for version in VERSIONS:
        prefix = make_environments.dbt_command(version).parent.parent
        for packages in prefix.glob("lib/python3*/site-packages"):
            names = private_names.of(packages)
            assert name in names
            found += [more(version, each) for each in names if (version, each) != ("1.12", name)]
    return found


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Production, its parse, and what dbt makes of the pull request by itself."""

    production: Production
    parse: Path
    plain: Mapping[str, Any]


@pytest.fixture(scope="module")
def kept(
    postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Kept]:
    """Gives what a dbt has built, once for all names."""
    made: dict[str, Kept] = {}

    def of(version: str) -> Kept:
        command = make_environments.dbt_command(version)
        if not command.is_file():
            pytest.skip(f"no dbt {version}")
        if version not in made:
            folder = tmp_path_factory.mktemp(f"renamed{version}-")
            database = postgres_server.create_database()
            made[version] = build(version, builds.production(command, folder, database))
        return made[version]

    return of


def build(version: str, production: Production) -> Kept:
    parse = production.home / "parse"
    unrenamed = warm.Warm(version, production.command, production.home)
    saved = SavedParse(folders=(), kept=str(parse), report=str(production.home / "used.json"))
    built = unrenamed.run(
        ["build"], production.project, variables=production.variables, saved_parse=saved
    )
    unrenamed.server.close()
    assert built.code == 0, built.lines
    shutil.copytree(production.project / "target", production.state)
    target = production.run_pull_request(production.home / "plain", builds.BENIGN)
    return Kept(production=production, parse=parse, plain=result(target, production))


def result(target: Path, production: Production) -> dict[str, Any]:
    """What a build has made: its artifacts without what no two runs share, and the rows."""
    manifest = warm.plain_json(target / "manifest.json")
    results = warm.plain_json(target / "run_results.json")["results"]
    del manifest["metadata"]
    for node in manifest["nodes"].values():
        # They begin with the target folder as it was given.
        node.pop("build_path", None)
        node.pop("compiled_path", None)
    return {"manifest": manifest, "results": results, "rows": production.built()}


@pytest.mark.fault(112)
@pytest.mark.parametrize(("version", "name"), cases())
def test_with_one_private_name_renamed_production_stays_and_the_result_is_dbts(
    version: str, name: str, kept: Callable[[str], Kept], tmp_path: Path
) -> None:
    known = kept(version)
    production = known.production
    command = renamed_dbt.make(production.command, name, tmp_path / "dbt")
    production.forget_pull_request()
    before = production.fingerprint()

    hostile = PullRequest(production, tmp_path / "hostile", command=command)
    refused = hostile.build(builds.HOSTILE, parse=known.parse)
    assert production.fingerprint() == before
    assert refused.returncode == errors.WouldWriteToProduction.exit_code, refused.stdout
    assert hostile.failure() == errors.WouldWriteToProduction.__name__

    benign = PullRequest(production, tmp_path / "benign", command=command)
    built = benign.build(builds.BENIGN, parse=known.parse)
    assert production.fingerprint() == before
    assert built.returncode == 0, built.stdout + built.stderr
    assert result(benign.target, production) == known.plain
    if name == NOTHING:
        assert USED in built.stdout
