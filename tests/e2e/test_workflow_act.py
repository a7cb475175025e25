"""The reusable workflow, called from another repository, executed by nektos/act.

A few whole runs, one for each kind of event; the many cases are in ``test_slim_ci.py``. What GitHub
has and act lacks: it keeps no permissions and no concurrency groups, knows no time limits and no
forks (it would hand out every secret: the fork's run is given none, as on GitHub), masks only the
first line of a secret of several lines, hands no annotations and no step summary to anybody (here
read from the artifact), drops no masked job output, and counts no runs (the id is given here).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

import make_environments
from demo import events, jobs, processes, repository, tagging
from demo.events import Event
from demo.repository import SHOP, Checkout
from demo.world import Environment, World
from e2e import conftest
from e2e.conftest import Author, Manager
from standins.runner import act

pytestmark = [pytest.mark.act, pytest.mark.more, pytest.mark.xdist_group("act")]

TEMPLATES = act.ROOT / "templates" / "workflows"
UV_CACHE = str(Path.home() / ".cache" / "uv")
"""Where uv has what it downloaded; act's runs have a home folder of their own."""

ROLE = "arn:aws:iam::123456789012:role/dbt-pull-requests"
MODEL = "models/staging/stg_products.sql"


@pytest.fixture(scope="session")
def command() -> str:
    found = act.find()
    if found is None:
        pytest.skip("act is not installed; .ci/run installs it, or see CONTRIBUTING.md")
    return found


