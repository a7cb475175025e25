"""The two roles of docs/security.md: each flow under exactly its policy, and what each may not do.

Twice: under moto's IAM, which checks signatures, actions and resources, and behind a proxy that
also judges the conditions, see ``standins/store/iam_policies.py``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.context import work_files
from dbtdeploy.store import pull_request_registry
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader, versions
from dbtdeploy.store.store_location import open_store
from standins.dbt import parses
from standins.dbt.artifacts import all_artifacts
from standins.jobs import plans
from standins.jobs.deploys import RUN, Environment
from standins.store import iam_policies, s3, stores
from standins.store.published import published

OF_PRODUCTION = [
    "current.json",
    "lease.json",
    "environment.json",
    "kept.json",
    "manifest.json",
    "versions/20261121T060100Z-3d3c42e/index.json",
    "versions/20261121T060100Z-3d3c42e/manifest.json.gz",
    "versions/20261121T060100Z-3d3c42e/saved_parse.tar.gz",
    "latest/manifest.json",
    "failed/20261121T060100Z-1-1/index.json",
    "docs/index.html",
    "probe/0",
]
OF_PULL_REQUESTS = [
    "pull-requests/7/shop-prod.json",
    "pull-requests/8/other.json",
]
OF_NOBODY = ["pull-requests/7/shop-prod.saved_parse.tar.gz"]
"""Where a pull request's parse was kept, for each of them to read."""
ELSEWHERE = ["../staging/current.json", "../prod-2/current.json", "../current.json"]

As = Callable[[str], stores.Place]


@pytest.fixture(params=["moto", "conditions"])
def acting_as(request: pytest.FixtureRequest) -> Iterator[As]:
    """A new bucket, and who comes with the policy of a role."""
    with_iam = request.param == "moto"
    server: s3.Store = request.getfixturevalue("s3_iam" if with_iam else "s3_open")
    bucket = server.create_bucket()
    running = []

    def become(role: str) -> stores.Place:
        if role == "admin":
            return stores.in_bucket(server, bucket=bucket)
        policy = iam_policies.policy_of(role, bucket)
        if with_iam:
            return stores.in_bucket(server, server.create_user(policy), bucket=bucket)
        proxy = iam_policies.judged_by(policy, server.url)
        running.append(proxy)
        behind = dataclasses.replace(server, url=proxy.__enter__().url)
        return stores.in_bucket(behind, bucket=bucket)

    yield become
    for proxy in running:
        proxy.__exit__(None, None, None)


def at(place: stores.Place, key: str) -> tuple[Store, str]:
    """A store and a key in it; ``..`` is another prefix of the same bucket."""
    if not key.startswith("../"):
        return opened(place.location, place.access), key
    prefix, _, name = key.removeprefix("../").rpartition("/")
    location = f"{place.location.removesuffix('/prod')}/{prefix}".rstrip("/")
    return opened(location, place.access), name


@functools.cache
def opened(location: str, access: StoreAccess) -> Store:
    """Connecting takes 0.1 s."""
    return open_store(location, workspace=Path("/"), access=access)


def refuses(do: Callable[[], object], right: str) -> None:
    with pytest.raises(errors.StateAccessDenied) as caught:
        do()
    assert right in caught.value.remedy


def may_not(acting_as: As, role: str, keys: list[str]) -> None:
    """Neither write nor delete what is there."""
    admin, user = acting_as("admin"), acting_as(role)
    for key in keys:
        before, name = at(admin, key)
        before.put(name, b"theirs")
        store, _ = at(user, key)
        refuses(lambda s=store, n=name: s.put(n, b"mine"), "s3:PutObject")  # type: ignore[misc]
        refuses(lambda s=store, n=name: s.delete(n), "s3:DeleteObject")  # type: ignore[misc]
        there = before.get(name)
        assert there is not None
        assert there.body == b"theirs"


def test_a_pull_request_reads_the_current_version(acting_as: As, tmp_path: Path) -> None:
    index = published(acting_as("admin").open())
    store = acting_as("pull-request").open()
    assert version_reader.fetch(store, tmp_path).version == index.version
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == all_artifacts()


@pytest.mark.parametrize("role", ["pull-request", "deploy"])
def test_plain_artifacts_are_read(role: str, acting_as: As, tmp_path: Path) -> None:
    admin = acting_as("admin").open()
    store = acting_as(role).open()
    assert version_reader.fetch(store, tmp_path).names == ()
    for name, content in all_artifacts().items():
        admin.put(name, content)
    fetched = version_reader.fetch(store, tmp_path)
    assert (fetched.names, fetched.denied) == (tuple(all_artifacts()), ())


