"""A dbt project on this machine + production's state -> the comment a pull request would get.

``make try PROJECT=path STATE=url-or-folder`` runs this. The scripts are those of action.yml; GitHub
is not needed. Any input can be given as DBT_DEPLOY_<INPUT>, such as DBT_DEPLOY_TARGET=ci.
"""

from __future__ import annotations

import argparse
import getpass
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from dbtdeploy import files  # noqa: E402  found by the line above
from standins import preview  # noqa: E402

STEPS = ("fetch_state.py", "plan_build.py", "prepare_schema.py", "build_modified.py")


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
        # Two colleagues on one warehouse get a schema each.
        "GITHUB_REF_NAME": f"try_{getpass.getuser()}",
    }
    code = _run("start_run.py", environ)
    if code:
        return code
    for script in STEPS:
        if script == "prepare_schema.py" and not files.read(work / files.PLAN, files.Plan).nodes:
            break
        code = _run(script, environ)
        if code:
            break
    _run("write_report.py", environ)
    comment = (work / files.COMMENT).read_text(encoding="utf-8")
    page = output / "comment.html"
    page.write_text(preview.to_html(comment, "make try"), encoding="utf-8")
    print(f"\n{comment}\n\nAs GitHub would show it: {page}")
    return code


def _run(script: str, environ: dict[str, str]) -> int:
    print(f"== {script.removesuffix('.py').replace('_', ' ')}", flush=True)
    command = [sys.executable, str(ROOT / "scripts" / script)]
    return subprocess.run(command, env=environ, check=False).returncode


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; empty where the folder is no repository."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    sys.exit(main())
