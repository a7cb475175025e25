from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.setup.dbt_requirement import understand
from dbtdeploy.setup.virtualenvs import Machine, dbt_key

MACHINE = Machine(system="Linux", architecture="x86_64", python="3.12.1 /usr/bin/python3.12")


@pytest.mark.parametrize("text", ["", " installed "])
def test_already_installed(text: str) -> None:
    assert understand(text, ()).installed


@pytest.mark.parametrize(
    ("text", "arguments", "pinned"),
    [
        ("dbt-core~=1.12.0 dbt-postgres", ("dbt-core~=1.12.0", "dbt-postgres"), False),
        ("dbt-core >= 1.11 , < 1.12", ("dbt-core>=1.11,<1.12",), False),
        (
            "dbt-core==1.11.16\ndbt-postgres==1.11.0",
            ("dbt-core==1.11.16", "dbt-postgres==1.11.0"),
            True,
        ),
        ("dbt-core==1.11.*", ("dbt-core==1.11.*",), False),
        ("dbt-snowflake[a,b]==1.0", ("dbt-snowflake[a,b]==1.0",), True),
    ],
)
def test_requirements(text: str, arguments: tuple[str, ...], pinned: bool) -> None:
    understood = understand(text, ())
    assert (understood.arguments, understood.pinned) == (arguments, pinned)


@pytest.mark.parametrize(
    "text",
    [
        "--index-url=https://example.org dbt-core",
        "dbt-core; touch x",
        "$(touch x)",
        "dbt-core @ https://example.org/dbt.whl",
        "-r",
        "no/such/file",
        "requirements.txt",
    ],
)
def test_neither_of_the_three(text: str, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="The input `dbt`"):
        understand(text, (tmp_path,))


def test_a_file_and_what_it_includes(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "more").mkdir(parents=True)
    main, included = project / "requirements.txt", project / "more" / "pins.txt"
    main.write_text("# dbt\n-r more/pins.txt\ndbt-core==1.11.16 \\\n  --hash=sha256:00\n")
    included.write_text("-r ../requirements.txt\nsix==1.17.0 ; python_version > '3'  # why\n")
    understood = understand("requirements.txt", (tmp_path, project))
    assert understood.arguments == ("--requirement", str(main))
    assert understood.files == (main, included)
    assert understood.pinned
    included.write_text("six\n")
    assert not understand("requirements.txt", (project,)).pinned


def test_the_key_changes_with_what_is_installed_and_weekly_where_a_version_is_open(
    tmp_path: Path,
) -> None:
    monday, sunday, next_week = date(2026, 11, 16), date(2026, 11, 22), date(2026, 11, 23)
    pinned, open_ended = understand("dbt-core==1.11.16", ()), understand("dbt-core", ())
    assert dbt_key(MACHINE, pinned, monday) == dbt_key(MACHINE, pinned, next_week)
    assert dbt_key(MACHINE, open_ended, monday) == dbt_key(MACHINE, open_ended, sunday)
    assert dbt_key(MACHINE, open_ended, monday) != dbt_key(MACHINE, open_ended, next_week)

    listing = tmp_path / "requirements.txt"
    listing.write_text("dbt-core==1.11.16\n")
    before = dbt_key(MACHINE, understand("requirements.txt", (tmp_path,)), monday)
    listing.write_text("dbt-core==1.11.15\n")
    assert dbt_key(MACHINE, understand("requirements.txt", (tmp_path,)), monday) != before
