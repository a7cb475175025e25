"""A job as a macro: whatever it holds, Jinja reads it back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
import pytest

from dbtdeploy.warehouse.run_job_macro import lay_out


@pytest.mark.parametrize(
    "text",
    [
        "",
        "'\"\\",
        "{{ x }} {% endmacro %} {# c #} {% raw %}",
        "é 😀 \x00 \u2028",
        "\\u0041 \\n\n\t",
    ],
)
def test_nothing_in_a_job_is_taken_for_jinja(tmp_path: Path, text: str) -> None:
    package = lay_out(tmp_path / "package", "restore_dependents", {"dependents": [text], text: 1})
    assert (package / "dbt_project.yml").is_file()
    source = (package / "macros" / "job.sql").read_text()
    seen = []

    class Ours:
        @staticmethod
        def restore_dependents(job: object) -> None:
            seen.append(job)

    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)
    module = environment.from_string(source, {"fromjson": json.loads, "dbtdeploy": Ours})
    module.module.run_job()  # type: ignore[attr-defined]
    assert seen == [{"dependents": [text], text: 1}]
