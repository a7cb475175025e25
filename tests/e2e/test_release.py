"""``command: release`` as whole jobs, on real dbt, PostgreSQL, S3 and GitHub's stand-in."""

from __future__ import annotations

import json

import pytest

from e2e.conftest import Manager
from e2e.test_deploy import DOUBLED, green, production_amount

pytestmark = pytest.mark.xdist_group("e2e")


def test_a_tag_goes_live_in_one_transaction(manager: Manager) -> None:
    green(manager.run("drive", driver="release"))
    before = production_amount(manager)
    tagged = manager.tag("v1.4.0", DOUBLED)
    job = green(manager.release(tagged, "v1.4.0"))

    assert production_amount(manager) == 2 * before
    index = manager.index()
    assert (index["tag"], index["kind"], index["commit"]) == ("v1.4.0", "release", tagged.head_sha)
    assert index["pending"] == []
    assert job.outputs["version"] == index["version"]
    assert json.loads(manager.read("lease.json"))["state"] == "free"
