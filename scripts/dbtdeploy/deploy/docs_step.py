"""Where the documentation goes: ``docs/`` of the store, or a place of its own."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, crash, errors, settings
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import STATIC_DOCS, Docs, Publication
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.deploy import collect_artifacts
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import versions

HTML = "text/html; charset=utf-8"


def upload(run: work_files.Run, opened: Store, page: bytes, done: Publication) -> Publication:
    """Upload the page; gives the publication with its place.

    Args:
        run: this run.
        opened: the environment's store.
        page: without secrets.
        done: what is published already.

    Raises:
        DocsFailed: it was not uploaded.
    """
    crash.point("before-docs")
    elsewhere = run.of(BuildsProduction).docs_location
    try:
        target = store_location.opened(elsewhere) if elsewhere else opened
        key = "index.html" if elsewhere else versions.DOCS
        target.put(key, page, content_type=HTML)
    except errors.DbtDeployError as cause:
        raise errors.DocsFailed(
            f"The documentation was not uploaded. {cause.what}",
            not_done=f"Version {done.version} is built, published and current; only its "
            "documentation is missing.",
            remedy=cause.remedy,
        ) from None
    actions_runner.say(f"The documentation is at {target.address(key)}.")
    url = run.of(BuildsProduction).docs_url
    return replace(done, docs=target.address(key), docs_url=url)


def upload_of_release(ctx: RunContext[BuildsProduction]) -> None:
    """Lay page and plain catalog of a release that is current where people and tools read them.

    The version itself never changes.
    """
    if not ctx.is_there(Docs):
        return
    target, held = Path(ctx.run.dbt.target_path), ctx.held
    made = collect_artifacts.documentation(ctx.work, target, settings.redactor())
    opened = store_location.opened(ctx.policy.state)
    done = ctx.read(Publication)
    lease.renew(opened, held.nonce)
    opened.put(versions.LATEST + collect_artifacts.CATALOG, made[collect_artifacts.CATALOG])
    if STATIC_DOCS not in made:
        return
    shown = upload(ctx.run, opened, made[STATIC_DOCS], done)
    ctx.write(shown)
    ctx.set_outputs({"docs-url": shown.docs_url or ""})
