"""One job of a caller's workflow: the steps of an action, run by the runner stand-in."""

from __future__ import annotations

import fcntl
import functools
import itertools
import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo import processes, repository
from demo.events import Event
from demo.progress import Steps
from demo.repository import ROOT, Checkout
from demo.world import Environment, World
from standins.runner import runner
from standins.store import s3

ENVIRONMENT = ROOT / ".cache" / "action"
"""What actions/cache would restore: dbt-deploy's own environment."""

RUN_IDS = itertools.count(17_000_000_001)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that is over, with what it left for people."""

    result: runner.Result = field(repr=False)
    comments: tuple[str, ...]
    """All comments on its pull request."""

    @property
    def succeeded(self) -> bool:
        """Whether GitHub shows it green."""
        return self.result.conclusion == runner.SUCCESS

    @property
    def outputs(self) -> Mapping[str, str]:
        """The action's outputs."""
        return self.result.outputs

    @property
    def status(self) -> str:
        """The action's output ``status``; empty if it never got there."""
        return self.outputs.get("status", "")

    @property
    def log(self) -> str:
        """The job's log, as GitHub shows it."""
        return self.result.log

    @property
    def summary(self) -> str:
        """The step summary."""
        return self.result.summary

    @property
    def comment(self) -> str:
        """The newest comment; empty if there is none."""
        return self.comments[-1] if self.comments else ""

    @property
    def headline(self) -> str:
        """The comment's title, the summary's last one where there is no comment, or the notice."""
        text = self.comment or self.summary
        titles = [line for line in text.splitlines() if line.startswith("### ")]
        notices = [one.title or one.message for one in self.result.annotations]
        found = titles[:1] if self.comment else titles[-1:]
        return (found or notices[-1:] or ["nothing to show"])[0].lstrip("# ")

    @functools.cached_property
    def report_json(self) -> bytes:
        """report.json, empty if there is none."""
        path = self.outputs.get("report", "")
        return Path(path).read_bytes() if path else b""

    @functools.cached_property
    def report(self) -> dict[str, Any]:
        """report.json as a dict, for looking things up."""
        found: dict[str, Any] = json.loads(self.report_json or b"{}")
        return found

    @property
    def built(self) -> set[str]:
        """Names of the models, seeds and snapshots that were built."""
        return {
            node["name"] for node in self.report.get("nodes", []) if node["outcome"] == "passed"
        }

    def artifact_file(self, name: str) -> str:
        """A file of the folder that a job uploads."""
        return (Path(self.outputs["artifact-folder"]) / name).read_text(encoding="utf-8")

    @property
    def everything(self) -> str:
        """All that leaves the job: log, comments, summary, outputs, uploaded files."""
        folder = self.outputs.get("artifact-folder", "")
        files = [path for path in Path(folder).rglob("*") if path.is_file()] if folder else []
        texts = [path.read_bytes().decode(errors="replace") for path in files]
        return "\n".join([self.log, *self.comments, self.summary, *texts, str(self.outputs)])


class Cancellation(runner.Cancellation):
    """Ends a job as GitHub does, or by one signal of another origin."""

    def terminate(self, number: int) -> None:
        """Send one signal to the running step's first process, as a machine going down does."""
        with self._lock:
            assert self._process is not None, "no step is running"
            self._process.send_signal(number)


