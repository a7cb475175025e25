"""dbt's documentation in the target folder, and the build's manifest beside it.

``dbt docs generate --no-compile`` shows manifest.json as it lies there and writes neither it nor
run_results.json (1.8 to 1.12); without the option it compiles everything anew and writes both.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from dbtdeploy.base import errors, json_codec
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import STATIC_DOCS

MANIFEST = "manifest.json"
WRITTEN = (STATIC_DOCS, "catalog.json")

BEFORE_MANIFEST, BEFORE_CATALOG = "{manifest:", ",catalog:"
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


class Page(NamedTuple):
    """Dbt's page in its parts: both artifacts as JSON, and dbt's own text around them."""

    before: bytes
    manifest: bytes
    between: bytes
    catalog: bytes
    after: bytes


def split(page: bytes) -> Page:
    """Dbt's page, taken apart at the artifacts that ``dbt docs generate --static`` writes into it.

    Where an artifact ends is read from its JSON: it may hold whatever else marks an end.

    Args:
        page: ``static_index.html``.

    Raises:
        DocsFailed: the page is not as dbt's are, so nothing can be said of it.
    """
    try:
        text = page.decode()
        first = text.index(BEFORE_MANIFEST) + len(BEFORE_MANIFEST)
        end = _end_of_json(text, first)
        second = text.index(BEFORE_CATALOG, end) + len(BEFORE_CATALOG)
        last = _end_of_json(text, second)
        if text[end:second].strip() != BEFORE_CATALOG or not text[last:].lstrip().startswith("}"):
            raise unknown_form()
    except (ValueError, RecursionError):
        raise unknown_form() from None
    cuts = (0, first, end, second, last, len(text))
    return Page(*(text[a:b].encode() for a, b in itertools.pairwise(cuts)))


def _end_of_json(text: str, begin: int) -> int:
    begin += len(text[begin : begin + 80]) - len(text[begin : begin + 80].lstrip())
    value, end = json.JSONDecoder().raw_decode(text, begin)
    if not isinstance(value, dict):
        raise unknown_form()
    return end


def unknown_form() -> errors.DocsFailed:
    """What is said of a page that is not as dbt's are."""
    return errors.DocsFailed(
        "dbt's page holds its artifacts in a way that dbt-deploy does not know, so it cannot be "
        "kept free of the values of `dbt-env` and safe against HTML in descriptions.",
        not_done="The page was not published. What was built stays as it is.",
        remedy="Report it with your dbt version, and set `docs: false` until then.",
    )


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
