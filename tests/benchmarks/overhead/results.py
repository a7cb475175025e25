"""All that was measured in one run -> results.json, results.md and overhead.svg."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from benchmarks.overhead import chart, goals, prepared, ratios
from benchmarks.overhead.chart import Bar
from benchmarks.overhead.profiled import Spent
from benchmarks.overhead.ratios import Medians
from benchmarks.overhead.runs import INSTALLING, Run

NAMES = {
    "recipe-lean": "lean recipe",
    "ours-first": "ours, first push",
    "ours-later": "ours, later push",
    "ours-cold": "ours, nothing cached",
    "recipe-full": "full recipe",
    "ours-full": "ours, with docs",
    "ours-full-later": "ours, with docs, later",
    "ours-nothing": "ours, nothing to do",
    "pip-cached": "lean recipe's pip, cached",
}
SHOWN = {
    "recipe-lean": "lean recipe",
    "ours-cold": "ours, nothing cached",
    "ours-first": "ours, first push",
    "ours-later": "ours, later push",
    "recipe-full": "full recipe",
    "ours-full": "ours, with docs",
}
"""In the plot."""

AGAINST = {
    **dict.fromkeys(("ours-cold", "ours-first", "ours-later"), "recipe-lean"),
    "ours-full": "recipe-full",
}
NO_LESS = 1.05
"""Below so many times less it is about the same."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One size."""

    size: int
    of: Mapping[str, Medians]
    """By scenario."""
    deploy_seconds: float
    left_out: Sequence[str] = ()
    """Scenarios that this size was not asked to run."""
    profiles: Mapping[str, Sequence[Spent]] = field(default_factory=dict)


def measurement(
    size: int, runs: Sequence[Run], deploy_seconds: float, left_out: Sequence[str] = ()
) -> Measurement:
    """What one size's jobs come to."""
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.scenario, []).append(run)
    profiles = [run.profiles for run in by_name.pop("ours-profiled", [])]
    return Measurement(
        size=size,
        of={name: ratios.medians(some) for name, some in by_name.items()},
        deploy_seconds=deploy_seconds,
        left_out=left_out,
        profiles=profiles[-1] if profiles else {},
    )


def figures(one: Measurement) -> dict[str, float]:
    """The named figures of a size: ratios, and what the other goals are about."""
    cached = one.of.get("pip-cached")
    found = ratios.ratios(one.of, cached.whole.cpu_seconds if cached else None)
    first, nothing = one.of.get("ours-first"), one.of.get("ours-nothing")
    if first and first.own_cpu_seconds is not None:
        found[goals.OWN] = first.own_cpu_seconds
    if nothing:
        found[goals.NOTHING] = nothing.rest.wall_seconds
    return found


def as_json(
    sizes: Sequence[Measurement],
    *,
    machine: Mapping[str, Any],
    versions: Mapping[str, str],
    date: str,
) -> dict[str, Any]:
    """What results.json holds; seconds and bytes, unrounded."""
    by_size = {one.size: figures(one) for one in sizes}
    judged = goals.judge(by_size)
    return {
        "date": date,
        "machine": dict(machine),
        "versions": dict(versions),
        "goals": [{**asdict(goal), "reached": goal.reached} for goal in judged],
        "sizes": {
            str(one.size): {
                **by_size[one.size],
                "peak_bytes": {name: m.whole.peak_bytes for name, m in one.of.items()},
                "deploy_wall_seconds": one.deploy_seconds,
                "jobs": {name: asdict(m) for name, m in one.of.items()},
            }
            for one in sizes
        },
    }


def as_markdown(
    sizes: Sequence[Measurement],
    *,
    machine: Mapping[str, Any],
    versions: Mapping[str, str],
    date: str,
) -> str:
    """What results.md holds."""
    by_size = {one.size: figures(one) for one in sizes}
    judged = goals.judge(by_size)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Names of steps and functions, in Markdown; nothing of it comes from outside.
        autoescape=False,
    )
    environment.filters |= {"two": "{:.2f}".format, "mb": lambda value: f"{value / 1e6:.0f}"}
    return environment.get_template("results.md.j2").render(
        sizes=sizes,
        figures=by_size,
        goals=judged,
        missing=goals.missing(by_size),
        unreached={goal.size for goal in judged if not goal.reached},
        words=goals.WORDS,
        names=NAMES,
        left_out=[_not_run(one) for one in sizes if one.left_out],
        installing=INSTALLING,
        large=prepared.LARGE,
        without_tests=prepared.WITHOUT_TESTS,
        machine=machine,
        versions=versions,
        date=date,
    )


def _not_run(one: Measurement) -> str:
    names = ", ".join(NAMES[name] for name in one.left_out)
    return f"Not run at {one.size:,} models, to keep the whole short: {names}."


def as_svg(sizes: Sequence[Measurement], versions: Mapping[str, str], date: str) -> str:
    """The plot."""
    groups = {f"{one.size:,} models": _bars(one.of) for one in sizes}
    dbt, python = versions["dbt-core"], versions["python"]
    below = f"Each size has its own scale. dbt-core {dbt}, Python {python}, {date}; see results.md."
    title = "CPU time of one slim CI job with one changed model, without the warehouse's"
    return chart.draw(groups, title, below)


def _bars(of: Mapping[str, Medians]) -> list[Bar]:
    return [
        Bar(
            label=label,
            parts=_parts(of[name]) if name in of else None,
            note=_note(of, name) if name in of else "",
        )
        for name, label in SHOWN.items()
    ]


def _parts(one: Medians) -> dict[str, float]:
    """Each part's median, made to add up to the median of the whole: medians need not."""
    installing, dbt = one.installing.cpu_seconds, one.in_dbt.cpu_seconds
    rest = max(0.0, one.rest.cpu_seconds - dbt)
    scale = one.whole.cpu_seconds / (installing + dbt + rest or 1)
    return {"installing": scale * installing, "dbt": scale * dbt, "rest": scale * rest}


def _note(of: Mapping[str, Medians], name: str) -> str:
    other = AGAINST.get(name)
    if other not in of:
        return ""
    theirs, ours = of[str(other)], of[name]
    times = theirs.whole.cpu_seconds / ours.whole.cpu_seconds
    rest = theirs.rest.cpu_seconds / ours.rest.cpu_seconds
    less = f"{times:.1f} times less" if times >= NO_LESS else f"{times:.1f} times"
    return f"{less}, {rest:.1f} without installing"


def write(folder: Path, sizes: Sequence[Measurement], **about: Any) -> None:
    """Write all three, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "results.json": json.dumps(as_json(sizes, **about), indent=1) + "\n",
        "results.md": as_markdown(sizes, **about),
        "overhead.svg": as_svg(sizes, about["versions"], about["date"]),
    }
    for name, text in texts.items():
        new = folder / f"{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)
