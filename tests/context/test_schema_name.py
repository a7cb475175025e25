"""Schema names: safe, stable, unique, whatever a branch is called."""

from __future__ import annotations

import re

import pytest

from dbtdeploy.context import schema_name

HOSTILE = [
    "feature/Ünïcode-😀",
    "'; drop schema analytics cascade; --",
    'a"b',
    "x" * 300,
    "-",
    "...",
    "gh-readonly-queue/main/pr-12-0123456789abcdef0123456789abcdef01234567",
    "$(touch /tmp/x)",
    "UPPER",
    "upper",
    "a__b",
    "a_b",
    "1",
]


def _name(ref: str = "main", *, pull_request: int | None = None, **others: str) -> str:
    arguments = {"prefix": "pr", "project": "analytics", **others}
    return schema_name.schema_name(pull_request=pull_request, ref=ref, **arguments)


def test_a_pull_request_is_named_by_its_number() -> None:
    assert _name("any-branch", pull_request=482) == "pr_482_analytics"


@pytest.mark.fault(25)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_name_is_a_plain_identifier_with_room_for_a_suffix(hostile: str) -> None:
    for name in (
        _name(hostile),
        _name(pull_request=7, prefix=hostile),
        _name(pull_request=7, project=hostile),
        _name(hostile, prefix=hostile, project=hostile),
        _name(pull_request=10**18, prefix=hostile, project=hostile),
    ):
        assert re.fullmatch("[a-z_][a-z0-9_]*", name), name
        assert len(name) <= schema_name.MAX_BASE


@pytest.mark.fault(25)
def test_different_branches_get_different_names() -> None:
    names = [_name(ref) for ref in HOSTILE]
    assert len(set(names)) == len(HOSTILE)


@pytest.mark.fault(25)
def test_different_projects_and_prefixes_get_different_names() -> None:
    assert len({_name(pull_request=1, project=text) for text in HOSTILE}) == len(HOSTILE)
    assert len({_name(pull_request=1, prefix=text) for text in HOSTILE}) == len(HOSTILE)


@pytest.mark.fault(25)
def test_the_same_branch_gets_the_same_name_each_time() -> None:
    name = _name("feature/Ünïcode-😀")
    assert name == _name("feature/Ünïcode-😀") == "pr_feature_a23e7d15_analytics"


@pytest.mark.fault(25)
def test_a_branch_called_like_a_number_is_no_pull_request() -> None:
    assert _name("482") != _name(pull_request=482)
