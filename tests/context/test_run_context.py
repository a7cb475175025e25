"""A step's run: opened by the policy that the step needs, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.policies import BuildsProduction, Ci, Deploy, InProduction, Release
from dbtdeploy.context.run_context import RunContext
from standins.jobs import runs

LEASE = HeldLease(nonce="n", purpose="deploy", taken_at="", seconds=300)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBT_DEPLOY_WORK", str(tmp_path))
    return tmp_path


def test_a_step_gets_the_policy_of_its_own_command(work: Path) -> None:
    asked = runs.release("v1.4.0", environment="staging", row_count_gate="block")
    hand_over.write(work, runs.run(asked))
    assert RunContext.open(Release).policy == asked
    assert RunContext.open(BuildsProduction).policy.retries == 1
    assert RunContext.open(InProduction).policy.environment == "staging"
    assert RunContext.open(Release).run.command == "release"


def test_a_run_of_another_command_is_refused(work: Path) -> None:
    hand_over.write(work, runs.run(runs.ci()))
    for kind in (Release, Deploy, InProduction):
        with pytest.raises(errors.OtherCommand, match="is of `ci`"):
            RunContext.open(kind)
    assert RunContext.open(Ci).policy == runs.ci()


def test_without_a_run_or_a_lease_the_earlier_step_is_missing(work: Path) -> None:
    with pytest.raises(errors.EarlierStepMissing, match="Run is not in"):
        RunContext.open(Release)
    hand_over.write(work, runs.run(runs.deploy()))
    ctx = RunContext.open(Deploy)
    with pytest.raises(errors.EarlierStepMissing, match="HeldLease"):
        _ = ctx.held
    ctx.write(LEASE)
    assert ctx.held == LEASE
