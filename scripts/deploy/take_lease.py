"""run.json -> HeldLease: may this run change production now, and does it belong to it."""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, crash, errors, git_client
from dbtdeploy.context import hand_over, release_files, work_files
from dbtdeploy.context.deploy_files import CommitOrder, HeldLease, NotNow
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import BuildsProduction, InProduction, Release
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.deploy import admission, commit_order, lease_acquire, tag_history, take_over_plain
from dbtdeploy.store import (
    conditional_write_check,
    environment_settings,
    in_flight,
    lineage,
    store_location,
)
from dbtdeploy.store.environment_settings import EnvironmentSettings
from dbtdeploy.store.lease import lease, lease_messages
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import resume_publish, version_reader

PHASE = Phase.ADMISSION

PAST_A_HOLD = ("rollback", "clean-up")
"""A hold keeps what is live from being built over; these bring nothing new."""


def main() -> None:
    """Take the lease, unless the environment waits for a release or is on hold."""
    ctx = RunContext.open(InProduction)
    work, run = ctx.work, ctx.run
    for kind in (HeldLease, NotNow, release_files.Released):
        ctx.remove(kind)
    opened = store_location.opened(run.policy.state)
    policy = ctx.policy
    decided = environment_settings.read(opened)
    proceed = run.command != "deploy" or _is_due(opened, decided, run, work)
    if proceed:
        _refuse(decided, run, policy.environment)
        conditional_write_check.check_conditional_writes(opened)
        _take(opened, run, policy, work)
    outputs = {"proceed": "true" if proceed else "false"}
    if ctx.is_there(release_files.Released):
        outputs["released"] = "true"
    ctx.set_outputs(outputs)


def _is_due(opened: Store, decided: EnvironmentSettings, run: work_files.Run, work: Path) -> bool:
    pointer, _ = version_reader.read_current(opened)
    current = pointer.version if pointer else None
    reason = admission.not_now(decided, event=run.event.name, current=current)
    if reason is None:
        return True
    hand_over.write(work, NotNow(driver=decided.driver, version=current))
    actions_runner.annotate("notice", "Nothing was deployed", reason)
    return False


def _take(opened: Store, run: work_files.Run, policy: InProduction, work: Path) -> None:
    event = run.event
    commit = git_client.checked_out(Path(run.dbt.project_dir)) or event.sha
    wanted = Lease(
        nonce=lease.new_nonce(),
        holder=lease_messages.who(event),
        purpose=_purpose(run, commit),
        run_url=event.run_url,
        seconds=lease.SECONDS,
    )
    try:
        taken = lease_acquire.acquire(
            opened,
            wanted,
            environment=policy.environment,
            wait_seconds=policy.wait_minutes * 60,
            say=actions_runner.say,
        )
        crash.point("lease-taken")
        held = _begin(opened, taken, run, commit, work)
        hand_over.write(work, held)
    except errors.LeaseHeld:
        raise
    except BaseException:
        # Otherwise the next run would have to wait until it expires.
        with contextlib.suppress(errors.DbtDeployError):
            lease.release(opened, wanted.nonce)
        raise
    actions_runner.say(
        f"{policy.environment} belongs to this run until it ends. ({opened.location})"
    )


def _begin(
    opened: Store, taken: lease.Taken, run: work_files.Run, commit: str, work: Path
) -> HeldLease:
    """Shut earlier owners out, finish what they left, and look again at what may have changed."""
    policy = run.of(InProduction)
    if taken.before is not None:
        actions_runner.warning(*lease_messages.taken_over(taken.before))
    by = run.event.run_url or lease_messages.who(run.event)
    finished = resume_publish.begin(opened, taken.held.nonce, by=by)
    if finished is not None:
        actions_runner.warning("An unfinished publication was found", finished.said)
    decided = environment_settings.read(opened)
    _refuse(decided, run, policy.environment)
    # What a stopped release left is settled first: only then is it known which commit is live.
    left = in_flight.read(opened)
    if run.command == "deploy" and left is None:
        _check_commit(opened, decided, commit, policy.environment)
    if isinstance(run.policy, Release):
        _check_tag(opened, run.policy.tag, commit, work, left)
    orders = _orders(opened, run, commit, work, left, driver=decided.driver)
    return replace(
        taken.held,
        finished=finished.version if finished else None,
        taken_over=_take_over(opened, run, taken.held.nonce),
        commit=commit or None,
        orders=orders,
    )


