"""A step's run: what was asked, with the policy of its own command, and what the steps hand over.

``RunContext.open(Release)`` is the first line of a step. Store and dbt are opened from it by those
who own them: ``store_location.opened(ctx.policy.state)``, ``invoke.dbt_of(ctx.run, ctx.work)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context import hand_over
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.hand_over import H, HandOver
from dbtdeploy.context.work_files import P, Run


@dataclass(frozen=True, kw_only=True)
class RunContext(Generic[P]):
    """The run that a step is part of.

    Args:
        work: the work folder.
        run: what was asked, whatever the command.
        policy: the same, as the type that this step needs; never None and never made up.
    """

    work: Path
    run: Run
    policy: P

    @classmethod
    def open(cls, kind: type[P]) -> RunContext[P]:
        """The run of this step's work folder.

        Args:
            kind: the command's policy, or what the commands of this step share.

        Raises:
            EarlierStepMissing: no run was started there.
            OtherCommand: the run is of another command.
        """
        work = settings.work_folder()
        run = hand_over.read(work, Run)
        return cls(work=work, run=run, policy=run.of(kind))

    @property
    def held(self) -> HeldLease:
        """The lease that this run took.

        Raises:
            EarlierStepMissing: it took none.
        """
        return self.read(HeldLease)

    def read(self, kind: type[H]) -> H:
        """What an earlier step has left.

        Raises:
            EarlierStepMissing: it is not there.
            InvalidInput: its file is broken.
        """
        return hand_over.read(self.work, kind)

    def read_if_there(self, kind: type[H]) -> H | None:
        """Like ``read``, with None where it is not there."""
        return hand_over.read_if_there(self.work, kind)

    def is_there(self, kind: type[HandOver]) -> bool:
        """Whether an earlier step has left it."""
        return hand_over.is_there(self.work, kind)

    def write(self, part: HandOver) -> None:
        """Leave something for the steps after this one."""
        hand_over.write(self.work, part)

    def remove(self, kind: type[HandOver]) -> None:
        """Remove it, so that an older run's is not taken for this one's."""
        hand_over.remove(self.work, kind)

    def set_outputs(self, outputs: Mapping[str, str]) -> None:
        """Set outputs of this step."""
        actions_runner.set_outputs(settings.Runner.from_environ().output, outputs)
