"""A pull request's entry in the store: a hint for teardown that never fails a build."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dbtdeploy.ci import register_schemas
from dbtdeploy.context import cli, hand_over, work_files
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.store import pull_request_registry
from dbtdeploy.teardown.teardown_files import DroppedSchema, KeptSchema, Teardown
from standins.dbt import parses
from standins.jobs import plans, runs
from standins.store import s3
from standins.warehouse.teardowns import REPOSITORY, Job

POLICY = Path(__file__).parents[1] / "fixtures" / "policy-pull-request.json"
KEY = "pull-requests/7/shop-ci.json"


@pytest.fixture
def job(work: Path, tmp_path: Path) -> Job:
    store = tmp_path / "store"
    store.mkdir()
    made = Job(work, Path("dbt"), state=str(store))
    plan(made, "pr_7_shop_marts", "pr_7_shop")
    return made


def plan(job: Job, *schemas: str) -> None:
    nodes = [plans.node(name, schema=name, relation_name=f"{name}.a") for name in schemas]
    hand_over.write(job.work, plans.plan(*nodes))


def entry(job: Job) -> Path:
    return Path(job.state) / KEY


Register = Callable[[], str]


@pytest.fixture
def register(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Register:
    """Write the entry as report_pull_request.py does; gives what is printed."""

    def write() -> str:
        for name, value in {**job.environment, "DBT_DEPLOY_WORK": str(job.work)}.items():
            monkeypatch.setenv(name, value)
        cli.attempt_or_warn(
            lambda: register_schemas.register(RunContext.open(Ci)),
            title=pull_request_registry.NOT_CHANGED,
            stays="It stays.",
        )
        return "".join(capsys.readouterr())

    return write


def forget(job: Job) -> str:
    job.describe(pull_request=7, comment=False)
    return job.run("teardown/report_teardown")


def on_s3(job: Job, store: s3.Store, policy: str) -> str:
    """The store in a bucket, reached under a policy; gives the bucket."""
    bucket = store.create_bucket()
    user = store.create_user(json.loads(policy.replace("my-bucket", bucket)))
    job.state = f"s3://{bucket}/prod"
    job.environment |= store.environ | user.environ
    return bucket


def test_what_is_registered(job: Job, register: Register) -> None:
    job.describe(pull_request=7, policy=runs.ci())
    register()
    assert json.loads(entry(job).read_text()) == {
        "repository": REPOSITORY,
        "pull_request": 7,
        "project": "shop",
        "target": "ci",
        "schemas": ["pr_7_shop", "pr_7_shop_marts"],
        "sha": "a" * 40,
        "run_url": f"https://github.com/{REPOSITORY}/actions/runs/100",
        "at": "2026-11-21T00:00:00+00:00",
    }


@pytest.mark.fault(50)
def test_without_a_pull_request_nothing_is_registered(job: Job, register: Register) -> None:
    job.describe(policy=runs.ci())
    printed = register()
    assert "this run (schedule) belongs to no pull request" in printed
    assert list(Path(job.state).iterdir()) == []


def test_under_the_policy_of_pull_requests(job: Job, register: Register, s3_iam: s3.Store) -> None:
    bucket = on_s3(job, s3_iam, POLICY.read_text())
    job.describe(pull_request=7, policy=runs.ci())
    printed = register()
    assert "warning" not in printed.lower(), printed
    stored = s3_iam.client().get_object(Bucket=bucket, Key=f"prod/{KEY}")["Body"].read()
    assert json.loads(stored)["schemas"] == ["pr_7_shop", "pr_7_shop_marts"]
    hand_over.write(job.work, Teardown(closed=(7,)))
    forget(job)
    listed = s3_iam.client().list_objects_v2(Bucket=bucket)
    assert "Contents" not in listed


def test_an_older_policy_is_a_warning_with_the_line_to_add(
    job: Job, register: Register, s3_iam: s3.Store
) -> None:
    policy = json.loads(POLICY.read_text())
    policy["Statement"] = [
        one for one in policy["Statement"] if "s3:PutObject" not in one["Action"]
    ]
    bucket = on_s3(job, s3_iam, json.dumps(policy))
    job.describe(pull_request=7, policy=runs.ci())
    printed = register()
    assert "The registry of pull requests was not changed" in printed
    assert "All else goes on without it." in printed
    assert '"Action": ["s3:PutObject", "s3:DeleteObject"]' in printed
    assert f'"Resource": "arn:aws:s3:::{bucket}/prod/pull-requests/*.json"' in printed
    assert not hand_over.is_there(job.work, work_files.Failure)


@pytest.mark.fault(72)
def test_a_pull_request_keeps_no_parse(job: Job, register: Register) -> None:
    """Not even one that its own code laid where a deploy's dbt leaves what is to be kept."""
    job.describe(pull_request=7, policy=runs.ci())
    parses.laid(job.work / work_files.KEPT_PARSE)
    register()
    assert list(Path(job.state).glob("**/*.json")) == [entry(job)]
    assert not list(Path(job.state).rglob("*parse*"))


@pytest.mark.parametrize("broken", ["store", "plan", "run"])
def test_whatever_is_broken_is_a_warning(job: Job, register: Register, broken: str) -> None:
    if broken == "store":
        job.state = str(job.work / "no-such-folder")
    job.describe(pull_request=7, policy=runs.ci())
    if broken == "plan":
        (job.work / hand_over.PLAN).write_text("{")
    if broken == "run":
        hand_over.remove(job.work, work_files.Run)
    printed = register()
    assert "The registry of pull requests was not changed" in printed
    assert not hand_over.is_there(job.work, work_files.Failure)


def test_what_is_still_there_is_not_forgotten(job: Job, register: Register) -> None:
    job.describe(pull_request=7, policy=runs.ci())
    register()
    gone = DroppedSchema(schema="pr_7_shop", owner="pull request 7", pull_request=7)
    left = KeptSchema(schema="pr_7_shop_marts", reason="busy", pull_request=7, should_go=True)
    done = Teardown(dropped=(gone,), kept=(left,), closed=(7,))
    hand_over.write(job.work, done)
    assert "were not found" not in forget(job)
    assert entry(job).exists()
    hand_over.write(job.work, Teardown(dropped=(gone,), closed=(7,)))
    printed = forget(job)
    assert "pr_7_shop_marts: a build had announced that, and no schema of that name" in printed
    assert not entry(job).exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_nothing_is_forgotten_where_nothing_was_torn_down(
    job: Job, register: Register, dry_run: bool
) -> None:
    job.describe(pull_request=7, policy=runs.ci())
    register()
    if dry_run:
        hand_over.write(job.work, Teardown(closed=(7,), dry_run=True))
    assert "Nothing to forget." in forget(job)
    assert entry(job).exists()
