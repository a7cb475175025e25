"""report.json, its schema and its page say the same."""

from __future__ import annotations

import json
import typing

import jsonschema
import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

import report_schema
from dbtdeploy.report import build_report, cautions, deploy_report, release_preview_report, report
from standins.jobs import builds, deploy_builds


def _is_ours(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct) and kind is not Struct


def _tag(kind: type[Struct]) -> list[str]:
    return [kind.__struct_config__.tag_field] if kind.__struct_config__.tag_field else []


def test_the_committed_schema_is_current() -> None:
    committed = report_schema.SCHEMA.read_text(encoding="utf-8")
    assert committed == report_schema.schema(), "run: .venv/bin/python tests/report_schema.py"


def test_the_page_describes_every_field_and_no_other() -> None:
    found = {**vars(report), **vars(deploy_report), **vars(release_preview_report)}
    found |= {kind.__name__: kind for kind in typing.get_args(cautions.Caution)}
    types = {name: kind for name, kind in found.items() if _is_ours(kind)}
    fields = {name: [*_tag(kind), *kind.__struct_fields__] for name, kind in types.items()}
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
    made = build_report.build_report(cases[name].inputs())
    schema = json.loads(report_schema.SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(json.loads(msgspec.json.encode(made)))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**json.loads(msgspec.json.encode(made)), "status": "splendid"})
