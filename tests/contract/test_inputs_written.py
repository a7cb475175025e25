"""What repeats the table of inputs is what ``make inputs`` writes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import make_inputs
from contract.actions import ACTIONS, ROOT, action, steps
from dbtdeploy.base.settings import Inputs
from dbtdeploy.context.inputs import input_table

WRITTEN = make_inputs.written()


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_file_holds_what_the_table_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == WRITTEN[path], "run: make inputs"


@pytest.mark.parametrize("name", ACTIONS)
def test_no_name_is_twice_in_one_action_or_workflow(name: str) -> None:
    for rows in (input_table.of_action(name), input_table.of_workflow(name)):
        names = [row.name for row in rows]
        assert sorted(names) == sorted(set(names))


def test_every_setting_is_a_field_and_every_field_a_setting() -> None:
    fields = set().union(*(input_table.fields_of(name) for name in ACTIONS))
    assert fields == set(Inputs.__dataclass_fields__) - {"dbt_command"}


@pytest.mark.parametrize("name", ACTIONS)
def test_every_input_is_used_and_only_inputs_are(name: str) -> None:
    text = (ROOT / name / "action.yml").read_text(encoding="utf-8")
    for one in action(name)["inputs"]:
        assert f"inputs.{one} " in text, one
    # The other way round, and for workflows too, actionlint and GitHub's schema see to it.
    used = {word.split()[0].rstrip(")") for word in text.split("inputs.")[1:]}
    assert used <= set(action(name)["inputs"])


@pytest.mark.parametrize("name", ACTIONS)
def test_the_environment_of_the_reader_is_that_of_its_action_alone(name: str) -> None:
    (reader,) = [
        one
        for one in steps(name)
        if any(reader in one.get("run", "") for reader in make_inputs.READERS.split("|"))
    ]
    given = {variable for variable in reader["env"] if variable.startswith("DBT_DEPLOY_")}
    wanted = {row.variable for row in input_table.settings_of(name)}
    aside = {"DBT_DEPLOY_DBT_COMMAND", "DBT_DEPLOY_REDACT", "DBT_DEPLOY_GITHUB_TOKEN"}
    assert {v for v in given - aside if "AWS" not in v} == wanted
    if name in input_table.WITH_DBT:
        assert reader["run"].endswith(f" start start_run {name}")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("ci", "Leave `command` out."),
        ("clean-up", "Use org/dbt-deploy/clean-up@v1, without `command`."),
        ("hold", "Use org/dbt-deploy/store@v1 with `command: hold`."),
        ("adopt", "takes plain artifacts over"),
        ("x::y\n::error::z", "See docs/inputs.md"),
    ],
)
def test_the_root_refuses_a_command_before_anything_else(command: str, said: str) -> None:
    """GitHub only warns of an unknown input: a deploy would run as slim CI."""
    first = steps(".")[0]
    assert first["if"] == "inputs.command != ''"
    assert first["env"] == {"COMMAND": "${{ inputs.command }}"}
    done = subprocess.run(
        ["bash", "-e", "-c", first["run"].replace("python3", sys.executable)],
        env={"GITHUB_ACTION_PATH": str(ROOT), "COMMAND": command},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stdout
    assert len(done.stdout.splitlines()) == 1, "what the caller wrote is no workflow command"


def test_the_root_is_slim_ci_otherwise() -> None:
    root, ci = action("."), action("ci")
    assert root["outputs"] == ci["outputs"]
    assert {k: v for k, v in root["inputs"].items() if k != "command"} == ci["inputs"]
    assert [one["name"] for one in root["runs"]["steps"][1:]] == [
        one["name"] for one in steps("ci")
    ]
    for one in root["runs"]["steps"]:
        assert ".." not in one.get("run", "")


@pytest.mark.parametrize("name", ACTIONS)
def test_no_step_asks_for_a_mode_or_a_command(name: str) -> None:
    for one in steps(name):
        for word in ("mode", "inputs.command"):
            assert word not in str(one.get("if", "")), one["name"]
    assert ("command" in action(name)["inputs"]) == (name == "store")


def test_a_command_of_the_store_is_one_step() -> None:
    ours = [one for one in steps("store") if "run.py" in one.get("run", "")]
    assert len(ours) == 1
