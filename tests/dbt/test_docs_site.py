"""dbt's own page with hostile artifacts in it, as it is published."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.base import errors, redact
from dbtdeploy.base.redact import redactor
from dbtdeploy.dbt import docs_site
from dbtdeploy.deploy import redact_artifacts

HOSTILE = (
    "</script><script>document.title='ran'</script> <!-- <script> <img src=x "
    "onerror=\"document.title='ran'\"> <svg onload=\"document.title='ran'\"></svg> a < b **bold**"
)

ORDINARY = "an ordinary **bold** word"
"""That dbt's page has read a description as Markdown shows in ``<strong>``."""


def hostile(address: str) -> str:
    """Elements that load something, lead elsewhere or ask for something, each on a line."""
    return "\n\n".join(
        (
            f"<iframe src={address}/frame></iframe>",
            f'<meta http-equiv="refresh" content="0;url={address}/away">',
            f"<img src={address}/image>",
            f"![x]({address}/markdown)",
            f"<link rel=stylesheet href={address}/style>",
            f"<style>@import url({address}/import);</style>",
            f"<form action={address}/form><button>Log in</button></form>",
            f"<object data={address}/object></object><base href={address}/base>",
            HOSTILE,
        )
    )


def artifacts(text: str) -> tuple[bytes, bytes]:
    """Of a project of one model, with as much as dbt's page needs to show it."""
    column = {"name": "id", "description": text, "meta": {}, "tags": []}
    node = {
        **dict.fromkeys(("original_file_path", "path"), "models/m.sql"),
        "unique_id": "model.shop.m",
        "name": "m",
        "alias": "m",
        "description": text,
        "resource_type": "model",
        "package_name": "shop",
        "fqn": ["shop", "m"],
        "database": "db",
        "schema": "sc",
        "language": "sql",
        "docs": {"show": True},
        "config": {"materialized": "table", "meta": {}},
        "meta": {"k": text},
        "tags": [text],
        "columns": {"id": column, f"c {text}": column},
        "depends_on": {"nodes": [], "macros": []},
        "raw_code": "select 1 <a",
        "compiled_code": "select 1 <a",
        "refs": [],
        "sources": [],
    }
    empty = ("sources", "macros", "exposures", "metrics", "groups", "selectors", "disabled")
    later = ("saved_queries", "semantic_models", "unit_tests")
    manifest = {
        "metadata": {"project_name": "shop", "generated_at": "2026-01-01T00:00:00Z"},
        "nodes": {"model.shop.m": node},
        **{name: {} for name in (*empty, *later, "docs")},
        "parent_map": {"model.shop.m": []},
        "child_map": {"model.shop.m": []},
    }
    table = {"type": "BASE TABLE", "schema": "sc", "name": "m", "database": "db", "comment": text}
    shown = {"type": "integer", "index": 1, "name": "id", "comment": text}
    catalog = {
        "metadata": {"generated_at": "2026-01-01T00:00:00Z"},
        "nodes": {
            "model.shop.m": {
                "unique_id": "model.shop.m",
                "metadata": {**table, "owner": "o"},
                "columns": {"id": shown},
                "stats": {},
            }
        },
        "sources": {},
    }
    return json.dumps(manifest).encode(), json.dumps(catalog).encode()


def page_of_dbt(command: Path, manifest: bytes, catalog: bytes) -> bytes:
    """As ``dbt docs generate --static`` makes it."""
    (template,) = command.parent.parent.glob("lib/python*/site-packages/dbt/task/docs/index.html")
    page = template.read_bytes().replace(b'"MANIFEST.JSON INLINE DATA"', manifest)
    return page.replace(b'"CATALOG.JSON INLINE DATA"', catalog)


class Scripts(HTMLParser):
    """The scripts that a browser would find."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found = 0
        self.policy = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += tag == "script"
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""


def published(page: bytes, *secrets: str) -> bytes:
    return redact_artifacts.page(page, redactor(secrets))


def written_in(page: bytes) -> list[Any]:
    """Manifest and catalog, as the page's script reads them."""
    text = page.decode()
    decoder, found = json.JSONDecoder(), list[Any]()
    at = text.index("{manifest:") + len("{manifest:")
    for _ in range(2):
        value, end = decoder.raw_decode(text, at)
        found.append(value)
        at = end + len(",catalog:")
    return found


@pytest.mark.fault(69)
@pytest.mark.parametrize("text", ["", "\u2028</SCRIPT >", '"},catalog:{'])
def test_no_text_ends_the_script(dbt_command: Path, text: str) -> None:
    manifest, catalog = artifacts(f"{text}{HOSTILE}")
    page = page_of_dbt(dbt_command, manifest, catalog)
    made = published(page)
    seen = Scripts(made)
    assert seen.found == 1
    assert re.match(
        r"script-src 'sha256-[\w+/]{43}=' 'unsafe-eval'; default-src 'none'", seen.policy
    )
    read = written_in(made)
    assert json.loads(json.dumps(read).replace(r"\u200b", "")) == [
        json.loads(manifest),
        json.loads(catalog),
    ]
    assert "select 1 <a" in json.dumps(read), "code is as it was"
    assert not re.search(r"<[a-z/!?]", json.dumps(read).replace("select 1 <a", ""), re.IGNORECASE)


