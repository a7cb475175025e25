"""README is the door, docs/ has a page for each reader, and both speak plain English."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from contract.actions import ROOT, action
from contract.test_house import ORDER
from dbtdeploy.base import errors
from dbtdeploy.report import report_status

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]
LONGEST_README = 250

PRIVATE_WORDS = re.compile(
    r"\b(mend\w*|anew|(?:hang|hangs|hanging|hung) on|whoever|bears?|of ours|of others|per cent"
    r"|but for|beside production|faults? of the moment|(?:come|came) to its end|made again)\b",
    re.IGNORECASE,
)
"""Turns of phrase that dbt, GitHub and Git have other words for: fix, again, depend on, percent."""

YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
ACTION = re.compile(r"\borg/dbt-deploy(?:/([\w-]+))?@v1")
PACKAGE = re.compile(r"^\| `(\w+)/` \|", re.MULTILINE)
ERROR = re.compile(r"^### (.+)$", re.MULTILINE)
NOT_IN_PROSE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def _named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _titles(kind: type[errors.DbtDeployError]) -> Iterator[str]:
    yield kind.title
    for child in kind.__subclasses__():
        yield from _titles(child)


def _titles_of_builds() -> set[str]:
    """What a report says of a build that ended oddly, without a failed step."""
    found = {
        str(keyword.value.value)
        for call in ast.walk(ast.parse(Path(report_status.__file__).read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "title"
        if isinstance(keyword.value, ast.Constant)
    }
    assert found
    return found


def test_the_readme_is_a_door() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST_README


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_a_page_has_no_words_of_its_own(page: Path) -> None:
    prose = NOT_IN_PROSE.sub("", page.read_text(encoding="utf-8"))
    assert PRIVATE_WORDS.findall(prose) == []


def test_the_index_lists_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"]({name})" in index} == pages


def test_every_failure_has_its_entry_under_troubleshooting() -> None:
    listed = set(ERROR.findall((DOCS / "troubleshooting.md").read_text(encoding="utf-8")))
    assert sorted(set(_titles(errors.DbtDeployError)) - listed) == []
    assert sorted(_titles_of_builds() - listed) == []


def test_contributing_lists_the_packages_in_their_order() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("| package | what is in it |")[2].partition("\n\n")[0]
    assert tuple(PACKAGE.findall(table)) == ORDER


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_examples_use_actions_and_inputs_that_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in ACTION.findall(text):
        assert (ROOT / name / "action.yml").is_file(), name
    for block in YAML.findall(text):
        content = yaml.safe_load(block)
        assert content, block
        for step in content if isinstance(content, list) else ():
            found = ACTION.fullmatch(step["uses"])
            assert found
            inputs = action(found[1] or ".")["inputs"]
            assert set(step["with"]) <= set(inputs), block
            required = {name for name, given in inputs.items() if given.get("required")}
            assert required <= set(step["with"]), block
