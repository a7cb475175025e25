"""A dbt project of so many models, the same each time, in a git repository.

    .venv/bin/python tests/benchmarks/generated.py MODELS FOLDER

Made to be like a real one in what dbt has to read: domains of fifty models in folders, sources,
staging, intermediate and marts on nine levels, about two tests a model beside descriptions of
columns, snapshots, seeds, singular tests, exposures, doc blocks, macros and a package. Its tables
hold a few rows, so that the warehouse has little to do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from benchmarks import generated_text as text  # noqa: E402  found by the line above
from demo.repository import Repository  # noqa: E402

DOMAIN = 50
"""Models of a domain at most, as one team keeps them in a folder of each layer."""

STAGING, REPORTS = 12, 6
LEVELS, PER_LEVEL = 6, 4
"""Of intermediate models. What is left of a domain are its core marts."""

MARTS = LEVELS + 2
"""The level of marts; reports are above."""

DOMAINS = (
    *("sales", "finance", "marketing", "product", "support"),
    *("logistics", "people", "billing", "partners", "risk"),
)
SUBJECTS = (
    *("orders", "customers", "payments", "products", "sessions", "invoices"),
    *("shipments", "tickets", "campaigns", "contracts", "refunds", "employees"),
)
SCHEMAS = (
    *("analytics", "analytics_marts", "analytics_reporting"),
    *("analytics_reference", "analytics_snapshots"),
)
"""What production has, beside ``raw``."""

LEAF = "rpt_sales_leaf"
"""A model that nothing reads: what a pull request changes."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model: where it lies and what it reads."""

    name: str
    layer: str
    domain: str
    level: int
    """1 for staging; a model reads lower levels only."""
    reads: tuple[str, ...] = ()
    source: str = ""
    """The raw table of a staging model."""
    number: int = 0
    """In its layer, for what only some have."""

    @property
    def folder(self) -> str:
        """Where its file is, below the project."""
        return f"models/{self.layer}/{self.domain}"

    @property
    def path(self) -> str:
        """Its file."""
        return f"{self.folder}/{self.name}.sql"


@dataclass(kw_only=True)
class Project:
    """All models, in an order in which they could be built."""

    models: list[Model] = field(default_factory=list)
    at_level: dict[int, list[str]] = field(default_factory=dict)
    of_domain: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """Names by domain and level."""

    def add(self, model: Model) -> None:
        """Add one that reads what is there already."""
        self.models.append(model)
        self.at_level.setdefault(model.level, []).append(model.name)
        self.of_domain.setdefault((model.domain, model.level), []).append(model.name)

    def folders(self) -> dict[tuple[str, str], list[Model]]:
        """Models by domain and layer."""
        found: dict[tuple[str, str], list[Model]] = {}
        for model in self.models:
            found.setdefault((model.domain, model.layer), []).append(model)
        return found

    @property
    def tables(self) -> list[str]:
        """The raw tables that must be there."""
        return [model.source for model in self.models if model.source]


