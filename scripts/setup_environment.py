"""uv.lock, the input dbt -> our Python environment and the caller's dbt, in one folder.

Usage: ``setup_environment.py key`` prints what a cache of that folder depends on;
``setup_environment.py install`` makes what is not complete. Run by the runner's own python3, before
anything is installed: standard library only.
"""

from __future__ import annotations

import platform
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036  an older python3 is what this is for
    # Before our modules, which an older Python cannot read.
    raise SystemExit(
        "::error title=Python is too old::dbt-deploy needs Python 3.10 or newer, and python3 is "
        f"{platform.python_version()}.%0ANo environment was made and dbt was not started.%0A"
        "Use actions/setup-python before this action."
    )

from dbtdeploy import dbt_requirement, environments, errors, settings
from dbtdeploy.dbt_requirement import DbtRequirement
from dbtdeploy.edges import actions, uv
from dbtdeploy.environments import Environment

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print the key, or install; see the module's text."""
    mode = sys.argv[1] if len(sys.argv) == 2 else ""  # noqa: PLR2004
    setup = settings.Setup.from_environ()
    requirement = dbt_requirement.understand(setup.dbt, (setup.workspace, setup.project_dir))
    machine = environments.Machine(
        system=platform.system(),
        architecture=platform.machine(),
        python=f"{platform.python_version()} {Path(sys.executable).resolve()}",
    )
    own = Environment(
        folder=setup.folder / "own", key=environments.own_key(machine, ROOT / "uv.lock")
    )
    today = datetime.now(timezone.utc).date()
    dbt = Environment(
        folder=setup.folder / "dbt", key=environments.dbt_key(machine, requirement, today)
    )
    outputs = settings.Runner.from_environ().output
    if mode == "key":
        key = environments.digest([own.key, dbt.key])
        actions.set_outputs(outputs, {"key": f"dbt-deploy-{key}", "folder": str(setup.folder)})
    elif mode == "install":
        command = _install(setup, own, dbt, requirement)
        actions.set_outputs(outputs, {"python": str(own.bin / "python"), "dbt": command})
    else:
        raise errors.InvalidInput(
            "setup_environment.py was called without `key` or `install`.",
            not_done="No environment was made.",
            remedy="Call it as `setup_environment.py install`.",
        )


def _install(
    setup: settings.Setup, own: Environment, dbt: Environment, requirement: DbtRequirement
) -> str:
    """Make what is not complete.

    Returns:
        The dbt command, absolute.
    """
    command = _installed_dbt() if requirement.installed else str(dbt.bin / "dbt")
    makes_dbt = not requirement.installed and not dbt.is_complete()
    if own.is_complete() and not makes_dbt:
        print("The environments are complete.")
        return command
    setup.folder.mkdir(parents=True, exist_ok=True)
    found = uv.find(setup.folder / "tools", ROOT / "scripts" / "uv-requirement.txt")
    if not own.is_complete():
        _make_own(found, own)
    if makes_dbt:
        _make_dbt(found, dbt, requirement, setup.workspace)
    return command


def _make_own(command: str, own: Environment) -> None:
    print("Setting up dbt-deploy ...", flush=True)
    sync = [command, "sync", "--frozen", "--no-dev", "--compile-bytecode", "--quiet"]
    uv.run(
        [*sync, "--project", str(ROOT), "--python", sys.executable],
        folder=ROOT,
        extra={"UV_PROJECT_ENVIRONMENT": str(own.folder)},
        purpose="Setting up dbt-deploy's own environment",
    )
    own.mark_complete()


def _make_dbt(command: str, dbt: Environment, requirement: DbtRequirement, workspace: Path) -> None:
    print(f"Installing dbt ({' '.join(requirement.arguments)}) ...", flush=True)
    shutil.rmtree(dbt.folder, ignore_errors=True)
    venv = [command, "venv", "--quiet", "--python", sys.executable, str(dbt.folder)]
    install = [command, "pip", "install", "--compile-bytecode"]
    into = ["--python", str(dbt.bin / "python"), *requirement.arguments]
    for call in (venv, [*install, *into]):
        uv.run(call, folder=workspace, extra={}, purpose="Installing dbt")
    if not (dbt.bin / "dbt").is_file():
        raise errors.InvalidInput(
            "What the input `dbt` names was installed, and no dbt command is in it.",
            not_done="dbt was not started.",
            remedy="Name dbt-core and your adapter, as `dbt-core~=1.11.0 dbt-postgres`.",
        )
    dbt.mark_complete()


def _installed_dbt() -> str:
    found = shutil.which("dbt")
    if found is None:
        raise errors.DbtNotFound(
            "The input `dbt` says it is installed, and there is no dbt on PATH.",
            not_done="No environment was made and dbt was not started.",
            remedy="Install dbt in a step before this one, or name it in the input `dbt`, as "
            "`dbt-core~=1.11.0 dbt-postgres`.",
        )
    return str(Path(found).absolute())


def _run() -> int:
    """The error boundary; ``cli.run`` needs packages that are not installed yet."""
    try:
        main()
    except errors.DbtDeployError as failure:
        actions.error(failure.title, str(failure))
        return failure.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(_run())
