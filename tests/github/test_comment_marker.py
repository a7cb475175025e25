"""The hidden lines of a comment, and who may write over whom."""

from __future__ import annotations

import cmarkgfm  # type: ignore[import-untyped]
import pytest

from dbtdeploy.github.comment_marker import (
    Marker,
    RunMark,
    RunState,
    mark,
    may_write,
    parse_marker,
    parse_run_mark,
)

HOSTILE = [
    "--> <img src=x onerror=alert(1)>",
    "a b\tc",
    "line\nbreak\r\nhere",
    "\" ' ` $( ) ${{ x }}",
    "target=prod -->",
    "--",
    "--!>",
    "100% ✅ ünï",
    "",
]


def run(run_id: int, attempt: int = 1, state: RunState = RunState.RUNNING) -> RunMark:
    return RunMark(run_id=run_id, run_attempt=attempt, commit="9f3c2e1", state=state)


def test_lines_are_as_documented() -> None:
    body = mark(Marker(project="analytics", target="ci"), run(123), "### Hello\n")
    assert body == (
        "<!-- dbt-deploy project=analytics target=ci -->\n"
        "<!-- dbt-deploy-run id=123 attempt=1 commit=9f3c2e1 state=running -->\n"
        "### Hello\n"
    )


@pytest.mark.fault(44)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_out(name: str) -> None:
    marker = Marker(project=name, target=name)
    ours = RunMark(run_id=1, run_attempt=2, commit=name, state=RunState.FINISHED)
    body = mark(marker, ours, "text")
    assert parse_marker(body) == marker
    assert parse_run_mark(body) == ours
    assert marker.marks(body)
    assert body.count("-->") == 2
    assert len(body.splitlines()) == 3
    shown = cmarkgfm.github_flavored_markdown_to_html(body)
    assert shown == "<!-- raw HTML omitted -->\n<!-- raw HTML omitted -->\n<p>text</p>\n"


def test_body_survives_an_edit_in_the_browser() -> None:
    marker = Marker(project="a", target="b")
    body = mark(marker, run(7), "text\n").replace("\n", "\r\n")
    assert marker.marks(body)
    assert parse_run_mark(body) == run(7)


@pytest.mark.parametrize(
    ("project", "target"), [("shop", "ci"), ("shop", ""), ("shop", "ci2"), ("sho", "pci")]
)
def test_each_project_and_target_has_its_own_marker(project: str, target: str) -> None:
    body = mark(Marker(project=project, target=target), run(1), "")
    others = {("shop", "ci"), ("shop", ""), ("shop", "ci2"), ("sho", "pci")} - {(project, target)}
    assert Marker(project=project, target=target).marks(body)
    assert not any(Marker(project=p, target=t).marks(body) for p, t in others)


@pytest.mark.parametrize("before", ["> ", " ", "text\n", "\n", "```\n"])
def test_a_quoted_marker_marks_nothing(before: str) -> None:
    marker = Marker(project="a", target="b")
    assert not marker.marks(before + mark(marker, run(1), ""))


def test_long_names_stay_apart_and_short() -> None:
    first, second = (Marker(project="é" * 900 + end, target="ci") for end in "ab")
    body = mark(first, run(1), "")
    assert first.marks(body)
    assert not second.marks(body)
    assert parse_marker(body) is not None
    assert len(body) < 1000


@pytest.mark.parametrize(
    "line",
    [
        "",
        "### Hello",
        "<!-- dbt-deploy-run -->",
        "<!-- dbt-deploy-run id=x attempt=1 commit=a state=running -->",
        "<!-- dbt-deploy-run id=-1 attempt=1 commit=a state=running -->",
        "<!-- dbt-deploy-run id=1 attempt=1 commit=a state=dancing -->",
        "<!-- dbt-deploy-run id=1 attempt=1 commit=a state=running --> more",
        f"<!-- dbt-deploy-run id={'9' * 5000} attempt=1 commit=a state=running -->",
        "<!-- dbt-deploy-run id=\u0661 attempt=1 commit=a state=running -->",
    ],
)
def test_a_malformed_run_mark_is_none(line: str) -> None:
    assert parse_run_mark(f"<!-- dbt-deploy project=a target=b -->\n{line}\ntext") is None
    assert parse_run_mark("one line") is None


@pytest.mark.parametrize(
    ("existing", "ours", "allowed"),
    [
        (None, run(5), True),
        (run(4), run(5), True),
        (run(5), run(5, state=RunState.FINISHED), True),
        (run(5), run(5, attempt=2), True),
        (run(6), run(5), False),
        (run(5, attempt=2), run(5), False),
        (run(6, attempt=1), run(5, attempt=9, state=RunState.FINISHED), False),
        (run(10), run(9), False),
        # A cancelled run writes over its own words only, and begins no comment.
        (None, run(5, state=RunState.CANCELLED), False),
        (run(5), run(5, state=RunState.CANCELLED), True),
        (run(4), run(5, state=RunState.CANCELLED), False),
        (run(6), run(5, state=RunState.CANCELLED), False),
        (run(5, attempt=1), run(5, attempt=2, state=RunState.CANCELLED), False),
        (run(5, state=RunState.CANCELLED), run(6), True),
    ],
)
def test_who_may_write(existing: RunMark | None, ours: RunMark, allowed: bool) -> None:
    assert may_write(existing, ours) is allowed
