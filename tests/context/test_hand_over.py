"""What steps hand to each other: parts of files, whole or not at all, each known by its type."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import dbtdeploy
from dbtdeploy.base import errors
from dbtdeploy.context import hand_over
from dbtdeploy.context.deploy_files import Freshness, HeldLease
from dbtdeploy.context.hand_over import Alone, HandOver
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.work_files import Build, Failure, Plan, PlannedNode, Schemas

NODE = PlannedNode(unique_id="model.shop.a", resource_type="model", name="a")
FAILED = Failure.of(
    errors.OnHold("Held.", not_done="Nothing.", remedy="Wait."), phase=Phase.ADMISSION
)


def test_parts_of_one_file_leave_each_other_alone(tmp_path: Path) -> None:
    plan, schemas = Plan(nodes=(NODE,)), Schemas(schemas=("pr_7",))
    hand_over.write(tmp_path, plan)
    hand_over.write(tmp_path, schemas)
    assert [path.name for path in tmp_path.iterdir()] == [hand_over.PLAN]
    assert hand_over.read(tmp_path, Plan) == plan
    hand_over.write(tmp_path, Plan())
    assert (hand_over.read(tmp_path, Plan), hand_over.read(tmp_path, Schemas)) == (Plan(), schemas)
    hand_over.remove(tmp_path, Plan)
    assert not hand_over.is_there(tmp_path, Plan)
    assert hand_over.read(tmp_path, Schemas) == schemas


def test_what_is_alone_in_its_file_has_no_key(tmp_path: Path) -> None:
    hand_over.write(tmp_path, FAILED)
    assert hand_over.read_file(tmp_path / hand_over.FAILURE, Failure) == FAILED
    assert hand_over.read(tmp_path, Failure) == FAILED
    hand_over.remove(tmp_path, Failure)
    hand_over.remove(tmp_path, Failure)
    assert not hand_over.is_there(tmp_path, Failure)


def test_what_no_step_has_left_is_named(tmp_path: Path) -> None:
    assert hand_over.read_if_there(tmp_path, HeldLease) is None
    for work in (tmp_path, tmp_path / "no such folder"):
        with pytest.raises(errors.EarlierStepMissing, match=r"HeldLease is not in .*admission"):
            hand_over.read(work, HeldLease)


@pytest.mark.parametrize("content", ["{", "[]", '{"Build": 1}', '{"Build": {}}'])
def test_a_broken_file_is_an_error_of_its_own(tmp_path: Path, content: str) -> None:
    (tmp_path / hand_over.BUILT).write_text(content)
    with pytest.raises(errors.InvalidInput, match=r"built\.json cannot be read"):
        hand_over.read(tmp_path, Build)


def test_a_newer_dbt_deploys_parts_and_fields_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / hand_over.BUILT).write_text('{"Later": {"x": 1}, "Freshness": {"later": 2}}')
    assert hand_over.read(tmp_path, Freshness) == Freshness()
    hand_over.write(tmp_path, Freshness())
    assert '"Later"' in (tmp_path / hand_over.BUILT).read_text()


def test_each_part_has_a_file_and_a_name_of_its_own() -> None:
    for found in pkgutil.walk_packages(dbtdeploy.__path__, "dbtdeploy."):
        importlib.import_module(found.name)
    kinds = [kind for kind in _below(HandOver) if kind is not Alone]
    assert all(isinstance(kind.FILE, str) for kind in kinds)
    assert len({kind.__name__ for kind in kinds}) == len(kinds)
    alone = [kind.FILE for kind in kinds if issubclass(kind, Alone)]
    shared = {kind.FILE for kind in kinds if not issubclass(kind, Alone)}
    assert len(set(alone)) == len(alone)
    assert not shared & set(alone)
    assert len(shared | set(alone)) <= 12


def _below(kind: type[HandOver]) -> list[type[HandOver]]:
    return [one for direct in kind.__subclasses__() for one in (direct, *_below(direct))]
