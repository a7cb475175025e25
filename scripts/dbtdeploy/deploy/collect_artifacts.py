"""What a deploy left in dbt's target folder and the work folder -> artifacts fit to publish.

Reads files, as ``artifacts.py`` does; writes none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts, merged_results, partial_manifest
from dbtdeploy.artifacts.artifact_check import MANIFEST
from dbtdeploy.artifacts.node_status import GOOD, OUTCOMES
from dbtdeploy.base import actions_runner, errors, json_codec, timestamps
from dbtdeploy.base.redact import Redact
from dbtdeploy.context import deploy_files, hand_over, release_files, work_files
from dbtdeploy.context.built_with import BuiltWith
from dbtdeploy.context.policies import BuildsProduction, Release
from dbtdeploy.dbt import checkout_digest, unseen_changes
from dbtdeploy.deploy import redact_artifacts
from dbtdeploy.store.publication.versions import DEPLOYED, RELEASED, Index

CATALOG, SOURCES, LOG = "catalog.json", "sources.json", "dbt.log"


class CollectedArtifacts(Struct, frozen=True, kw_only=True):
    """The artifacts by name, without secrets, and the index as far as it is known."""

    contents: Mapping[str, bytes]
    draft: Index
    secrets_left: tuple[str, ...] = ()
    """Variables whose values stay in the manifest, because state cannot do without."""


class _OfManifest(msgspec.Struct):
    metadata: artifacts.Metadata = artifacts.Metadata()


def success(
    work: Path, run: work_files.Run, redact: Redact, *, unsettled: Iterable[str] = ()
) -> CollectedArtifacts:
    """What a good build makes production's state.

    Nodes that were modified and left out keep their old definition, and nodes that were not built
    their last results.

    Args:
        work: the work folder.
        run: this run.
        redact: hides every secret there is.
        unsettled: what was not as the version before says; what of it was not built stays so.

    Raises:
        PublishingFailed: one that dbt must have written is not there, or is not JSON.
    """
    target = Path(run.dbt.target_path)
    results, made = _needed(work / work_files.RUN_RESULTS), _needed(target / MANIFEST)
    new, left = redact_artifacts.state(made, redact)
    gathered = _spliced(work, run, new, results, unsettled)
    contents = dict(gathered.contents)
    contents |= documentation(work, target, redact)
    if hand_over.is_there(work, deploy_files.Freshness) and (found := _read(target / SOURCES)):
        contents[SOURCES] = redact_artifacts.artifact(SOURCES, found, redact)
    return replace(gathered, contents=contents, secrets_left=redact_artifacts.names(left, redact))


def release(
    work: Path,
    run: work_files.Run,
    redact: Redact,
    results: bytes,
    *,
    unsettled: Iterable[str] = (),
) -> CollectedArtifacts:
    """What a release makes production's state: the tagged commit, as production parses it.

    What is built in place afterwards keeps its old definition, as after a partial deploy.

    Args:
        work: the work folder, with ``production_manifest.json``.
        run: this run.
        redact: hides every secret there is.
        results: run_results.json of the build in staging, with production's names.
        unsettled: as for ``success``.

    Raises:
        PublishingFailed: an artifact is not there, or is not JSON.
    """
    made = _needed(work / release_files.PRODUCTION_MANIFEST)
    new, left = redact_artifacts.state(made, redact)
    gathered = _spliced(work, run, new, results, unsettled)
    return replace(gathered, secrets_left=redact_artifacts.names(left, redact))


def _spliced(
    work: Path, run: work_files.Run, new: bytes, results: bytes, unsettled: Iterable[str]
) -> CollectedArtifacts:
    """Manifest and results, with those of the version before for what was not built."""
    with _as_dbt_writes_them():
        return _spliced_of(work, run, new, results, unsettled)


def _spliced_of(
    work: Path, run: work_files.Run, new: bytes, results: bytes, unsettled: Iterable[str]
) -> CollectedArtifacts:
    state = work / work_files.STATE_FOLDER
    old, old_results = _read(state / MANIFEST), _read(state / work_files.RUN_RESULTS)
    for content in (new, results, old or b"", old_results or b""):
        # Slices go through unread, and one that is no text would be published.
        content.decode()
    built = {id_ for id_, status in _statuses(results).items() if OUTCOMES.get(status) in GOOD}
    parsed, before = _manifest(new), _manifest(old) if old else None
    pending = partial_manifest.pending(parsed, before, built)
    still = {id_ for id_ in unsettled if id_ not in built and parsed.find(id_) is not None}
    still |= set(partial_manifest.behind(parsed, before, built)) - set(pending)
    manifest = partial_manifest.manifest(new, old, pending)
    merged, carried = merged_results.run_results(results, old_results, manifest)
    contents = {MANIFEST: manifest, work_files.RUN_RESULTS: merged}
    draft = replace(
        _draft(work, run, new, results),
        kind=RELEASED if isinstance(run.policy, Release) else DEPLOYED,
        partial=bool(pending),
        pending=pending,
        carried=carried,
        unsettled=tuple(sorted(still)),
        built_from=_built_from(work, run),
        built_with=_built_with(work, run, parsed),
    )
    return CollectedArtifacts(contents=contents, draft=draft)


@contextmanager
def _as_dbt_writes_them() -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, UnicodeError) as cause:
        raise errors.PublishingFailed(
            "The build is done, and manifest.json or run_results.json is not as dbt writes it: "
            f"{cause}",
            not_done="Nothing was published; the version before is still the current one.",
            remedy="See that nothing changes manifest.json and run_results.json between dbt's "
            "build and this step; then deploy again.",
        ) from None


def _built_with(work: Path, run: work_files.Run, parsed: artifacts.Manifest) -> BuiltWith | None:
    state = hand_over.read_if_there(work, work_files.State)
    return unseen_changes.kept(run, parsed, state.built_with if state else None)


def _built_from(work: Path, run: work_files.Run) -> str | None:
    """The checkout's digest, where a pull request with the same one has nothing to build."""
    taken = hand_over.read_if_there(work, work_files.Fingerprint)
    if taken is None:
        return None
    why_not = taken.why_not or checkout_digest.why_unsettled(run.dbt)
    if why_not is not None:
        actions_runner.say(
            f"Pull requests cannot be compared with this version by files alone: {why_not}."
        )
        return None
    return taken.digest


