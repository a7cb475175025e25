"""fetch_state.py as the action runs it: a process, its files, its words, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.policies import AnyPolicy, Ci
from dbtdeploy.store import partial_parse
from dbtdeploy.store.publication import versions
from standins import entry
from standins.dbt import dbt_install, parses
from standins.dbt.artifacts import all_artifacts, artifact
from standins.jobs import runs
from standins.store import iam_policies, s3, stores
from standins.store.published import COMMIT, publish_index, published, withdraw

SCRIPT = entry.script("deploy/fetch_state")
LEFT_OF_AN_OLDER_RUN = "manifest of an older run"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run of the script ended."""

    work: Path
    code: int
    out: str

    @property
    def state(self) -> work_files.State:
        return hand_over.read(self.work, work_files.State)

    @property
    def failure(self) -> work_files.Failure:
        return hand_over.read(self.work, work_files.Failure)

    @property
    def fetched(self) -> dict[str, bytes]:
        folder = self.work / work_files.STATE_FOLDER
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def refused(self, kind: type[errors.DbtDeployError]) -> work_files.Failure:
        """It failed so, said it, and left no state that a later step could use."""
        assert self.code == kind.exit_code, self.out
        assert "Traceback" not in self.out
        assert f"::error title={kind.title}" in self.out
        assert self.failure.kind == kind.__name__
        assert "dbt was not started" in self.failure.not_done
        assert not hand_over.is_there(self.work, work_files.State)
        assert not (self.work / work_files.STATE_FOLDER / "manifest.json").exists()
        return self.failure


Fetch = Callable[..., Ended]