def _orders(
    opened: Store,
    run: work_files.Run,
    commit: str,
    work: Path,
    left: in_flight.InFlight | None,
    *,
    driver: str,
) -> tuple[CommitOrder, ...]:
    """Refuse what is older than what is live; after a stopped release, once that is settled."""
    policy = run.policy
    if not isinstance(policy, BuildsProduction) or hand_over.is_there(work, release_files.Released):
        return ()
    ran = list(commit_order.ran(opened, failed_too=driver != environment_settings.RELEASE))
    if left is not None:
        will_be = lineage.reader(opened)(left.version) if left.version else None
        ran.append((will_be.commit or "" if will_be else left.commit or "", f"{left.tag}"))
    found = commit_order.orders(
        commit, ran, folder=Path(run.dbt.project_dir), repository=run.event.repository
    )
    if left is None:
        commit_order.refuse_older(found, commit=commit, policy=policy)
    return found


def _take_over(opened: Store, run: work_files.Run, nonce: str) -> str | None:
    """Make a version of plain artifacts before anything that a rollback would go back from."""
    if not isinstance(run.policy, BuildsProduction):
        return None
    index = take_over_plain.take_over(
        opened,
        environment=run.policy.environment,
        event=run.event,
        nonce=nonce,
        moment=datetime.now(timezone.utc),
    )
    if index is None:
        return None
    names = ", ".join(index.objects)
    actions_runner.say(
        f"Took over the artifacts that were here as version {index.version}: {names}."
    )
    return index.version


def _check_commit(opened: Store, decided: EnvironmentSettings, commit: str, name: str) -> None:
    if decided.driver == environment_settings.RELEASE:
        pointer, _ = version_reader.read_current(opened)
        released = pointer is not None and pointer.version is not None
        index = version_reader.read_index(opened, pointer) if pointer and released else None
        admission.check_commit(decided, checked_out=commit, index=index, name=name)


def _check_tag(
    opened: Store, tag: str, commit: str, work: Path, left: in_flight.InFlight | None
) -> None:
    """Refuse a tag that was moved, and tell the steps after this of one that is live."""
    pointer, _ = version_reader.read_current(opened)
    if left is not None and left.what == "release" and left.tag == tag:
        admission.refuse_moved_while_releasing(tag, checked_out=commit, began_with=left.commit)
    live = tag_history.check(opened, pointer, tag=tag, checked_out=commit)
    if live is None or left is not None:
        return
    done = release_files.Released(version=live.version, resumed="nothing")
    hand_over.write(work, done)
    current = pointer is not None and pointer.version == live.version
    said = "It is live." if current else "A newer version is live; to go back, use a rollback."
    actions_runner.annotate(
        "notice", f"{tag} was released already", f"Version {live.version} holds it. {said}"
    )


def _purpose(run: work_files.Run, commit: str) -> str:
    if isinstance(run.policy, Release):
        return f"release of {run.policy.tag}"
    if run.command == "deploy":
        return f"deploy of {commit[:7] or 'an unknown commit'}"
    return run.command


def _refuse(decided: EnvironmentSettings, run: work_files.Run, name: str) -> None:
    if run.command == "release":
        admission.refuse_merges(decided, name=name)
    if run.command not in PAST_A_HOLD:
        environment_settings.refuse_if_on_hold(decided, name=name, now=datetime.now(timezone.utc))
