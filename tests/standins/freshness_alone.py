"""The check of the sources alone, as a process, without the build that it stands before."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from dbtdeploy.context import cli
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.deploy import freshness_check

if __name__ == "__main__":
    cli.run(lambda: freshness_check.check(RunContext.open(BuildsProduction)), phase=Phase.FRESHNESS)
