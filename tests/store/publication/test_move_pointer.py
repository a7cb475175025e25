"""The pointer was written, the answer to it lost, and the lease broken before it could be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import fencing, versions
from standins.jobs.deploys import Environment, publish_at_once
from standins.store import s3, wire

pytestmark = pytest.mark.fault(78)


def moves_on(request: wire.Request, version: str) -> bool:
    """Whether a request makes another version the current one."""
    if request.method != "PUT" or not request.path.endswith(versions.POINTER):
        return False
    return versions.decode_pointer(request.body, source="").version != version


@pytest.mark.parametrize("broken", [True, False], ids=["broken", "not broken"])
def test_a_version_that_became_current_unheard_is_told_to_be(
    broken: bool, s3_open: s3.Store, tmp_path: Path
) -> None:
    location = f"s3://{s3_open.create_bucket()}/prod"
    direct = Environment(location=location, temp=tmp_path, variables=s3_open.environ)
    first = publish_at_once(direct.open(), 1)
    lost: list[str] = []

    def answer(request: wire.Request) -> wire.Answer:
        given = wire.forward(request, s3_open.url)
        if moves_on(request, first.version) and not lost:
            lost.append(request.path)
            if broken:
                seen = lease.mark_broken(direct.open(), by="mona", reason="it hangs")
                assert seen is not None
                fencing.shut_out(direct.open(), seen.lease.nonce)
            return wire.Answer(lost=True)
        return given

    with wire.serve(answer) as server:
        address = {"DBT_DEPLOY_AWS_ENDPOINT_URL": server.url}
        place = Environment(location=location, temp=tmp_path, variables=s3_open.environ | address)
        work = place.prepare(2)
        taken = place.script("deploy/take_lease", work)
        assert taken.code == 0, taken.out
        place.fetch(work)
        ended = place.script("deploy/publish_artifacts", work)
    assert lost
    current = direct.pointer().version
    assert current != first.version
    # The report is made of this, whatever comes after.
    assert ended.publication.version == current
    assert ended.outputs["version"] == current
    if broken:
        assert ended.code == errors.PublishingFailed.exit_code, ended.out
        assert f"Version {current} is current" in ended.failure.what
        assert "mona broke this run's lease" in ended.failure.what
    else:
        assert ended.code == 0, ended.out


def test_a_version_of_which_no_answer_came_at_all_is_looked_for(
    s3_open: s3.Store, tmp_path: Path
) -> None:
    """Each try is made, or refused because of the one before, and none is answered."""
    location = f"s3://{s3_open.create_bucket()}/prod"
    direct = Environment(location=location, temp=tmp_path, variables=s3_open.environ)
    first = publish_at_once(direct.open(), 1)

    def answer(request: wire.Request) -> wire.Answer:
        given = wire.forward(request, s3_open.url)
        return wire.Answer(lost=True) if moves_on(request, first.version) else given

    with wire.serve(answer) as server:
        address = {"DBT_DEPLOY_AWS_ENDPOINT_URL": server.url}
        place = Environment(location=location, temp=tmp_path, variables=s3_open.environ | address)
        work = place.prepare(2)
        assert place.script("deploy/take_lease", work).code == 0
        place.fetch(work)
        ended = place.script("deploy/publish_artifacts", work)
    assert ended.code == 0, ended.out
    assert ended.publication.version == direct.pointer().version != first.version