def begun(work: Path, run: work_files.Run, redact: Redact) -> Index:
    """What is to be said of a run that is killed before it can say how it ended."""
    plan = hand_over.read_if_there(work, work_files.Plan) or work_files.Plan()
    return replace(
        _draft(work, run, b"{}", b"{}"),
        problem=redact("The run was stopped before it could say how its build ended."),
        planned=_planned(plan),
    )


def began(work: Path, run: work_files.Run) -> datetime:
    """When a run took the lease, by the store's clock: runs under one lease are in its order."""
    held = hand_over.read_if_there(work, deploy_files.HeldLease)
    known = timestamps.parse(held.taken_at if held else None) or timestamps.parse(run.started_at)
    return known or datetime.now(timezone.utc)


def failed(work: Path, run: work_files.Run, redact: Redact, *, problem: str) -> CollectedArtifacts:
    """What there is of a failed run, for reading.

    Raises:
        PublishingFailed: an artifact is not JSON.
    """
    with _as_dbt_writes_them():
        return _failed(work, run, redact, problem)


def _failed(work: Path, run: work_files.Run, redact: Redact, problem: str) -> CollectedArtifacts:
    build = hand_over.read_if_there(work, work_files.Build)
    results = _read(work / work_files.RUN_RESULTS) if build and build.results else None
    made = _read(Path(run.dbt.target_path) / MANIFEST)
    manifest = redact_artifacts.artifact(MANIFEST, made, redact) if made else None
    log = _read(work / work_files.LOG)
    there = {
        MANIFEST: manifest,
        work_files.RUN_RESULTS: results,
        LOG: redact(log.decode(errors="replace")).encode() if log else None,
    }
    draft = _draft(work, run, manifest or b"{}", results or b"{}")
    contents = {name: content for name, content in there.items() if content is not None}
    plan = hand_over.read_if_there(work, work_files.Plan) or work_files.Plan()
    statuses = _statuses(results) if results else {}
    draft = replace(
        draft,
        problem=redact(problem),
        planned=_planned(plan),
        results=statuses,
        # Compared as it would be published; what is kept for reading holds no secret at all.
        unsettled=_altered(
            work, redact_artifacts.state(made, redact)[0] if made else None, statuses
        ),
    )
    return CollectedArtifacts(contents=contents, draft=draft)


