"""dbt's own page with hostile artifacts in it, as it is published."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.redact import redactor
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


def published(page: bytes, manifest: bytes, catalog: bytes, *secrets: str) -> bytes:
    return redact_artifacts.page(page, {manifest: manifest, catalog: catalog}, redactor(secrets))


def written_in(page: bytes) -> list[object]:
    """Manifest and catalog, as the page's script reads them."""
    text = page.decode()
    decoder, found = json.JSONDecoder(), []
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
    made = published(page, manifest, catalog)
    seen = Scripts(made)
    assert seen.found == 1
    assert re.match(r"script-src 'sha256-[\w+/]{43}=' 'unsafe-eval'; object-src", seen.policy)
    assert written_in(made) == [json.loads(manifest), json.loads(catalog)]


@pytest.mark.fault(69)
def test_a_page_that_holds_other_artifacts_is_made_safe_too(dbt_command: Path) -> None:
    manifest, catalog = artifacts(f"hunter22 {HOSTILE}")
    page = page_of_dbt(dbt_command, manifest.replace(b'"m"', b'"other"'), catalog)
    made = published(page, manifest, catalog, "hunter22")
    assert Scripts(made).found == 1
    assert b"hunter22" not in made
    # Exactly what dbt takes for the place of the catalog.
    manifest, catalog = artifacts("CATALOG.JSON INLINE DATA")
    assert Scripts(published(page_of_dbt(dbt_command, manifest, catalog), manifest, catalog)).found


@pytest.mark.fault(69)
def test_a_page_of_an_unknown_form_is_refused() -> None:
    with pytest.raises(errors.DocsFailed, match="does not know"):
        published(b"<html><script>let x = {}</script></html>", *artifacts("x"))


@pytest.mark.fault(69)
def test_a_browser_shows_it_and_runs_nothing_of_it(dbt_command: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chrome")
    if browser is None:
        pytest.skip("there is no chromium on PATH")
    manifest, catalog = artifacts(HOSTILE)
    page = tmp_path / "index.html"
    page.write_bytes(published(page_of_dbt(dbt_command, manifest, catalog), manifest, catalog))
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
