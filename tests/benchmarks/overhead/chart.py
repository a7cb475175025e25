"""CPU seconds by size and job -> one SVG of stacked bars, for both themes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

WIDTH, MARGIN = 900, 24
LABELS, VALUES = 152, 360
"""Room for what stands left and right of the bars."""

TOP, ROW, BAR, TITLE, GAP, BOTTOM = 92, 26, 16, 30, 20, 40
BESIDE = 8
"""Between the end of a bar and its value."""

SPACE = "http://www.w3.org/2000/svg"
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif;
  fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 } .size { font-weight: 600 }
.soft { fill: #59636e } .ground { fill: #ffffff } .line { stroke: #d1d9e0 }
.installing { fill: #9aa4af } .dbt { fill: #0969da } .rest { fill: #d4860b }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .soft { fill: #9198a1 } .ground { fill: #0d1117 } .line { stroke: #3d444d }
  .installing { fill: #6e7681 } .dbt { fill: #4493f8 } .rest { fill: #e3a32b }
}
"""
PARTS = {
    "installing": "installing",
    "dbt": "dbt's processes",
    "rest": "the rest: our scripts, or the download of the manifest",
}


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One job's CPU seconds."""

    label: str
    parts: Mapping[str, float] | None
    """By the keys of ``PARTS``; None for a job that was not run."""
    note: str = ""
    """After the value."""

    @property
    def whole(self) -> float:
        """All parts."""
        return sum((self.parts or {}).values())


def draw(groups: Mapping[str, Sequence[Bar]], title: str, below: str) -> str:
    """Draw the chart.

    Args:
        groups: bars by the title of their group; each group has a scale of its own.
        title: above all.
        below: in small, at the end.
    """
    ET.register_namespace("", SPACE)
    rows = sum(len(bars) for bars in groups.values())
    height = TOP + len(groups) * (TITLE + GAP) + rows * ROW + BOTTOM
    box = {"width": str(WIDTH), "height": str(height), "viewBox": f"0 0 {WIDTH} {height}"}
    svg = ET.Element(f"{{{SPACE}}}svg", {**box, "role": "img", "aria-label": title})
    _add(svg, "title").text = title
    _add(svg, "style").text = STYLE
    _add(svg, "rect", kind="ground", width=WIDTH, height=height, rx=6)
    _text(svg, MARGIN, 36, title, "title")
    _legend(svg, 64)
    y = float(TOP)
    for name, bars in groups.items():
        _text(svg, MARGIN, y + 18, name, "size")
        y += TITLE
        longest = max((bar.whole for bar in bars), default=0)
        for bar in bars:
            _row(svg, y, bar, longest)
            y += ROW
        axis = MARGIN + LABELS
        _add(svg, "line", kind="line", x1=axis, x2=axis, y1=y - len(bars) * ROW, y2=y)
        y += GAP
    _text(svg, MARGIN, y + 12, below, "soft")
    return ET.tostring(svg, encoding="unicode") + "\n"


def _legend(svg: ET.Element, y: float) -> None:
    x = float(MARGIN)
    for kind, words in PARTS.items():
        _add(svg, "rect", kind=kind, x=x, y=y - 10, width=12, height=12, rx=2)
        _text(svg, x + 18, y, words, "soft")
        x += 18 + 7 * len(words) + 24


def _row(svg: ET.Element, y: float, bar: Bar, longest: float) -> None:
    left = MARGIN + LABELS
    middle = y + ROW / 2 + 4
    label = _text(svg, left - BESIDE, middle, bar.label)
    label.set("text-anchor", "end")
    if bar.parts is None:
        _text(svg, left + BESIDE, middle, "not measured", "soft")
        return
    scale = (WIDTH - 2 * MARGIN - LABELS - VALUES) / longest if longest else 0
    x = float(left)
    for kind in PARTS:
        width = max(0.0, bar.parts.get(kind, 0)) * scale
        if width > 0:
            _add(svg, "rect", kind=kind, x=x, y=y + (ROW - BAR) / 2, width=width, height=BAR)
            x += width
    value = _text(svg, x + BESIDE, middle, seconds(bar.whole))
    if bar.note:
        note = _add(value, "tspan", kind="soft", dx=6)
        note.text = bar.note


def seconds(value: float) -> str:
    """As a person reads them: 0.24 s, 8.3 s, 218 s."""
    digits = 0 if value >= 99.5 else 1 if value >= 0.95 else 2
    return f"{value:,.{digits}f} s"


def _text(parent: ET.Element, x: float, y: float, words: str, kind: str = "") -> ET.Element:
    text = _add(parent, "text", kind=kind, x=x, y=y)
    text.text = words
    return text


def _add(parent: ET.Element, tag: str, *, kind: str = "", **numbers: float) -> ET.Element:
    given = {name: f"{value:.2f}".rstrip("0").rstrip(".") for name, value in numbers.items()}
    if kind:
        given["class"] = kind
    return ET.SubElement(parent, f"{{{SPACE}}}{tag}", given)
