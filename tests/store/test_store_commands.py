"""The commands that look after an environment: status, drive, hold, lift-hold, break-lease."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors, versioned_json
from dbtdeploy.store import environment_settings
from dbtdeploy.store.environment_settings import EnvironmentSettings as Decided
from dbtdeploy.store.environment_settings import Hold
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import fencing, publish, versions
from standins.dbt.artifacts import artifact
from standins.jobs.deploys import Ended, Environment, commit_of, publish_at_once
from standins.store import leases, s3, stores
from standins.store.leases import Interleaved, record

POLICY = Path(__file__).parents[1] / "fixtures" / "policy-pull-request.json"


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    if request.param == "s3":
        server: s3.Store = request.getfixturevalue("s3_open")
        location = f"s3://{server.create_bucket()}/prod"
        return Environment(location=location, temp=tmp_path, variables=server.environ)
    (tmp_path / "store").mkdir()
    return Environment(location=str(tmp_path / "store"), temp=tmp_path)


def run(place: Environment, command: str, *, actor: str = "mona", **asked: Any) -> Ended:
    """Run a command as its action does."""
    return place.command(command, actor=actor, run_id="99", sha="e" * 40, **asked)


def shown(ended: Ended) -> dict[str, str]:
    """What the status says, line by line, after its title."""
    assert ended.code == 0, ended.out
    lines = [line for line in ended.out.splitlines() if line and not line.startswith("::")]
    assert lines[0].startswith("production (")
    return dict(line.split(": ", 1) for line in lines[1:])


# status


def test_the_status_of_an_empty_store(place: Environment) -> None:
    ended = run(place, "status")
    assert shown(ended) == {
        "Version": "none: nothing was published here yet",
        "Driver": "deploy: each merge goes live",
        "Hold": "none",
        "Lease": "free",
    }
    assert ended.outputs == {"version": "", "ref": "e" * 40}
    assert list(place.open().list("")) == []


def test_the_status_of_a_plain_store(place: Environment) -> None:
    sha = "a1b2c3d4" * 5
    manifest = artifact("manifest.json", env={"DBT_DEPLOY_COMMIT": sha})
    place.open().put("manifest.json", manifest)
    ended = run(place, "status")
    said = shown(ended)
    assert "plain artifacts, which the first deploy or release takes over" in said["Version"]
    assert said["Commit"] == sha
    assert said["Built"].startswith("2026-11-20 21:15 UTC, ")
    assert ended.outputs == {"version": "", "ref": "e" * 40}


def test_the_status_of_a_deployed_environment(place: Environment) -> None:
    pending = tuple(f"model.shop.m{number:02}" for number in range(23))
    url = "https://github.com/acme/shop/actions/runs/1"
    index = publish_at_once(place.open(), 1, days_ago=3.1, pending=pending, run_url=url)
    ended = run(place, "status")
    said = shown(ended)
    assert said["Version"] == index.version
    assert said["Commit"] == commit_of(1)
    assert said["Published"].endswith(f" UTC, 3 days ago by octocat ({url})")
    assert said["Pending (23)"].startswith("model.shop.m00, model.shop.m01, ")
    assert said["Pending (23)"].endswith("model.shop.m19 and 3 more")
    assert said["Lease"].startswith("free")
    assert ended.outputs == {"version": index.version, "ref": "e" * 40}
    assert "### production" in ended.summary
    assert f"| Version | `{index.version}` |" in ended.summary
    assert f"3 days ago by octocat ([run]({url})) |" in ended.summary


def test_a_deploy_that_failed_since_is_told_and_one_at_work_is_none(place: Environment) -> None:
    opened = place.open()
    index = publish_at_once(opened, 1, days_ago=2)
    nonce = leases.take(opened, "octocat")
    url = record(opened).run_url
    failed = replace(index, previous=index.version, run_id=7, run_url=url)
    publish.publish_failed(opened, failed, {}, moment=datetime.now(timezone.utc))
    assert "Since then" not in shown(run(place, "status"))

    lease.release(opened, nonce)
    said = shown(run(place, "status"))["Since then"]
    assert said.startswith("a deploy failed ")
    assert url in said
    # The next version settles it.
    publish_at_once(opened, 2)
    assert "Since then" not in shown(run(place, "status"))


def test_where_releases_drive_a_deploy_checks_out_the_live_commit(place: Environment) -> None:
    run(place, "drive", driver="release")
    assert run(place, "status").outputs["ref"] == "e" * 40
    publish_at_once(place.open(), 1)
    ended = run(place, "status")
    assert ended.outputs["ref"] == commit_of(1)
    assert shown(ended)["Driver"] == "release: only version tags go live"


def test_the_status_of_a_lease(place: Environment) -> None:
    mine = leases.take(place.open(), "octocat")
    told = "octocat, deploy of abc1234, since "
    said = shown(run(place, "status"))["Lease"]
    assert said.startswith(told)
    assert "UTC (less than a minute); expires at " in said
    assert said.endswith(
        "unless it is renewed (https://github.com/acme/analytics/actions/runs/octocat)"
    )
    leases.expire(place)
    said = shown(run(place, "status"))["Lease"]
    assert said.startswith("free: it expired at ")
    assert f"it was that of {told}" in said
    lease.renew(place.open(), mine)
    lease.mark_broken(place.open(), by="mona", reason="runner died")
    said = shown(run(place, "status"))["Lease"]
    assert said.startswith(f"free: mona broke it (runner died); it was that of {told}")


def test_words_of_others_are_inert(place: Environment) -> None:
    reason = "a | b\n::error::x\n<img src=x> @acme/team ##[error]y"
    assert run(place, "hold", reason=reason).code == 0
    ended = run(place, "status")
    log = ended.out.split("::stop-commands::")[1]
    token, body = log.split("\n", 1)
    assert "a | b ::error::x <img src=x>" in body.split(f"::{token}::")[0]
    row = next(line for line in ended.summary.splitlines() if line.startswith("| Hold"))
    assert r"a \| b" in row
    assert "<img" not in row
    assert "@acme" not in row


def test_the_status_of_a_damaged_store_shows_all_that_can_be_read(place: Environment) -> None:
    publish_at_once(place.open(), 1)
    run(place, "drive", driver="release")
    store = place.open()
    store.delete(versions.index_key(place.pointer().version or ""))
    store.put(lease.KEY, b"[]")
    said = run(place, "status")
    assert said.code == 0
    assert f"Version: {place.pointer().version}\n" in said.out
    assert "Driver: release" in said.out
    assert said.out.count("Problem: ") == 2
    assert "index.json is not there" in said.out
    assert "lease.json is damaged" in said.out
    assert said.outputs["version"] == place.pointer().version


def test_who_may_only_read_sees_the_status(s3_iam: s3.Store, tmp_path: Path) -> None:
    bucket = s3_iam.create_bucket()
    user = s3_iam.create_user(json.loads(POLICY.read_text().replace("my-bucket", bucket)))
    location = f"s3://{bucket}/prod"
    admin = Environment(location=location, temp=tmp_path, variables=s3_iam.environ)
    reader = dataclasses.replace(admin, variables=s3_iam.environ | user.environ)
    assert shown(run(reader, "status"))["Version"].startswith("none")
    index = publish_at_once(admin.open(), 1)
    assert shown(run(reader, "status"))["Version"] == index.version
    for command in ("drive", "hold", "break-lease"):
        leases.take(admin.open(), "octocat") if command == "break-lease" else None
        ended = run(reader, command, driver="release", reason="because")
        assert ended.code == errors.StateAccessDenied.exit_code, ended.out
    assert environment_settings.read(admin.open()) == Decided()
    assert record(admin.open()).is_held


# drive, hold, lift-hold


def test_the_driver(place: Environment) -> None:
    ended = run(place, "drive", driver="release")
    assert "::notice title=release drives production (before%3A deploy)::" in ended.out
    assert environment_settings.read(place.open()).driver == "release"
    assert "(as before)" in run(place, "drive", driver="release").out
    assert "(before%3A release)" in run(place, "drive", driver="deploy").out
    assert environment_settings.read(place.open()) == Decided()


def test_the_hold_is_set_replaced_and_lifted(place: Environment) -> None:
    assert "There was nothing to lift" in run(place, "lift-hold").out
    run(place, "drive", driver="release")
    ended = run(place, "hold", reason="numbers are wrong")
    assert "::notice title=production is on hold::numbers are wrong%0ADeploys are ref" in ended.out
    decided = environment_settings.read(place.open())
    assert decided.driver == "release"
    assert decided.hold is not None
    assert (decided.hold.reason, decided.hold.by) == ("numbers are wrong", "mona")
    assert decided.hold.run_url == "https://github.com/acme/shop/actions/runs/99"
    assert decided.hold.since.startswith("20")

    ended = run(place, "hold", actor="hubot", reason="worse")
    assert "takes the place of an earlier hold: mona, since " in ended.out
    said = shown(run(place, "status"))["Hold"]
    assert said.startswith("hubot, since ")
    assert "): worse (https://github.com/" in said

    ended = run(place, "lift-hold", actor="octocat")
    assert "octocat lifted it. Set by hubot, since " in ended.out
    assert environment_settings.read(place.open()) == Decided(driver="release")


def test_a_hold_and_a_driver_set_at_once_are_both_kept(place: Environment) -> None:
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            ended = [
                pool.submit(run, place, "hold", reason="because"),
                pool.submit(run, place, "drive", driver="release"),
            ]
            assert [one.result().code for one in ended] == [0, 0]
        decided = environment_settings.read(place.open())
        assert decided.driver == "release"
        assert decided.hold is not None
        place.open().delete(environment_settings.KEY)


def test_a_change_that_another_one_overtakes_is_made_upon_it(place: Environment) -> None:
    store = place.open()
    hold = Hold(reason="r", by="mona", since="")

    def put_on_hold() -> None:
        environment_settings.change(store, lambda there: replace(there, hold=hold))

    late = Interleaved(store, environment_settings.KEY, put_on_hold)
    before = environment_settings.change(late, lambda there: replace(there, driver="release"))
    assert before == Decided(hold=hold)
    assert environment_settings.read(store) == Decided(driver="release", hold=hold)


def test_a_damaged_environment_is_refused(place: Environment) -> None:
    place.open().put(environment_settings.KEY, b"{")
    for command in ("drive", "hold", "lift-hold"):
        ended = run(place, command, driver="release", reason="because")
        assert ended.code == errors.StateCorrupt.exit_code
        assert place.open().address(environment_settings.KEY) in ended.failure.what
    place.open().put(environment_settings.KEY, versioned_json.encode({"layout": 2}))
    assert run(place, "hold", reason="r").code == errors.StoreTooNew.exit_code


# break-lease


@pytest.mark.fault(1, 4)
def test_breaking_in(place: Environment) -> None:
    work = place.prepare(1)
    assert place.script("deploy/take_lease", work).code == 0
    place.fetch(work)
    ended = run(place, "break-lease", reason="the runner is gone")
    assert ended.code == 0, ended.out
    assert "::notice title=The lease of production was broken::octocat, deploy of 0" in ended.out
    assert "https://github.com/acme/shop/actions/runs/1, had held it since " in ended.out
    assert "It would have lasted to " in ended.out
    assert "Reason: the runner is gone" in ended.out
    there = record(place.open())
    assert (there.state, there.broken_by, there.reason) == ("broken", "mona", "the runner is gone")
    # A write of the pointer that is on its way is refused too, not only the next renewal.
    assert place.pointer().fence != there.nonce

    late = place.script("deploy/publish_artifacts", work)
    assert late.code == errors.LeaseLost.exit_code, late.out
    assert place.pointer().version is None
    assert "::error" in late.out
    late = place.script("deploy/release_lease", work)
    assert late.code == 0, "it was told before, and failed the job"
    assert "mona broke this run's lease at " in late.out
    assert ": the runner is gone" in late.out
    assert "::error" not in late.out

    ended = place.script("deploy/take_lease", place.prepare(2))
    assert ended.code == 0
    assert "::warning title=A broken lease was taken over::mona had broken" in ended.out


def test_breaking_what_had_expired(place: Environment) -> None:
    leases.take(place.open(), "octocat")
    leases.expire(place)
    assert "It had expired at " in run(place, "break-lease", reason="dead").out


def test_breaking_what_nobody_holds(place: Environment) -> None:
    for _ in range(2):
        ended = run(place, "break-lease", reason="dead")
        assert ended.code == 0
        assert "Nobody holds production::There was nothing to break" in ended.out
        mine = leases.take(place.open(), "octocat")
        lease.release(place.open(), mine)
    assert record(place.open()).state == "free"


def test_breaking_a_damaged_lease(place: Environment) -> None:
    place.open().put(lease.KEY, b"{")
    failure = place.script("deploy/take_lease", place.prepare(1)).failure
    assert failure.kind == "StateCorrupt"
    assert "command: break-lease" in failure.remedy
    ended = run(place, "break-lease", reason="damaged")
    assert ended.code == 0, ended.out
    assert "an unknown run" in ended.out
    assert place.script("deploy/take_lease", place.prepare(2)).code == 0


def test_breaking_fences_a_store_that_has_no_pointer_yet(tmp_path: Path) -> None:
    store = stores.in_folder(tmp_path / "store").open()
    old = leases.take(store, "old")
    lease.mark_broken(store, by="mona", reason="dead")
    fencing.shut_out(store, old)
    found = store.get(versions.POINTER)
    assert found is not None
    pointer = versions.decode_pointer(found.body, source="")
    assert pointer.version is None
    assert pointer.fence not in ("", old)
