"""A parse that started from a saved one is, node by node, what a full parse gives."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import make_environments
from in_dbt import parse_projects as projects
from standins.selection import some_of

DRIVER = Path(__file__).with_name("parse_driver.py")
IN_DBT = Path(__file__).parents[2] / "scripts" / "in_dbt"
PULL_REQUEST = {"CI_SCHEMA": "pr_7", "TAG": "special", "PREFIX": "p_", "FIXED": "else"}

Files = Mapping[str, str | None]

SCHEMA_BY_DESCRIPTION = """
{% macro generate_schema_name(custom_schema_name, node) -%}
{{ target.schema ~ node.description }}
{%- endmacro %}
"""
SWITCHED = "{{ config(enabled=target.name == 'prod') }} select 1 as id"

TRANSFERRED: dict[str, Files] = {
    "plain": {},
    "names": {"macros/names.sql": projects.SCHEMA_MACRO + projects.ALIAS_MACRO},
    "aware": projects.AWARE,
}
ALIAS_BY_SCHEMA = """
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
{{ node.name ~ (node.version or '') ~ '_in_' ~ node.schema }}
{%- endmacro %}
"""
REFUSED: dict[str, tuple[Files, str]] = {
    "description": (
        {"macros/names.sql": SCHEMA_BY_DESCRIPTION},
        "a macro that makes names reads node.description",
    ),
    "alias": (
        {"macros/names.sql": ALIAS_BY_SCHEMA},
        "a macro that makes names reads node.schema",
    ),
    "project": (
        {
            "dbt_project.yml": projects.PROJECT.replace(
                "+schema: marts", '+schema: "{{ target.name }}"'
            )
        },
        "models.shop.marts.+schema in dbt_project.yml of shop: it uses target",
    ),
    "hook": (
        {"dbt_project.yml": projects.OPERATION},
        "a hook in dbt_project.yml: an if may depend on the target",
    ),
}


class Session:
    """Requests to the driver of one dbt, and what it answered."""

    def __init__(self, version: str, tmp: Path) -> None:
        self.version = version
        self.tmp = tmp
        self.requests: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.expected: dict[str, str] = {}

    def project(self, name: str, files: Files, *changes: Files) -> Path:
        """Lays out a project; a later layer goes over an earlier one, None deletes."""
        folder = self.tmp / name
        layers: list[Files] = [projects.PLAIN, files, *changes]
        layers.insert(1, projects.NEWER)
        for layer in layers:
            for path, text in layer.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                if text is None:
                    file.unlink()
                else:
                    file.write_text(text)
        return folder

    def parse(self, name: str, project: Path, target: str, **more: Any) -> str:
        """Asks for a parse; `folders` are saved ones, `how` is what is expected of it."""
        how = more.pop("how", None)
        start = None
        if how is not None:
            self.expected[name] = how
            start = {
                "folders": [str(each) for each in more.pop("folders", [])],
                "kept": str(self.kept(name)) if more.pop("keep", True) else None,
                "report": str(self.tmp / f"{name}.report"),
            }
        else:
            more["args"] = [*more.get("args", []), "--no-partial-parse"]
        self.requests.append(
            {
                "do": "parse",
                "id": name,
                "project": str(project),
                "target": target,
                "start": start,
                "out": str(self.tmp / f"{name}.target"),
                **more,
            }
        )
        return name

    def same(self, one: str, other: str) -> None:
        """Expects two parses to be the same."""
        self.requests.append(
            {"do": "compare", "id": f"{one} = {other}", "one": one, "other": other}
        )

    def kept(self, name: str) -> Path:
        return self.tmp / f"{name}.kept"

    def run(self) -> list[str]:
        """Runs all; what is not as expected."""
        asked, answered = self.tmp / "requests.json", self.tmp / "answers.json"
        asked.write_text(json.dumps(self.requests))
        python = make_environments.dbt_command(self.version).with_name("python")
        done = subprocess.run(
            [python, DRIVER, asked, answered, self.tmp],
            env={**os.environ, "IN_DBT": str(IN_DBT), "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.answers = {each["id"]: each for each in json.loads(answered.read_text())}
        self.requests = []
        return [problem for each in self.answers.values() for problem in self._problems(each)]

    def _problems(self, answer: dict[str, Any]) -> list[str]:
        name = answer["id"]
        if "differences" in answer:
            return [f"{name}: {each}" for each in answer["differences"]]
        found = [] if answer["ok"] else [f"{name}: {answer['error']}"]
        expected = self.expected.get(name)
        if expected is not None and (answer["report"] or {}).get("how", "") != expected:
            found.append(f"{name}: {answer['report']}, not {expected}")
        return found


@pytest.fixture
def session(dbt_version: str, tmp_path: Path) -> Session:
    return Session(dbt_version, tmp_path)


@pytest.fixture(params=some_of(["1.11", "1.12"], "1.12"))
def dbt_version(request: pytest.FixtureRequest) -> str:
    version: str = request.param
    if not make_environments.dbt_command(version).is_file():
        pytest.skip(make_environments.why_not(version) or f"no dbt {version}")
    return version


def _again(kept: Path) -> set[str]:
    """The files that are parsed again for another target."""
    about = json.loads((kept / "about.json").read_text())
    again = about["transfer"]
    assert isinstance(again, dict), again
    entries = {
        f"{file.split('://')[1]} {key} {name}"
        for file, keys in again["entries"].items()
        for key, names in keys.items()
        for name in names
    }
    return {file.split("://")[1] for file in again["files"]} | entries


def test_a_pull_request_starts_from_the_deploy_of_production(session: Session) -> None:
    for name, files in TRANSFERRED.items():
        before = session.project(f"{name}/main", files)
        after = session.project(f"{name}/pull-request", files, projects.CHANGES)
        saved = session.parse(f"{name}-saved", before, "prod", how="full")
        full = session.parse(f"{name}-full", after, "ci", env=PULL_REQUEST)
        kept = [session.kept(saved)]
        started = session.parse(
            f"{name}-started",
            after,
            "ci",
            env=PULL_REQUEST,
            folders=kept,
            how="transferred",
            keep=False,
        )
        session.same(full, started)
    assert session.run() == []
    assert _again(session.kept("plain-saved")) == set()
    assert _again(session.kept("names-saved")) == set()
    assert _again(session.kept("aware-saved")) == projects.AWARE_AGAIN
    assert not session.kept("plain-started").exists()


def _content(kept: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in kept.iterdir()}


def test_what_cannot_be_sure_is_parsed_anew(session: Session) -> None:
    for name, (files, _) in REFUSED.items():
        session.parse(f"{name}-saved", session.project(name, files), "prod", how="full")
    files = {"models/marts/switched.sql": SWITCHED}
    main = session.project("switched", files)
    saved = session.parse("switched-saved", main, "prod", how="full")
    full = session.parse("switched-full", main, "ci")
    # That it is switched is seen only when it is parsed.
    kept = [session.kept(saved)]
    session.same(full, session.parse("switched-started", main, "ci", folders=kept, how="full"))
    assert session.run() == []
    for name, (_, reason) in REFUSED.items():
        about = json.loads((session.kept(f"{name}-saved") / "about.json").read_text())
        assert about["transfer"] == reason
    report = session.answers["switched-started"]["report"]
    assert report["why_not"] == "0: model.shop.switched is not there any more, though its file is"


def _damage(kept: Path, copy: Path, **changes: Any) -> Path:
    """A copy of a saved parse with other things in about.json; `data` changes the parse itself."""
    shutil.copytree(kept, copy)
    about = json.loads((copy / "about.json").read_text())
    data = changes.pop("data", None)
    if data is not None:
        (copy / "partial_parse.msgpack").write_bytes(
            data((copy / "partial_parse.msgpack").read_bytes())
        )
        if changes.pop("hash_again", False):
            content = (copy / "partial_parse.msgpack").read_bytes()
            changes.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())
    for key, value in changes.items():
        place = about
        *path, last = key.split("__")
        for each in path:
            place = place[each]
        place[last] = value
    (copy / "about.json").write_text(json.dumps(about))
    return copy


def test_a_later_push_and_a_later_deploy(session: Session) -> None:
    main = session.project("main", {})
    first = session.parse("first", main, "prod", how="full")
    macro = {"macros/own.sql": projects.PLAIN["macros/own.sql"].replace("/ 100", "/ 1000")}
    pushed = session.project("pushed", macro, projects.CHANGES)
    production = [session.kept(first)]
    session.parse("refused", pushed, "ci", folders=production, how="full", keep=False)
    push = session.parse("push", pushed, "ci", folders=production, how="full")
    later = session.project(
        "later", macro, projects.CHANGES, {"models/marts/fresh.sql": "select 2"}
    )
    folders = [session.kept(push), session.kept(first)]
    again = session.parse("again", later, "ci", folders=folders, how="as it is", keep=False)
    session.same(session.parse("again-full", later, "ci"), again)
    merged = session.project("merged", {}, projects.CHANGES)
    second = session.parse("second", merged, "prod", folders=production, how="as it is")
    session.same(session.parse("second-full", merged, "prod"), second)
    moved = session.parse("moved", merged, "ci", folders=[session.kept(second)], how="transferred")
    session.same(session.parse("moved-full", merged, "ci"), moved)
    kept = [session.kept(second)]
    session.parse("nothing", merged, "prod", folders=kept, how="as it is")
    session.parse("off", merged, "prod", folders=kept, how="", args=["--no-partial-parse"])
    assert session.run() == []
    assert session.answers["push"]["report"]["why_not"] == "0: shop://macros/own.sql has changed"
    assert session.kept("push").exists()
    assert not session.kept("refused").exists()
    assert not session.kept("again").exists()
    assert _content(session.kept("nothing")) == _content(session.kept("second"))
    assert session.answers["off"]["report"] is None


def test_doubtful_parses_are_refused(session: Session) -> None:
    main = session.project("main", {})
    saved = session.parse("saved", main, "prod", how="full")
    assert session.run() == []
    kept = session.kept(saved)
    doubtful: dict[str, dict[str, Any]] = {
        "damaged": {"data": lambda data: data[:-9] + b"123456789"},
        "short": {"data": lambda data: data[:-9]},
        "no-msgpack": {"data": lambda _: b"nonsense", "hash_again": True},
        "format": {"format": 0},
        "dbt": {"made_with__dbt": "1.7.0"},
        "adapter": {"made_with__versions__dbt-postgres": "1.0.0"},
        "flag": {"made_with__flags__static_parser": "other"},
        "packages": {"made_with__files__packages.yml": "other"},
    }
    folders = [session.tmp / "missing"]
    folders += [
        _damage(kept, session.tmp / "doubtful" / name, **changes)
        for name, changes in doubtful.items()
    ]
    session.parse("refused", main, "prod", folders=folders, how="full")
    only = [kept]
    session.parse("vars", main, "ci", folders=only, how="full", args=["--vars", "{layer: other}"])
    session.same("vars", session.parse("vars-full", main, "ci", args=["--vars", "{layer: other}"]))
    session.parse("flags", main, "ci", folders=only, how="full", args=["--no-static-parser"])
    session.parse("database", main, "elsewhere", folders=only, how="full")
    assert session.run() == []
    refused = session.answers["refused"]["report"]["why_not"].split("; ")
    assert refused.pop(3).endswith(" came up")
    assert refused == [
        *("0: there is none", "1: it is damaged", "2: it is damaged"),
        *("4: it has another format", "5: dbt differs", "6: versions dbt-postgres differs"),
        *("7: flags static_parser differs", "8: files packages.yml differs"),
    ]
    reasons = {
        name: session.answers[name]["report"]["why_not"] for name in ("vars", "flags", "database")
    }
    assert reasons == {
        "vars": "0: vars differs",
        "flags": "0: flags static_parser differs",
        "database": "0: the database is another",
    }