class Started:
    """A job that runs in a thread."""

    def __init__(self, world: World, checkout: Checkout, event: Event, **options: Any) -> None:
        self.cancellation = Cancellation()
        self._job: Job | None = None

        def work() -> None:
            self._job = run(world, checkout, event, cancellation=self.cancellation, **options)

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the job is not over yet."""
        return self._thread.is_alive()

    def wait(self, seconds: float = 60) -> Job:
        """Wait for the job to end."""
        self._thread.join(seconds)
        assert self._job is not None, "the job did not end, or ended in an error"
        return self._job


def run(
    world: World,
    checkout: Checkout,
    event: Event,
    *,
    action: str = "ci",
    environment: Environment | None = None,
    inputs: Mapping[str, str] | None = None,
    dbt_env: Mapping[str, str] | None = None,
    cancellation: Cancellation | None = None,
    show_steps: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Job:
    """Run the action to its end.

    Args:
        world: what there is around the job.
        checkout: what actions/checkout left; becomes the workspace.
        event: what started the job.
        action: its folder; decides which role the job has in warehouse and bucket. Slim CI is the
            root's, as its callers name it.
        environment: the place in the bucket; the world's production if None.
        inputs: laid over those of the example's workflow.
        dbt_env: laid over the variables that the example's profile reads.
        cancellation: to end the job while it runs.
        show_steps: print a line for each step.
        variables: further ``env`` of the job.
    """
    place = environment or world.production
    for_pull_request = action in ("ci", "teardown")
    role = world.pull_request_role if for_pull_request else world.production_role
    keys = place.pull_request if for_pull_request else place.deployer
    secret = {**role, **(dbt_env or {})}
    lines = "\n".join(f"{name}={value}" for name, value in secret.items())
    given = {
        "state": place.state_url,
        "aws-region": world.store.region,
        "aws-endpoint-url": world.store.url,
    }
    if action != "store":
        target = "ci" if for_pull_request else "prod"
        given |= {"dbt": "installed", "target": target, "dbt-env": lines}
    steps = Steps(show=show_steps)
    with steps:
        result = runner.run_action(
            ROOT if action == "ci" else ROOT / action,
            inputs={**given, **(inputs or {})},
            job=_job(
                world, checkout, event, keys=keys, secrets=(lines,), variables=variables or {}
            ),
            before=steps.begin,
            cancellation=cancellation,
        )
    number = event.payload.get("number")
    listed = world.github.comments(repository.NAME, number) if number else []
    return Job(result=result, comments=tuple(str(comment["body"]) for comment in listed))


def set_up() -> None:
    """Make dbt-deploy's own environment where it is not complete, as a first job would.

    One process at a time: two workers of a fresh clone's first test run may come here together.

    Raises:
        CommandFailed: it could not be made.
    """
    environment = processes.clean_environment(
        PATH=search_path(), DBT_DEPLOY_ENV_FOLDER=str(ENVIRONMENT), DBT_DEPLOY_DBT="installed"
    )
    command = ["python3", str(ROOT / "scripts" / "setup_environment.py"), "own"]
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with ENVIRONMENT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        processes.run(command, cwd=ROOT, environment=environment)


def _job(
    world: World,
    checkout: Checkout,
    event: Event,
    *,
    keys: s3.Keys,
    secrets: tuple[str, ...],
    variables: Mapping[str, str],
) -> runner.Job:
    run_id = next(RUN_IDS)
    temp = checkout.folder.parent / f"{checkout.folder.name}-runner-{run_id}"
    temp.mkdir()
    return runner.Job(
        workspace=checkout.folder,
        temp=temp,
        event_name=event.name,
        event=event.payload,
        repository=repository.NAME,
        sha=event.sha,
        ref=event.ref,
        head_ref=event.head_ref,
        base_ref="main" if event.head_ref else "",
        actor=event.actor,
        run_id=run_id,
        token=world.github.create_token("github-actions[bot]", installation=True),
        api_url=world.github.url,
        path=os.pathsep.join([str(world.dbt.bin_folder), search_path()]),
        environment={
            **keys.environ,
            "DBT_DEPLOY_ENV_FOLDER": str(ENVIRONMENT),
            "LANG": "C.UTF-8",
            **variables,
        },
        secrets=secrets,
    )


def search_path() -> str:
    """PATH with a python3 that needs nothing of the user's home folder, as a shim may."""
    return os.pathsep.join([str(Path(sys.executable).resolve().parent), os.environ["PATH"]])
