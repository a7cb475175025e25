"""The projects that ``make bench`` measures on."""

from __future__ import annotations

import pytest

from benchmarks import generated


@pytest.mark.parametrize("size", [20, 100, 120, 1_000])
def test_it_has_so_many_models(size: int) -> None:
    project = generated.plan(size)
    assert len(project.models) == size
    assert len({model.name for model in project.models}) == size
    assert len([path for path in generated.files(project) if is_model(path)]) == size


def is_model(path: str) -> bool:
    return path.startswith("models/") and path.endswith(".sql")


def test_it_is_the_same_each_time() -> None:
    assert generated.files(generated.plan(100)) == generated.files(generated.plan(100))
    assert generated.plan(100, seed=6) != generated.plan(100)


def test_a_model_reads_lower_levels_only() -> None:
    project = generated.plan(500)
    level = {model.name: model.level for model in project.models}
    for model in project.models:
        assert generated.references(generated.sql(model)) == set(model.reads)
        assert all(level[name] < model.level for name in model.reads)
    assert max(level.values()) == generated.MARTS + 1


def test_nothing_reads_the_leaf_and_another_value_changes_it() -> None:
    project = generated.plan(100)
    leaf = generated.leaf(project)
    assert not [model for model in project.models if leaf.name in model.reads]
    assert generated.sql(leaf, 1) != generated.sql(leaf, 2)
    assert generated.files(project)[leaf.path] == generated.sql(leaf)


def test_staging_reads_tables_that_are_loaded() -> None:
    project = generated.plan(100)
    statements = generated.raw_tables(project)
    sources = [model for model in project.models if model.layer == "staging"]
    assert sources
    for model in sources:
        assert f"raw.{model.source} " in statements
