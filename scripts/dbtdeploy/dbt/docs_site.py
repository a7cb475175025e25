"""dbt's documentation in the target folder, and the build's manifest beside it.

``dbt docs generate --no-compile`` shows manifest.json as it lies there and writes neither it nor
run_results.json (1.8 to 1.12); without the option it compiles everything anew and writes both.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dbtdeploy.base import errors, json_codec
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import STATIC_DOCS

MANIFEST = "manifest.json"
WRITTEN = (STATIC_DOCS, "catalog.json")

BEFORE_MANIFEST, BEFORE_CATALOG = b"{manifest:", b",catalog:"
"""In dbt's page, in front of each of the two artifacts."""

SCRIPT = re.compile(rb"<script[^>]*>(?P<script>.*)</script>", re.DOTALL)
"""The page's only script, to its end; what else looks like one is a text in it."""

CODE = frozenset({"analysis", "model", "snapshot", "test"})
"""What has SQL that the documentation shows."""


class _Node(msgspec.Struct):
    resource_type: str = ""
    compiled_code: msgspec.Raw = msgspec.Raw(b"null")


class _Manifest(msgspec.Struct):
    nodes: dict[str, _Node] = {}


def is_compiled(target: Path) -> bool:
    """Whether the manifest holds the SQL of every node; not after a build of some nodes only."""
    try:
        content = (target / MANIFEST).read_bytes()
        nodes = json_codec.decode(content, _Manifest).nodes.values()
    except (FileNotFoundError, msgspec.DecodeError):
        return False
    return all(bytes(node.compiled_code) != b"null" for node in nodes if node.resource_type in CODE)


@contextlib.contextmanager
def manifest_kept(target: Path) -> Iterator[None]:
    """Put the manifest and the results of the build back, whatever dbt writes meanwhile."""
    paths = (target / MANIFEST, target / work_files.RUN_RESULTS)
    kept = {path: path.read_bytes() for path in paths if path.is_file()}
    try:
        yield
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def embedded(artifact: bytes) -> bytes:
    """An artifact as it may stand in a page: the same JSON, in which no tag can begin."""
    return artifact.replace(b"<", rb"\u003c")


def inert(page: bytes, catalog: bytes) -> bytes:
    """Dbt's page, in which no text of the project or the warehouse is read as HTML of the page.

    dbt writes both artifacts into a script of the page as they are, so that ``</script>`` in a
    description or in a comment of the warehouse ends it.

    Args:
        page: ``static_index.html``.
        catalog: ``catalog.json``, which ends what is written in.

    Raises:
        DocsFailed: the page is not as dbt's are, so nothing can be said of it.
    """
    begin = page.find(BEFORE_MANIFEST)
    last = BEFORE_CATALOG + catalog.strip()
    end = page.rfind(last)
    if begin < 0 or end < begin:
        raise errors.DocsFailed(
            "dbt's page holds its artifacts in a way that dbt-deploy does not know, so "
            "it cannot be made safe against HTML in descriptions.",
            not_done="The page was not published. What was built stays as it is.",
            remedy="Report it with your dbt version, and set `docs: false` until then.",
        )
    end += len(last)
    return page[:begin] + embedded(page[begin:end]) + page[end:]


def guarded(page: bytes) -> bytes:
    """The page with a policy by which a browser runs dbt's own script and nothing else.

    dbt's page shows descriptions as HTML, so ``<img onerror=...>`` in one would run. It is the last
    thing done to a page: any change of the script afterwards, and the browser does not run it.
    """
    found = SCRIPT.search(page)
    if found is None:
        return page
    digest = base64.b64encode(hashlib.sha256(found["script"]).digest()).decode()
    policy = f"script-src 'sha256-{digest}' 'unsafe-eval'; object-src 'none'; base-uri 'none'"
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'.encode()
    return page.replace(b"<head>", b"<head>" + meta, 1)
