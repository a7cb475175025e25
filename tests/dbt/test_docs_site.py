"""dbt's own page with hostile artifacts in it, as it is published."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
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


def artifacts(text: str) -> tuple[bytes, bytes]:
    node = {"unique_id": "model.shop.m", "name": "m", "description": text, "columns": {}}
    manifest = {"metadata": {"project_name": "shop"}, "nodes": {"model.shop.m": node}}
    catalog = {"sources": {"source.shop.s": {"metadata": {"comment": text}}}, "nodes": {}}
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
    assert re.match(r"script-src 'sha256-[\w+/]{43}=' 'unsafe-eval'; object-src", seen.policy)
    assert written_in(made) == [json.loads(manifest), json.loads(catalog)]


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


@pytest.mark.fault(69)
def test_a_browser_shows_it_and_runs_nothing_of_it(dbt_command: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chrome")
    if browser is None:
        pytest.skip("there is no chromium on PATH")
    manifest, catalog = artifacts(HOSTILE)
    page = tmp_path / "index.html"
    page.write_bytes(published(page_of_dbt(dbt_command, manifest, catalog)))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    address = f"file://{page}#!/model/model.shop.m"
    shown = subprocess.run(
        [browser, *options, "--virtual-time-budget=8000", "--dump-dom", address],
        capture_output=True,
        timeout=120,
        check=True,
    ).stdout.decode()
    assert "<title>ran</title>" not in shown
    assert "<title>dbt Docs</title>" in shown
