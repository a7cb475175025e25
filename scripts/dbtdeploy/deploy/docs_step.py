"""Where the documentation goes: ``docs/`` of the store, or a place of its own."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, crash, errors
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.store import store_location, versions
from dbtdeploy.store.object_store import Store

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
