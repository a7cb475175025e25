"""A dbt project on this machine + production's state -> the comment a pull request would get.

``make try PROJECT=path STATE=url-or-folder`` runs this. The scripts are those of slim CI; GitHub
is not needed. Any input can be given as DBT_DEPLOY_<INPUT>, such as DBT_DEPLOY_TARGET=ci.
"""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from dbtdeploy.context import hand_over, work_files  # noqa: E402  found by the line above
from standins import entry  # noqa: E402
from standins.text import preview  # noqa: E402

INPUTS = """
Here an input is a variable, `target` for one is DBT_DEPLOY_TARGET=ci; and what the comment says of
the secret `dbt-env` and of the job's `env` goes for the variables of this shell."""

STEPS = ("deploy/fetch_state", "ci/build_modified")


def main() -> int:
    """Run the scripts in order and show what they wrote.

    Returns:
        The exit code of the first script that failed, 0 if none did.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", required=True, type=Path, help="folder of dbt_project.yml")
    parser.add_argument("--state", required=True, help="s3://bucket/prefix or a folder")
    given = parser.parse_args()
    project: Path = given.project.expanduser().resolve()
    refused = _refusal(project)
    if refused:
        print(refused, file=sys.stderr)
        return 2
    output = ROOT / "try-output"
    work = output / "work"
    state = given.state if "://" in given.state else str(Path(given.state).expanduser().resolve())
    environ = {
        **os.environ,
        "DBT_DEPLOY_PROJECT_DIR": str(project),
        "DBT_DEPLOY_STATE": state,
        "DBT_DEPLOY_WORK": str(work),
        "GITHUB_WORKSPACE": _git(project, "rev-parse", "--show-toplevel") or str(project),
        "GITHUB_SHA": _git(project, "rev-parse", "HEAD"),
        # Step outputs are for a workflow; without a file to take them they would be printed.
        "GITHUB_OUTPUT": os.devnull,
        # Two colleagues on one warehouse get a schema each.
        "GITHUB_REF_NAME": f"try_{getpass.getuser()}",
    }
    code = _run("start/start_run", environ, "ci")
    if code:
        print(INPUTS)
        return code
    for script in STEPS:
        if hand_over.is_there(work, work_files.Plan):
            # Nothing is to be built, as was found without dbt.
            break
        code = _run(script, environ)
        if code:
            break
    _run("deploy/write_report", environ)
    comment = (work / work_files.COMMENT).read_text(encoding="utf-8")
    page = output / "comment.html"
    page.write_text(preview.to_html(comment, "make try"), encoding="utf-8")
    print(f"\n{comment}\n\nAs GitHub would show it: {page}")
    if code:
        print(INPUTS)
    return code


def _refusal(project: Path) -> str:
    """Why this cannot be tried, with what to do; empty where it can."""
    if not (project / "dbt_project.yml").is_file():
        return (
            f"There is no dbt_project.yml in {project}. Nothing was done.\n"
            "Set PROJECT to the folder that holds it."
        )
    dbt = os.environ.get("DBT_DEPLOY_DBT_COMMAND") or "dbt"
    if shutil.which(dbt) is None:
        return (
            f"There is no {dbt} on PATH. Nothing was done.\n"
            "Activate the environment that your project's dbt is installed in, or name the command "
            "by DBT_DEPLOY_DBT_COMMAND=/path/to/dbt."
        )
    return ""


def _run(script: str, environ: dict[str, str], *arguments: str) -> int:
    print(f"== {script.partition('/')[2].replace('_', ' ')}", flush=True)
    command = [*entry.script(script), *arguments]
    return subprocess.run(command, env=environ, check=False).returncode


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; empty where the folder is no repository."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    sys.exit(main())
