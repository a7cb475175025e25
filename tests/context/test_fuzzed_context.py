"""Inputs, event payloads and a project's files at random: understood, or a named error."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbtdeploy.base import errors, secret_spellings
from dbtdeploy.base.settings import DbtEnvironment, GitHubContext, Inputs
from dbtdeploy.context import event, project
from dbtdeploy.context.inputs import input_table, inputs
from dbtdeploy.context.project import Project
from dbtdeploy.context.work_files import Event
from standins.text.hostile import texts
from standins.text.mutants import DEEP, mutated, numbers

pytestmark = pytest.mark.fuzz

COMMANDS = ("ci", "deploy", "release", "rollback", "clean-up", "teardown")
EVENT = Event(name="push", repository="o/r", sha="a" * 40, ref="main", pull_request=7, tag="v1.0.0")
PROJECT = Project(
    name="shop", profile="shop", target_path="target", packages_path="dbt_packages", reads=()
)

YAML = (
    *("!!bool x", "a: !!bool x", "!!int ''", "!!float x", "!!timestamp x", "a: 2026-99-99", "? []"),
    *("&a [*a]", "*a", "{a: b", "a: !!python/name:os.system", "<<: 1", "\x00", "\ud800", DEEP),
    *("- " * 20_000, "{" * 20_000, "a: !!set x", "a: !!omap {}", "!!binary é"),
)
"""What PyYAML refuses by errors of its own and by Python's."""

words = st.one_of(
    st.sampled_from(("true", "false", "all", "none", "state:modified", "--select x", "-h", *YAML)),
    numbers,
    texts,
)

PAYLOAD = json.dumps(
    {
        "pull_request": {
            "number": 482,
            "head": {"sha": "a" * 40, "ref": "fix", "repo": {"full_name": "shop/analytics"}},
            "user": {"login": "ada"},
            "updated_at": "2026-11-21T09:00:00Z",
        },
        "merge_group": {"head_sha": "b" * 40, "head_ref": "refs/heads/queue"},
        "repository": {"full_name": "shop/analytics", "default_branch": "main"},
    }
).encode()


def parsed(command: str, given_inputs: dict[str, str]) -> None:
    # A variable of the environment holds neither a zero byte nor half a character.
    environ = {
        f"DBT_DEPLOY_{name.upper()}": text.encode("utf-8", "ignore").decode().replace("\0", "")
        for name, text in given_inputs.items()
    }
    with contextlib.suppress(errors.DbtDeployError):
        run = inputs.parse(
            Inputs.from_environ(
                input_table.fields_of(command), {"DBT_DEPLOY_STATE": "s3://b/prod", **environ}
            ),
            command=command,
            event=EVENT,
            project=PROJECT,
            workspace=Path("/w"),
            target_path=Path("/w/target"),
            started_at="2026-11-21T00:00:00+00:00",
        )
        msgspec.json.encode(run)


@pytest.mark.parametrize("command", COMMANDS)
@given(data=st.data())
def test_inputs(command: str, data: st.DataObject) -> None:
    names = sorted(input_table.fields_of(command))
    parsed(command, data.draw(st.dictionaries(st.sampled_from(names), words, max_size=3)))


@pytest.mark.parametrize("text", YAML)
def test_vars_that_are_no_yaml(text: str) -> None:
    parsed("ci", {"vars": text})


@pytest.mark.parametrize("command", COMMANDS)
def test_numbers_of_thousands_of_digits(command: str) -> None:
    for name in input_table.fields_of(command):
        parsed(command, {name: "9" * 5_000})


@given(value=words, before=texts, name=st.sampled_from(("TOKEN", "A-B", "1", "", "é", "PATH")))
def test_dbt_env(value: str, before: str, name: str) -> None:
    secret = f"hunter22{value}"
    try:
        DbtEnvironment.from_environ({"DBT_DEPLOY_DBT_ENV": f"{before}\n{name}={secret}"})
    except errors.InvalidInput as failure:
        said = f"{failure.what} {failure.not_done} {failure.remedy}"
        assert "hunter22" not in said
    secret_spellings.every(secret.encode("utf-8", "ignore").decode())


@pytest.mark.parametrize("depth", [900, 950, 960, 970, 980, 990, 1_000, 100_000])
def test_a_secret_that_is_json_without_end(depth: int) -> None:
    secret_spellings.every("[" * depth + '"hunter22"' + "]" * depth)


def read(payload: bytes, **of_context: str) -> Event:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event.json"
        path.write_bytes(payload)
        known: dict[str, Any] = {
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_REPOSITORY": "shop/analytics",
            "GITHUB_RUN_ID": "99",
            "GITHUB_EVENT_PATH": str(path),
        }
        return event.of_run(GitHubContext.from_environ({**known, **of_context}))


@given(payload=mutated(PAYLOAD))
def test_event_payloads(payload: bytes) -> None:
    with contextlib.suppress(errors.InvalidInput):
        found = read(payload)
        msgspec.json.encode(found)
        assert found.pull_request is None or found.pull_request > 0


@given(number=numbers, attempt=numbers)
def test_numbers_of_the_run(number: str, attempt: str) -> None:
    try:
        found = read(PAYLOAD, GITHUB_RUN_ID=number, GITHUB_RUN_ATTEMPT=attempt)
    except errors.InvalidInput:
        return
    assert (found.run_id, found.run_attempt) == (int(number), int(attempt))


@given(text=st.one_of(st.sampled_from(YAML), texts), name=st.sampled_from(("name", "packages", "")))
@example(text="!!bool x", name="packages")
@example(text=DEEP, name="")
def test_a_project_s_files(text: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(errors.InvalidInput):
        for file in ("dbt_project.yml", "packages.yml"):
            said = f"name: shop\n{name}: {text}\n" if name else text
            (Path(folder) / file).write_text(said, encoding="utf-8", errors="replace")
        project.read_project(Path(folder))
        project.needs_deps(Path(folder), Path(folder) / "dbt_packages")
