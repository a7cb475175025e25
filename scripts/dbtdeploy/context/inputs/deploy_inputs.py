"""Inputs of ``deploy`` -> what they mean."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import asdict

from dbtdeploy.base.settings import Inputs
from dbtdeploy.context.inputs import shared_inputs
from dbtdeploy.context.inputs.input_values import one_of
from dbtdeploy.context.policies import Deploy

BUILDS = ("all", "modified")


def deploy(inputs: Inputs, workspace: Path) -> Deploy:
    """How ``deploy`` builds production.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    modified = inputs.build == "modified"
    return Deploy(
        **asdict(shared_inputs.builds_production(inputs, workspace, retry_failed=modified)),
    )


def select(inputs: Inputs) -> str:
    """What ``deploy`` builds where no ``select`` is given; empty for everything.

    Raises:
        InvalidInput: ``build`` is unknown.
    """
    build = one_of("build", inputs.build or "all", BUILDS)
    return "state:modified+" if build == "modified" else ""
