"""Which versions what is live came from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dbtdeploy.admin import retention
from dbtdeploy.store import lineage
from standins.store.lineages import NOW, Line, published


def names(line: Line) -> list[str]:
    read = lineage.listed(line.inventory())
    return [index.version for index in lineage.walk(read, line.current)]


def test_each_version_names_the_one_before() -> None:
    line = published("a", "b", "c")
    assert names(line) == ["c", "b", "a"]


def test_what_was_taken_back_is_not_in_the_lineage_of_what_follows() -> None:
    line = published("a", "b", "c").back_to("a")
    assert names(line) == ["a"]
    line = line.publish("d")
    assert names(line) == ["d", "a"]
    assert line.inventory().pointer.history == ("a", "c", "b", "a")


def test_it_ends_where_a_version_was_pruned() -> None:
    assert names(published("a", "b", "c", "d").pruned("b")) == ["d", "c"]


def test_a_circle_ends() -> None:
    line = published("a", "b")
    line.indexes["a"] = line.changed("a", previous="b")
    assert names(line) == ["b", "a"]


@pytest.mark.parametrize("moved", ["back", "forward", "not at all"])
def test_whether_the_last_move_was_a_rollback(moved: str) -> None:
    line = published("a", "b", "c")
    if moved == "back":
        line = line.back_to("a")
    elif moved == "forward":
        line = line.back_to("a").publish("d")
    found = lineage.was_moved_back(line.inventory())
    assert (found.version if found else None) == ("c" if moved == "back" else None)


# What prune keeps ----------------------------------------------------------------------------


def kept(line: Line, *, hours: int = 24, days: int = 1) -> dict[str, str]:
    policy = retention.RetentionPolicy(days=days, keep=1, hours=hours)
    decided = retention.decide(line.inventory(), policy, NOW)
    return {item.folder.name: item.why for item in decided.versions if not item.goes}


@pytest.mark.fault(12)
def test_prune_keeps_the_way_back_while_the_warehouse_does() -> None:
    line = Line()
    for hours, name in ((300, "a"), (200, "b"), (100, "c"), (60, "d"), (30, "e"), (2, "f")):
        line.publish(name, age=timedelta(hours=hours), tag="v1" if name == "c" else None)
    stays = kept(line, hours=90)
    assert set(stays) == {"b", "c", "d", "e", "f"}
    assert stays["b"] == stays["d"] == "a rollback of v1 needs it"
    assert stays["f"] == "is current"
    # A clean-up has dropped what was kept: there is nothing to go back to.
    assert "b" not in kept(line, hours=24)


@pytest.mark.fault(12)
def test_prune_does_not_keep_the_way_to_what_was_taken_back() -> None:
    line = Line()
    line.publish("a", age=timedelta(days=9))
    line.publish("b", age=timedelta(days=8))
    line.publish("c", age=timedelta(days=8), tag="v1")
    line.back_to("b", age=timedelta(days=7))
    line.publish("d", age=timedelta(hours=2))
    assert set(kept(line, hours=24 * 30)) == {"b", "d"}


@pytest.mark.fault(12)
def test_prune_keeps_what_a_stopped_rollback_has_gone_back_to() -> None:
    """The warehouse has done its part; the next run that settles it needs the version."""
    line = Line()
    for days, name in ((90, "a"), (80, "b"), (70, "c"), (60, "d"), (1, "e")):
        line.publish(name, age=timedelta(days=days), tag="v1" if name == "c" else None)
    policy = retention.RetentionPolicy(days=1, keep=1)

    def stays(under_way: str | None) -> set[str]:
        decided = retention.decide(line.inventory(), policy, NOW, under_way=under_way)
        return {item.folder.name for item in decided.versions if not item.goes}

    assert stays(None) == {"d", "e"}
    assert stays("b") == {"b", "c", "d", "e"}
    assert stays("gone") == {"d", "e"}