def test_a_pull_request_keeps_its_schemas_and_a_teardown_forgets_them(acting_as: As) -> None:
    store = acting_as("pull-request").open()
    run = replace(RUN, event=replace(RUN.event, pull_request=7))
    assert pull_request_registry.read(store, run, 7) is None
    assert pull_request_registry.numbers(store, run) == []
    pull_request_registry.write(store, run, 7, ["dbt_pr_7"])
    assert pull_request_registry.numbers(store, run) == [7]
    found = pull_request_registry.read(store, run, 7)
    assert found is not None
    assert found.schemas == ("dbt_pr_7",)
    pull_request_registry.forget(store, run, 7)
    assert pull_request_registry.numbers(store, run) == []
    assert list(store.list("pull-requests/")) == []


@pytest.mark.fault(72)
def test_a_pull_request_writes_no_parse(acting_as: As) -> None:
    of_production = [key for key in OF_PRODUCTION if versions.SAVED_PARSE in key]
    assert of_production
    may_not(acting_as, "pull-request", [*of_production, *OF_NOBODY])


@pytest.mark.fault(13)
def test_a_pull_request_writes_nothing_of_productions(acting_as: As) -> None:
    may_not(acting_as, "pull-request", [*OF_PRODUCTION, *ELSEWHERE])


def deploying(acting_as: As, folder: Path) -> Environment:
    place = acting_as("deploy")
    keys = {name.removeprefix("DBT_DEPLOY_"): value for name, value in place.environ.items()}
    return Environment(location=place.location, temp=folder, variables=place.environ | keys)


def with_a_parse(work: Path) -> Path:
    parses.laid(work / work_files.KEPT_PARSE)
    return work


def test_a_deploy_does_all_it_does(acting_as: As, tmp_path: Path) -> None:
    for name, content in all_artifacts().items():
        acting_as("admin").open().put(name, content)
    environment = deploying(acting_as, tmp_path)
    for ended in (
        environment.command("versions"),
        environment.deploy(with_a_parse(environment.prepare(1))),
        environment.deploy(environment.prepare(2, docs=False, sources=False)),
        environment.command("versions"),
        environment.command("prune", dry_run=False, retention_days=1, keep_versions=1),
    ):
        assert ended.code == 0, ended.out
        assert "::warning" not in ended.out, ended.out
    assert environment.pointer().version is not None
    assert any(versions.SAVED_PARSE in entry.key for entry in environment.open().list("versions/"))
    assert environment.current(tmp_path / "current")["manifest.json"] == 2
    assert set(environment.latest()) == {"manifest.json", "run_results.json"}
    assert environment.docs() == 1


def test_a_deploy_that_fails_is_kept(acting_as: As, tmp_path: Path) -> None:
    environment = deploying(acting_as, tmp_path)
    build = plans.build(exit_code=1)
    statuses = {"a": "error", "b": "skipped"}
    ended = environment.deploy(environment.prepare(1, build=build, statuses=statuses))
    assert "::warning" not in ended.out, ended.out
    prefix = ended.publication.failed
    assert prefix is not None
    assert environment.open().get(f"{prefix.rstrip('/')}/{versions.INDEX}") is not None


@pytest.mark.fault(13)
def test_a_deploy_reaches_neither_pull_requests_nor_other_prefixes(acting_as: As) -> None:
    may_not(acting_as, "deploy", [*OF_PULL_REQUESTS, *ELSEWHERE])
    place = acting_as("deploy")
    for key in [*OF_PULL_REQUESTS, *ELSEWHERE]:
        store, name = at(place, key)
        refuses(lambda s=store, n=name: s.get(n), "s3:GetObject")  # type: ignore[misc]


@pytest.mark.fault(13)
def test_a_deploy_does_not_write_plain_artifacts(acting_as: As) -> None:
    may_not(acting_as, "deploy", list(all_artifacts()))


@pytest.mark.fault(13)
def test_a_deploy_removes_only_what_is_there_to_be_removed(acting_as: As) -> None:
    store = acting_as("deploy").open()
    for key in ("current.json", "lease.json", "environment.json", "docs/index.html"):
        refuses(lambda k=key: store.delete(k), "s3:DeleteObject")  # type: ignore[misc]


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("role", "prefixes"),
    [("deploy", ["", "pull-requests/", "pull-requests/7/"]), ("pull-request", ["../", "../x/"])],
)
def test_nobody_lists_what_is_not_theirs(role: str, prefixes: list[str], s3_open: s3.Store) -> None:
    """By the conditions, which moto passes over."""
    bucket = s3_open.create_bucket()
    with iam_policies.judged_by(iam_policies.policy_of(role, bucket), s3_open.url) as proxy:
        place = stores.in_bucket(dataclasses.replace(s3_open, url=proxy.url), bucket=bucket)
        for prefix in prefixes:
            store, name = at(place, prefix)
            refuses(lambda s=store, n=name: list(s.list(n)), "s3:ListBucket")  # type: ignore[misc]
