"""The main job of dbt-deploy, played on real parts: ``make demo``.

Three pull requests; one is merged and deployed, its schemas go, and the next compares with it. Then
a version tag releases what was merged since, and a rollback takes it back. Leaves in
``demo-output/`` what each job's reader would see, and ends with 0 only if all went as it should.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT / "tests"), str(ROOT / "scripts")]

import make_environments  # noqa: E402
from dbtdeploy.context.release_files import ReleasePlan  # noqa: E402
from demo import jobs, merge, processes, pull_requests, release, world  # noqa: E402
from demo.jobs import Job  # noqa: E402
from demo.progress import head, step  # noqa: E402
from standins.text import preview  # noqa: E402

OUTPUT = ROOT / "demo-output"
INTERRUPTED = 130


def main() -> int:
    """Play the demo; gives the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        wrong = play()
    except processes.CommandFailed as failure:
        print(f"\nThe demo could not be played. {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The servers have ended.", file=sys.stderr)
        return INTERRUPTED
    seconds = time.monotonic() - began
    head(f"All of it took {seconds:.0f} s. What their readers would see is in {OUTPUT}.")
    for sentence in wrong:
        print(f"  Not as it should be: {sentence}.")
    print("  Each job went as it should." if not wrong else "", flush=True)
    return 1 if wrong else 0


def play() -> list[str]:
    """Set the world up, run the action for each pull request; gives what went wrong."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    wrong: list[str] = []
    head("Production")
    with step("Set up dbt-deploy's own environment, kept in .cache"):
        jobs.set_up()
    processes.forget_accounts()
    with world.build(make_environments.dbt_command(make_environments.DBT).parent) as built:
        for pull in pull_requests.all_of_them():
            head(f"Pull request {pull.number}: {pull.title} ({pull.branch})")
            job = pull_requests.play(built, pull)
            leave(job, OUTPUT / pull.branch, title=pull.title)
            wrong += [f"{pull.branch}: {sentence}" for sentence in pull.off(job)]
        scenes = itertools.chain(
            merge.play(built, pull_requests.all_of_them()[0]), release.play(built)
        )
        for scene in scenes:
            leave(scene.job, OUTPUT / scene.name, title=scene.title, pages=scene.pages)
            wrong += [f"{scene.name}: {sentence}" for sentence in scene.off]
        wrong += [f"GitHub's API was misused: {rule}" for rule in built.github.broken_rules()]
    return wrong


def leave(job: Job, folder: Path, *, title: str, pages: Mapping[str, str] | None = None) -> None:
    """Write what the reader sees of one job, and say how it ended."""
    print(f"  The job {'succeeded' if job.succeeded else 'failed'}: {job.headline}")
    folder.mkdir(parents=True)
    texts = {"comment": job.comment, "summary": job.summary, **(pages or {})}
    for name, text in texts.items():
        if text:
            (folder / f"{name}.md").write_text(text, encoding="utf-8")
            (folder / f"{name}.html").write_text(preview.to_html(text, title), encoding="utf-8")
    (folder / "report.json").write_bytes(job.report_json)
    plan = Path(job.outputs.get("artifact-folder", "")) / ReleasePlan.FILE
    if plan.is_file():
        shutil.copy(plan, folder)
    (folder / "log.txt").write_text(job.log, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
