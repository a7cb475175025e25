"""What is printed for the runner, and that nobody else can speak to it through us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbtdeploy.base import actions_runner

HOSTILE = "a%\r\n::error::x,y:z"


@pytest.fixture
def laptop() -> Iterator[None]:
    actions_runner.talk_to_runner(False)
    yield
    actions_runner.talk_to_runner(True)


@pytest.mark.fault(45)
def test_an_annotation_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    actions_runner.annotate("error", HOSTILE, HOSTILE, file=HOSTILE, line=3)
    escaped = "a%25%0D%0A%3A%3Aerror%3A%3Ax%2Cy%3Az"
    assert capsys.readouterr().out == (
        f"::error title={escaped},file={escaped},line=3::a%25%0D%0A::error::x,y:z\n"
    )


@pytest.mark.fault(45)
def test_foreign_output_stands_between_two_random_tokens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tokens = []
    for _ in range(2):
        with actions_runner.foreign_output():
            print("::add-mask::a")
        first, *_, last = capsys.readouterr().out.strip().splitlines()
        token = first.removeprefix("::stop-commands::")
        assert last == f"::{token}::"
        tokens.append(token)
    assert tokens[0] != tokens[1]
    assert re.fullmatch("[0-9a-f]{32}", tokens[0])


@pytest.mark.fault(46)
def test_an_output_cannot_end_its_own_value(tmp_path: Path) -> None:
    path = tmp_path / "output"
    actions_runner.set_outputs(path, {"a": "x\nend_\nb=injected", "b": "2"})
    lines = path.read_text().splitlines()
    name, delimiter = lines[0].split("<<")
    assert name == "a"
    assert lines[1:5] == ["x", "end_", "b=injected", delimiter]
    assert lines.count(delimiter) == 1


def test_a_masked_value_is_masked_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    actions_runner.mask("one\n\ntwo%")
    assert capsys.readouterr().out == "::add-mask::one\n::add-mask::two%25\n"


def test_people_get_plain_lines(laptop: None, capsys: pytest.CaptureFixture[str]) -> None:
    actions_runner.annotate("error", "It broke", "Mend it.", file="a.sql", line=3)
    actions_runner.mask("hunter2")
    with actions_runner.group("dbt build"), actions_runner.foreign_output():
        print("fine")
    assert capsys.readouterr().out == "error: It broke (a.sql:3)\nMend it.\ndbt build\nfine\n"


@pytest.mark.fault(44)
def test_a_summary_that_github_would_drop_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    with pytest.raises(ValueError, match="larger"):
        actions_runner.write_summary(path, "x" * (actions_runner.SUMMARY_LIMIT_BYTES + 1))
    assert not path.exists()


COMMANDS = [
    "x##[error]y",
    "a row\n::set-output name=a::b",
    "a row\r::add-mask::b",
    "  ::error::b",
    "\u2003::error::b",
    "::stop-commands::pause",
    "one\u2028::warning::two",
    "##[group]##[add-path]/tmp",
    ":::error::b",
    "\x1b[2K::error::b",
    "\x0c::error::b",
    "\u202e::rorre::",
]


@pytest.mark.fault(67)
@pytest.mark.parametrize("text", COMMANDS)
def test_foreign_text_in_the_log_is_inert(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    actions_runner.say(f"Kept: table {text}")
    actions_runner.say(text)
    for line in capsys.readouterr().out.split("\n"):
        # As ActionCommand.cs of actions/runner looks for them.
        assert "##[" not in line
        assert not line.strip().startswith("::")
        assert line.replace("\u2003", "").isprintable()


@pytest.mark.fault(64, 67)
def test_nothing_that_is_said_holds_a_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBT_DEPLOY_DBT_ENV", 'WAREHOUSE="line one\\nline two"')
    actions_runner.say("it said line one\nline two")
    actions_runner.annotate("error", "line one", "it said line two", file="line two")
    with actions_runner.group("dbt line two"):
        pass
    actions_runner.write_summary(tmp_path / "summary", "in line one")
    said = capsys.readouterr().out + (tmp_path / "summary").read_text()
    assert "line" not in said
    assert said.count("***") == 6


@pytest.mark.fault(67)
def test_ordinary_lines_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    lines = "Ready: a::b, `c`: 3 % of 7\n\n  - x: y #[z] \t\u00e9\U0001f600"
    actions_runner.say(lines)
    assert capsys.readouterr().out == lines + "\n"
