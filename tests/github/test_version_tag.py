"""What a version tag must be."""

from __future__ import annotations

import pytest
from msgspec import structs

from dbtdeploy.base import errors
from dbtdeploy.context.release_files import Tag
from dbtdeploy.github import version_tag
from dbtdeploy.github.version_tag import Found, Merged

COMMIT, OTHER = "a" * 40, "b" * 40
GOOD = Found(where="acme/shop", commit=COMMIT, main_branch="main", on_main=True)


@pytest.mark.parametrize(
    "name", ["v1.4.0", "1", "shop/v1.4.0", "2026.11.25", "v1.0.0-rc.1+build", "läden@1", "a" * 200]
)
def test_names_that_a_tag_may_have(name: str) -> None:
    version_tag.check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "v1 .0", "-v1", "/v1", "v1/", "v1.", "v1..2", "v1.lock", "v1~1", "v1^{}", "v:1"),
        *("v1\n::error::x", "v1@{0}", "a" * 201, "v?", "v*", "v[", "v\\", "a//b", "a/.b"),
    ],
)
def test_what_is_no_name_is_refused_before_anything_is_asked(name: str) -> None:
    with pytest.raises(errors.TagRefused, match="not the name of a tag") as caught:
        version_tag.check_name(name)
    assert "\n" not in caught.value.what


def test_a_tag_where_it_should_be() -> None:
    assert version_tag.check("v1", GOOD, COMMIT) == Tag(
        name="v1", commit=COMMIT, main_branch="main"
    )


def found(**changes: object) -> Found:
    return Found(**{**structs.asdict(GOOD), **changes})


@pytest.mark.fault(47)
@pytest.mark.parametrize(
    ("where", "checked_out", "cause", "remedy"),
    [
        (found(commit=None), COMMIT, "no tag v1 in acme/shop", "Push the tag"),
        (found(kind="tree"), COMMIT, "points to a tree", "Tag a commit"),
        (GOOD, "", "is not known", "actions/checkout"),
        (GOOD, OTHER, f"points to {'a' * 12}, and {'b' * 12} is checked out", "new version"),
        (found(branch_there=False), COMMIT, "no branch main", "`main-branch`"),
        (found(on_main=False), COMMIT, "not on the branch main of acme/shop", "Merge its commit"),
    ],
)
def test_every_refusal_says_cause_and_remedy(
    where: Found, checked_out: str, cause: str, remedy: str
) -> None:
    with pytest.raises(errors.TagRefused) as caught:
        version_tag.check("v1", where, checked_out)
    assert cause in caught.value.what
    assert caught.value.not_done == "Nothing was built, production is as it was."
    assert remedy in caught.value.remedy


def test_only_a_labelled_pull_request_of_the_release_allows() -> None:
    pulls = [
        Merged(number=3, commit=OTHER, labels=("allow-breaking",)),
        Merged(number=2, commit=COMMIT, labels=("other", "Allow-Breaking")),
        Merged(number=1, commit=None, labels=("allow-breaking",)),
    ]
    assert (
        version_tag.allowing(pulls, {COMMIT}, "allow-breaking")
        == "the label `allow-breaking` of #2"
    )
    assert version_tag.allowing(pulls[:1], {COMMIT}, "allow-breaking") is None
    assert version_tag.allowing(pulls, {COMMIT}, "another") is None
    assert version_tag.allowing(pulls[2:], {COMMIT}, "allow-breaking") is None


@pytest.mark.fault(108)
@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("v1.4.0", False),
        ("v1.4.0-rc1", True),
        ("sales/v1.4.0", False),
        ("sales/v1.4.0-rc1", True),
        ("2026.11.30", False),
        ("2026.11.30-rc1", True),
        ("v1.4.0-rc.1", True),
        ("shop/v1.4.0-rc.1+5", True),
        ("1.4.0-beta", True),
        ("2026-11-25", False),
        ("v1.4.0+build-7", False),
    ],
)
def test_which_tags_are_pre_releases(name: str, candidate: bool) -> None:
    assert version_tag.is_candidate(name) is candidate
