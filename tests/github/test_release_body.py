"""Our part of a release's text, and what becomes of the release."""

from __future__ import annotations

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import Released
from dbtdeploy.context.rollback_files import RolledBack
from dbtdeploy.context.work_files import Failure
from dbtdeploy.github import release_body
from dbtdeploy.github.release_body import Section, fate
from dbtdeploy.release.pages import release_notes
from standins.jobs import plans
from standins.text import hostile
from standins.text.pages import HOSTILE, check_inert

SHOP = Section(environment="production", project="shop")
STAGING = Section(environment="staging", project="shop")


# Whose part ---------------------------------------------------------------------------------------


def test_our_part_is_put_in_and_replaced_in_place() -> None:
    first = SHOP.put("", "one")
    assert release_body.is_ours(first)
    assert SHOP.put(first, "two") == first.replace("one", "two")
    assert SHOP.put(first, "one") == first


def test_what_people_wrote_stays_around_it() -> None:
    body = "## Hello\r\n\r\nwritten by hand  \r\n"
    once = SHOP.put(body, "one")
    assert once.startswith("## Hello\r\n\r\nwritten by hand\n\n<!-- dbt-deploy release ")
    assert not release_body.is_ours(once)
    twice = SHOP.put(once + "\n\nbelow", "two")
    assert twice == once.replace("one", "two") + "\n\nbelow"


def test_a_release_edited_in_a_browser_is_found_again() -> None:
    edited = SHOP.put("above", "one\nmore").replace("\n", "\r\n")
    assert SHOP.is_in(edited)
    assert SHOP.put(edited, "two").count("<!-- dbt-deploy release") == 1


def test_each_environment_and_project_has_its_part() -> None:
    body = STAGING.put(SHOP.put("", "shop"), "staging")
    assert SHOP.put(body, "again").index("again") < body.index("staging") + 10
    assert STAGING.is_in(body)
    assert not Section(environment="production", project="shop2").is_in(body)


def test_the_line_on_top_comes_and_goes() -> None:
    body = SHOP.put("by hand", "one")
    crowned = SHOP.crown(body, "rolled back")
    assert crowned.splitlines()[1] == "rolled back"
    assert crowned.endswith(body)
    assert SHOP.crown(crowned, "rolled back") == crowned
    assert SHOP.uncrown(crowned) == body
    assert SHOP.uncrown(body) == body
    assert release_body.is_ours(SHOP.crown(SHOP.put("", "one"), "x"))


@pytest.mark.parametrize("name", [*HOSTILE, "<!-- /dbt-deploy release", "--><b>"])
def test_no_name_and_no_text_ends_our_part(name: str) -> None:
    hostile = Section(environment=name, project=name)
    ends = hostile.put("", "").splitlines()[-1]
    body = hostile.put("above", f"{name}\n{ends}\n{SHOP.put('', 'x')}")
    assert hostile.put(body, "two") == hostile.put("above", "two")
    assert not SHOP.is_in(body)


def test_what_is_too_long_is_told_shortly() -> None:
    long = SHOP.put("by hand", "x" * release_body.LIMIT_CHARS)
    assert release_body.fitting(long, SHOP, "short") == SHOP.put("by hand", "short")
    assert release_body.fitting("fits", SHOP, "short") == "fits"


# What becomes of it -------------------------------------------------------------------------------

LIVE = Released(version="v", swapped_at="2026-11-25T23:15:02+00:00")
SWAPPED = Released(swapped_at="2026-11-25T23:15:02+00:00")
LOST = Failure.of(errors.LeaseLost("x", not_done="", remedy=""), phase=Phase.SWAP)
OTHER = Failure.of(errors.GateClosed("x", not_done="", remedy=""), phase=Phase.SWAP)


@pytest.mark.parametrize(
    ("released", "failure", "expected"),
    [
        (LIVE, None, "publish"),
        (LIVE, OTHER, "publish"),
        (Released(version="v", resumed="nothing"), None, "publish"),
        (SWAPPED, OTHER, "leave"),
        (SWAPPED, None, "leave"),
        (Released(resumed="finished"), OTHER, "leave"),
        (None, LOST, "leave"),
        (None, OTHER, "remove"),
        (None, None, "remove"),
        (Released(swapped_at="x", taken_back="a smoke query failed"), OTHER, "remove"),
        (Released(swapped_at="x", version="v", taken_back="x"), OTHER, "remove"),
    ],
)
def test_what_is_live_is_published(
    released: Released | None, failure: Failure | None, expected: str
) -> None:
    assert fate(released, None, failure) == expected


def test_what_is_built_in_place_is_live_once_it_is_a_version() -> None:
    version = Publication(location="s3://b/p", version="v")
    failed = Publication(location="s3://b/p", failed="failed/x")
    assert fate(None, version, None, built_in_place=True) == "publish"
    assert fate(None, failed, OTHER, built_in_place=True) == "remove"
    assert fate(None, version, OTHER, built_in_place=False) == "remove"


# Words --------------------------------------------------------------------------------------------


def done(**changes: object) -> RolledBack:
    return plans.rolled_back(run_url="https://x/1", at="2026-11-25T23:15:02+00:00", **changes)


def test_the_line_says_when_by_whom_and_to_what() -> None:
    assert release_notes.rolled_back(done(reason="orders doubled")) == (
        "> [!WARNING]\n"
        "> **Rolled back** on 2026-11-25 23:15 UTC by `ann`: `production` runs `v1.3.0` again. "
        "[Run](https://x/1)\n"
        ">\n"
        "> Why: orders doubled\n"
    )


@pytest.mark.fault(44, 71)
@hostile.written
def test_a_hostile_reason_is_inert(text: str) -> None:
    tags = {"p", "strong", "code", "a", "blockquote", "div", "br"}
    shown = release_notes.rolled_back(done(reason=text, by=text))
    page = check_inert(shown, links=("https://x/1",), tags=tags)
    assert page.links == {"https://x/1"}


def test_short_notes() -> None:
    said = release_notes.short_notes(
        tag="v1", environment="production", version="20261125T231502Z-abc", run_url="https://x/1"
    )
    assert said.startswith("`v1` is live in `production` as version `20261125T231502Z-abc`.")
    assert "[the run](https://x/1)" in said
