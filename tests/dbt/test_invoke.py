"""What the scripts that call dbt share."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.context import work_files
from dbtdeploy.context.work_files import Selection, State
from dbtdeploy.dbt import invoke

FOUND = State(location="s3://b/p", found=True)


def test_dbt_gets_production_s_results_only_where_it_is_asked_for_them(work: Path) -> None:
    whole = work / work_files.STATE_FOLDER
    whole.mkdir()
    for text in ("old", "new"):  # as when a job is run again in its work folder
        (whole / "manifest.json").unlink(missing_ok=True)
        (whole / "manifest.json").write_text(text)
        (whole / "run_results.json").write_text("{}")
        alone = invoke.state_folder(work, FOUND, Selection(select="state:modified+"))
        assert alone is not None
        assert {path.name: path.read_text() for path in alone.iterdir()} == {"manifest.json": text}
    assert invoke.state_folder(work, FOUND, Selection(select="result:error")) == whole


def test_without_state_there_is_no_folder(work: Path) -> None:
    assert invoke.state_folder(work, State(location="s3://b/p", found=False), Selection()) is None