@pytest.mark.fault(69)
def test_an_artifact_stands_where_dbt_puts_it_even_inside_the_other(dbt_command: Path) -> None:
    manifest, catalog = artifacts("CATALOG.JSON INLINE DATA")
    assert Scripts(published(page_of_dbt(dbt_command, manifest, catalog))).found == 1


SECRETS = ("hunter<22", "O'Brien\"s", "main", "user", "483920", "</script>")


@pytest.mark.fault(64)
@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_go_from_the_artifacts_and_dbts_script_stays(
    dbt_command: Path, secret: str
) -> None:
    node = {"unique_id": "model.shop.m", "meta": {"pin": 483920}, "description": f"by {secret} x"}
    node["compiled_code"] = "select '" + secret.replace("'", "''") + "'"
    manifest = json.dumps({"nodes": {"model.shop.m": node}}).encode()
    catalog = json.dumps({"nodes": {}, "errors": [secret]}).encode()
    page = page_of_dbt(dbt_command, manifest, catalog)
    made = published(page, *redact.secret_values({}, given={"A_PASSWORD": secret}))
    (seen, listed), clean = written_in(made), published(page)
    assert seen["nodes"]["model.shop.m"]["description"] == "by *** x"
    assert seen["nodes"]["model.shop.m"]["meta"]["pin"] == ("***" if secret == "483920" else 483920)
    assert seen["nodes"]["model.shop.m"]["compiled_code"] == "select '***'"
    assert listed["errors"] == ["***"]
    for before, after in zip(around(clean), around(made), strict=True):
        assert before == after


def around(page: bytes) -> tuple[bytes, bytes, bytes]:
    """Dbt's own text of a page, without our policy, which holds the script's digest."""
    found = docs_site.split(page)
    return re.sub(rb"sha256-[^']+", b"", found.before), found.between, found.after


@pytest.mark.fault(64, 69)
@pytest.mark.parametrize(
    "script",
    [
        "let x = {}",
        "n={manifest:{} ,catalog:[]}",
        'n={manifest:{"a": hunter22},catalog:{}}',
        "n={manifest:{},other:{},catalog:{}}",
        'n={manifest:{"a": NaN},catalog:{}}',
        "n={manifest:" + "[" * 100_000 + ",catalog:{}}",
    ],
)
def test_a_page_of_an_unknown_form_is_refused(script: str) -> None:
    with pytest.raises(errors.DocsFailed, match="does not know"):
        published(f"<html><script>{script}</script></html>".encode(), "hunter22")


class Listener(ThreadingHTTPServer):
    """Another origin, which notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.asked: list[str] = []


class Asked(BaseHTTPRequestHandler):
    """Answers everything by a script."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Listener)
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<script>document.title='ran'</script>")

    def log_message(self, *_arguments: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def elsewhere() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def shown(html: bytes, folder: Path) -> str:
    """What a browser makes of a page: its elements, without scripts."""
    browser = shutil.which("chromium") or shutil.which("chrome")
    if browser is None:
        pytest.skip("there is no chromium on PATH")
    folder.mkdir()
    page = folder / "index.html"
    page.write_bytes(html)
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
    address = f"file://{page}#!/model/model.shop.m"
    ended = subprocess.run(
        [browser, *options, "--virtual-time-budget=8000", "--dump-dom", address],
        capture_output=True,
        timeout=120,
        check=True,
    )
    return re.sub(r"<script.*?</script>", "", ended.stdout.decode(), flags=re.DOTALL)


@pytest.mark.fault(69)
def test_a_browser_shows_it_and_runs_and_loads_nothing_of_it(
    dbt_command: Path, tmp_path: Path, elsewhere: Listener
) -> None:
    address = f"http://127.0.0.1:{elsewhere.server_address[1]}"
    text = f"{ORDINARY}\n\n{hostile(address)}"
    manifest, catalog = artifacts(text)
    page = page_of_dbt(dbt_command, manifest, catalog)
    # The same text in dbt's page without a policy, only embedded: it would be rendered and loaded.
    bare = page.replace(manifest, manifest.replace(b"<", rb"\u003c"))
    bare = bare.replace(catalog, catalog.replace(b"<", rb"\u003c"))
    shown(bare, tmp_path / "bare")
    assert "/frame" in elsewhere.asked
    elsewhere.asked.clear()
    made = shown(published(page), tmp_path / "published")
    assert "<strong>bold</strong> word" in made
    assert "<title>dbt Docs</title>" in made
    assert not elsewhere.asked
    assert not re.search(r"<(iframe src|form action|object data|base href|title>ran)", made)
    assert not re.search(r"<meta [^>]*refresh", made)
    assert "iframe src=" in made, "its text is shown"


@pytest.mark.fault(69)
def test_the_policy_alone_keeps_a_browser_from_loading(
    dbt_command: Path, tmp_path: Path, elsewhere: Listener
) -> None:
    address = f"http://127.0.0.1:{elsewhere.server_address[1]}"
    text = hostile(address).replace('http-equiv="refresh"', "")
    manifest, catalog = (one.replace(b"<", rb"\u003c") for one in artifacts(f"{ORDINARY} {text}"))
    made = shown(docs_site.guarded(page_of_dbt(dbt_command, manifest, catalog)), tmp_path / "p")
    assert "<strong>bold</strong> word" in made
    assert "<form" in made, "nothing but the policy is looked at"
    assert not elsewhere.asked
