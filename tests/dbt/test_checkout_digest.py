"""What counts as a change of what dbt reads, and what tells two parses apart."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.context import project, work_files
from dbtdeploy.dbt import checkout_digest, unchanged_check
from dbtdeploy.store.publication import versions
from standins.dbt import dbt_install
from standins.jobs import runs
from standins.jobs.builds import RUN

FILES = {
    "README.md": "# Shop",
    "src/app.py": "print()",
    ".github/workflows/dbt.yml": "on: push",
    ".github/CODEOWNERS": "* @acme",
    "requirements.txt": "dbt-core==1.11.16",
    "dbt/dbt_project.yml": "name: shop\nprofile: shop\nmodel-paths: [models, ../shared]\n",
    "dbt/profiles.yml": "shop: {}",
    "dbt/packages.yml": "packages: [{local: ../ours}, {package: a/b, version: 1.3.0}]",
    "dbt/package-lock.yml": "packages: []",
    "dbt/.dbtignore": "x",
    "dbt/notes.md": "words",
    "dbt/models/a.sql": "select 1",
    "dbt/models/a.yml": "version: 2",
    "dbt/models/deep/b.py": "def model(dbt, session): ...",
    "dbt/macros/m.sql": "{% macro m() %}{% endmacro %}",
    "dbt/seeds/s.csv": "a",
    "dbt/snapshots/s.sql": "select 1",
    "dbt/tests/t.sql": "select 1",
    "dbt/analyses/q.sql": "select 1",
    "dbt/functions/f.sql": "select 1",
    "shared/c.sql": "select 1",
    "ours/dbt_project.yml": "name: ours",
    "ours/macros/o.sql": "{% macro o() %}{% endmacro %}",
}


@dataclass
class Checkout:
    """A clone with a dbt project in a folder of it."""

    folder: Path
    work: Path
    run: work_files.Run

    def write(self, name: str, content: str | None) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.unlink()
        else:
            path.write_text(content)

    def commit(self, changed: dict[str, str | None] | None = None) -> None:
        for name, content in (changed or {}).items():
            self.write(name, content)
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True)

    def digest(self) -> str | None:
        return unchanged_check.take(self.run, self.work).digest


@pytest.fixture
def checkout(tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    folder = tmp_path / "clone"
    folder.mkdir()
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder))
    monkeypatch.setitem(os.environ, "GIT_CONFIG_GLOBAL", os.devnull)
    command = dbt_install.install(tmp_path / "env")
    dbt = replace(
        RUN.dbt,
        command=str(command),
        project_dir=str(folder / "dbt"),
        packages_path=str(folder / "dbt" / "dbt_packages"),
        target_path=str(folder / "dbt" / "target"),
        profiles_dir=None,
    )
    made = Checkout(folder=folder, work=work, run=replace(RUN, dbt=dbt))
    made.git("init", "-q", ".")
    made.commit(dict(FILES))
    reads = project.read_project(folder / "dbt").reads
    made.run = replace(made.run, dbt=replace(dbt, reads=reads))
    return made


@pytest.mark.parametrize(
    ("name", "counts"),
    [(name, True) for name in FILES]
    + [
        ("dbt/models/new.sql", True),
        ("dbt/models/readme.md", True),
        ("dbt/dbt_packages/committed/x.sql", True),
        ("dbt/selectors.yml", True),
        ("dbt/vars.yaml", True),
        (".github/actions/ours/action.yml", True),
        ("docs/new.md", False),
        ("other/models/x.sql", False),
    ],
)
def test_what_counts(checkout: Checkout, name: str, counts: bool) -> None:
    elsewhere = ("README.md", "src/", "requirements", ".github/CODEOWNERS", "dbt/notes.md")
    counts = counts and not name.startswith(elsewhere)
    before = checkout.digest()
    assert before
    checkout.commit({name: "changed"})
    assert (checkout.digest() != before) is counts
    checkout.commit({name: FILES.get(name)})
    assert checkout.digest() == before
    if name in FILES and name != "dbt/dbt_project.yml":
        checkout.commit({name: None})
        assert (checkout.digest() != before) is counts


def test_the_variables_and_the_dbt_count(checkout: Checkout, tmp_path: Path) -> None:
    before = checkout.digest()
    dbt = checkout.run.dbt
    checkout.run = replace(checkout.run, dbt=replace(dbt, vars="{a: 1}"))
    assert checkout.digest() not in (None, before)
    other = dbt_install.install(tmp_path / "other", core="1.11.17")
    checkout.run = replace(checkout.run, dbt=replace(dbt, command=str(other)))
    assert checkout.digest() not in (None, before)


def test_another_mode_counts(checkout: Checkout) -> None:
    before = checkout.digest()
    (checkout.folder / "dbt/models/a.sql").chmod(0o755)
    checkout.commit()
    assert checkout.digest() not in (None, before)


@pytest.mark.parametrize(
    "name", ["dbt/models/new.sql", "dbt/models/a.sql", "dbt/x.yml", "ours/macros/x.sql"]
)
@pytest.mark.parametrize("ignored", [False, True])
def test_what_is_not_committed_is_no_checkout(checkout: Checkout, name: str, ignored: bool) -> None:
    (checkout.folder / ".git/info/exclude").write_text("*" if ignored else "")
    checkout.write(name, "not committed")
    assert checkout.digest() is None


def test_what_lies_elsewhere_or_was_installed_does_not_matter(checkout: Checkout) -> None:
    before = checkout.digest()
    for name in ("notes.txt", "dbt/target/manifest.json", "dbt/dbt_packages/dbt_utils/x.sql"):
        checkout.write(name, "not committed")
    assert checkout.digest() == before


def _link(checkout: Checkout) -> None:
    (checkout.folder / "dbt/models/link.sql").symlink_to("../../src/app.py")
    checkout.commit()


def _submodule(checkout: Checkout) -> None:
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=checkout.folder, text=True)
    info = f"160000,{head.strip()},dbt/models/sub"
    (checkout.folder / "dbt/models/sub").mkdir()
    checkout.git("update-index", "--add", "--cacheinfo", info)
    checkout.git("commit", "-q", "-m", "x")


def _skipped(checkout: Checkout) -> None:
    checkout.git("update-index", "--skip-worktree", "dbt/models/a.sql")
    (checkout.folder / "dbt/models/a.sql").unlink()


def _assumed(checkout: Checkout) -> None:
    checkout.git("update-index", "--assume-unchanged", "dbt/models/a.sql")
    checkout.write("dbt/models/a.sql", "select 2")


def _no_git(checkout: Checkout) -> None:
    (checkout.folder / ".git").rename(checkout.folder / "elsewhere")


def _no_dbt(checkout: Checkout) -> None:
    dbt = replace(checkout.run.dbt, command="/nowhere/dbt")
    checkout.run = replace(checkout.run, dbt=dbt)


def _outside(checkout: Checkout) -> None:
    dbt = replace(checkout.run.dbt, reads=("models", "../../outside"))
    checkout.run = replace(checkout.run, dbt=dbt)


def _unknown(checkout: Checkout) -> None:
    checkout.run = replace(checkout.run, dbt=replace(checkout.run.dbt, reads=None))


DOUBTS = (_link, _submodule, _skipped, _assumed, _no_git, _no_dbt, _outside, _unknown)


@pytest.mark.parametrize("doubt", DOUBTS)
def test_in_doubt_there_is_no_digest(checkout: Checkout, doubt: Callable[[Checkout], None]) -> None:
    doubt(checkout)
    assert checkout.digest() is None


NESTED = {
    "ours/packages.yml": "packages: [{local: ../deep}]",
    "deep/dbt_project.yml": "name: deep",
    # And round again.
    "deep/dependencies.yml": "packages: [{local: ../ours}, {local: ../deeper}]",
    "deep/macros/x.sql": "{% macro x() %}1{% endmacro %}",
    "deeper/macros/y.sql": "{% macro y() %}1{% endmacro %}",
    "locked/macros/z.sql": "{% macro z() %}1{% endmacro %}",
    "dbt/package-lock.yml": "packages: [{local: ../locked}]",
}


def _read_again(checkout: Checkout) -> str | None:
    reads = project.read_project(checkout.folder / "dbt").reads
    checkout.run = replace(checkout.run, dbt=replace(checkout.run.dbt, reads=reads))
    return checkout.digest()


@pytest.mark.fault(52)
@pytest.mark.parametrize(
    "name",
    ["deep/macros/x.sql", "deep/macros/new.sql", "deeper/macros/y.sql", "locked/macros/z.sql"],
)
def test_a_package_of_a_local_package_counts(checkout: Checkout, name: str) -> None:
    checkout.commit(dict(NESTED))
    before = _read_again(checkout)
    assert before
    checkout.commit({name: "{% macro x() %}2{% endmacro %}"})
    assert checkout.digest() not in (None, before)


@pytest.mark.fault(52)
def test_where_a_package_lies_may_be_told_from_the_project_or_the_package(
    checkout: Checkout,
) -> None:
    # dbt 1.x looks for dbt/inner; others may look beside the package.
    checkout.commit({"ours/packages.yml": "packages: [{local: inner}]"})
    for name in ("dbt/inner/macros/x.sql", "ours/inner/macros/x.sql"):
        checkout.commit({name: "{% macro x() %}1{% endmacro %}"})
        before = _read_again(checkout)
        assert before
        checkout.commit({name: "{% macro x() %}2{% endmacro %}"})
        assert checkout.digest() not in (None, before)


@pytest.mark.fault(52)
@pytest.mark.parametrize(
    "written",
    [
        {"ours/packages.yml": "packages: [{local: ../../outside}]"},
        {"ours/packages.yml": "packages: [{local: \"{{ var('x') }}\"}]"},
        {"ours/packages.yml": "packages: [{package: a/b}]", "dbt/package-lock.yml": None},
        {"ours/packages.yml": "packages: ["},
        {"ours/dbt_project.yml": "macro-paths: [../src]"},
        {"ours/dbt_project.yml": "macro-paths: macros"},
    ],
)
def test_where_a_local_package_leads_elsewhere_there_is_no_digest(
    checkout: Checkout, written: dict[str, str | None]
) -> None:
    checkout.commit({"dbt/packages.yml": "packages: [{local: ../ours}]"})
    assert _read_again(checkout)
    checkout.commit(written)
    assert _read_again(checkout) is None
    taken = unchanged_check.take(checkout.run, checkout.work)
    run = replace(RUN, selection=work_files.Selection(select="state:modified+"))
    assert "not known, or not all in the repository" in (
        unchanged_check.why_not(run, taken, replace(INDEX, partial=False)) or ""
    )


@pytest.mark.fault(52)
def test_a_package_beyond_a_link_is_not_known(checkout: Checkout) -> None:
    checkout.commit({"real/inner/macros/x.sql": "1"})
    (checkout.folder / "link").symlink_to("real")
    checkout.commit({"ours/packages.yml": "packages: [{local: ../link/inner}]"})
    assert _read_again(checkout) is None


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ({"dbt_project.yml": "model-paths: [\"{{ var('x') }}\"]"}, False),
        ({"dbt_project.yml": "model-paths: models"}, False),
        ({"packages.yml": "packages: [{package: a/b, version: 1.0.0}]"}, False),
        ({"dependencies.yml": "packages: [{git: x, revision: main}]"}, False),
        ({"packages.yml": "packages: [{package: a/b}]", "package-lock.yml": "packages: []"}, True),
        ({"packages.yml": "packages: [{local: ../x}]"}, True),
    ],
)
def test_what_dbt_reads_is_known_or_not(
    tmp_path: Path, written: dict[str, str], known: bool
) -> None:
    for name, text in {"dbt_project.yml": "name: x", **written}.items():
        (tmp_path / name).write_text(text)
    assert (project.reads(tmp_path) is not None) is known


SET_DIFF = """{% test a(model) %}
{%- set set_diff %} count(*) + coalesce(abs(sum(1)), 0) {%- endset %}
{{ config(fail_calc = set_diff) }} {% endtest %}"""
"""As dbt_utils has it."""

# When a version is made ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "settled"),
    [
        ("models/x.sql", "select 1", True),
        ("models/x.sql", "{{ config(materialized='view', tags=['a', \"b\"], x=1) }}", True),
        ("models/x.sql", "{{ config(enabled=var('on', true), post_hook='{{ target.x }}') }}", True),
        ("models/x.sql", "{{ config(meta={'a': {'b': [1, none]}}) }} {{ target.name }}", True),
        ("models/x.sql", "{{ config.get('x') }} {{ config.require(target.x) }}", True),
        ("models/x.sql", "{{ config(materialized=target.name) }}", False),
        ("models/x.sql", "{{ config(materialized='a' if target.name == 'b' else 'c') }}", False),
        ("models/x.sql", "{{ config(schema=env_var('X')) }}", False),
        ("models/x.sql", "{{ config(**options) }}", False),
        ("models/x.sql", "{{ config(tags=my_tags()) }}", False),
        ("models/x.sql", "{{ config(tags=['a'", False),
        ("macros/x.sql", SET_DIFF, True),
        ("macros/x.sql", SET_DIFF.replace("count", "{{ target.name }}"), False),
        ("macros/x.sql", SET_DIFF + "{% set set_diff = target.name %}", False),
        ("macros/x.sql", SET_DIFF.replace("test a(model)", "test a(model, set_diff)"), False),
        ("macros/x.sql", SET_DIFF.replace("= set_diff", "= set_diff ~ target.name"), False),
        ("models/x.py", "dbt.config(materialized='table')\nx = dbt.config.get('y')", True),
        ("models/x.py", "dbt.config(materialized=kind)", False),
        ("macros/x.sql", "{% macro x() %}{{ config(alias=target.name) }}{% endmacro %}", False),
        ("models/x.yml", "description: \"{{ doc('a') }}\"\ntarget: x", True),
        ("models/x.yml", 'schema: "{{ target.schema }}"', False),
        ("models/x.yaml", "schema: \"{{ env_var('X') }}\"", False),
        ("profiles.yml", "schema: \"{{ env_var('X') }}\"", True),
        ("selectors.yml", "value: '{% if target %}'", True),
        ("packages.yml", "packages: [{local: ../ours, x: '{{ env_var(1) }}'}]", True),
        ("catalogs.yml", "value: '{% if target %}'", False),
        ("dbt_project.yml", "snapshots: {+target_schema: '{{ target.schema }}_x'}", True),
        ("dbt_project.yml", "on-run-end: ['{{ grant(target.schema) }}']", True),
        ("dbt_project.yml", "models: {a: {+enabled: '{{ target.name == 1 }}'}}", False),
        ("dbt_project.yml", "models: {a: {enabled: '{{ var(1) }}'}}", True),
        ("dbt_project.yml", "dispatch: ['{{ target.name }}']", False),
        ("dbt_packages/p/models/x.sql", "{{ config(alias=target.name) }}", False),
        ("dbt_packages/p/integration_tests/models/x.sql", "{{ config(alias=target.name) }}", True),
        ("dbt_packages/p/dbt_project.yml", "- not a project", True),
        ("dbt_packages/p/dbt_project.yml", "a: [", False),
    ],
)
def test_what_another_environment_would_parse_otherwise(
    checkout: Checkout, name: str, text: str, settled: bool
) -> None:
    checkout.write("dbt/dbt_packages/p/dbt_project.yml", "name: p")
    assert checkout_digest.why_unsettled(checkout.run.dbt) is None
    checkout.write(f"dbt/{name}", text)
    why = checkout_digest.why_unsettled(checkout.run.dbt)
    assert (why is None) is settled
    assert settled or (why and Path(name).name in why) or name.startswith("dbt_packages/p/dbt_proj")


def test_a_folder_that_is_no_project_is_not_settled(checkout: Checkout) -> None:
    checkout.write("dbt/dbt_packages/stray/x.sql", "select 1")
    why = checkout_digest.why_unsettled(checkout.run.dbt)
    assert why == "dbt_packages/stray may say something else in another environment"


# Whether production is the same -------------------------------------------------------------------

INDEX = versions.Index(
    version="20261121T062042Z-3d3c42e",
    environment="production",
    project="shop",
    kind="deploy",
    created_at="2026-11-21T06:20:42+00:00",
    objects={},
    built_from="1:abc",
)
TAKEN = work_files.Fingerprint(digest="1:abc")


def same(
    run: work_files.Run, *, index: versions.Index = INDEX, taken: work_files.Fingerprint = TAKEN
) -> bool:
    return unchanged_check.is_production(run, taken, index)


@pytest.mark.parametrize(
    ("select", "compares"),
    [
        ("state:modified+", True),
        ("state:modified", True),
        ("1+state:modified.body+2 @state:new", True),
        ("state:modified+,tag:nightly", True),
        ("state:modified+ orders", False),
        ("state:old", False),
        ("state:unmodified", False),
        ("result:error+", False),
        ("", False),
    ],
)
def test_only_a_selection_by_state_has_nothing_to_find(select: str, compares: bool) -> None:
    run = replace(RUN, selection=work_files.Selection(select=select or None))
    assert same(run) is compares


def test_when_production_is_the_same() -> None:
    run = replace(RUN, selection=work_files.Selection(select="state:modified+", exclude="tag:x"))
    assert same(run)
    assert not same(runs.asked(run, runs.deploy()))
    assert not same(replace(run, dbt=replace(run.dbt, shortcuts=("one-process",))))
    assert not same(replace(run, selection=work_files.Selection(selector="slim")))
    assert not same(run, index=replace(INDEX, partial=True, pending=("model.shop.a",)))
    assert not same(run, index=replace(INDEX, built_from=None))
    assert not same(run, index=replace(INDEX, built_from=None), taken=work_files.Fingerprint())
    assert not same(run, taken=work_files.Fingerprint(digest="1:other"))


@pytest.mark.fault(120)
def test_why_a_checkout_cannot_be_compared_is_said(checkout: Checkout) -> None:
    run = replace(RUN, selection=work_files.Selection(select="state:modified+"))
    found = {
        "more is selected": (replace(run, selection=work_files.Selection()), TAKEN, INDEX),
        "the log of its run says why": (run, TAKEN, replace(INDEX, built_from=None)),
        "was built in part": (run, TAKEN, replace(INDEX, partial=True)),
    }
    for why, given in found.items():
        assert why in (unchanged_check.why_not(*given) or "")
    assert unchanged_check.why_not(run, TAKEN, INDEX) is None
    assert unchanged_check.why_not(run, work_files.Fingerprint(digest="1:other"), INDEX) is None
    for doubt, why in ((_unknown, "are not known"), (_no_git, "in no git repository")):
        doubt(checkout)
        taken = unchanged_check.take(checkout.run, checkout.work)
        assert why in (unchanged_check.why_not(run, taken, INDEX) or "")