def plan(size: int, seed: int = 5) -> Project:
    """Which models there are and what each reads.

    Args:
        size: how many models, 20 or more.
        seed: another one is another graph of the same shape.
    """
    random = Random(seed)
    project = Project()
    domains = -(-(size - 1) // DOMAIN)
    for number in range(domains):
        name = DOMAINS[number % len(DOMAINS)]
        again = number // len(DOMAINS)
        count = (size - 1) // domains + (number < (size - 1) % domains)
        _add_domain(project, f"{name}_{again + 1}" if again else name, count, random)
    reads = tuple(random.sample(project.of_domain["sales", MARTS], 2))
    project.add(Model(name=LEAF, layer="reports", domain="sales", level=MARTS + 1, reads=reads))
    return project


def _add_domain(project: Project, domain: str, count: int, random: Random) -> None:
    staging = max(1, round(count * STAGING / DOMAIN))
    per_level = max(1, count * PER_LEVEL // DOMAIN)
    reports = max(1, round(count * REPORTS / DOMAIN))
    marts = count - staging - LEVELS * per_level - reports
    for number, subject in enumerate(SUBJECTS[:staging]):
        project.add(
            Model(
                name=f"stg_{domain}__{subject}",
                layer="staging",
                domain=domain,
                level=1,
                source=f"{domain}_{subject}",
                number=number,
            )
        )
    for level in range(2, MARTS):
        _add_level(project, domain, ("intermediate", "int", level), per_level, random)
    _add_level(project, domain, ("marts", "fct", MARTS), marts, random)
    _add_level(project, domain, ("reports", "rpt", MARTS + 1), reports, random)


def _add_level(
    project: Project, domain: str, place: tuple[str, str, int], count: int, random: Random
) -> None:
    layer, prefix, level = place
    for number in range(count):
        subject = SUBJECTS[number % len(SUBJECTS)]
        project.add(
            Model(
                name=f"{prefix}_{domain}_{subject}_{level}{number:02}",
                layer=layer,
                domain=domain,
                level=level,
                reads=_parents(project, domain, level, random),
                number=number,
            )
        )


def _parents(project: Project, domain: str, level: int, random: Random) -> tuple[str, ...]:
    """One of the level below, a staging model of the domain, and one from anywhere below."""
    below = project.of_domain[domain, level - 1]
    if level > MARTS:
        return tuple(random.sample(below, min(2, len(below))))
    first = [random.choice(below), random.choice(project.of_domain[domain, 1])]
    other = random.choice(project.at_level[random.randint(1, level - 1)])
    return tuple(dict.fromkeys([*first, other]))


def files(project: Project) -> dict[str, str]:
    """All files of the project, by path."""
    made = {
        "dbt_project.yml": text.PROJECT,
        "profiles.yml": text.PROFILES,
        "packages.yml": text.PACKAGES,
        "README.md": text.README,
        ".gitignore": "target/\ndbt_packages/\nlogs/\n",
        **text.MACROS,
        **text.PACKAGE,
        **text.SEEDS,
    }
    folders = project.folders()
    for (domain, layer), models in folders.items():
        folder = models[0].folder
        for model in models:
            made[model.path] = sql(model)
        made[f"{folder}/_{domain}__{layer}.yml"] = text.properties(
            [(model.name, _tests(model)) for model in models], layer, domain
        )
        if layer == "staging":
            tables = [model.source for model in models]
            made[f"{folder}/_{domain}__sources.yml"] = text.sources(domain, tables)
            made[f"{folder}/_{domain}__docs.md"] = text.doc_blocks(domain)
            made |= _beside(domain, models[0].name, folders[domain, "reports"])
    return made


def _beside(domain: str, staging: str, reports: Sequence[Model]) -> dict[str, str]:
    """A domain's snapshot, singular test and exposure."""
    names = [report.name for report in reports]
    return {
        f"snapshots/_{domain}__snapshots.yml": text.snapshot(domain, staging),
        f"tests/{domain}_has_no_negative_amount.sql": text.singular_test(staging),
        f"models/reports/{domain}/_{domain}__exposures.yml": text.exposure(domain, names),
    }


def sql(model: Model, value: int = 0) -> str:
    """The model's SQL.

    Args:
        model: which.
        value: another value is another definition of a column.
    """
    if model.source:
        return text.staging(model.domain, model.source, odd=model.number % 2 == 1)
    incremental = model.layer == "marts" and model.number % 4 == 1
    table = model.layer == "intermediate" and model.level % 2 == 1
    config = text.config(incremental=incremental, table=table)
    report = model.layer == "reports"
    return text.joining(config, model.reads, incremental=incremental, report=report, value=value)


def _tests(model: Model) -> Mapping[str, Sequence[str]]:
    """Tests by column; two a model, more or less."""
    if model.layer == "intermediate":
        found = {"id": ["not_null"]}
        if model.number % 2 == 0:
            found["parent_id"] = [text.relationships(model.reads[0])]
        return found
    found = {"id": ["unique", "not_null"]}
    if model.layer == "staging" and model.number % 3 == 0:
        found["status"] = [text.ACCEPTED]
    if model.layer == "marts" and model.number % 5 == 0:
        found["amount"] = ["house_style.not_negative"]
    return found


def raw_tables(project: Project) -> str:
    """Statements that make what a loader would have left: three rows a table."""
    rows = (
        "select i as id, 1 + i % 3 as parent_id,"
        " (array['new', 'paid', 'closed'])[1 + i % 3] as status,"
        " 100 * i as amount_cents, timestamp '2026-06-01' + i * interval '1 day' as created_at"
        " from generate_series(1, 3) as i"
    )
    return "".join(f"create table raw.{table} as {rows};" for table in project.tables)


def write(project: Project, folder: Path) -> Repository:
    """The project's files in a git repository, committed to ``main``."""
    for name, content in files(project).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    made = Repository(folder=folder)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "Generated")
    return made


def leaf(project: Project) -> Model:
    """The model that a pull request changes."""
    return next(model for model in project.models if model.name == LEAF)


def references(content: str) -> set[str]:
    """The models that a model's SQL reads, as dbt finds them."""
    return set(re.findall(r"ref\('(\w+)'\)", content))


if __name__ == "__main__":
    write(plan(int(sys.argv[1])), Path(sys.argv[2]))
