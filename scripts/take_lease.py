"""run.json -> held_lease.json: may this run deploy now, and does the environment belong to it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy import (
    cli,
    crash,
    deploy_files,
    environment,
    errors,
    files,
    finish,
    gate,
    lease,
    lease_wait,
    lease_words,
    probe,
    read_version,
    settings,
    store_step,
)
from dbtdeploy.deploy_files import HeldLease, NotNow
from dbtdeploy.edges import actions, git
from dbtdeploy.environment import Environment
from dbtdeploy.lease_words import Lease
from dbtdeploy.objects import Store


def main() -> None:
    """Take the lease, unless the environment waits for a release or is on hold."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    for name in (deploy_files.LEASE, deploy_files.NOT_NOW):
        (work / name).unlink(missing_ok=True)
    opened = store_step.opened(run.policy.state)
    policy = run.deploy or files.Deploy()
    decided = environment.read(opened)
    proceed = _is_due(opened, decided, run, work)
    if proceed:
        _refuse_if_on_hold(decided, policy.environment)
        probe.probe(opened)
        _take(opened, run, policy, work)
    output = settings.Runner.from_environ().output
    actions.set_outputs(output, {"proceed": "true" if proceed else "false"})


def _is_due(opened: Store, decided: Environment, run: files.Run, work: Path) -> bool:
    pointer, _ = read_version.read_current(opened)
    current = pointer.version if pointer else None
    reason = gate.not_now(decided, event=run.event.name, current=current)
    if reason is None:
        return True
    files.write(work / deploy_files.NOT_NOW, NotNow(driver=decided.driver, version=current))
    actions.annotate("notice", "Nothing was deployed", reason)
    return False


def _take(opened: Store, run: files.Run, policy: files.Deploy, work: Path) -> None:
    event = run.event
    commit = git.checked_out(Path(run.dbt.project_dir)) or event.sha
    wanted = Lease(
        nonce=lease.new_nonce(),
        holder=lease_words.who(event),
        purpose=f"deploy of {commit[:7] or 'an unknown commit'}",
        run_url=event.run_url,
        seconds=lease.SECONDS,
    )
    try:
        taken = lease_wait.acquire(
            opened,
            wanted,
            environment=policy.environment,
            wait_seconds=policy.wait_minutes * 60,
            say=lambda line: print(line, flush=True),
        )
        crash.point("lease-taken")
        held = replace(_begin(opened, taken, run, policy, commit), commit=commit or None)
        files.write(work / deploy_files.LEASE, held)
    except errors.LeaseHeld:
        raise
    except BaseException:
        # Otherwise the next run would have to wait until it expires.
        with contextlib.suppress(errors.DbtDeployError):
            lease.release(opened, wanted.nonce)
        raise
    print(f"{policy.environment} belongs to this run until it ends. ({opened.location})")


def _begin(
    opened: Store, taken: lease.Taken, run: files.Run, policy: files.Deploy, commit: str
) -> HeldLease:
    """Shut earlier owners out, finish what they left, and look again at what may have changed."""
    if taken.before is not None:
        actions.warning(*lease_words.taken_over(taken.before))
    by = run.event.run_url or lease_words.who(run.event)
    finished = finish.begin(opened, taken.held.nonce, by=by)
    if finished is not None:
        actions.warning("An unfinished publication was found", finished.said)
    decided = environment.read(opened)
    _refuse_if_on_hold(decided, policy.environment)
    if decided.driver == environment.RELEASE:
        pointer, _ = read_version.read_current(opened)
        released = pointer is not None and pointer.version is not None
        index = read_version.read_index(opened, pointer) if pointer and released else None
        gate.check_commit(decided, checked_out=commit, index=index, name=policy.environment)
    return replace(taken.held, finished=finished.version if finished else None)


def _refuse_if_on_hold(decided: Environment, name: str) -> None:
    environment.refuse_if_on_hold(decided, name=name, now=datetime.now(timezone.utc))


if __name__ == "__main__":
    cli.run(main)
