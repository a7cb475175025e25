"""What a rollback means: what it goes back to, and which releases it takes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dbtdeploy.base import errors
from dbtdeploy.rollback import rollback_target
from dbtdeploy.rollback.rollback_target import Target
from standins.store.lineages import Line


def line(*steps: str) -> Line:
    """``a``: a deploy. ``b=v1``: a release. ``c~v1``: a build of its commit."""
    made = Line()
    for number, step in enumerate(steps):
        age = timedelta(hours=len(steps) - number)
        name, _, tag = step.partition("=")
        if tag:
            made.publish(name, tag=tag, age=age)
        else:
            name, _, tag = step.partition("~")
            made.publish(name, age=age)
            made.indexes[name] = made.changed(name, tag=tag or None)
    return made


def find(found: Line, asked: str | None = None) -> Target:
    return rollback_target.find(found.inventory(), asked)


def took(target: Target) -> tuple[str, list[str]]:
    return target.to.version, [index.version for index in target.releases]


def refusal(found: Line, asked: str | None = None) -> errors.RollbackRefused:
    with pytest.raises(errors.RollbackRefused) as caught:
        find(found, asked)
    assert caught.value.not_done == rollback_target.UNTOUCHED
    return caught.value


def test_a_release_that_published_twice_is_one_release() -> None:
    """What was swapped, and then what was built in place."""
    found = line("a", "b=v1.3.0", "c=v1.4.0", "d=v1.4.0", "e~v1.4.0")
    found.indexes["d"] = found.changed("d", release_id=found.indexes["c"].release_id)
    assert took(find(found)) == ("b", ["c"])
    assert took(find(found, "a")) == ("a", ["c", "b"])
    assert find(found, "v1.4.0").nothing
    assert "No release went live since c" in refusal(found, "c").what
    ways = refusal(found, "x").remedy.splitlines()[1:]
    assert [way.split(";")[1] for way in ways] == [
        " takes back v1.4.0",
        " takes back v1.4.0, v1.3.0",
    ]


RELEASED = ("a", "b=v1.3.0", "c~v1.3.0", "d=v1.4.0", "e~v1.4.0", "f~v1.4.0")


def test_the_default_is_the_state_before_the_newest_release() -> None:
    """Scheduled builds of the release's commit came after it, and of the one before, before it."""
    target = find(line(*RELEASED))
    assert took(target) == ("c", ["d"])
    assert target.leaving.version == "f"
    assert not target.nothing


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("v1.3.0", ("c", ["d"])),
        ("c", ("c", ["d"])),
        ("b", ("c", ["d"])),
        ("a", ("a", ["d", "b"])),
    ],
)
def test_a_version_or_tag_is_reached_by_taking_back_every_release_since(
    asked: str, expected: tuple[str, list[str]]
) -> None:
    assert took(find(line(*RELEASED), asked)) == expected


@pytest.mark.fault(36)
@pytest.mark.parametrize("asked", ["f", "v1.4.0"])
def test_to_the_current_one_is_nothing_to_do(asked: str) -> None:
    target = find(line(*RELEASED), asked)
    assert target.releases == ()
    assert "is live already" in target.nothing
    assert "not what to take" in " ".join(target.nothing.split())


@pytest.mark.fault(36)
@pytest.mark.parametrize("asked", [None, "v1.3.0", "c"])
def test_twice_is_nothing_to_do(asked: str | None) -> None:
    """A second click must not take back the release before as well."""
    target = find(line(*RELEASED).back_to("c"), asked)
    assert target.releases == ()
    assert target.to.version == "c"
    if asked is None:
        assert target.nothing.startswith("v1.4.0 was rolled back already, at 2026-11-21 09:00 UTC")
        assert "name a `version`" in target.nothing


def test_further_back_after_a_rollback_has_to_be_named() -> None:
    assert took(find(line(*RELEASED).back_to("c"), "a")) == ("a", ["b"])


def test_after_a_rollback_and_a_build_the_release_before_is_the_newest() -> None:
    found = line(*RELEASED).back_to("c").publish("g")
    assert took(find(found)) == ("a", ["b"])


@pytest.mark.fault(36)
def test_what_was_taken_back_cannot_be_gone_back_to() -> None:
    refused = refusal(line(*RELEASED).back_to("c"), "v1.4.0")
    assert "release its tag again" in refused.what
    assert "- a, live until" in refused.remedy


@pytest.mark.fault(36)
def test_unknown_versions_are_refused_with_what_there_is() -> None:
    refused = refusal(line(*RELEASED), "v9.9.9")
    assert "no version or tag v9.9.9" in refused.what
    ways = refused.remedy.splitlines()[1:]
    assert ways == [
        "- v1.3.0 (c), live until 2026-11-21 06:00 UTC; takes back v1.4.0",
        "- a, live until 2026-11-21 04:00 UTC; takes back v1.4.0, v1.3.0",
    ]


@pytest.mark.fault(36)
def test_a_pruned_version_is_refused() -> None:
    refused = refusal(line(*RELEASED).pruned("c"))
    assert "The version before v1.4.0, c, is not in the store any more" in refused.what
    assert "nothing to go back to" in refused.remedy
    # With one between pruned, what is before it cannot be reached, and what is nearer can.
    refused = refusal(line(*RELEASED).pruned("a"), "a")
    assert "was never there, or was pruned" in refused.what
    assert "v1.3.0 (c)" in refused.remedy
    refused = refusal(line(*RELEASED).pruned("b"), "a")
    assert "version b, which came after it, was pruned" in refused.what
    assert "v1.3.0 (c)" in refused.remedy


def test_builds_in_place_cannot_be_taken_back() -> None:
    refused = refusal(line("a", "b=v1", "c", "d"), "c")
    assert "No release went live since c" in refused.what
    assert "- a, live until" in refused.remedy
    refused = refusal(line("a", "b"))
    assert "No release is live here" in refused.what
    assert "Revert the change" in refused.remedy


def test_nothing_is_before_the_first_version() -> None:
    assert "first version of all" in refusal(line("a=v1")).what
    assert "Nothing was released" in refusal(line()).what


def test_a_version_that_never_went_live() -> None:
    found = line("a", "b=v1")
    found.indexes["x"] = found.changed("b", version="x", tag="v2")
    assert "v2 never went live" in refusal(found, "v2").what
