"""uv.lock, the input dbt -> our Python environment and the caller's dbt, in one folder.

Usage: ``setup_environment.py key`` prints what a cache of that folder depends on; ``own`` makes our
environment and ``dbt`` the caller's, each where it is not complete. A pull request that gets no
build, from a fork say, thus gets none of its requirements installed either. Run by the runner's own
python3, before anything is installed: standard library only.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036  an older python3 is what this is for
    # Before our modules, which an older Python cannot read.
    raise SystemExit(
        "::error title=Python is too old::dbt-deploy needs Python 3.10 or newer, and python3 is "
        f"{platform.python_version()}.%0ANo environment was made and dbt was not started.%0A"
        "Use actions/setup-python before this action."
    )

from dbtdeploy.base import actions_runner, errors, own_folder, settings
from dbtdeploy.setup import dbt_requirement, uv_client, virtualenvs
from dbtdeploy.setup.dbt_requirement import DbtRequirement
from dbtdeploy.setup.virtualenvs import Virtualenv

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent

DEPENDENCIES = ("boto3", "github", "jinja2", "msgspec", "requests", "yaml")
"""What pyproject.toml lists, as it is imported."""


def main() -> None:
    """Print the key, or make one environment; see the module's text."""
    mode = sys.argv[1] if len(sys.argv) == 2 else ""  # noqa: PLR2004
    setup = settings.Setup.from_environ()
    requirement = dbt_requirement.understand(setup.dbt, (setup.workspace, setup.project_dir))
    machine = virtualenvs.Machine(
        system=platform.system(),
        architecture=platform.machine(),
        python=f"{platform.python_version()} {Path(sys.executable).resolve()}",
    )
    own = Virtualenv(
        folder=setup.folder / "own",
        key=virtualenvs.own_key(machine, ROOT / "uv.lock"),
    )
    today = datetime.now(timezone.utc).date()
    dbt = Virtualenv(
        folder=setup.folder / "dbt", key=virtualenvs.dbt_key(machine, requirement, today)
    )
    outputs = settings.Runner.from_environ().output
    own_folder.require_if_there(setup.folder)
    if mode == "key":
        # With other packages of ours the caller's dbt is still found, by the key's beginning.
        other = f"dbt-deploy-{dbt.key}-"
        keys = {"key": f"{other}{own.key[:16]}", "restore-keys": other}
        actions_runner.set_outputs(outputs, {**keys, "folder": str(setup.folder)})
    elif mode == "own":
        _make(own, lambda uv_command: _make_own(uv_command, own), setup.folder)
        found = shutil.which("dbt") if requirement.installed else str(dbt.bin / "dbt")
        ready = bool(found) if requirement.installed else dbt.is_complete()
        outputs_of_own = {
            "python": str(own.bin / "python"),
            "dbt": found or "dbt",
            "dbt-ready": str(ready).lower(),
        }
        actions_runner.set_outputs(outputs, outputs_of_own)
    elif mode == "dbt":
        if requirement.installed:
            _require_dbt()
        else:
            _make(
                dbt,
                lambda uv_command: _make_dbt(uv_command, dbt, requirement, setup.workspace),
                setup.folder,
            )
    else:
        raise errors.InvalidInput(
            "setup_environment.py was called without `key`, `own` or `dbt`.",
            not_done="No environment was made.",
            remedy="Call it as `setup_environment.py own`.",
        )


def _make(environment: Virtualenv, make: Callable[[str], None], folder: Path) -> None:
    """Make an environment that is not complete; ``make`` gets the command uv."""
    own_folder.require(folder)
    if environment.is_complete():
        actions_runner.say(f"{environment.folder.name}: complete already.")
        return
    # Beside the folder that is cached: whole environments need no uv, which has 63 MB.
    tools = folder.with_name(f"{folder.name}-tools")
    own_folder.require(tools)
    make(uv_client.find(tools, ROOT / "scripts" / "uv-requirement.txt"))


def _make_own(command: str, own: Virtualenv) -> None:
    print("Setting up dbt-deploy ...", flush=True)
    # PyGithub wants it to sign in as a GitHub App by its key, which we do not: 15 of 36 MB.
    without = ["--no-install-package", "cryptography"]
    sync = [command, "sync", "--frozen", "--no-dev", "--quiet", *without]
    uv_client.run(
        [*sync, "--project", str(ROOT), "--python", sys.executable],
        folder=ROOT,
        extra={"UV_PROJECT_ENVIRONMENT": str(own.folder)},
        purpose="Setting up dbt-deploy's own environment",
    )
    # Python compiles what is imported, and a cache keeps it: a pull request's job imports what the
    # deploy that filled its cache did not, 240 modules of PyGithub's and others.
    uv_client.run(
        [str(own.bin / "python"), "-I", "-c", f"import {', '.join(DEPENDENCIES)}"],
        folder=ROOT,
        extra={},
        purpose="Setting up dbt-deploy's own environment",
    )
    own.mark_complete()


def _make_dbt(command: str, dbt: Virtualenv, requirement: DbtRequirement, workspace: Path) -> None:
    actions_runner.say(f"Installing dbt ({' '.join(requirement.arguments)}) ...")
    shutil.rmtree(dbt.folder, ignore_errors=True)
    venv = [command, "venv", "--quiet", "--python", sys.executable, str(dbt.folder)]
    install = [command, "pip", "install"]
    into = ["--python", str(dbt.bin / "python"), *requirement.arguments]
    for call in (venv, [*install, *into]):
        uv_client.run(call, folder=workspace, extra={}, purpose="Installing dbt")
    if not (dbt.bin / "dbt").is_file():
        raise errors.InvalidInput(
            "What the input `dbt` names was installed, and no dbt command is in it.",
            not_done="dbt was not started.",
            remedy="Name dbt-core and your adapter, as `dbt-core~=1.12.0 dbt-postgres`.",
        )
    dbt.mark_complete()


def _require_dbt() -> None:
    if shutil.which("dbt") is None:
        raise errors.DbtNotFound(
            "The input `dbt` says it is installed, and there is no dbt on PATH.",
            not_done="dbt was not started.",
            remedy="Install dbt in a step before this one, or name it in the input `dbt`, as "
            "`dbt-core~=1.12.0 dbt-postgres`.",
        )


def _run() -> int:
    """The error boundary; ``cli.run`` needs packages that are not installed yet."""
    try:
        main()
    except errors.DbtDeployError as failure:
        actions_runner.error(failure.title, str(failure))
        _leave_for_the_report(failure)
        return failure.exit_code
    return 0


def _leave_for_the_report(failure: errors.DbtDeployError) -> None:
    """Write ``failure.json`` as ``files.Failure`` has it, which cannot be imported here yet."""
    work = settings.work_folder_if_known()
    if work is None or not work.is_dir():
        return
    redact = settings.redactor()
    record = {
        "kind": type(failure).__name__,
        "title": failure.title,
        "what": redact(failure.what),
        "not_done": redact(failure.not_done),
        "remedy": redact(failure.remedy),
        "step": Path(__file__).name,
        "exit_code": failure.exit_code,
    }
    (work / "failure.json").write_text(json.dumps(record), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(_run())
