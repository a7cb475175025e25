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
from typing import Any, NamedTuple

import msgspec

from dbtdeploy.base import errors, json_codec
from dbtdeploy.base.markdown import ZERO_WIDTH_SPACE
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import STATIC_DOCS

MANIFEST = "manifest.json"
WRITTEN = (STATIC_DOCS, "catalog.json")

BEFORE_MANIFEST, BEFORE_CATALOG = "{manifest:", ",catalog:"
"""In dbt's page, in front of each of the two artifacts."""

SCRIPT = re.compile(rb"<script[^>]*>(?P<script>.*)</script>", re.DOTALL)
"""The page's only script, to its end; what else looks like one is a text in it."""

TAG = re.compile("<(?=[A-Za-z/!?])")
"""Where a browser begins a tag, a comment or the like."""

SHOWN_AS_CODE = frozenset({"raw_code", "compiled_code", "raw_sql", "compiled_sql", "macro_sql"})
"""Fields that dbt's page escapes itself, so that SQL is copied as it is."""

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "frame-src 'none'; form-action 'none'; base-uri 'none'; object-src 'none'"
)
"""All that dbt's page needs beside its script is written in it."""

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
    """An artifact as it may stand in a page: no tag begins in it, nor in what is made of its texts.

    dbt's page takes descriptions, comments, tags and names of columns for HTML, whatever policy it
    has. A zero-width space behind ``<`` lets both HTML and plain text show what was written.
    """
    if b"<" in artifact or rb"\u003" in artifact:
        artifact = msgspec.json.encode(_without_tags(json_codec.decode(artifact)))
    return artifact.replace(b"<", rb"\u003c")


def _without_tags(value: Any) -> Any:
    if isinstance(value, str):
        return TAG.sub(f"<{ZERO_WIDTH_SPACE}", value)
    if isinstance(value, list):
        return [_without_tags(item) for item in value]
    if isinstance(value, dict):
        return {
            _without_tags(key): item
            if key in SHOWN_AS_CODE and isinstance(item, str)
            else _without_tags(item)
            for key, item in value.items()
        }
    return value


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
    """The page with a policy by which a browser runs dbt's own script and loads nothing.

    It is the last thing done to a page: any change of the script afterwards, and the browser does
    not run it.
    """
    found = SCRIPT.search(page)
    if found is None:
        return page
    digest = base64.b64encode(hashlib.sha256(found["script"]).digest()).decode()
    policy = f"script-src 'sha256-{digest}' 'unsafe-eval'; {POLICY}"
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'.encode()
    return page.replace(b"<head>", b"<head>" + meta, 1)