@pytest.fixture
def fetch(tmp_path: Path, work: Path) -> Fetch:
    """Run the script against a location, with an older run's state lying about."""

    def run(
        state: object,
        *,
        policy: str = "build-all",
        dbt: str = "1.11.16",
        target: Path | None = None,
        selection: work_files.Selection | None = None,
        asked: AnyPolicy | None = None,
        **variables: str,
    ) -> Ended:
        command = dbt_install.install(tmp_path / "env", core=dbt)
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        event = work_files.Event(
            name="pull_request", repository="o/r", sha="a" * 40, ref="f", pull_request=7
        )
        asked = asked or runs.ci()
        if isinstance(asked, Ci):
            asked = replace(asked, on_missing_state=policy)
        given = runs.run(
            replace(asked, state=str(state)),
            event=event,
            dbt=runs.project(
                project,
                command=str(command),
                profile=None,
                target_path=str(target or project / "target"),
            ),
            selection=selection or work_files.Selection(),
            schema="pr_1",
        )
        hand_over.write(work, given)
        older = work / work_files.STATE_FOLDER
        older.mkdir(exist_ok=True)
        (older / "manifest.json").write_text(LEFT_OF_AN_OLDER_RUN)
        (work / hand_over.STATE).write_text("{}")
        ended = subprocess.run(
            SCRIPT,
            env={
                **os.environ,
                "GITHUB_ACTIONS": "true",
                "DBT_DEPLOY_WORK": str(work),
                "GITHUB_WORKSPACE": str(tmp_path),
                **variables,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(work=work, code=ended.returncode, out=ended.stdout + ended.stderr)

    return run


@pytest.fixture
def production(tmp_path: Path) -> Path:
    folder = tmp_path / "production"
    folder.mkdir()
    for name, content in all_artifacts().items():
        (folder / name).write_bytes(content)
    return folder


def test_from_a_folder(production: Path, fetch: Fetch) -> None:
    sha = "a1b2c3d4" * 5
    manifest = artifact("manifest.json", env={"DBT_DEPLOY_COMMIT": sha})
    (production / "manifest.json").write_bytes(manifest)
    (production / "graph.gpickle").write_bytes(b"not ours")
    ended = fetch(production)
    assert ended.code == 0, ended.out
    assert ended.state == work_files.State(
        location=str(production),
        found=True,
        dbt_version="1.11.16",
        adapter="postgres",
        generated_at="2026-11-20T21:15:17.985+00:00",
        commit=sha,
        artifacts=("manifest.json", "run_results.json", "catalog.json", "sources.json"),
        driver="deploy",
    )
    assert ended.fetched == all_artifacts() | {"manifest.json": manifest}
    assert f"State from {production}: manifest.json, run_results.json" in ended.out
    assert "written by dbt 1.11.16 (postgres)" in ended.out


def test_from_a_folder_relative_to_the_workspace(production: Path, fetch: Fetch) -> None:
    assert fetch("production").state.found


def test_from_s3_with_the_least_policy(s3_iam: s3.Store, fetch: Fetch) -> None:
    bucket = s3_iam.create_bucket()
    policy = Path(__file__).parents[1] / "fixtures" / "policy-pull-request.json"
    document = json.loads(policy.read_text().replace("my-bucket", bucket))
    user = s3_iam.create_user(document)
    for name, content in all_artifacts().items():
        s3_iam.put(bucket, f"prod/{name}", content)
    ended = fetch(f"s3://{bucket}/prod", **(s3_iam.environ | user.environ))
    assert ended.code == 0, ended.out
    assert ended.state.found
    assert ended.fetched == all_artifacts()
    assert user.secret_key not in ended.out


def published_version(s3_open: s3.Store) -> tuple[stores.Place, str]:
    place = stores.in_bucket(s3_open)
    return place, published(place.open()).version


def test_the_current_version_of_a_store(s3_open: s3.Store, fetch: Fetch) -> None:
    place, version = published_version(s3_open)
    ended = fetch(place.location, **place.environ)
    assert ended.code == 0, ended.out
    assert ended.state == work_files.State(
        location=place.location,
        found=True,
        dbt_version="1.11.16",
        adapter="postgres",
        generated_at="2026-11-20T21:15:17.985+00:00",
        commit=COMMIT,
        artifacts=("manifest.json", "run_results.json", "catalog.json", "sources.json"),
        version=version,
        driver="deploy",
    )
    assert ended.fetched == all_artifacts()
    assert f"State from {place.location}, version {version}: manifest.json" in ended.out


def test_a_saved_parse_comes_with_the_state(
    tmp_path: Path, work: Path, s3_iam: s3.Store, fetch: Fetch
) -> None:
    bucket = s3_iam.create_bucket()
    admin = stores.in_bucket(s3_iam, bucket=bucket)
    index = published(admin.open())
    packed = partial_parse.pack(parses.laid(tmp_path / "kept"))
    key = f"versions/{index.version}/{packed.item.key}"
    admin.open().put(key, packed.body)
    objects = {**index.objects, versions.SAVED_PARSE: packed.item}
    publish_index(admin.open(), replace(index, objects=objects, dbt_version="1.11.16"))
    place = stores.in_bucket(
        s3_iam, s3_iam.create_user(iam_policies.policy_of("pull-request", bucket)), bucket=bucket
    )
    # What an earlier run laid there is not taken for this one's.
    parses.laid(work / "saved_parse" / "pull-request")
    ended = fetch(place.location, **place.environ)
    assert ended.code == 0, ended.out
    assert ended.fetched == all_artifacts()
    assert parses.read(ended.work / "saved_parse") == parses.read(tmp_path / "kept")
    assert f"Version {index.version} has its parse: {place.location}/{key}" in ended.out


@pytest.mark.fault(72)
def test_a_parse_that_a_pull_request_could_have_written_is_never_read(
    tmp_path: Path, fetch: Fetch
) -> None:
    place = stores.in_folder(tmp_path / "store")
    published(place.open())
    packed = partial_parse.pack(parses.laid(tmp_path / "planted"))
    place.open().put("pull-requests/7/shop-.saved_parse.tar.gz", packed.body)
    ended = fetch("store")
    assert ended.code == 0, ended.out
    assert not (ended.work / "saved_parse").exists()
    assert "parse" not in ended.out


def test_the_current_version_of_a_folder(tmp_path: Path, fetch: Fetch) -> None:
    place = stores.in_folder(tmp_path / "store")
    version = published(place.open()).version
    ended = fetch("store")
    assert ended.state.version == version
    assert f"State from store, version {version}: manifest.json" in ended.out


@pytest.mark.fault(9)
def test_a_damaged_version_is_named_and_never_used(s3_open: s3.Store, fetch: Fetch) -> None:
    place, version = published_version(s3_open)
    key = f"versions/{version}/manifest.json.gz"
    place.open().put(key, b"altered")
    failure = fetch(place.location, **place.environ).refused(errors.StateCorrupt)
    assert f"{place.location}/{key} has 7 bytes" in failure.what
    assert "It was not used" in failure.not_done


@pytest.mark.fault(9, 10)
@pytest.mark.parametrize("missing", [False, True])
def test_a_deploy_of_everything_goes_on_without_a_damaged_version(
    missing: bool, s3_open: s3.Store, fetch: Fetch
) -> None:
    place, version = published_version(s3_open)
    if missing:
        withdraw(place.open(), version)
    else:
        place.open().put(f"versions/{version}/manifest.json.gz", b"altered")
    ended = fetch(place.location, asked=runs.deploy(), **place.environ)
    assert ended.code == 0, ended.out
    assert "::warning title=The current version is damaged" in ended.out
    assert not ended.state.found
    assert ended.fetched == {}


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    "selection",
    [
        work_files.Selection(select="state:modified+"),
        work_files.Selection(exclude="a"),
        work_files.Selection(selector="nightly"),
    ],
)
def test_a_deploy_of_a_part_needs_the_version(
    selection: work_files.Selection, s3_open: s3.Store, fetch: Fetch
) -> None:
    place, version = published_version(s3_open)
    place.open().put(f"versions/{version}/manifest.json.gz", b"altered")
    ended = fetch(place.location, asked=runs.deploy(), selection=selection, **place.environ)
    ended.refused(errors.StateCorrupt)


@pytest.mark.fault(10)
@pytest.mark.parametrize("policy", ["build-all", "skip", "fail"])
def test_a_pointer_to_a_version_that_is_not_there_is_no_first_run(
    policy: str, s3_open: s3.Store, fetch: Fetch
) -> None:
    place, version = published_version(s3_open)
    withdraw(place.open(), version)
    ended = fetch(place.location, policy=policy, **place.environ)
    failure = ended.refused(errors.StateVersionMissing)
    assert f"names version {version}" in failure.what
    assert "not taken for a first run" in failure.not_done


@pytest.mark.fault(15)
def test_a_version_of_a_newer_dbt_is_named(s3_open: s3.Store, fetch: Fetch) -> None:
    place = stores.in_bucket(s3_open)
    newer = {"manifest.json": artifact("manifest.json", version="1.12.6")}
    version = published(place.open(), newer).version
    failure = fetch(place.location, **place.environ).refused(errors.StateTooNew)
    assert f"versions/{version}/manifest.json.gz was written by dbt 1.12.6" in failure.what


def test_keys_of_the_inputs_come_before_those_of_the_environment(
    s3_iam: s3.Store, fetch: Fetch
) -> None:
    bucket = s3_iam.create_bucket()
    for name, content in all_artifacts().items():
        s3_iam.put(bucket, f"prod/{name}", content)
    given = {f"DBT_DEPLOY_{n}": v for n, v in s3_iam.environ.items() if n.startswith("AWS_")}
    wrong = {"AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "wrong"}
    ended = fetch(f"s3://{bucket}/prod", **(s3_iam.environ | wrong | given))
    assert ended.code == 0, ended.out


def test_only_a_manifest_is_enough(production: Path, fetch: Fetch) -> None:
    for name in ("run_results.json", "catalog.json", "sources.json"):
        (production / name).unlink()
    ended = fetch(production)
    assert ended.state.artifacts == ("manifest.json",)
    assert list(ended.fetched) == ["manifest.json"]


def test_a_manifest_schema_nobody_tried_is_used_and_said(production: Path, fetch: Fetch) -> None:
    address = "https://schemas.getdbt.com/dbt/manifest/v13.json"
    content = artifact("manifest.json", dbt_schema_version=address)
    (production / "manifest.json").write_bytes(content)
    ended = fetch(production)
    assert ended.code == 0
    assert "::warning" in ended.out
    assert "v13" in ended.out


@pytest.mark.fault(14)
@pytest.mark.parametrize("policy", ["build-all", "skip", "fail"])
def test_a_first_deploy_needs_no_state(fetch: Fetch, tmp_path: Path, policy: str) -> None:
    (tmp_path / "empty").mkdir()
    ended = fetch(tmp_path / "empty", policy=policy, asked=runs.deploy())
    assert ended.code == 0, ended.out
    assert not ended.state.found
    assert "It comes with this deploy." in ended.out


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("policy", "said"),
    [("build-all", "Everything will be built"), ("skip", "Nothing will be built")],
)
def test_no_state_yet_in_a_folder(policy: str, said: str, tmp_path: Path, fetch: Fetch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ended = fetch(empty, policy=policy)
    assert ended.code == 0, ended.out
    assert ended.state == work_files.State(location=str(empty), found=False)
    assert ended.fetched == {}
    assert f"There is no manifest.json in {empty}" in ended.out
    assert said in ended.out


@pytest.mark.fault(14)
def test_no_state_yet_on_s3(s3_iam: s3.Store, fetch: Fetch) -> None:
    location = f"s3://{s3_iam.create_bucket()}/prod"
    ended = fetch(location, **s3_iam.environ)
    assert ended.code == 0, ended.out
    assert ended.state == work_files.State(location=location, found=False)


@pytest.mark.fault(14)
def test_no_state_yet_where_the_policy_says_fail(tmp_path: Path, fetch: Fetch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    failure = fetch(empty, policy="fail").refused(errors.StateMissing)
    assert "on-missing-state" in failure.remedy


@pytest.mark.fault(14)
def test_other_artifacts_without_a_manifest_are_no_state(production: Path, fetch: Fetch) -> None:
    (production / "manifest.json").unlink()
    ended = fetch(production)
    assert ended.state.found is False
    assert ended.fetched == {}
    assert "Beside it there are run_results.json, catalog.json, sources.json" in ended.out


@pytest.mark.fault(13)
def test_a_folder_that_does_not_exist_is_no_first_run(tmp_path: Path, fetch: Fetch) -> None:
    failure = fetch(tmp_path / "nowhere").refused(errors.InvalidInput)
    assert "nowhere does not exist" in failure.what
    assert "empty folder" in failure.remedy


def test_a_file_where_a_folder_should_be(production: Path, fetch: Fetch) -> None:
    failure = fetch(production / "manifest.json").refused(errors.InvalidInput)
    assert "is a file" in failure.what


@pytest.mark.parametrize("location", ["gs://bucket/prod", "https://example.com/prod"])
def test_a_store_that_cannot_be_read(location: str, fetch: Fetch) -> None:
    failure = fetch(location).refused(errors.InvalidInput)
    assert "s3://bucket/prefix" in failure.remedy


@pytest.mark.fault(13)
def test_refused_by_s3(s3_iam: s3.Store, fetch: Fetch) -> None:
    bucket = s3_iam.create_bucket()
    user = s3_iam.create_user()
    ended = fetch(f"s3://{bucket}/prod", **(s3_iam.environ | user.environ))
    failure = ended.refused(errors.StateAccessDenied)
    assert "not taken for a first run" in failure.not_done
    assert user.secret_key not in ended.out


@pytest.mark.fault(13)
def test_no_bucket(s3_iam: s3.Store, fetch: Fetch) -> None:
    ended = fetch("s3://no-such-bucket/prod", policy="skip", **s3_iam.environ)
    ended.refused(errors.StateBucketMissing)


@pytest.mark.fault(13)
def test_empty_credentials_of_a_job_that_has_none(s3_iam: s3.Store, fetch: Fetch) -> None:
    """action.yml hands on variables that nobody set as empty ones."""
    nothing = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "")
    bucket = s3_iam.create_bucket()
    ended = fetch(f"s3://{bucket}/prod", **(s3_iam.environ | nothing))
    ended.refused(errors.StateCredentials)


def test_keys_without_a_session_token(s3_iam: s3.Store, fetch: Fetch) -> None:
    """The session token is empty for long-lived keys."""
    bucket = s3_iam.create_bucket()
    ended = fetch(f"s3://{bucket}/prod", AWS_SESSION_TOKEN="", **s3_iam.environ)
    assert ended.state.found is False


@pytest.mark.fault(9)
@pytest.mark.parametrize("name", list(all_artifacts()))
@pytest.mark.parametrize("damage", ["cut short", "not JSON"])
def test_a_damaged_artifact_on_s3_is_named_and_never_used(
    name: str, damage: str, s3_open: s3.Store, fetch: Fetch
) -> None:
    bucket = s3_open.create_bucket()
    stored = all_artifacts()
    stored[name] = stored[name][:-20] if damage == "cut short" else b"<html></html>"
    for each, content in stored.items():
        s3_open.put(bucket, f"prod/{each}", content)
    ended = fetch(f"s3://{bucket}/prod", **s3_open.environ)
    failure = ended.refused(errors.StateCorrupt)
    assert f"s3://{bucket}/prod/{name} ({len(stored[name]):,} bytes)" in failure.what
    assert damage in failure.what


@pytest.mark.fault(15)
def test_state_of_a_newer_dbt(production: Path, fetch: Fetch) -> None:
    (production / "manifest.json").write_bytes(artifact("manifest.json", version="1.12.6"))
    failure = fetch(production, dbt="1.11.16").refused(errors.StateTooNew)
    assert "1.12.6" in failure.what
    assert "1.11.16" in failure.what


def test_state_of_an_older_dbt(production: Path, fetch: Fetch) -> None:
    assert fetch(production, dbt="1.12.6").state.found


@pytest.mark.fault(17)
@pytest.mark.parametrize("through", ["itself", "link", "dots"])
def test_the_target_folder_as_state(
    through: str, tmp_path: Path, production: Path, fetch: Fetch
) -> None:
    (tmp_path / "link").symlink_to(production)
    (tmp_path / "project").mkdir()
    given = {
        "itself": production,
        "link": tmp_path / "link",
        "dots": tmp_path / "project" / ".." / "production",
    }[through]
    ended = fetch(given, target=production)
    assert ended.code == errors.StateIsTarget.exit_code, ended.out
    assert not hand_over.is_there(ended.work, work_files.State)
    assert str(production) in ended.failure.what
    assert "not touched" in ended.failure.not_done
    assert "folder of their own" in ended.failure.remedy
    assert {path.name: path.read_bytes() for path in production.iterdir()} == all_artifacts()


@pytest.mark.fault(17)
def test_the_fetched_state_as_target_folder(work: Path, production: Path, fetch: Fetch) -> None:
    ended = fetch(production, target=work / work_files.STATE_FOLDER)
    assert ended.code == errors.StateIsTarget.exit_code
