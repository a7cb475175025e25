from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.admin import prune
from dbtdeploy.base import errors
from dbtdeploy.store import inventory
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.lease import lease
from standins.jobs.deploys import publish_at_once, take


class Breaking(Folder):
    """A folder whose lease somebody breaks as soon as the first index is gone."""

    def delete(self, key: str) -> None:
        super().delete(key)
        if key.endswith("index.json"):
            lease.mark_broken(self, by="hubot", reason="to roll back")


@pytest.mark.fault(4, 12)
def test_a_prune_whose_lease_is_broken_removes_no_further_version(tmp_path: Path) -> None:
    store = Breaking(tmp_path)
    for number in range(3):
        publish_at_once(store, number, days_ago=90 - number)
    newest, middle, oldest = inventory.take(store).versions
    nonce = take(store, "prune")
    prune.remove(store, oldest, nonce=nonce)
    with pytest.raises(errors.LeaseLost, match="hubot broke this run's lease"):
        prune.remove(store, middle, nonce=nonce)
    assert inventory.take(store).versions == (newest, middle)
