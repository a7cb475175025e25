"""report.json, its schema and its page say the same."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import jsonschema
import msgspec
import pytest

import report_schema
from dbtdeploy import assemble, deploy_report, release_report, report
from standins import builds, deploy_builds


def test_the_committed_schema_is_current() -> None:
    committed = report_schema.SCHEMA.read_text(encoding="utf-8")
    assert committed == report_schema.schema(), "run: .venv/bin/python tests/report_schema.py"


def test_the_page_describes_every_field_and_no_other() -> None:
    found = {**vars(report), **vars(deploy_report), **vars(release_report)}
    types = {name: kind for name, kind in found.items() if dataclasses.is_dataclass(kind)}
    fields = {name: [f.name for f in dataclasses.fields(kind)] for name, kind in types.items()}
    assert {name: list(rows) for name, rows in report_schema.words().items()} == {
        name: fields[name] for name in report_schema.words()
    }
    assert set(report_schema.words()) == set(types)


@pytest.mark.parametrize("name", ["passed", "failed", "refused", "skipped", "deployed", "undone"])
def test_reports_are_valid(name: str) -> None:
    run = replace(builds.RUN, event=replace(builds.RUN.event, skip="fork"))
    cases = {
        "passed": builds.passed(),
        "failed": builds.failed(),
        "refused": replace(
            builds.passed(), build=None, failure=builds.failure("DbtStopped", "t", "(a.sql) line 3")
        ),
        "skipped": replace(builds.passed(), run=run, planned=False, build=None, state=None),
        "deployed": deploy_builds.deployed(),
        "undone": deploy_builds.failed(),
    }
    made = assemble.build_report(cases[name].inputs())
    schema = json.loads(report_schema.SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(json.loads(msgspec.json.encode(made)))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**json.loads(msgspec.json.encode(made)), "status": "splendid"})