def _altered(work: Path, manifest: bytes | None, statuses: Mapping[str, str]) -> tuple[str, ...]:
    """What a failed run built from another definition than the current version's."""
    old = _read(work / work_files.STATE_FOLDER / MANIFEST)
    if manifest is None or old is None:
        return ()
    other = partial_manifest.pending(_manifest(manifest), _manifest(old), ())
    return tuple(id_ for id_ in other if OUTCOMES.get(statuses.get(id_, "")) in GOOD)


def _planned(plan: work_files.Plan) -> tuple[str, ...]:
    return tuple(node.unique_id for node in plan.nodes if node.has_result)


def documentation(work: Path, target: Path, redact: Redact) -> dict[str, bytes]:
    """Catalog and page, where this run made them; a page of an unknown form is left out, and said.

    Raises:
        PublishingFailed: one of them is not there, or is not JSON.
    """
    docs = hand_over.read_if_there(work, deploy_files.Docs)
    if docs is None:
        return {}
    made = {CATALOG: redact_artifacts.artifact(CATALOG, _needed(target / CATALOG), redact)}
    page = _needed(target / docs.file)
    try:
        made[deploy_files.STATIC_DOCS] = redact_artifacts.page(page, redact)
    except errors.DocsFailed as cause:
        # What was built is published all the same: the page is for people, state is for dbt.
        actions_runner.warning(cause.title, f"{cause.what} {cause.not_done} {cause.remedy}")
    return made


def _draft(work: Path, run: work_files.Run, manifest: bytes, results: bytes) -> Index:
    """Everything but the version, its time, its kind and its objects."""
    event = run.event
    held = hand_over.read_if_there(work, deploy_files.HeldLease)
    metadata = json_codec.decode(manifest, _OfManifest).metadata
    build = hand_over.read_if_there(work, work_files.Build)
    state = hand_over.read_if_there(work, work_files.State)
    # What is checked out need not be what started the run.
    commit = (held.commit if held else None) or event.sha or None
    plan = hand_over.read_if_there(work, release_files.ReleasePlan)
    # A build of the released commit is still that release.
    same = state is not None and commit is not None and state.commit == commit
    return Index(
        version="",
        environment=run.of(BuildsProduction).environment,
        project=run.dbt.name,
        kind="",
        created_at="",
        objects={},
        commit=commit,
        ref=event.ref or None,
        tag=run.policy.tag
        if isinstance(run.policy, Release)
        else state.tag
        if state and same
        else None,
        release_id=plan.release_id if plan else state.release_id if state and same else None,
        created_by=event.actor,
        event=event.name,
        run_url=event.run_url,
        run_id=event.run_id,
        run_attempt=event.run_attempt,
        dbt_version=metadata.dbt_version,
        adapter=metadata.adapter_type,
        previous=state.version if state else None,
        command=build.command if build else "",
        counts=dict(Counter(_statuses(results).values())),
        seconds=_seconds(build) if build else 0.0,
    )


def _seconds(build: work_files.Build) -> float:
    started, ended = timestamps.parse(build.started_at), timestamps.parse(build.finished_at)
    return round((ended - started).total_seconds(), 3) if started and ended else 0.0


def _statuses(results: bytes) -> dict[str, str]:
    found = json_codec.decode(results, artifacts.RunResults)
    return {result.unique_id: result.status for result in found.results}


def _manifest(content: bytes) -> artifacts.Manifest:
    return json_codec.decode(content, artifacts.Manifest)


def _needed(path: Path) -> bytes:
    content = _read(path)
    if content is None:
        raise errors.PublishingFailed(
            f"The build is done, and {path} is not there.",
            not_done="Nothing was published; the version before is still the current one.",
            remedy="See that nothing removes it between dbt's build and this step, and that "
            "`dbt-args` does not say --no-write-json; then deploy again.",
        )
    return content


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