@pytest.fixture(scope="session")
def ours(command: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``org/dbt-deploy@v1`` stands for."""
    return act.ship(tmp_path_factory.mktemp("ours") / "dbt-deploy")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ran:
    """One run, and what it left for people."""

    finished: act.Finished
    artifacts: Path

    @property
    def outputs(self) -> dict[str, str]:
        """The reusable workflow's outputs, as the caller's next job got them."""
        path = self.artifacts / "outputs.json"
        found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def artifact(self, name: str, *, of: str = "dbt-deploy") -> str:
        """A file of the uploaded artifact."""
        return (self.artifacts / of / name).read_text(encoding="utf-8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Caller:
    """A team's repository that calls the workflow."""

    world: World
    act: str
    ours: Path
    folder: Path

    def run(
        self,
        checkout: Checkout,
        event: Event,
        *,
        template: str = "slim-ci",
        place: Environment | None = None,
        run_id: int = 1,
        with_secrets: bool = True,
        **inputs: str,
    ) -> Ran:
        """Run a template's workflow for one event; ``inputs`` are laid over the template's."""
        place = place or self.world.production
        self._add_workflow(
            checkout, template, {"state": place.state_url, **conftest.inputs(inputs)}
        )
        token = self.world.github.create_token(
            "github-actions[bot]", installation=True, write=with_secrets
        )
        secrets = {"GITHUB_TOKEN": token}
        for_pull_request = template in ("slim-ci", "teardown")
        keys = place.pull_request if for_pull_request else place.deployer
        environments = jobs.ENVIRONMENT
        if inputs.get("dbt", "installed") != "installed":
            # Nothing is installed yet, not even dbt-deploy.
            environments = self.folder / f"environments-{run_id}"
        variables = {
            "DBT_DEPLOY_ENV_FOLDER": str(environments),
            "GITHUB_API_URL": self.world.github.url,
            "GITHUB_RUN_ID": str(run_id),
            "STAND_IN_ARTIFACTS": str(self.folder / f"artifacts-{run_id}"),
            "STAND_IN_REPOSITORY": str(checkout.folder),
        }
        if with_secrets:
            for name, role in (
                ("DBT_ENV", self.world.pull_request_role),
                ("DBT_ENV_PROD", self.world.production_role),
            ):
                secrets[name] = "\n".join(f"{key}={value}" for key, value in role.items())
            variables |= {
                "STAND_IN_AWS_ROLE": ROLE,
                "STAND_IN_AWS_ACCESS_KEY_ID": keys.access_key,
                "STAND_IN_AWS_SECRET_ACCESS_KEY": keys.secret_key,
            }
        tools = make_environments.CACHE / "tools" / "bin"
        path = os.pathsep.join([str(self.world.dbt.bin_folder), jobs.search_path(), str(tools)])
        finished = act.run(
            event.name,
            act=self.act,
            caller=checkout.folder,
            ours=self.ours,
            payload=event.payload,
            home=self.folder / f"home-{run_id}",
            actor=event.actor,
            secrets=secrets,
            variables=variables,
            environment={
                "UV_CACHE_DIR": UV_CACHE,
                "UV_OVERRIDE": str(make_environments.OVERRIDE),
                **processes.clean_environment(PATH=path),
            },
        )
        return Ran(finished=finished, artifacts=self.folder / f"artifacts-{run_id}")

    def _add_workflow(self, checkout: Checkout, template: str, inputs: Mapping[str, str]) -> None:
        """Commit the template's workflow, with this world's addresses."""
        workflow = yaml.safe_load((TEMPLATES / f"{template}.yml").read_text(encoding="utf-8"))
        workflow["on"] = workflow.pop(True)  # `on` is a truth value in YAML 1.1
        (called,) = workflow["jobs"]
        workflow["jobs"][called]["with"] |= {
            "dbt": "installed",
            "aws-role": ROLE,
            "aws-region": self.world.store.region,
            "aws-endpoint-url": self.world.store.url,
            **inputs,
        }
        workflow["jobs"]["after"] = {
            "needs": called,
            "runs-on": "ubuntu-latest",
            "steps": [
                {
                    "env": {"OUTPUTS": f"${{{{ toJSON(needs.{called}.outputs) }}}}"},
                    "run": 'echo "$OUTPUTS" > "$STAND_IN_ARTIFACTS/outputs.json"',
                }
            ],
        }
        path = checkout.folder / ".github" / "workflows" / "dbt.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(workflow), encoding="utf-8")
        made = repository.Repository(folder=checkout.folder)
        # Where act reads the repository's name.
        made.git("remote", "set-url", "origin", f"https://github.com/{repository.NAME}")
        made.git("add", ".github")
        made.git("commit", "--quiet", "--message", "Call dbt-deploy")


@pytest.fixture
def caller(world: World, command: str, ours: Path, tmp_path: Path) -> Caller:
    return Caller(world=world, act=command, ours=ours, folder=tmp_path)


def change(marker: str) -> dict[str, str | None]:
    """A change of one model that keeps it whole."""
    return {MODEL: (SHOP / MODEL).read_text().rstrip() + f"\n-- {marker}\n"}


def test_opened_then_synchronize(author: Author, caller: Caller) -> None:
    opened = author.push(change("first"))
    first = caller.run(opened, author.event(opened), dbt="requirements.txt")
    assert first.finished.exit_code == 0, first.finished.log
    assert "Installing dbt (--requirement" in first.finished.log
    assert first.outputs["status"] == "passed"
    assert first.outputs["schema"] == author.schema
    (comment,) = author.comments
    assert first.artifact("comment.md").strip() in comment
    assert json.loads(first.artifact("report.json"))["nodes"]
    secret = author.world.pull_request_role["DBT_ENV_SECRET_PASSWORD"]
    assert secret not in first.artifact("dbt.log") + first.finished.log

    pushed = author.push({MODEL: "select no_such_column from {{ source('raw', 'products') }}\n"})
    second = caller.run(pushed, author.event(pushed), run_id=2)
    assert second.finished.exit_code == 1
    assert "Build what was modified" in second.finished.steps("Failure")
    assert "Report on the pull request" in second.finished.steps("Success")
    (updated,) = author.comments
    assert updated != comment
    assert "no_such_column" in updated
    assert "no_such_column" in second.artifact("summary.md")


@pytest.mark.fault(40)
def test_a_fork_has_no_secrets_and_wants_none(author: Author, caller: Caller) -> None:
    pushed = author.push(change("from a fork"))
    event = author.event(pushed)
    head = event.payload["pull_request"]["head"]
    head["repo"] = {"full_name": "stranger/shop", "fork": True}
    ran = caller.run(pushed, event, with_secrets=False)
    assert ran.finished.exit_code == 0, ran.finished.log
    assert ran.outputs["status"] == "skipped"
    assert "fork" in ran.artifact("summary.md")
    assert author.comments == []
    assert author.value("select count(*) from pg_namespace where nspname = '{schema}'") == 0


@pytest.mark.fault(50)
@pytest.mark.parametrize("kind", ["merge_group", "workflow_dispatch"])
def test_events_without_a_pull_request(kind: str, author: Author, caller: Caller) -> None:
    pushed = author.push(change("no number"))
    made = {
        "merge_group": lambda: events.merge_group(pushed),
        "workflow_dispatch": lambda: events.manual(pushed, author.branch),
    }
    ran = caller.run(pushed, made[kind]())
    assert ran.finished.exit_code == 0, ran.finished.log
    assert ran.outputs["status"] == "passed"
    assert ran.outputs["comment-url"] == ""
    assert author.comments == []
    made_by_it = "select count(*) from information_schema.tables where table_schema = '{schema}'"
    assert author.value(made_by_it.format(schema=ran.outputs["schema"])) != 0


def test_a_merge_is_deployed_and_a_schedule_builds_what_is_live(
    manager: Manager, caller: Caller
) -> None:
    merged = manager.merge(change("merged"))
    first = caller.run(merged, events.push(merged), template="deploy", place=manager.place)
    assert first.finished.exit_code == 0, first.finished.log
    assert first.outputs["status"] in ("passed", "warned")
    version = first.outputs["version"]
    assert version in first.artifact("summary.md", of="dbt-deploy-production")
    secret = manager.world.production_role["DBT_ENV_SECRET_PASSWORD"]
    assert secret not in first.finished.log

    scheduled = events.schedule(merged)
    weekly = caller.run(merged, scheduled, template="weekly", place=manager.place, run_id=2)
    assert weekly.finished.exit_code == 0, weekly.finished.log
    assert weekly.outputs["status"] == "nothing"


def test_a_version_tag_is_released(manager: Manager, caller: Caller) -> None:
    manager.merge(change("released"))
    assert manager.run("drive", driver="release").succeeded
    tag = f"v{manager.branch.removeprefix('main-')}.0.0"
    checkout = tagging.push_tag(manager.world, tag, manager.branch, manager.folder / tag)
    ran = caller.run(
        checkout,
        events.tag(checkout, tag),
        template="release",
        place=manager.place,
        main_branch=manager.branch,
    )
    assert ran.finished.exit_code == 0, ran.finished.log
    assert ran.outputs["status"] in ("passed", "warned")
    assert manager.index()["tag"] == tag
    assert manager.index()["version"] == ran.outputs["version"]
    release = manager.world.github.releases(repository.NAME)[-1]
    assert (release["tag_name"], release["draft"]) == (tag, False)
    assert ran.outputs["release-url"] == release["html_url"]
    assert tag in ran.artifact("summary.md", of="dbt-deploy-production")
