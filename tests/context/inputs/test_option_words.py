"""No word of an input becomes an option of dbt."""

from __future__ import annotations

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import Inputs
from dbtdeploy.context.inputs import option_words


def refuse(**given: str) -> None:
    environ = {f"DBT_DEPLOY_{name.upper()}": text for name, text in given.items()}
    option_words.refuse(Inputs.from_environ(given, environ))


@pytest.mark.fault(68)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("select", 'm --vars {"a":1} --target ci'),
        ("select", "-t ci"),
        ("select", "m\n--full-refresh"),
        ("select", "m -- n"),
        ("exclude", "a\t--state=elsewhere"),
        ("selector", "--select"),
        ("vars", "--target: ci"),
        ("threads", "-1"),
        ("profile", "--target=ci"),
        ("target", "-x"),
        ("smoke_target", "--vars"),
        ("tag", "--output=x"),
        ("version", "--all"),
        ("main_branch", "--upload-pack=x"),
        ("schema_prefix", "--x"),
    ],
)
def test_a_word_that_begins_as_an_option_is_refused(name: str, text: str) -> None:
    with pytest.raises(errors.InvalidInput, match=f"`{name.replace('_', '-')}` holds '-"):
        refuse(**{name: text})


def test_words_of_dbts_selection_syntax_pass() -> None:
    refuse(
        select="+state:modified+ 2+a-b @c tag:x,config.y:z path/of-it",
        exclude="source:raw-data+",
        vars='{"day": "--2026"}',
        target="ci-2",
    )
